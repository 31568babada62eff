"""Answers to a list for review become decisions, all of them or none."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from core.clock import Clock
from core.database import open_database
from core.errors import Fault, SourceError, raise_faults
from core.settings import Settings
from core.storage import Workspace, connect_duckdb
from customers.decisions import (
    Conflict,
    Decision,
    Pair,
    Verdict,
    conflicts_among,
    decisions_in_force,
    pair_of,
    record_decisions,
    stored_decisions,
)
from customers.linking import HASH_OF_RECORD
from customers.review.pairs import RECORD_MARK
from customers.suppression import Key

VERDICTS: dict[str, Verdict] = {
    "same": "same", "同一": "same", "同一人物": "same", "同じ": "same",
    "different": "different", "別人": "different", "別": "different",
    "withdrawn": "withdrawn", "withdraw": "withdrawn", "取消": "withdrawn", "取り消し": "withdrawn",
}  # fmt: skip
_EXPECTED = "same (同一), different (別人), withdraw (取消) or blank"
_SIDES = ("left", "right")
# More faults than these help nobody.
_MOST_FAULTS = 20
_LONGEST_NAME = 128

Answer = tuple[int, Mapping[str, str]]


@dataclass(frozen=True)
class ReviewSummary:
    """What a list for review said: rows in all, decisions that are new, those known already, rows left blank.

    `conflicts` are decisions for one person that cannot hold because of others, those of earlier lists included.
    """

    rows: int
    recorded: int
    unchanged: int
    blank: int
    conflicts: tuple[Conflict, ...]


def record_answers(
    settings: Settings, workspace: Workspace, place: str, answers: Iterable[Answer], by: str, *, clock: Clock
) -> ReviewSummary:
    """Check all answers against the unified tables, then store those that say something new. The workspace is held.

    A record is named by its mark (`left_record`), which no spreadsheet alters, or by system and id. What is read again
    changes nothing.

    Args:
        settings: says where the database is.
        workspace: holds the unified tables.
        place: what the list is called in errors.
        answers: number of the row as a spreadsheet shows it, and its cells by column.
        by: who decided, where the row does not say so.
        clock: dates the decisions.

    Raises:
        SourceError: rows that cannot be understood, name records that do not exist, or contradict each other; all are
            named, and nothing is stored.
        MissingStageError: nothing was unified yet.
    """
    faults: list[Fault] = []
    told: list[tuple[int, Verdict, str, Mapping[str, str]]] = []
    rows = blank = 0
    for number, cells in answers:
        rows += 1
        word = unicodedata.normalize("NFKC", cells.get("decision", "")).strip().casefold()
        if not word:
            blank += 1
        elif word not in VERDICTS:
            faults.append(Fault(f"row {number}", f"decision {word!r}, expected {_EXPECTED}"))
        else:
            told.append((number, VERDICTS[word], cells.get("decided_by", "").strip() or by, cells))
    decisions = _decided(workspace, told, clock.now(), faults)
    _raise(place, faults)
    engine = open_database(settings, workspace)
    try:
        recorded = record_decisions(engine, decisions)
        conflicts = conflicts_among(decisions_in_force(stored_decisions(engine)))
    finally:
        engine.dispose()
    return ReviewSummary(rows, recorded, len(told) - recorded, blank, tuple(conflicts))


def _decided(
    workspace: Workspace, told: list[tuple[int, Verdict, str, Mapping[str, str]]], now: datetime, faults: list[Fault]
) -> list[Decision]:
    known = _known_records(workspace, [cells for *_, cells in told])
    first: dict[Pair, tuple[int, Verdict]] = {}
    found = []
    for number, verdict, by, cells in told:
        sides = [_record(cells, side, known, number, faults) for side in _SIDES]
        if len(by) > _LONGEST_NAME:
            faults.append(Fault(f"row {number}", f"decided_by is longer than {_LONGEST_NAME} characters"))
        if sides[0] is None or sides[1] is None:
            continue
        if sides[0] == sides[1]:
            faults.append(Fault(f"row {number}", "both sides are the same record, expected two records"))
            continue
        pair = pair_of(sides[0], sides[1])
        before = first.setdefault(pair, (number, verdict))
        if before[1] != verdict:
            faults.append(
                Fault(
                    f"row {number}", f"says {verdict} of the pair that row {before[0]} calls {before[1]}, expected one"
                )
            )
        found.append(Decision(pair, verdict, by, now))
    return found


def _record(
    cells: Mapping[str, str], side: str, known: Mapping[Key, Key], number: int, faults: list[Fault]
) -> Key | None:
    """The record that a row names on one side; where it is named in two ways, both must mean the same one."""
    mark = cells.get(f"{side}_record", "").strip()
    system, source_id = cells.get(f"{side}_system", "").strip(), cells.get(f"{side}_id", "")
    by_mark = known.get(Key("", mark)) if mark else None
    by_name = known.get(Key(system, source_id)) or known.get(Key(system, source_id.strip()))
    if by_mark is not None and by_name is not None and by_mark != by_name:
        faults.append(Fault(f"row {number}", f"{side}_record and {side}_id name two records, expected one"))
        return None
    found = by_mark or by_name
    if found is None:
        said = mark or f"{system}/{source_id}"
        expected = f"a record of the unified tables in {side}_record, or in {side}_system and {side}_id"
        faults.append(Fault(f"row {number}", f"nobody is known as {said!r}, expected {expected}"))
    return found


def _known_records(workspace: Workspace, rows: list[Mapping[str, str]]) -> dict[Key, Key]:
    """The records that rows name, by mark (as a key without system) and by name; unknown ones are missing."""
    marks = {cells.get(f"{side}_record", "").strip() for cells in rows for side in _SIDES}
    names = {
        (cells.get(f"{side}_system", "").strip(), form)
        for cells in rows
        for side in _SIDES
        for form in (cells.get(f"{side}_id", ""), cells.get(f"{side}_id", "").strip())
    }
    connection = connect_duckdb()
    try:
        workspace.tables(connection)
        connection.register("marks", pa.table({"mark": pa.array(sorted(marks), pa.string())}))
        columns = [pa.array([name[place] for name in sorted(names)], pa.string()) for place in (0, 1)]
        connection.register("names", pa.table(columns, names=["system", "source_id"]))
        found = connection.execute(
            f"""WITH records AS (
                SELECT system, source_id, '{RECORD_MARK}' || {HASH_OF_RECORD} AS mark
                FROM identities WHERE ended_at IS NULL
            )
            SELECT '' AS system, mark AS id, system, source_id FROM records SEMI JOIN marks USING (mark)
            UNION ALL
            SELECT system, source_id, system, source_id FROM records SEMI JOIN names USING (system, source_id)"""
        ).fetchall()
    finally:
        connection.close()
    return {Key(*row[:2]): Key(*row[2:]) for row in found}


def _raise(place: str, faults: list[Fault]) -> None:
    faults.sort(key=lambda fault: int(fault.place.removeprefix("row ")))
    shown = faults[:_MOST_FAULTS]
    if len(faults) > len(shown):
        shown.append(Fault("further rows", f"{len(faults) - len(shown)} faults"))
    raise_faults(SourceError, place, shown, "nothing was stored; correct the rows and import the file again")
