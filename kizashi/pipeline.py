"""The main job: exports in, scored leads out, read from top to bottom as the data moves."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa

from activation.alerts import raise_alerts
from activation.segments import build_segments
from core.clock import Clock
from core.errors import ContractError
from core.model_settings import ModelName
from core.progress import Progress
from core.settings import Settings
from core.storage import Workspace, fingerprint
from customers.decisions import decisions_fingerprint, read_decisions
from customers.suppression import SuppressionList
from customers.unify import UnifySummary, unify_customers
from features.build import FeatureBuild, build_features
from features.catalog import service_of, service_schema
from features.materialise import is_online, materialise_online
from features.store import apply_definitions
from kizashi.forget import finish_forgetting
from kizashi.lifecycle_delta import forget_told_of_gone
from kizashi.stages import code_fingerprint, last_result, run_once, source_fingerprint
from scoring.registry import CHAMPION, Registry
from scoring.score import HOT_MODEL, ScoringResult, score_customers
from serving.directory import DirectorySummary, publish_directory
from training.result import TrainingResult
from training.spine import build_spine, everyone_now, scoring_moments
from training.train import train_model


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

    Each stage publishes its result as a whole or not at all, and is not repeated while its inputs stay as they are: an
    interrupted run leaves the last good state readable, and the next one goes on where it stopped.

    Raises:
        KizashiError: an export, the configuration or the evidence is not as it should be; the error says which.
    """
    seconds = seconds or StageSeconds()
    with workspace.lock():
        finish_forgetting(settings, workspace, clock=clock)
        with seconds.measure("unify"):
            unified = run_once(
                workspace,
                "unify",
                inputs=_unify_inputs(settings, workspace),
                outputs=("customers",),
                result=UnifySummary,
                work=lambda: unify_stage(settings, workspace, clock=clock, progress=progress),
            )
        with seconds.measure("features"):
            run_once(
                workspace,
                "features",
                inputs=_features_inputs(settings, workspace),
                outputs=("features",),
                result=FeatureBuild,
                work=lambda: build_stage(settings, workspace, progress=progress),
            )
            if not is_online(settings, workspace, workspace.as_of()):
                materialise_online(settings, workspace, workspace.as_of(), progress)
        trained: dict[ModelName, TrainingResult] = {}
        scored: dict[ModelName, ScoringResult] = {}
        if _has_fitting_champion(settings, workspace, HOT_MODEL):
            # By the model that saw yesterday, before another one may take over: whoever turned hot now did change.
            with seconds.measure("score"):
                _score_once(settings, workspace, HOT_MODEL, clock=clock, progress=progress)
                raise_alerts(settings, workspace, HOT_MODEL, clock=clock)
        for model in settings.models.names:
            with seconds.measure("train"):
                trained[model] = run_once(
                    workspace,
                    f"train-{model}",
                    inputs=_training_inputs(settings, workspace, model),
                    outputs=(),
                    result=TrainingResult,
                    work=partial(train_model, settings, workspace, model, clock=clock, progress=progress),
                )
            with seconds.measure("score"):
                scored[model] = _score_once(settings, workspace, model, clock=clock, progress=progress)
        with seconds.measure("score"):
            run_once(
                workspace,
                "answers",
                inputs=_answers_inputs(settings, workspace),
                outputs=(),
                result=DirectorySummary,
                work=lambda: answers_stage(settings, workspace, clock=clock, progress=progress),
            )
    return RunResult(unified, trained, scored, seconds.seconds)


def _score_once(
    settings: Settings, workspace: Workspace, model: ModelName, *, clock: Clock, progress: Progress
) -> ScoringResult:
    return run_once(
        workspace,
        f"score-{model}",
        inputs=_scoring_inputs(settings, workspace, model),
        outputs=(f"scores/{model}",),
        result=ScoringResult,
        work=partial(score_stage, settings, workspace, model, clock=clock, progress=progress),
    )


def unify_stage(settings: Settings, workspace: Workspace, *, clock: Clock, progress: Progress) -> UnifySummary:
    """Turn the exports into the unified tables."""
    unified = unify_customers(settings, workspace, run=f"run-{clock.now():%Y%m%dT%H%M%SZ}", progress=progress)
    forget_told_of_gone(settings, workspace)
    return unified


def features_stage(settings: Settings, workspace: Workspace, *, progress: Progress) -> FeatureBuild:
    """Build features, and bring the newest online even where the online store says that they are there."""
    build = build_stage(settings, workspace, progress=progress)
    materialise_online(settings, workspace, workspace.as_of(), progress)
    return build


def build_stage(settings: Settings, workspace: Workspace, *, progress: Progress) -> FeatureBuild:
    """Build every moment that training or scoring will ask for, then tell Feast."""
    moments = [scoring_moments(settings, workspace, model) for model in settings.models.names]
    moments += [build_spine(settings, workspace, model).moments for model in settings.models.names]
    if "lookalike" in settings.models.names:
        # Any group may be imitated later, those who were won included.
        moments.append(everyone_now(settings, workspace))
    build = build_features(settings, workspace, _distinct(moments), progress)
    apply_definitions(settings, workspace)
    return build


def score_stage(
    settings: Settings, workspace: Workspace, model: ModelName, *, clock: Clock, progress: Progress
) -> ScoringResult:
    """Score everyone eligible now with the champion."""
    moments = scoring_moments(settings, workspace, model)
    return score_customers(settings, workspace, model, moments, clock=clock, progress=progress)


def answers_stage(settings: Settings, workspace: Workspace, *, clock: Clock, progress: Progress) -> DirectorySummary:
    """Let lookups find whoever was scored, choose the segments, and raise alerts for who turned hot."""
    directory = publish_directory(settings, workspace, progress)
    build_segments(settings, workspace)
    if HOT_MODEL in settings.models.names:
        raise_alerts(settings, workspace, HOT_MODEL, clock=clock)
    return directory


def _unify_inputs(settings: Settings, workspace: Workspace) -> str:
    return fingerprint(
        source_fingerprint(settings),
        SuppressionList(workspace).fingerprint,
        decisions_fingerprint(read_decisions(settings, workspace)),
    )


def _features_inputs(settings: Settings, workspace: Workspace) -> str:
    # How a model learns and is judged decides nothing about its rows.
    later = {"split", "estimator", "points", "promotion", "retrain_after_days", "leakage", "evaluation", "retrain"}
    rows = [(name, settings.models[name].model_dump(exclude=later)) for name in settings.models.names]
    customs = [source.people.custom for source in settings.sources if source.people]
    return fingerprint(
        workspace.current("customers").name,
        *(settings.features, rows, customs, settings.timezone, settings.consent, settings.survivorship),
        code_fingerprint("core", "features", "training"),
    )


def _training_inputs(settings: Settings, workspace: Workspace, model: ModelName) -> str:
    meaning = [source.model_dump_json() for source in settings.sources]
    return fingerprint(
        _learned_from(settings, workspace, model),
        settings.models[model].model_dump(exclude={"retrain_after_days", "retrain"}),
        *(settings.grades, settings.locale, bool(settings.tracking_uri)),
        *(meaning, settings.features, settings.timezone, settings.consent, settings.survivorship),
        code_fingerprint("core", "customers", "features", "training", "scoring"),
    )


def _learned_from(settings: Settings, workspace: Workspace, model: ModelName) -> str:
    """The generation of features to learn from: the newest, or that of the last training while its term lasts.

    Another model each night would leave no two lists of scores that can be compared: no lead would ever be seen to
    turn hot. Without a champion every run tries anew.
    """
    newest = workspace.current("features").name
    last = last_result(workspace, f"train-{model}", TrainingResult)
    if last is None or last.as_of is None or not _has_fitting_champion(settings, workspace, model):
        return newest
    term = timedelta(days=settings.models[model].retrain_after_days)
    # A moment before the training would be scored by a model that knows what came after.
    return last.generation if last.as_of <= workspace.as_of() < last.as_of + term else newest


def _has_fitting_champion(settings: Settings, workspace: Workspace, model: ModelName) -> bool:
    """Whether the model is wanted, has a champion, and that one reads the features that are configured now."""
    if model not in settings.models.names:
        return False
    champion = Registry(settings, workspace).find(model, CHAMPION)
    if champion is None:
        return False
    try:
        champion.check(service_schema(settings, service_of(model)))
    except ContractError:
        return False
    return True


def _scoring_inputs(settings: Settings, workspace: Workspace, model: ModelName) -> str:
    champion = Registry(settings, workspace).find(model, CHAMPION)
    return fingerprint(
        workspace.current("features").name,
        champion.version if champion else "-",
        *(settings.hot, settings.locale, settings.reasons),
        code_fingerprint("core", "features", "scoring"),
    )


def _answers_inputs(settings: Settings, workspace: Workspace) -> str:
    return fingerprint(
        workspace.current("customers").name,
        *(workspace.current(f"scores/{model}").name for model in settings.models.names),
        *(settings.activation, settings.segments, settings.consent, settings.locale, settings.online_store),
        code_fingerprint("core", "features", "serving", "activation"),
    )


def _distinct(tables: list[pa.Table]) -> pa.Table:
    """Every (customer, as-of) once, in order."""
    merged = pa.concat_tables(table.select(["customer_id", "as_of"]) for table in tables)
    distinct = merged.group_by(["customer_id", "as_of"]).aggregate([])
    return distinct.sort_by([("as_of", "ascending"), ("customer_id", "ascending")])


def scores_path(workspace: Workspace, model: ModelName) -> Path:
    """Where the scores in force lie."""
    return workspace.current(f"scores/{model}") / "scores.parquet"
