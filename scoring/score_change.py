"""Why a person's score is another one than before: time that passed, facts that became known, another model."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from core.database import Answer
from core.model_settings import ModelName
from core.settings import Settings
from core.storage import Workspace
from features.as_known import features_as_known
from features.catalog import service_of, service_schema
from scoring.reasons import Language, ReasonWriter
from scoring.registry import Registry
from scoring.replay import Replayed, replay_answer


@dataclass(frozen=True)
class ScoreChange:
    """Two answers about one person, and the way from the one to the other in three steps, in calibrated log-odds.

    Attributes:
        earlier, later: both answers, computed again.
        time: what the earlier model makes of the later moment when nothing new is told: visits grow old, windows end.
        facts: what became known between the two moments adds to that, still by the earlier model.
        model: what the later model makes of the same features instead.
        chances: the probability at the beginning and after each step; the last one is the later answer's.
        new_facts: `facts` by subject of which something became known, the strongest first, under its name in the
            language asked for.
        interplay: what the new facts make of subjects of which nothing became known; the rest of `facts`.
    """

    earlier: Replayed
    later: Replayed
    time: float
    facts: float
    model: float
    chances: tuple[float, float, float, float]
    new_facts: Mapping[str, float]
    interplay: float


def split_change(
    settings: Settings, workspace: Workspace, earlier: Answer, later: Answer, language: Language
) -> ScoreChange:
    """Split the way from one answer about a person to a later one.

    The two ends are taken from the log. The step between them is built from today's unified tables: a fact that was
    corrected since counts as one that became known.

    Args:
        settings: the configuration.
        workspace: holds the unified tables and the registry.
        earlier: from the log.
        later: from the log, about the same person (the id may be another one) by the same kind of model.
        language: of subjects and sentences.

    Raises:
        ContractError: one of the models was trained on features that are no longer configured.
        MissingStageError: no unified tables were published.
    """
    model: ModelName = settings.models.find(earlier.model) or "lead"
    schema = service_schema(settings, service_of(model))
    registry = Registry(settings, workspace)
    former = registry.load(model, earlier.model_version, schema)
    latter = registry.load(model, later.model_version, schema)
    told_first = replay_answer(earlier, former, schema, language)
    told_last = replay_answer(later, latter, schema, language)
    # With nothing new told, the person still has the id of then.
    aged = features_as_known(
        settings, workspace, schema.service, earlier.customer_id, later.features_as_of, earlier.features_as_of
    )
    known = pa.table({name: pa.array([value]) for name, value in told_last.values.items()})
    matrix = np.concatenate([former.bundle.encode(aged), former.bundle.encode(known)])
    margin = former.bundle.predict_margin(matrix)
    after_time, after_facts = former.bundle.calibrator.log_odds(margin).tolist()
    writer = ReasonWriter(schema.features, language, model)
    before, behind = writer.by_subject(former.bundle.contributions(matrix))
    added = {writer.label(group): float(effect) for group, effect in enumerate(behind - before)}
    then, now = matrix
    moved = (then != now) & ~(np.isnan(then) & np.isnan(now))
    changed = {column.name for column, other in zip(former.bundle.columns, moved.tolist(), strict=True) if other}
    renewed = {feature.subject_label for feature in schema.features if feature.name in changed}
    names = {label.ja if language == "ja" else label.en for label in renewed}
    new_facts = {name: effect for name, effect in added.items() if name in names}
    return ScoreChange(
        earlier=told_first,
        later=told_last,
        time=after_time - told_first.log_odds,
        facts=after_facts - after_time,
        model=told_last.log_odds - after_facts,
        chances=(
            told_first.again["probability"],
            *former.bundle.calibrator.probability(margin).tolist(),
            told_last.again["probability"],
        ),
        new_facts=dict(sorted(new_facts.items(), key=lambda item: (-abs(item[1]), item[0]))),
        interplay=sum(effect for name, effect in added.items() if name not in names),
    )
