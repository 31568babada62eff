"""A version answers only when it passes the gate; going back restores what was said before."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from core.clock import FixedClock
from core.errors import ContractError, NotFoundError
from core.settings import Settings
from core.storage import Workspace
from features.build import build_features
from features.retrieval import historical_features
from features.store import apply_definitions
from scoring.bundle import ModelBundle
from scoring.registry import CHALLENGER, CHAMPION, GATE_TAG, Registry, registered_name
from serving.champions import Champions
from training.promotion import promote_version, roll_back
from training.recalibration import recalibrate_champion
from training.recording import RunRecord, record_run
from training.retraining import need_of_training
from training.spine import build_spine, scoring_moments
from training.train import train_model

CLOCK = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
# Anything that would let foreign code in while a model is opened ends the process.
FORBIDDING = """
import sys

def forbid(event, arguments):
    if event == "pickle.find_class" or (event == "open" and str(arguments[0]).endswith((".pkl", ".pickle", ".joblib"))):
        print("FORBIDDEN", event, arguments, flush=True)

import mlflow.pyfunc, scoring.bundle, pandas
sys.addaudithook(forbid)
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/kizashi-lead@champion")
example = model.input_example if hasattr(model, "input_example") else None
print("SIGNATURE", len(model.metadata.signature.inputs.inputs), flush=True)
print("LOADED", len(model.predict(pandas.read_json(sys.argv[2]))), flush=True)
"""


@pytest.fixture(scope="module")
def trained(
    make_settings: Callable[..., Settings], sales_world: Callable[..., Workspace]
) -> tuple[Settings, Workspace, ModelBundle]:
    workspace = sales_world()
    settings = make_settings(workspace.home)
    now = scoring_moments(settings, workspace, "lead")
    build_features(settings, workspace, pa.concat_tables([build_spine(settings, workspace, "lead").moments, now]))
    apply_definitions(settings, workspace)
    assert train_model(settings, workspace, "lead", clock=CLOCK).promotion == "promoted"
    champion = Registry(settings, workspace).find("lead", CHAMPION)
    assert champion is not None
    return settings, workspace, champion.bundle


@pytest.fixture
def registry(trained: tuple[Settings, Workspace, ModelBundle]) -> Iterator[Registry]:
    """The registry with version 1 as the only champion again after each test."""
    settings, workspace, _ = trained
    registry = Registry(settings, workspace)
    yield registry
    while len(registry.champions("lead")) > 1:
        registry.uncrown("lead")


def challenge(registry: Registry, bundle: ModelBundle) -> str:
    example = pd.DataFrame({column.name: [None if column.is_category else 1.0] for column in bundle.columns})
    tags = {"model": "lead", "why": "kept for the test"}
    record = RunRecord(params={}, metrics={}, tags=tags, files={}, example=example)
    version = record_run(registry, "lead", record, bundle, CHALLENGER, clock=CLOCK)
    assert version is not None
    return version


def test_a_worse_or_uncalibrated_version_is_refused_with_the_reason(
    trained: tuple[Settings, Workspace, ModelBundle], registry: Registry
) -> None:
    settings, workspace, bundle = trained
    for change, told in (({"shift": bundle.calibrator.shift + 2.0}, "times the wins"), ({"slope": 0.15}, "slope")):
        version = challenge(registry, replace(bundle, calibrator=replace(bundle.calibrator, **change)))
        english = settings.model_copy(update={"locale": "en"})
        result = promote_version(english, workspace, "lead")
        assert (result.version, result.champion) == (version, "1")
        assert result.promotion in ("refused", "kept")
        assert told in result.why or "more accurate" in result.why or "not clearly better" in result.why
        assert registry.champions("lead") == ["1"]


def test_a_version_of_another_feature_service_is_refused_by_gate_and_server(
    trained: tuple[Settings, Workspace, ModelBundle], registry: Registry
) -> None:
    settings, workspace, bundle = trained
    version = challenge(registry, replace(bundle, schema_fingerprint="another"))
    result = promote_version(settings, workspace, "lead", version)
    assert result.promotion == "refused"
    assert "another" in result.why
    champions = Champions(settings, workspace)
    champions.load()
    registry.crown("lead", version)
    champions.refresh()
    in_force = champions.of("lead")
    assert in_force is not None
    assert in_force.version == "1", "what does not fit leaves the one in force"
    with pytest.raises(ContractError, match="was trained on lead_v1"):
        Champions(settings, workspace).load()


def test_the_server_refuses_what_the_gate_refused_or_never_saw(
    trained: tuple[Settings, Workspace, ModelBundle], registry: Registry
) -> None:
    settings, workspace, bundle = trained
    version = challenge(registry, replace(bundle, calibrator=replace(bundle.calibrator, shift=3.0)))
    client, name = registry.client, registered_name("lead")
    client.set_model_version_tag(name, version, GATE_TAG, "its probabilities are off")
    try:
        client.set_registered_model_alias(name, CHAMPION, version)
        with pytest.raises(ContractError, match="did not pass the promotion gate: its probabilities are off"):
            Champions(settings, workspace).load()
        source = client.get_model_version(name, version).source
        by_hand = client.create_model_version(name, source)
        client.set_registered_model_alias(name, CHAMPION, by_hand.version)
        with pytest.raises(ContractError, match="registered by hand and never judged"):
            Champions(settings, workspace).load()
    finally:
        client.set_registered_model_alias(name, CHAMPION, "1")


def test_going_back_restores_the_former_answers_exactly(
    trained: tuple[Settings, Workspace, ModelBundle], registry: Registry
) -> None:
    settings, workspace, bundle = trained
    rows = historical_features(settings, workspace, "lead_v1", scoring_moments(settings, workspace, "lead"))

    def answers() -> Any:
        champion = registry.find("lead", CHAMPION)
        assert champion is not None
        return champion.bundle.predict_probability(champion.bundle.encode(rows))

    before = answers()
    with pytest.raises(NotFoundError, match="no champion before"):
        roll_back(settings, workspace, "lead")
    other = challenge(
        registry, replace(bundle, calibrator=replace(bundle.calibrator, shift=bundle.calibrator.shift - 0.02))
    )
    promoted = promote_version(settings, workspace, "lead", other)
    assert (promoted.promotion, promoted.champion, promoted.former) == ("promoted", other, "1")
    assert not np.array_equal(answers(), before)
    back = roll_back(settings, workspace, "lead")
    assert (back.champion, back.former) == ("1", other)
    assert np.array_equal(answers(), before)


def test_a_champion_that_is_clearly_off_is_moved_once_and_can_be_brought_back(
    trained: tuple[Settings, Workspace, ModelBundle], registry: Registry
) -> None:
    settings, workspace, bundle = trained
    rows = historical_features(settings, workspace, "lead_v1", scoring_moments(settings, workspace, "lead"))
    off = replace(bundle, calibrator=bundle.calibrator.shifted(2.0))
    former = challenge(registry, off)
    registry.crown("lead", former)
    trained_at = need_of_training(settings, workspace, "lead").age_days

    level = recalibrate_champion(settings, workspace, "lead", clock=CLOCK)
    assert (level.changed, level.former) == (True, former)
    assert level.expected > max(30, 2 * level.observed)
    assert level.shift < -1
    moved = registry.named("lead", CHAMPION)
    assert moved.version == level.version
    assert moved.refusal is None
    matrix = bundle.encode(rows)
    log_odds = off.calibrator.log_odds(off.predict_margin(matrix))
    assert np.allclose(moved.bundle.calibrator.log_odds(moved.bundle.predict_margin(matrix)), log_odds + level.shift)
    assert np.allclose(moved.bundle.contributions(matrix)[:, :-1], off.contributions(matrix)[:, :-1])
    assert np.array_equal(moved.bundle.score(bundle.predict_margin(matrix)), off.score(bundle.predict_margin(matrix)))
    run = registry.client.get_run(str(registry.run_of("lead", CHAMPION)))
    assert run.data.metrics["logloss_after"] < run.data.metrics["logloss_before"]
    assert abs(run.data.metrics["expected_observed_after"] - 1) < abs(run.data.metrics["expected_observed_before"] - 1)
    assert run.data.tags["mlflow.parentRunId"] == registry.run_of("lead", former)

    again = recalibrate_champion(settings, workspace, "lead", clock=CLOCK)
    assert (again.changed, again.version) == (False, level.version), "no outcome moves a level twice"
    assert need_of_training(settings, workspace, "lead").age_days == trained_at, "its term goes on"
    assert roll_back(settings, workspace, "lead").champion == former
    assert np.array_equal(registry.named("lead", CHAMPION).bundle.predict_margin(matrix), off.predict_margin(matrix))


def test_a_champion_whose_expectations_hold_stays(
    trained: tuple[Settings, Workspace, ModelBundle], registry: Registry
) -> None:
    settings, workspace, _ = trained
    level = recalibrate_champion(settings, workspace, "lead", clock=CLOCK)
    assert (level.changed, level.version, level.shift) == (False, "1", 0.0)
    assert f"{level.observed}人" in level.why
    assert registry.champions("lead") == ["1"]


def test_a_run_keeps_what_an_auditor_asks_for(
    trained: tuple[Settings, Workspace, ModelBundle], registry: Registry
) -> None:
    version = registry.client.get_model_version(registered_name("lead"), "1")
    run = registry.client.get_run(version.run_id)
    kept = {file.path for folder in ("", "plots") for file in registry.client.list_artifacts(version.run_id, folder)}
    wanted = ("gains", "reliability", "distribution", "backtest", "shap_beeswarm", "shap_bars")
    assert {f"plots/{name}.png" for name in wanted} <= kept
    assert {"model_card.md", "model_card.html", "leakage.md", "slices.csv", "features.json"} <= kept
    for name in ("auc", "auc_low", "naive_bayes_logloss", "logistic_auc", "points_auc", "random_auc"):
        assert name in run.data.metrics
    assert run.data.tags["data"]
    assert run.data.tags["features"] == trained[2].schema_fingerprint
    card = Path(registry.client.download_artifacts(version.run_id, "model_card.md")).read_text(encoding="utf-8")
    assert "naive_bayes" in card
    assert "95%区間" in card
    model = Path(registry.client.download_artifacts(version.run_id, "model"))
    assert (model / "input_example.json").exists()


def example_of(trained: tuple[Settings, Workspace, ModelBundle]) -> tuple[pa.Table, Any]:
    settings, workspace, bundle = trained
    rows = historical_features(settings, workspace, "lead_v1", scoring_moments(settings, workspace, "lead").slice(0, 4))
    return rows, bundle.predict_probability(bundle.encode(rows))


def test_opening_a_model_unpickles_nothing(
    trained: tuple[Settings, Workspace, ModelBundle], registry: Registry, tmp_path: Path
) -> None:
    rows, _ = example_of(trained)
    file = tmp_path / "rows.json"
    rows.to_pandas().drop(columns=["customer_id", "as_of"]).to_json(file)
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORBIDDING, registry.uri, str(file)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert "LOADED 4" in ran.stdout, ran.stderr
    assert f"SIGNATURE {len(trained[2].columns)}" in ran.stdout
    assert "FORBIDDEN" not in ran.stdout
    assert not list(registry.workspace.path("mlflow").rglob("*.pkl"))


def test_mlflow_serves_the_champion(trained: tuple[Settings, Workspace, ModelBundle], registry: Registry) -> None:
    rows, expected = example_of(trained)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    root = Path(__file__).parents[2]
    # MLflow starts uvicorn by its name.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "MLFLOW_TRACKING_URI": registry.uri, "PYTHONPATH": str(root), "PATH": path}
    served = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/kizashi-lead@champion",
         "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
        env=environment, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        frame = rows.to_pandas().drop(columns=["customer_id", "as_of"])
        body = json.dumps({"dataframe_split": json.loads(frame.to_json(orient="split", index=False))}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"}
        )
        answer = answered_by(served, request)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(served.pid, signal.SIGTERM)
        served.wait()
    assert np.allclose(answer["predictions"], expected, rtol=0, atol=1e-12)


def answered_by(served: "subprocess.Popen[bytes]", request: urllib.request.Request) -> Any:
    """The answer as soon as the server is there; fails when it has ended."""
    while served.poll() is None:
        try:
            with urllib.request.urlopen(request) as response:  # noqa: S310 - our own process
                return json.load(response)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
    pytest.fail("the server ended before it answered")


def test_there_is_a_need_to_train_when_people_or_features_change(
    trained: tuple[Settings, Workspace, ModelBundle], registry: Registry, make_settings: Callable[..., Settings]
) -> None:
    settings, workspace, bundle = trained
    need = need_of_training(settings, workspace, "lead")
    assert need.reasons == ()
    assert need.age_days == 0
    assert need.drift < 0.25
    other = make_settings(workspace.home, features={"windows_days": (7, 30)}, locale="en")
    assert "was trained on lead_v1" in " ".join(need_of_training(other, workspace, "lead").reasons)
    # A champion that was made with people of quite other margins.
    margin = tuple(value - 2 for value in bundle.reference.margin)
    registry.crown("lead", challenge(registry, replace(bundle, reference=replace(bundle.reference, margin=margin))))
    english = settings.model_copy(update={"locale": "en"})
    assert "have changed" in " ".join(need_of_training(english, workspace, "lead").reasons)
