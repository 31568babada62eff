"""From the newest scores to alerts: who crossed into hot, who is told about it today, and what is sent."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from activation.budget import Waiting, business_day, within_budget
from activation.crossing import SeenList, crossings, is_comparable, is_stale
from activation.outbox import enqueue
from activation.people import Person, merged_people, read_people, refusing_people
from activation.suppression import suppression
from core.alert_tables import Alert, AlertCursor, AlertState, OutboxMessage
from core.clock import Clock
from core.database import open_database
from core.logs import get_logger
from core.settings import Settings
from core.storage import Workspace, fingerprint

# A namespace of our own, so that an alert about the same crossing has the same id wherever it is computed.
_NAMESPACE = UUID("6b2f3c1e-8a54-5d0b-9f57-2c1f0e4f8d7a")
_REASONS = tuple(f"reason_{n}" for n in range(1, 6))
_NO_VERSION = "-"
# What sales was told about, and may look at again.
_TOLD = ("open", "acknowledged")
_LOG = get_logger("activation")


@dataclass(frozen=True)
class AlertsRaised:
    """What looking at one list of scores led to.

    Attributes:
        raised: alerts about people who crossed now and that went out.
        suppressed: people who crossed without an alert, by reason.
        held: alerts that wait for another day's budget, those of earlier runs included.
        released: alerts that an earlier run held and that went out now.
        withdrawn: held alerts that were dropped because they no longer hold, and those that sales has seen about people
            who refuse to be profiled since.
    """

    raised: int = 0
    suppressed: Mapping[str, int] = field(default_factory=dict)
    held: int = 0
    released: int = 0
    withdrawn: int = 0


@dataclass(frozen=True)
class ScoreList:
    """The scores in force: everybody who is hot, by id, and what the list holds for."""

    version: str
    as_of: datetime
    hot: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Crossed:
    """The ids of the alerts that crossings led to, and how many crossings were passed over, by reason."""

    alert_ids: frozenset[str] = frozenset()
    suppressed: Mapping[str, int] = field(default_factory=dict)


def raise_alerts(settings: Settings, workspace: Workspace, model: str, *, clock: Clock) -> AlertsRaised:
    """Compare `scores/<model>/` with what was seen before, raise an alert for each crossing, write its messages.

    All of it is one transaction, and the same scores looked at twice raise nothing more. The first list ever and one by
    another model version or other cuts only say who is hot from here on.

    Args:
        settings: the configuration; `activation` says who is alerted about and where the alerts go.
        workspace: holds scores and unified tables.
        model: whose scores.
        clock: decides the business day and when the cool-down ends.

    Raises:
        MissingStageError: nothing was scored or unified yet.
    """
    scores = _read_scores(workspace, model)
    return _work(settings, workspace, model, clock.now(), scores)


def release_held(settings: Settings, workspace: Workspace, model: str, *, clock: Clock) -> AlertsRaised:
    """Let go what today's budgets allow of the alerts that were held; drop those that no longer hold.

    Raises:
        MissingStageError: nothing was unified yet.
    """
    return _work(settings, workspace, model, clock.now(), None)


def alert_id_of(model: str, customer_id: str, as_of: datetime) -> str:
    """The id of the alert about one crossing, the same wherever it is computed."""
    return str(uuid5(_NAMESPACE, f"{model}\n{customer_id}\n{as_of.isoformat()}"))


def _work(
    settings: Settings, workspace: Workspace, model: str, now: datetime, scores: ScoreList | None
) -> AlertsRaised:
    engine = open_database(settings, workspace)
    try:
        people, merged = _read_people(settings, workspace, engine, model, now, scores)
        refusing = _read_refusing(workspace, engine, model, merged)
        with _locked(engine, model) as (session, cursor):
            _follow_merges(session, model, merged)
            session.flush()
            taken_back = _withdraw(session, model, refusing)
            crossed = Crossed() if scores is None else _cross(settings, session, cursor, people, scores, now)
            result = _release(settings, session, model, people, now, crossed)
            result = replace(result, withdrawn=result.withdrawn + taken_back)
    finally:
        engine.dispose()
    _LOG.info(
        "alerts_raised",
        model=model,
        raised=result.raised,
        held=result.held,
        released=result.released,
        withdrawn=result.withdrawn,
        suppressed=dict(result.suppressed),
    )
    return result


def _read_scores(workspace: Workspace, model: str) -> ScoreList | None:
    """The list in force, or None where no model answers or nobody was eligible: then nobody can cross."""
    stage = f"scores/{model}"
    folder = workspace.current(stage)
    table = pq.read_table(folder / "scores.parquet")
    table = table.filter(pc.equal(table["status"], "ok"))
    if table.num_rows == 0:
        return None
    as_of: datetime = pc.max(table["as_of"]).as_py()
    version: str = table["model_version"][0].as_py()
    if version == _NO_VERSION:
        return None
    hot = table.filter(table["hot"]).to_pylist()
    return ScoreList(version, as_of, {row["customer_id"]: row for row in hot})


def _read_people(
    settings: Settings, workspace: Workspace, engine: Engine, model: str, now: datetime, scores: ScoreList | None
) -> tuple[dict[str, Person | None], dict[str, str]]:
    """Everybody an alert could be about (None: gone), and whose ids were merged away.

    Read before the lock is taken: the tables need a while, the lock must not.
    """
    with Session(engine) as session:
        held = set(session.scalars(select(Alert.customer_id).where(Alert.model == model, Alert.state == "held")))
        seen_as_of = session.scalar(select(AlertCursor.as_of).where(AlertCursor.model == model))
    merged = merged_people(workspace)
    wanted = {merged.get(customer, customer) for customer in held} | (set(scores.hot) if scores else set())
    as_of = scores.as_of if scores else seen_as_of or now
    found = read_people(workspace, settings.activation.alerts, wanted, as_of)
    return {customer: found.get(customer) for customer in sorted(wanted)}, merged


def _read_refusing(workspace: Workspace, engine: Engine, model: str, merged: Mapping[str, str]) -> set[str]:
    """Whom sales was told about, and who refuses to be profiled today."""
    with Session(engine) as session:
        told = set(session.scalars(select(Alert.customer_id).where(Alert.model == model, Alert.state.in_(_TOLD))))
    return refusing_people(workspace, {merged.get(customer, customer) for customer in told})


@contextmanager
def _locked(engine: Engine, model: str) -> Iterator[tuple[Session, AlertCursor]]:
    """One transaction that no other may run beside for the same model."""
    insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
    with Session(engine, autoflush=False) as session, session.begin():
        # Writing first takes SQLite's write lock before anything is read; the second statement locks PostgreSQL's row.
        session.execute(insert(AlertCursor).values(model=model).on_conflict_do_nothing())
        session.execute(update(AlertCursor).where(AlertCursor.model == model).values(model=model))
        yield session, session.get_one(AlertCursor, model)


def _follow_merges(session: Session, model: str, merged: Mapping[str, str]) -> None:
    """Carry states and alerts over to the id that the person has now, so that nobody is announced twice."""
    states = {state.customer_id: state for state in _states(session, model)}
    for old, new in merged.items():
        state = states.pop(old, None)
        if state is None:
            continue
        survivor = states.get(new)
        if survivor is None:
            state.customer_id = new
            states[new] = state
            continue
        survivor.hot = survivor.hot or state.hot
        told = [moment for moment in (survivor.last_alert_at, state.last_alert_at) if moment is not None]
        survivor.last_alert_at = max(told, default=None)
        session.delete(state)
    for old in list(session.scalars(select(Alert.customer_id).where(Alert.model == model).distinct())):
        if old in merged:
            renamed = update(Alert).where(Alert.model == model, Alert.customer_id == old)
            session.execute(renamed.values(customer_id=merged[old]))


def _withdraw(session: Session, model: str, refusing: set[str]) -> int:
    """Take back what sales was told about people who refuse: the reasons are gone, and nothing is sent any more."""
    query = select(Alert).where(Alert.model == model, Alert.state.in_(_TOLD), Alert.customer_id.in_(sorted(refusing)))
    alerts = list(session.scalars(query))
    for alert in alerts:
        alert.state, alert.reasons = "withdrawn", []
    unsent = [OutboxMessage.state != "delivered", OutboxMessage.alert_id.in_([alert.alert_id for alert in alerts])]
    session.execute(delete(OutboxMessage).where(*unsent))
    return len(alerts)


def _states(session: Session, model: str) -> list[AlertState]:
    query = select(AlertState).where(AlertState.model == model).order_by(AlertState.customer_id)
    return list(session.scalars(query))


def _cross(
    settings: Settings,
    session: Session,
    cursor: AlertCursor,
    people: Mapping[str, Person | None],
    scores: ScoreList,
    now: datetime,
) -> Crossed:
    """Move the states to the list, and write an alert, held for the moment, for each crossing that counts."""
    hot_rule = fingerprint(scores.version, settings.hot.enter, settings.hot.leave)
    seen = SeenList(cursor.hot_rule, cursor.as_of)
    if is_stale(seen, scores.as_of):
        return Crossed()
    states = {state.customer_id: state for state in _states(session, cursor.model)}
    moved = crossings({name for name, state in states.items() if state.hot}, scores.hot.keys())
    suppressed: Counter[str] = Counter()
    added: set[str] = set()
    if is_comparable(seen, hot_rule):
        for customer in moved.entered:
            person = people[customer]
            told = states[customer].last_alert_at if customer in states else None
            reason = suppression(settings.activation.alerts, person, told, now)
            if reason is not None:
                suppressed[reason] += 1
            elif person is not None:
                added.add(_add_alert(session, cursor.model, scores, person, now))
    for customer in moved.entered:
        if customer not in states:
            states[customer] = AlertState(model=cursor.model, customer_id=customer, last_alert_at=None)
            session.add(states[customer])
    for customer, state in states.items():
        state.hot = customer in scores.hot
        state.model_version, state.as_of = scores.version, scores.as_of
    cursor.model_version, cursor.hot_rule, cursor.as_of = scores.version, hot_rule, scores.as_of
    session.flush()
    return Crossed(frozenset(added), dict(sorted(suppressed.items())))


def _add_alert(session: Session, model: str, scores: ScoreList, person: Person, now: datetime) -> str:
    alert_id = alert_id_of(model, person.customer_id, scores.as_of)
    if session.get(Alert, alert_id) is not None:
        # Cold and hot again at one moment, after its data were corrected: the same crossing.
        return alert_id
    row = scores.hot[person.customer_id]
    session.add(
        Alert(
            alert_id=alert_id,
            model=model,
            customer_id=person.customer_id,
            owner_id=person.owner_id,
            probability=row["probability"],
            score=row["score"],
            grade=row["grade"],
            evidence=row["evidence"],
            reasons=[row[name] for name in _REASONS if row[name]],
            as_of=scores.as_of,
            model_version=scores.version,
            created_at=now,
            state="held",
        )
    )
    return alert_id


def _release(
    settings: Settings,
    session: Session,
    model: str,
    people: Mapping[str, Person | None],
    now: datetime,
    crossed: Crossed,
) -> AlertsRaised:
    """Open what the budgets of the day allow, and write the messages of what was opened."""
    states = {state.customer_id: state for state in _states(session, model)}
    query = select(Alert).where(Alert.model == model, Alert.state == "held").order_by(Alert.alert_id)
    waiting: dict[str, tuple[Alert, Person]] = {}
    withdrawn = unread = 0
    for alert in session.scalars(query):
        if alert.customer_id not in people:
            # Held by another process after the people were read: its next look will find it.
            unread += 1
            continue
        person = people[alert.customer_id]
        state = states.get(alert.customer_id)
        told = state.last_alert_at if state is not None else None
        passed_over = suppression(settings.activation.alerts, person, told, now)
        if state is None or not state.hot or person is None or passed_over is not None:
            alert.state = "withdrawn"
            withdrawn += 1
        else:
            waiting[alert.alert_id] = alert, person
    opened = within_budget(
        [
            Waiting(alert.alert_id, alert.owner_id, alert.probability, alert.alert_id not in crossed.alert_ids)
            for alert, _ in waiting.values()
        ],
        {alert.owner_id: _budget(settings, alert, person) for alert, person in waiting.values()},
        _spent(settings, session, now),
    )
    for alert_id in opened:
        alert, person = waiting[alert_id]
        alert.state, alert.released_at = "open", now
        states[alert.customer_id].last_alert_at = now
        session.flush()
        enqueue(settings, session, alert, person, now)
    new = len(crossed.alert_ids.intersection(opened))
    held = len(waiting) - len(opened) + unread
    return AlertsRaised(new, dict(crossed.suppressed), held, len(opened) - new, withdrawn)


def _budget(settings: Settings, alert: Alert, person: Person) -> int:
    rules = settings.activation.alerts
    if alert.owner_id is None:
        return rules.unassigned_daily_budget
    # The owner may have changed while the alert was held; it stays with whom it was raised for.
    known = person.daily_capacity if person.owner_id == alert.owner_id else None
    return rules.daily_budget if known is None else known


def _spent(settings: Settings, session: Session, now: datetime) -> dict[str | None, int]:
    begin, end = business_day(now, settings.timezone)
    query = (
        select(Alert.owner_id, func.count().label("alerts"))
        .where(Alert.released_at >= begin, Alert.released_at < end)
        .group_by(Alert.owner_id)
    )
    return {row.owner_id: row.alerts for row in session.execute(query)}
