"""What must hold after a kill, and after the run that follows the last one."""

import math
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.soak_company import configuration_of
from core.clock import SystemClock
from core.errors import KizashiError
from core.model_settings import ModelName
from core.settings import Settings, load_settings
from core.storage import Workspace
from features.catalog import service_of
from features.retrieval import historical_features, online_features
from kizashi.leads import top_leads
from kizashi.people import find_customer
from kizashi.pipeline import scores_path
from scoring.explain import explain_customer
from scoring.flat_answer import FlatAnswer
from scoring.lineage import merged_into
from serving.directory import OWN_SYSTEM, Reference
from serving.runtime import Runtime
from training.spine import scoring_moments

# The model whose list is read after each kill, and that raises alerts.
_MODEL: ModelName = "lead"
# People who are looked up and explained after each kill, from all over the list.
_LOOKED_UP, _EXPLAINED = 100, 3
_ANSWERS = "SELECT model, customer_id, features_as_of, probability, score, grade, hot FROM answers"
_ALERTS = "SELECT alert_id, customer_id, as_of, probability, state FROM alerts"
_MESSAGES = "SELECT alert_id, channel, state FROM outbox"
_DOUBLED = """SELECT count(*) FROM (SELECT 1 FROM answers
    GROUP BY model, customer_id, model_version, features_as_of, probability, hot HAVING count(*) > 1)"""


def listed_people(home: Path) -> frozenset[str]:
    """Everybody on the list of scores in force who stands there once.

    The older run looks at the past while its exports tell of later merges: both ids of a person were scored, and the
    former one is answered, rightly, with the person's score of today's id.
    """
    _, workspace = _open(home)
    listed = frozenset(pd.read_parquet(scores_path(workspace, _MODEL))["customer_id"])
    return listed - merged_into(workspace).keys()


def last_good_state(home: Path, former: frozenset[str]) -> list[str]:
    """What cannot be read of the last good state: the list of scores, explanations and lookups.

    Asked about are people of the `former` list, before the first kill: whoever is new on a list can be looked up once
    the run that made it has ended.
    """
    settings, workspace = _open(home)
    found: list[str] = []
    listed = pd.read_parquet(scores_path(workspace, _MODEL))
    if listed.empty or not (listed["status"] == "ok").all():
        return ["the list of scores is empty or without scores"]
    best = top_leads(workspace, _MODEL, 5)
    if not best or best[0].probability != listed["probability"].max():
        found.append("the list for people is not that of the scores")
    listed = listed[listed["customer_id"].isin(former)]
    for row in _spread(listed, _EXPLAINED):
        try:
            customer_id = find_customer(workspace, row["customer_id"])
            told = explain_customer(settings, workspace, _MODEL, customer_id, settings.locale)
        except KizashiError as error:
            found.append(f"no explanation: {error.sentence}")
            continue
        if (told.probability, told.reasons) != (row["probability"], _reasons(row)):
            found.append("an explanation that is not of the score")
    return found + _odd_lookups(settings, workspace, _spread(listed, _LOOKED_UP))


def _odd_lookups(settings: Settings, workspace: Workspace, rows: list[dict[str, Any]]) -> list[str]:
    """Lookups without an answer, or whose answer for the list's moment is another than the list's.

    Once the newest features are online, answers are of the newer moment; of a person between both the last stored
    answer is given, which says that it is stale.
    """
    odd: Counter[str] = Counter()
    for row, answer in zip(rows, lookups(settings, workspace, rows), strict=True):
        if answer["status"] not in ("ok", "stale"):
            odd[f"lookups {answer['status']}"] += 1
        elif not 0 < float(answer["probability"]) < 1 or not math.isfinite(float(answer["probability"])):
            odd["lookups without a probability"] += 1
        elif _same_basis(row, answer) and answer["probability"] != row["probability"]:
            odd["lookups that differ from the list"] += 1
    return [f"{count} {what}" for what, count in odd.items()]


def _same_basis(row: dict[str, Any], answer: FlatAnswer) -> bool:
    moment = pd.Timestamp(str(answer["features_as_of"]))
    return bool(moment == row["as_of"]) and answer["model_version"] == row["model_version"]


def lookups(settings: Settings, workspace: Workspace, rows: list[dict[str, Any]]) -> list[FlatAnswer]:
    """The flat answers about these people, by a serving process's own parts."""
    runtime = Runtime.open(settings, workspace, SystemClock())
    try:
        references = [Reference(OWN_SYSTEM, row["customer_id"]) for row in rows]
        return runtime.lookup.answer(_MODEL, references, settings.locale)
    finally:
        runtime.close()


def differences(home: Path, reference: Path) -> Iterator[tuple[str, list[str]]]:
    """Each check of a finished workspace against one that nobody disturbed, with what it found."""
    settings, workspace = _open(home)
    for model in settings.models.names:
        listed, expected = (_scores(place, model) for place in (home, reference))
        yield f"same {model} scores", [] if listed.equals(expected) else [_where_different(listed, expected)]
    yield "databases sound", [fault for file in _databases(home) for fault in _unsound(file)]
    yield "no answer lost or doubled", _answers(home, reference)
    yield "no alert lost or doubled", _alerts(home, reference)
    for model in settings.models.names:
        moments = scoring_moments(settings, workspace, model)
        offline = historical_features(settings, workspace, service_of(model), moments)
        asked = moments["customer_id"].to_pylist()
        online = online_features(settings, workspace, service_of(model), asked).combine_chunks()
        unequal = [] if online.equals(offline) else [f"{_unequal_rows(online, offline)} people differ"]
        yield f"{model} online equals offline", unequal
    rows = _spread(pd.read_parquet(scores_path(workspace, _MODEL)), _LOOKED_UP)
    answers = lookups(settings, workspace, rows)
    told = [answer for row, answer in zip(rows, answers, strict=True) if not _tells(answer, row)]
    yield "lookups equal the list", [f"{len(told)} of {len(rows)} differ"] if told else []


def _tells(answer: FlatAnswer, row: dict[str, Any]) -> bool:
    same = ("status", "score", "probability", "grade", "hot", "model_version")
    reasons = all(answer[f"reason_{n}"] == row[f"reason_{n}"] for n in range(1, 6))
    return reasons and all(answer[name] == row[name] for name in same)


def count_alerts(home: Path) -> int:
    """How many alerts were ever raised in a workspace."""
    return len(_query(home / "app.db", _ALERTS))


def leftovers(home: Path) -> list[str]:
    """Temporary files and folders, generations that are not in force, and training runs without an end."""
    settings, workspace = _open(home)
    left = [path for path in home.rglob("*") if path.suffix == ".tmp" and "exports" not in path.parts]
    for folder in (home / "tmp", home / "system-tmp"):
        left += [path for path in folder.glob("*") if not path.name.startswith("db_init_lock")]
    for stage in ("customers", "features", *(f"scores/{model}" for model in settings.models.names)):
        in_force = workspace.current(stage)
        left += [path for path in workspace.path(stage).iterdir() if path.is_dir() and path != in_force]
    found = [str(path.relative_to(home)) for path in left]
    unended = _query(home / "mlflow" / "mlflow.db", "SELECT count(*) FROM runs WHERE status = 'RUNNING'")[0][0]
    return found + ([f"{unended} training runs without an end"] if unended else [])


def _open(home: Path) -> tuple[Settings, Workspace]:
    settings = load_settings(configuration_of(home))
    return settings, Workspace(settings.home)


def _spread(listed: pd.DataFrame, count: int) -> list[dict[str, Any]]:
    step = max(1, len(listed) // count)
    rows: list[dict[str, Any]] = listed.iloc[::step].head(count).to_dict("records")
    return rows


def _reasons(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(row[f"reason_{n}"] for n in range(1, 6) if row[f"reason_{n}"])


def _scores(home: Path, model: ModelName) -> pd.DataFrame:
    """The list without when and by which number of a version it was made."""
    _, workspace = _open(home)
    return pd.read_parquet(scores_path(workspace, model)).drop(columns=["scored_at", "model_version"])


def _where_different(found: pd.DataFrame, expected: pd.DataFrame) -> str:
    if len(found) != len(expected) or list(found["customer_id"]) != list(expected["customer_id"]):
        return f"{len(found)} people instead of {len(expected)}, or in another order"
    return f"other values in {', '.join(name for name in found if not found[name].equals(expected[name]))}"


def _databases(home: Path) -> list[Path]:
    return [home / "app.db", home / "feast" / "online.db", home / "mlflow" / "mlflow.db"]


def _unsound(file: Path) -> list[str]:
    answer = _query(file, "PRAGMA integrity_check")
    return [] if answer == [("ok",)] else [f"{file.name}: {answer[0][0]}"]


def _answers(home: Path, reference: Path) -> list[str]:
    """Lookups between the kills may have added answers of their own; each of the undisturbed ones is there, once."""
    found = []
    ((doubled,),) = _query(home / "app.db", _DOUBLED)
    if doubled:
        found.append(f"{doubled} answers are there twice")
    lost = Counter(_query(reference / "app.db", _ANSWERS)) - Counter(_query(home / "app.db", _ANSWERS))
    return found + ([f"{lost.total()} answers are missing"] if lost else [])


def _alerts(home: Path, reference: Path) -> list[str]:
    found = []
    for what, query in (("alerts", _ALERTS), ("messages", _MESSAGES)):
        here, there = (Counter(_query(place / "app.db", query)) for place in (home, reference))
        if here != there:
            found.append(f"{(there - here).total()} {what} are missing, {(here - there).total()} too many")
    return found


def _query(file: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(file)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def _unequal_rows(online: Any, offline: Any) -> int:
    if online.num_rows != offline.num_rows:
        return abs(online.num_rows - offline.num_rows)
    equal = [a == b for a, b in zip(online.to_pylist(), offline.to_pylist(), strict=True)]
    return equal.count(False)
