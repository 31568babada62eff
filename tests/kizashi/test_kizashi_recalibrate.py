"""A cron job that finds nothing to train still keeps probabilities honest, and people are scored by what moved."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from kizashi.cli import app
from kizashi.pipeline import scores_path
from scoring.registry import CHAMPION, Registry
from tests.kizashi.conftest import CLOCK, Ran
from training.recording import RunRecord, record_run


@pytest.fixture
def off(copy_of: Callable[..., Ran], tmp_path: Path) -> Ran:
    """A company whose champion expects far too much."""
    company = copy_of(tmp_path)
    registry = Registry(company.settings, company.workspace)
    # Runs belong to the folder that they were made in.
    home = str(company.workspace.home.resolve())
    registry.client.set_tag(registry.run_of("lead", CHAMPION), "kizashi.workspace", home)
    bundle = registry.named("lead", CHAMPION).bundle
    wrong = replace(bundle, calibrator=bundle.calibrator.shifted(2.0))
    example = pd.DataFrame({column.name: [None if column.is_category else 1.0] for column in bundle.columns})
    record = RunRecord(params={}, metrics={}, tags={"model": "lead", "why": "for the test"}, files={}, example=example)
    assert record_run(registry, "lead", record, wrong, CHAMPION, clock=CLOCK) == "2"
    company.run()
    return company


def test_what_need_not_be_trained_is_recalibrated_and_scored_again(off: Ran) -> None:
    before = pd.read_parquet(scores_path(off.workspace, "lead")).set_index("customer_id")
    assert set(before["model_version"]) == {"2"}

    ran = CliRunner().invoke(app, ["retrain", "lead", "--if-needed", "--config", str(off.config), "--json"])
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)["models"]["lead"]
    assert told["trained"] is False
    assert told["level"]["version"] == "3"
    assert told["level"]["shift"] < -1
    after = pd.read_parquet(scores_path(off.workspace, "lead")).set_index("customer_id").loc[before.index]
    assert set(after["model_version"]) == {"3"}
    assert (after["probability"] < before["probability"]).all()
    assert (after["score"] == before["score"]).all()

    ran = CliRunner().invoke(app, ["recalibrate", "lead", "--config", str(off.config)])
    assert ran.exit_code == 0, ran.output
    assert "バージョン3のまま" in ran.stdout
    assert "確定していない" in ran.stdout
