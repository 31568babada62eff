"""The main job end to end on a small made-up company, through the command line as people use it."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from core.storage import Workspace

COMMAND = [str(Path(sys.executable).with_name("kizashi"))]
# What is tested here does not depend on how good the models are.
FEW_TREES = {
    f"KIZASHI_MODELS__{model}__ESTIMATOR__{key}": value
    for model in ("LEAD", "CHURN", "REVIVAL", "LOOKALIKE")
    for key, value in (("MAX_ROUNDS", "60"), ("EARLY_STOPPING_ROUNDS", "5"), ("TRIALS", "2"))
}
PROMISED = {"customers", "source_records", "quarantined", "events", "models", "scored", "hot", "seconds"}
PROMISED_OF_A_MODEL = {
    *("version", "auc", "ap", "logloss", "brier", "ece", "lift_at_10", "calibration_slope", "expected_observed"),
    *("baselines", "verdict", "promotion", "why"),
}


def workspace_over(exports: Path, home: Path) -> Path:
    home.mkdir()
    (home / "exports").symlink_to(exports)
    return home


def kizashi(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env={**os.environ, **FEW_TREES, "KIZASHI_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def run(home: Path) -> dict[str, object]:
    finished = kizashi(home, "run", "--json")
    assert finished.returncode == 0, finished.stderr
    (line,) = finished.stdout.splitlines()
    answer: dict[str, object] = json.loads(line)
    return answer


def scores(home: Path) -> pd.DataFrame:
    """Ids, probabilities and reasons; when and by which version they were made is not compared."""
    frame = pd.read_parquet(Workspace(home).current("scores/lead") / "scores.parquet")
    return frame.drop(columns=["scored_at", "model_version"])


@pytest.fixture(scope="module")
def finished(small_exports: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    home = workspace_over(small_exports, tmp_path_factory.mktemp("first") / "home")
    return home, run(home)


def test_the_answer_holds_what_is_promised(finished: tuple[Path, dict[str, object]]) -> None:
    home, answer = finished
    assert answer.keys() >= PROMISED
    models = answer["models"]
    assert isinstance(models, dict)
    assert models["lead"].keys() >= PROMISED_OF_A_MODEL
    assert len(scores(home)) > 300
    lists = [pd.read_parquet(path) for path in home.glob("scores/*/*/scores.parquet")]
    assert answer["scored"] == sum(int((listed["status"] == "ok").sum()) for listed in lists)


def test_an_undisturbed_stage_is_not_repeated(finished: tuple[Path, dict[str, object]]) -> None:
    home, first = finished
    before = {path: path.stat().st_mtime_ns for path in home.rglob("current.json")}
    assert len(before) >= 3
    second = run(home)
    assert {path: path.stat().st_mtime_ns for path in home.rglob("current.json")} == before
    assert {**second, "seconds": 0} == {**first, "seconds": 0}


def test_two_fresh_workspaces_give_the_same(
    small_exports: Path, finished: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    home = workspace_over(small_exports, tmp_path / "home")
    run(home)
    pd.testing.assert_frame_equal(scores(home), scores(finished[0]))


def test_a_killed_run_goes_on_where_it_stopped(
    small_exports: Path, finished: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    home = workspace_over(small_exports, tmp_path / "home")
    moments = random.Random(3)  # noqa: S311 - any moments will do, the same each time
    for done_before in (None, "unify", "features"):
        job = subprocess.Popen(
            [*COMMAND, "run", "--json"],
            env={**os.environ, **FEW_TREES, "KIZASHI_HOME": str(home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # Within a stage: the first begins with the lock, the others with the record of the one before.
        begun = home / (".lock" if done_before is None else f"runs/{done_before}.json")
        while not begun.exists():
            assert job.poll() is None
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 1))
        assert job.poll() is None
        os.killpg(job.pid, signal.SIGKILL)
        job.wait()
    assert not (home / "scores").exists()
    run(home)
    assert not [path.name for path in home.rglob(".*.tmp")]
    pd.testing.assert_frame_equal(scores(home), scores(finished[0]))


def test_a_lead_is_explained_by_any_of_its_ids(finished: tuple[Path, dict[str, object]]) -> None:
    home, _ = finished
    best = scores(home).iloc[0]
    answer = json.loads(kizashi(home, "explain", "lead", best["customer_id"], "--json").stdout)
    assert answer["probability"] == best["probability"]
    records = Workspace(home).read_table("identities").to_pandas()
    record = records[(records["customer_id"] == best["customer_id"]) & records["ended_at"].isna()].iloc[0]
    again = kizashi(home, "explain", "lead", f"{record['system']}:{record['source_id']}", "--json").stdout
    assert json.loads(again) == answer
    unknown = kizashi(home, "explain", "lead", "c_nobody")
    assert unknown.returncode == 2
    assert "nobody is known as 'c_nobody'" in unknown.stderr


@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".parquet"])
def test_the_list_of_scores_opens_elsewhere(
    finished: tuple[Path, dict[str, object]], tmp_path: Path, ending: str
) -> None:
    home, _ = finished
    out = tmp_path / f"scores{ending}"
    assert kizashi(home, "score", "lead", "--out", str(out)).returncode == 0
    read = {".csv": pd.read_csv, ".xlsx": pd.read_excel, ".parquet": pd.read_parquet}[ending]
    assert list(read(out)["customer_id"]) == list(scores(home)["customer_id"])
