"""What people decided about two records: kept in the application database, and read by every run."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, cast

from sqlalchemy import ColumnElement, Engine, delete, func, insert, or_, select, tuple_
from sqlalchemy.orm import Session

from core.database import open_database
from core.identity_tables import IdentityDecision
from core.settings import Settings
from core.storage import Workspace, fingerprint
from customers.groups import Groups
from customers.suppression import Key, SuppressionList

Verdict = Literal["same", "different", "withdrawn"]
# Two variables a key: SQLite takes at most 32,766 in one statement.
_CHUNK = 2_000


class Pair(NamedTuple):
    """Two records in the one form that a pair has: the left one sorts first."""

    left: Key
    right: Key


def pair_of(one: Key, other: Key) -> Pair:
    """The two records as a pair.

    >>> pair_of(Key("web", "7"), Key("crm", "1")).left
    Key(system='crm', id='1')
    """
    return Pair(*sorted((one, other)))


@dataclass(frozen=True)
class Decision:
    """Somebody said that two records are one person, or are not, or took back what was said; times in UTC."""

    pair: Pair
    verdict: Verdict
    decided_by: str
    decided_at: datetime


@dataclass(frozen=True)
class Conflict:
    """A decision for one person that another one forbids: joining the pair would unite two who were told apart."""

    same: Decision
    different: Decision


def read_decisions(settings: Settings, workspace: Workspace) -> list[Decision]:
    """All that was ever decided, in the order of time.

    Raises:
        ConfigurationError: the database does not answer; without the decisions a run would undo them.
    """
    if settings.database_url is None and not workspace.path("app.db").exists():
        return []
    engine = open_database(settings, workspace)
    try:
        return stored_decisions(engine)
    finally:
        engine.dispose()


def stored_decisions(engine: Engine) -> list[Decision]:
    """All that was ever decided, in the order of time."""
    table = IdentityDecision
    columns = (table.left_system, table.left_id, table.right_system, table.right_id)
    asked = select(*columns, table.verdict, table.decided_by, table.decided_at)
    with Session(engine) as session:
        rows = session.execute(asked.order_by(table.decided_at, table.decision_id))
        return [
            Decision(Pair(Key(a, b), Key(c, d)), cast("Verdict", verdict), by, at)
            for a, b, c, d, verdict, by, at in rows
        ]


def decisions_in_force(decisions: Iterable[Decision]) -> dict[Pair, Decision]:
    """The last decision about each pair, but for those taken back.

    Args:
        decisions: in the order of time.
    """
    last = {decision.pair: decision for decision in decisions}
    return {pair: decision for pair, decision in last.items() if decision.verdict != "withdrawn"}


def conflicts_among(decisions: Mapping[Pair, Decision]) -> list[Conflict]:
    """Decisions for one person that cannot hold, since a decision against it stands along the way.

    Two who were told apart stay apart; of the decisions that would join them the older ones hold.
    """
    apart = {pair: decision for pair, decision in decisions.items() if decision.verdict == "different"}
    groups: Groups[Key] = Groups(apart)
    found = []
    same = [decision for decision in decisions.values() if decision.verdict == "same"]
    for decision in sorted(same, key=lambda decision: (decision.decided_at, decision.pair)):
        forbidden = groups.unite(*decision.pair)
        if forbidden is not None:
            found.append(Conflict(decision, apart[pair_of(*forbidden)]))
    return found


def record_decisions(engine: Engine, given: Sequence[Decision]) -> int:
    """Store those decisions that say something new about their pair, all or none; returns how many those are.

    A decision is never dated before what it replaces, whatever the clock says.
    """
    with Session(engine) as session, session.begin():
        last = {decision.pair: decision for decision in stored_decisions(engine)}
        rows = []
        for decision in given:
            before = last.get(decision.pair)
            if (before.verdict if before else "withdrawn") == decision.verdict:
                continue
            at = decision.decided_at
            if before is not None:
                at = max(at, before.decided_at + timedelta(microseconds=1))
            last[decision.pair] = replace(decision, decided_at=at)
            (left_system, left_id), (right_system, right_id) = decision.pair
            rows.append(
                {
                    "left_system": left_system, "left_id": left_id, "right_system": right_system, "right_id": right_id,
                    "verdict": decision.verdict, "decided_by": decision.decided_by, "decided_at": at,
                }
            )  # fmt: skip
        if rows:
            session.execute(insert(IdentityDecision), rows)
    return len(rows)


def decisions_fingerprint(decisions: Sequence[Decision]) -> str:
    """Changes whenever something was decided, taken back or forgotten."""
    return fingerprint(*(f"{decision.pair}{decision.verdict}{decision.decided_at}" for decision in decisions))


def waiting_decisions(workspace: Workspace, decisions: Iterable[Decision]) -> int:
    """How many decisions are younger than the unified tables in force: the next run heeds them."""
    until = str((workspace.manifest("customers") or {}).get("decided_until", ""))
    heeded = datetime.fromisoformat(until) if until else datetime.min.replace(tzinfo=UTC)
    return sum(decision.decided_at > heeded for decision in decisions)


def count_decisions(engine: Engine, keys: Collection[tuple[str, str]]) -> int:
    """How many decisions speak of one of the records."""
    with Session(engine) as session:
        # A decision between two of the records is met twice; its number counts once.
        found = {
            number
            for names_one in _naming(keys)
            for number in session.scalars(select(IdentityDecision.decision_id).where(names_one))
        }
    return len(found)


def forget_decisions(engine: Engine, keys: Collection[tuple[str, str]]) -> int:
    """Delete every decision that speaks of one of the records; returns how many those were."""
    gone = 0
    with Session(engine) as session, session.begin():
        for names_one in _naming(keys):
            gone += session.scalar(select(func.count()).select_from(IdentityDecision).where(names_one)) or 0
            session.execute(delete(IdentityDecision).where(names_one))
    return gone


def _naming(keys: Collection[tuple[str, str]]) -> Iterator[ColumnElement[bool]]:
    table, listed = IdentityDecision, sorted(keys)
    for start in range(0, len(listed), _CHUNK):
        chunk = listed[start : start + _CHUNK]
        yield or_(
            tuple_(table.left_system, table.left_id).in_(chunk),
            tuple_(table.right_system, table.right_id).in_(chunk),
        )


def decisions_of_forgotten(decisions: Iterable[Decision], suppressed: SuppressionList) -> list[Key]:
    """The records that decisions speak of and that turned out to be a forgotten person's."""
    return suppressed.among(sorted({key for decision in decisions for key in decision.pair}))
