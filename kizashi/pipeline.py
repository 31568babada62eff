"""The main job: exports in, scored leads out, read from top to bottom as the data moves."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from core.clock import Clock
from core.progress import Progress
from core.settings import ModelName, Settings
from core.storage import Workspace
from customers.unify import UnifySummary, unify_customers
from features.build import FeatureBuild, build_features
from features.materialise import materialise_online
from features.store import apply_definitions
from scoring.score import ScoringResult, score_customers
from training.spine import build_spine, scoring_moments
from training.train import TrainingResult, train_model


@dataclass
class StageSeconds:
    """How long each stage took, in seconds of wall-clock time."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to the stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


@dataclass(frozen=True)
class RunResult:
    """What a run found, for the summary and for `--json`."""

    unified: UnifySummary
    models: dict[ModelName, TrainingResult]
    scores: dict[ModelName, ScoringResult]
    seconds: dict[str, float]


def run_pipeline(
    settings: Settings, workspace: Workspace, *, clock: Clock, progress: Progress, seconds: StageSeconds | None = None
) -> RunResult:
    """Unify, build features, train and score every configured model.

    Each stage publishes its result as a whole or not at all, so an interrupted run leaves the last good state readable.

    Raises:
        KizashiError: an export, the configuration or the evidence is not as it should be; the error says which.
    """
    seconds = seconds or StageSeconds()
    with workspace.lock():
        with seconds.measure("unify"):
            unified = unify_stage(settings, workspace, clock=clock, progress=progress)
        with seconds.measure("features"):
            features_stage(settings, workspace, progress=progress)
        with seconds.measure("train"):
            trained = {
                model: train_model(settings, workspace, model, clock=clock, progress=progress)
                for model in settings.models
            }
        with seconds.measure("score"):
            scored = {
                model: score_stage(settings, workspace, model, clock=clock, progress=progress)
                for model in settings.models
            }
    return RunResult(unified, trained, scored, seconds.seconds)


def unify_stage(settings: Settings, workspace: Workspace, *, clock: Clock, progress: Progress) -> UnifySummary:
    """Turn the exports into the unified tables."""
    return unify_customers(settings, workspace, run=f"run-{clock.now():%Y%m%dT%H%M%SZ}", progress=progress)


def features_stage(settings: Settings, workspace: Workspace, *, progress: Progress) -> FeatureBuild:
    """Build every moment that training or scoring will ask for, then tell Feast and bring the newest online."""
    moments = [scoring_moments(settings, workspace, model) for model in settings.models]
    moments += [build_spine(settings, workspace, model).moments for model in settings.models]
    build = build_features(settings, workspace, _distinct(moments), progress)
    apply_definitions(settings, workspace)
    materialise_online(settings, workspace, as_of_of(workspace), progress)
    return build


def score_stage(
    settings: Settings, workspace: Workspace, model: ModelName, *, clock: Clock, progress: Progress
) -> ScoringResult:
    """Score everyone who is eligible now with the champion."""
    moments = scoring_moments(settings, workspace, model)
    return score_customers(settings, workspace, model, moments, clock=clock, progress=progress)


def as_of_of(workspace: Workspace) -> datetime:
    """The moment that the unified tables in force are scored for."""
    workspace.current("customers")
    manifest = workspace.manifest("customers") or {}
    return datetime.fromisoformat(str(manifest["as_of"]))


def _distinct(tables: list[pa.Table]) -> pa.Table:
    """Every (customer, as-of) once, in order."""
    merged = pa.concat_tables(table.select(["customer_id", "as_of"]) for table in tables)
    distinct = merged.group_by(["customer_id", "as_of"]).aggregate([])
    return distinct.sort_by([("as_of", "ascending"), ("customer_id", "ascending")])


def scores_path(workspace: Workspace, model: ModelName) -> Path:
    """Where the scores in force lie."""
    return workspace.current(f"scores/{model}") / "scores.parquet"
