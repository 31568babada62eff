"""What was ever answered about a person, computed again, and why two answers differ."""

from collections.abc import Sequence
from datetime import datetime

from core.database import Answer, open_database
from core.errors import NotFoundError
from core.model_settings import ModelName
from core.settings import Settings
from core.storage import Workspace
from features.catalog import service_of, service_schema
from kizashi.people import find_customer
from scoring.answers import answers_about
from scoring.lineage import merged_into
from scoring.reasons import Language
from scoring.registry import Registry
from scoring.replay import Replayed, replay_answer
from scoring.score_change import ScoreChange, split_change


def replay_history(
    settings: Settings, workspace: Workspace, model: ModelName, person: str, language: Language
) -> list[Replayed]:
    """Every logged answer about a person, oldest first, each computed again by the model version that gave it.

    Args:
        settings: the configuration.
        workspace: holds the log (or the configured database does), the registry and who is who.
        model: for example `lead`.
        person: any id the person ever had, or `system:id`.
        language: of subjects and sentences.

    Raises:
        ContractError: a version was trained on features that are no longer configured.
        NotFoundError: nobody is known under that id, or nothing was ever answered about them.
    """
    answers = _answers(settings, workspace, model, person)
    schema = service_schema(settings, service_of(model))
    registry = Registry(settings, workspace)
    versions = {number: registry.load(model, number) for number in {answer.model_version for answer in answers}}
    return [replay_answer(answer, versions[answer.model_version], schema, language) for answer in answers]


def change_between(
    settings: Settings,
    workspace: Workspace,
    model: ModelName,
    person: str,
    language: Language,
    since: datetime | None = None,
    until: datetime | None = None,
) -> ScoreChange:
    """Why the answer that held at one moment differs from the one that held at an earlier one.

    Args:
        settings: the configuration.
        workspace: holds the log, the registry and the unified tables.
        model: for example `lead`.
        person: any id the person ever had, or `system:id`.
        language: of subjects and sentences.
        since: the earlier moment (with time zone); default: just before the later answer.
        until: the later moment (with time zone); default: now.

    Raises:
        ContractError: a version was trained on features that are no longer configured.
        NotFoundError: nobody is known under that id, or no two answers held at those moments.
    """
    answers = _answers(settings, workspace, model, person)
    later = _held(answers, until)
    earlier = None if later is None else _held(answers[: answers.index(later)], since)
    if later is None or earlier is None:
        first = answers[0].features_as_of
        raise NotFoundError(
            f"{len(answers)} logged {model} {'answer' if len(answers) == 1 else 'answers'} about {person}, "
            f"the first as of {first:%Y-%m-%d %H:%M} UTC, and no two of them held at these moments",
            "two moments with different answers",
            "choose later ones, or wait for the next run",
        )
    return split_change(settings, workspace, earlier, later, language)


def _held(answers: Sequence[Answer], moment: datetime | None) -> Answer | None:
    """The last of the answers, which are in the order of time, up to a moment."""
    until = [answer for answer in answers if moment is None or answer.features_as_of <= moment]
    return until[-1] if until else None


def _answers(settings: Settings, workspace: Workspace, model: ModelName, person: str) -> list[Answer]:
    customer_id = find_customer(workspace, person)
    ids = [customer_id, *(old for old, new in merged_into(workspace).items() if new == customer_id)]
    engine = open_database(settings, workspace)
    try:
        answers = answers_about(engine, model, ids)
    finally:
        engine.dispose()
    if not answers:
        raise NotFoundError(
            f"nothing was ever answered about {person} by the {model} model",
            "somebody who was scored",
            "look one up in the list of scores (`kizashi score lead --out scores.csv`)",
        )
    return answers
