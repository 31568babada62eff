"""The whole way on a small company: spine, features, training, registry, scores, answers, explanations."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import mlflow
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.clock import FixedClock
from core.database import open_database
from core.errors import ContractError, NotFoundError
from core.settings import Settings
from core.storage import Workspace
from features.build import build_features
from features.retrieval import historical_features
from features.store import apply_definitions
from scoring.answers import last_answer, unpack
from scoring.explain import explain_customer
from scoring.registry import CHAMPION, Registry
from scoring.score import ScoringResult, score_customers
from training.result import TrainingResult
from training.spine import build_spine, scoring_moments
from training.train import train_model

CLOCK = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))


@dataclass(frozen=True)
class Run:
    settings: Settings
    workspace: Workspace
    trained: TrainingResult
    scored: ScoringResult

    @property
    def scores(self) -> pa.Table:
        return pq.read_table(self.workspace.current("scores/lead") / "scores.parquet")


def build(settings: Settings, workspace: Workspace) -> pa.Table:
    now = scoring_moments(settings, workspace, "lead")
    build_features(settings, workspace, pa.concat_tables([build_spine(settings, workspace, "lead").moments, now]))
    apply_definitions(settings, workspace)
    return now


def run(settings: Settings, workspace: Workspace) -> Run:
    now = build(settings, workspace)
    trained = train_model(settings, workspace, "lead", clock=CLOCK)
    scored = score_customers(settings, workspace, "lead", now, clock=CLOCK)
    return Run(settings, workspace, trained, scored)


@pytest.fixture(scope="module")
def done(make_settings: Callable[..., Settings], sales_world: Callable[..., Workspace]) -> Run:
    workspace = sales_world()
    return run(make_settings(workspace.home), workspace)


def test_a_model_that_sees_real_signs_is_good_and_becomes_champion(done: Run) -> None:
    trained = done.trained
    assert trained.auc > 0.65
    assert trained.logloss < trained.baselines["base_rate"]["logloss"]
    assert trained.verdict in ("use", "keep")
    assert (trained.promotion, trained.version) == ("promoted", "1")
    assert trained.unseen_rows > 0
    development, test = trained.parts["development"], trained.parts["test"]
    assert datetime.fromisoformat(development.last) + timedelta(days=30) <= datetime.fromisoformat(test.first)


def test_scores_are_complete_best_first_and_reasoned(done: Run) -> None:
    scores = done.scores.to_pandas()
    assert len(scores) == done.scored.scored == done.scored.eligible
    assert scores["probability"].is_monotonic_decreasing
    assert scores["score"].between(1, 100).all()
    assert scores["score"].is_monotonic_decreasing
    assert set(scores["fit"]) <= set("ABCD")
    assert set(scores["engagement"]) <= {1, 2, 3, 4}
    assert set(scores["trend"]) == {"new"}
    assert (scores["reason_1"] != "").mean() > 0.9
    spoken = scores[[f"reason_{n}" for n in range(1, 6)]].stack()
    assert not spoken.str.contains("nan|None|inf", case=False).any()
    assert scores["reason_1"].str.contains("料金ページ").any()


def test_an_answer_can_be_computed_again_from_the_log(done: Run) -> None:
    best = done.scores.to_pylist()[0]
    engine = open_database(done.settings, done.workspace)
    try:
        answer = last_answer(engine, "lead", best["customer_id"])
    finally:
        engine.dispose()
    assert answer is not None
    bundle = Registry(done.settings, done.workspace).load("lead", answer.model_version).bundle
    assert float(bundle.predict_probability(unpack(answer.features)[np.newaxis, :])[0]) == answer.probability
    contributions = unpack(answer.contributions)
    assert 1 / (1 + np.exp(-contributions.sum())) == pytest.approx(answer.probability, abs=1e-9)
    assert answer.features_as_of == best["as_of"]


def test_an_explanation_adds_up_to_the_score(done: Run) -> None:
    best = done.scores.to_pylist()[0]
    explanation = explain_customer(done.settings, done.workspace, "lead", best["customer_id"], "en")
    assert explanation.probability == best["probability"]
    log_odds = explanation.base_log_odds + sum(effect for _, effect in explanation.contributions)
    assert 1 / (1 + np.exp(-log_odds)) == pytest.approx(best["probability"], abs=1e-9)
    assert len(explanation.reasons) == sum(best[f"reason_{n}"] != "" for n in range(1, 6))
    with pytest.raises(NotFoundError, match="there is no customer nobody"):
        explain_customer(done.settings, done.workspace, "lead", "nobody", "en")


def test_a_second_run_on_the_same_data_changes_nothing(done: Run) -> None:
    before = done.scores.drop_columns(["scored_at"])
    again = train_model(done.settings, done.workspace, "lead", clock=CLOCK)
    assert (again.version, again.promotion) == ("1", "promoted")
    now = scoring_moments(done.settings, done.workspace, "lead")
    scored = score_customers(done.settings, done.workspace, "lead", now, clock=CLOCK)
    assert scored.answers == 0
    assert done.scores.drop_columns(["scored_at"]).equals(before)


def test_mlflow_itself_opens_the_champion(done: Run) -> None:
    uri = f"sqlite:///{done.workspace.path('mlflow', 'mlflow.db').resolve()}"
    now = scoring_moments(done.settings, done.workspace, "lead").slice(0, 5)
    rows = historical_features(done.settings, done.workspace, "lead_v1", now)
    champion = Registry(done.settings, done.workspace).find("lead", CHAMPION)
    assert champion is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # MLflow's own use of SQLAlchemy
        former = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(uri)
        try:
            loaded = mlflow.pyfunc.load_model("models:/kizashi-lead@champion")
        finally:
            mlflow.set_tracking_uri(former)
    expected = champion.bundle.predict_probability(champion.bundle.encode(rows))
    assert np.array_equal(loaded.predict(rows.to_pandas()), expected)
    files = [path.suffix for path in done.workspace.path("mlflow", "artifacts").rglob("*") if path.is_file()]
    assert ".pkl" not in files


def test_a_fresh_workspace_gives_the_same_answers(
    done: Run, make_settings: Callable[..., Settings], sales_world: Callable[..., Workspace]
) -> None:
    workspace = sales_world()
    other = run(make_settings(workspace.home), workspace)
    assert other.trained.data == done.trained.data
    assert other.scores.drop_columns(["scored_at"]).equals(done.scores.drop_columns(["scored_at"]))


def test_a_champion_of_other_features_is_refused(done: Run, make_settings: Callable[..., Settings]) -> None:
    changed = make_settings(done.workspace.home, features={"windows_days": (7, 30, 90)})
    now = scoring_moments(changed, done.workspace, "lead")
    with pytest.raises(ContractError, match="was trained on lead_v1"):
        score_customers(changed, done.workspace, "lead", now, clock=CLOCK)


def test_without_any_win_nothing_is_promoted_and_nobody_scored(
    make_settings: Callable[..., Settings], sales_world: Callable[..., Workspace]
) -> None:
    workspace = sales_world(people=80, wins=False)
    result = run(make_settings(workspace.home), workspace)
    assert (result.trained.version, result.trained.verdict) == ("-", "do_not_use")
    assert result.trained.promotion == "refused"
    assert "0行" in result.trained.why
    assert (result.scored.scored, result.scored.version) == (0, "-")
    scores = result.scores.to_pandas()
    assert set(scores["status"]) == {"insufficient"}
    assert (scores[["score", "probability"]] == 0).all().all()
    assert set(scores["grade"]) == {"-"}
    customer = scores["customer_id"].iloc[0]
    assert explain_customer(result.settings, workspace, "lead", customer, "ja").status == "insufficient"
