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
from training.result import TrainingResult
from training.retraining import Need, need_of_training
from training.train import train_model


@dataclass(frozen=True)
class Retrained:
    """What was done about one model.

    Attributes:
        need: what spoke for training; None where nobody asked.
        result: of the training; None where there was no need.
    """

    model: ModelName
    need: Need | None
    result: TrainingResult | None


def retrain_models(
    settings: Settings,
    workspace: Workspace,
    models: Sequence[ModelName],
    *,
    only_if_needed: bool,
    clock: Clock,
    progress: Progress,
) -> list[Retrained]:
    """Train each model, or only those with a reason; people are scored again where the champion changed.

    The caller holds the workspace's lock.

    Raises:
        MissingStageError: the tables or features are missing.
    """
    done, changed = [], False
    for model in models:
        need = need_of_training(settings, workspace, model) if only_if_needed else None
        if need is not None and not need.reasons:
            done.append(Retrained(model, need, None))
            continue
        before = _champion(settings, workspace, model)
        result = train_model(settings, workspace, model, clock=clock, progress=progress)
        done.append(Retrained(model, need, result))
        if _champion(settings, workspace, model) != before:
            score_stage(settings, workspace, model, clock=clock, progress=progress)
            changed = True
    if changed:
        answers_stage(settings, workspace, clock=clock, progress=progress)
    return done


def _champion(settings: Settings, workspace: Workspace, model: ModelName) -> str | None:
    champion = Registry(settings, workspace).find(model, CHAMPION)
    return None if champion is None else champion.version
