"""A field of the company's own that knows the outcome stops training; named with a reason, it is used and told of."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from core.clock import FixedClock
from core.settings import Settings
from core.storage import Workspace
from features.build import build_features
from features.store import apply_definitions
from scoring.registry import Registry
from tests.training.conftest import NOW, publish, sales_tables
from training.recording import EXPERIMENT
from training.result import TrainingResult
from training.spine import build_spine, scoring_moments
from training.train import train_model

CLOCK = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
SOURCE = {
    "name": "s",
    "system": "marketo",
    "path": "none.csv",
    "people": {
        "id": "id",
        "custom": {"Rating": {"column": "r", "type": "category", "known_at": "created"}},
    },
}


def leaky_tables(people: int) -> dict[str, list[dict[str, Any]]]:
    """Sales note a rating when a deal comes to its end; the export says it stood there since the record was made."""
    tables = sales_tables(people, seed=3)
    rng = np.random.default_rng(0)
    won = {part["source_id"] for part in tables["deal_people"]}
    for link in list(tables["identities"]):
        rating = "A" if link["source_id"] in won else "C"
        if rng.random() < 0.05:
            rating = "C" if rating == "A" else "A"
        tables["attributes"].append(
            {
                "customer_id": link["customer_id"],
                "system": "marketo",
                "source_id": link["source_id"],
                "field": "Rating",
                "value": rating,
                "occurred_at": link["linked_at"],
                "recorded_at": link["linked_at"],
                "recorded_assumed": False,
            }
        )
    return tables


def settings_of(home: Path, **lead: Any) -> Settings:
    quick = {"max_rounds": 40, "early_stopping_rounds": 5, "trials": 2}
    return Settings(
        name="test",
        home=home,
        locale="en",
        sources=(SOURCE,),  # type: ignore[arg-type]  # read by pydantic
        models={"lead": {"label": {"horizon_days": 30}, "estimator": quick, **lead}},  # type: ignore[dict-item]
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    home = tmp_path_factory.mktemp("leaky") / "home"
    workspace, settings = publish(home, leaky_tables(300), NOW), settings_of(home)
    moments = [build_spine(settings, workspace, "lead").moments, scoring_moments(settings, workspace, "lead")]
    build_features(settings, workspace, pa.concat_tables(moments))
    apply_definitions(settings, workspace)
    return workspace


def trained(world: Workspace, **lead: Any) -> TrainingResult:
    return train_model(settings_of(world.home, **lead), world, "lead", clock=CLOCK)


def test_training_stops_with_field_evidence_and_remedy(world: Workspace) -> None:
    result = trained(world)
    assert result.leaks == ("custom_rating",)
    assert (result.version, result.verdict, result.promotion) == ("-", "do_not_use", "refused")
    for told in ("Training stopped", "custom_rating", "pairs in the right order", "known_at: export"):
        assert told in result.why
    registry = Registry(settings_of(world.home), world)
    experiment = registry.client.get_experiment_by_name(EXPERIMENT)
    run = registry.client.search_runs([experiment.experiment_id])[0]
    assert (run.info.status, run.data.tags["leaks"]) == ("FAILED", "custom_rating")
    report = Path(registry.client.download_artifacts(run.info.run_id, "leakage.md")).read_text(encoding="utf-8")
    assert "custom_rating" in report


def test_a_reason_in_the_configuration_lets_it_pass_and_stands_in_the_card(world: Workspace) -> None:
    why = "an agency rates every lead before we call"
    result = trained(
        world, leakage={"trusted": {"custom_rating": why}}, evaluation={"cut_offs": 0, "resamples": 20},
        promotion={"min_positives": 1, "max_ece": 1.0, "min_auc": 0.5, "max_calibration_ratio": 50.0},
    )  # fmt: skip
    assert result.leaks == ()
    assert any(why in line for line in result.leakage)
    registry = Registry(settings_of(world.home), world)
    experiment = registry.client.get_experiment_by_name(EXPERIMENT)
    runs = registry.client.search_runs([experiment.experiment_id])
    run = next(one for one in runs if one.info.status == "FINISHED")
    card = Path(registry.client.download_artifacts(run.info.run_id, "model_card.md")).read_text(encoding="utf-8")
    assert why in card
