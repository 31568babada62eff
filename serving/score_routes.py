"""Lookups over HTTP: `/v1/score`."""

from typing import Annotated, cast

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse

from core.errors import NotFoundError
from core.model_settings import ModelName
from scoring.flat_answer import FlatAnswer
from scoring.reasons import Language
from serving.authorisation import Parts, ScoreCaller
from serving.directory import Reference
from serving.messages import (
    BatchAnswer,
    BatchRequest,
    LanguageText,
    RecordId,
    ScoreAnswer,
    ScoreRequest,
    SystemName,
)
from serving.problems import PROBLEM_RESPONSES
from serving.runtime import Runtime

router = APIRouter(prefix="/v1/score", tags=["score"], responses=PROBLEM_RESPONSES)


@router.post("", response_model=ScoreAnswer)
def score_one(asked: ScoreRequest, parts: Parts, caller: ScoreCaller) -> JSONResponse:
    """Score one person; unknown people are answered too, with their status."""
    del caller
    return JSONResponse(_answers(parts, asked.model, asked.lang, [Reference(asked.system, asked.id)])[0])


@router.post("/batch", response_model=BatchAnswer)
def score_batch(asked: BatchRequest, parts: Parts, caller: ScoreCaller) -> JSONResponse:
    """Score up to 1,000 people."""
    del caller
    references = [Reference(item.system, item.id) for item in asked.items]
    return JSONResponse({"items": _answers(parts, asked.model, asked.lang, references)})


# The id comes last and takes everything: source systems put slashes into ids.
@router.get("/{model}/{system}/{id:path}", response_model=ScoreAnswer)
def look_up(
    model: str,
    system: Annotated[SystemName, Path()],
    id: Annotated[RecordId, Path()],  # noqa: A002 - the name that callers see in the interface
    parts: Parts,
    caller: ScoreCaller,
    lang: Annotated[LanguageText, Query()] = "",
) -> JSONResponse:
    """Score one person by the id of any system; safe to repeat."""
    del caller
    return JSONResponse(_answers(parts, model, lang, [Reference(system, id)])[0])


def configured_model(parts: Runtime, name: str) -> ModelName:
    """The model of that name.

    Raises:
        NotFoundError: the configuration has none.
    """
    model = parts.settings.models.find(name)
    if model is None:
        known = ", ".join(parts.settings.models.names)
        raise NotFoundError("there is no such model", f"one of {known}", "name one of them")
    return model


def chosen_language(parts: Runtime, lang: str) -> Language:
    """The language asked for, else the configured one."""
    return cast("Language", lang) if lang in ("ja", "en") else parts.settings.locale


def _answers(parts: Runtime, model: str, lang: str, references: list[Reference]) -> list[FlatAnswer]:
    name = configured_model(parts, model)
    answers = parts.lookup.answer(name, references, chosen_language(parts, lang))
    for answer in answers:
        parts.metrics.answered(name, str(answer["status"]))
    return answers
