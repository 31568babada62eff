"""Train models anew when there is a reason, and score when another one answers from then on."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.clock import Clock
from core.model_settings import ModelName
from core.progress import Progress
from core.settings import Settings
from core.storage import Workspace
from kizashi.pipeline import answers_stage, score_stage
from scoring.registry import CHAMPION, Registry
from training.recalibration import Recalibration, recalibrate_champion
from training.result import TrainingResult
from training.retraining import Need, need_of_training
from training.train import train_model


@dataclass(frozen=True)
class Retrained:
    """What was done about one model.

    Attributes:
        need: what spoke for training; None where nobody asked.
        result: of the training; None where there was no need.
        level: where there was none, whether the champion's probabilities still hold; None without a champion.
    """

    model: ModelName
    need: Need | None
    result: TrainingResult | None
    level: Recalibration | None = None


def retrain_models(
    settings: Settings,
    workspace: Workspace,
    models: Sequence[ModelName],
    *,
    only_if_needed: bool,
    clock: Clock,
    progress: Progress,
) -> list[Retrained]:
    """Train each model, or only those with a reason; the level of the others is held against what came since.

    People are scored again where the champion changed.

    The caller holds the workspace's lock.

    Raises:
        MissingStageError: the tables or features are missing.
    """
    done, changed = [], False
    for model in models:
        need = need_of_training(settings, workspace, model) if only_if_needed else None
        before = _champion(settings, workspace, model)
        if need is None or need.reasons:
            result = train_model(settings, workspace, model, clock=clock, progress=progress)
            done.append(Retrained(model, need, result))
        else:
            level = recalibrate_champion(settings, workspace, model, clock=clock) if before else None
            done.append(Retrained(model, need, None, level))
        if _champion(settings, workspace, model) != before:
            score_stage(settings, workspace, model, clock=clock, progress=progress)
            changed = True
    if changed:
        answers_stage(settings, workspace, clock=clock, progress=progress)
    return done


def recalibrate_model(
    settings: Settings, workspace: Workspace, model: ModelName, *, clock: Clock, progress: Progress
) -> Recalibration:
    """Hold the champion's probabilities against what came since; people are scored again where they moved.

    The caller holds the workspace's lock.

    Raises:
        NotFoundError: the model has no champion.
        MissingStageError: the tables or features are missing.
    """
    level = recalibrate_champion(settings, workspace, model, clock=clock)
    if level.changed:
        score_stage(settings, workspace, model, clock=clock, progress=progress)
        answers_stage(settings, workspace, clock=clock, progress=progress)
    return level


def _champion(settings: Settings, workspace: Workspace, model: ModelName) -> str | None:
    return Registry(settings, workspace).version_of(model, CHAMPION)
