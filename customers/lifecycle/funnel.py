"""The job: how people go through the stages, from the published history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.lifecycle_settings import StageSettings
from core.storage import Workspace, connect_duckdb

RECENT_DAYS = 30
# As it was known at a moment; ids that merges ended speak of nobody who is there today.
_VISITS = """
CREATE TEMP TABLE visits AS
SELECT customer_id, s.place, entered_at, CASE WHEN left_recorded_at < $as_of THEN left_at END AS left_at, visit
FROM lifecycle SEMI JOIN customers USING (customer_id)
JOIN (SELECT unnest($stages) AS stage, unnest(range(len($stages))) AS place) s USING (stage)
WHERE recorded_at < $as_of
"""
_STAGES = f"""
SELECT place, count(DISTINCT customer_id) FILTER (left_at IS NULL) AS people,
       count(DISTINCT customer_id) FILTER (entered_at >= $as_of - INTERVAL {RECENT_DAYS} DAY) AS entered_recently,
       count(DISTINCT customer_id) AS ever,
       median(epoch_us(left_at) - epoch_us(entered_at)) FILTER (left_at IS NOT NULL) / 86400000000 AS days_in,
       median(epoch_us($as_of) - epoch_us(entered_at)) FILTER (left_at IS NULL) / 86400000000 AS days_so_far
FROM visits GROUP BY place
"""
_WENT_ON = """
SELECT v.place, count(DISTINCT v.customer_id) AS people
FROM visits v JOIN visits n ON n.customer_id = v.customer_id AND n.visit > v.visit
JOIN (SELECT unnest($origins) AS origin, unnest($targets) AS target) w ON w.origin = v.place AND w.target = n.place
GROUP BY v.place
"""


@dataclass(frozen=True)
class StageFigures:
    """One stage in figures.

    Attributes:
        people: who are in it now.
        entered_recently: people who entered it within `RECENT_DAYS` days.
        ever: people who were ever in it.
        went_on: of these, the people who came further afterwards: from a main stage into a later main stage, from a
            side stage into any main stage or a later side stage. None for the goal, behind which there is nothing.
        days_in: median days of the stays that have ended.
        days_so_far: median days, until now, of those who are in it.
    """

    stage: str
    people: int
    entered_recently: int
    ever: int
    went_on: int | None
    days_in: float | None
    days_so_far: float | None


@dataclass(frozen=True)
class Funnel:
    """All stages, main stages first; people who are known and in no stage; those of them who refused profiling."""

    as_of: datetime
    stages: tuple[StageFigures, ...]
    without_stage: int
    refused: int


def read_funnel(workspace: Workspace, stages: Sequence[StageSettings]) -> Funnel:
    """How many people are where as of the unified tables, and how they move on.

    Raises:
        MissingStageError: nothing was unified yet.
    """
    names, as_of = [stage.name for stage in stages], workspace.as_of()
    ways = [(one, other) for one in range(len(stages)) for other in range(len(stages)) if _further(stages, one, other)]
    with connect_duckdb() as connection:
        workspace.tables(connection)
        connection.execute(_VISITS, {"as_of": as_of, "stages": names})
        figures = {place: row for place, *row in connection.execute(_STAGES, {"as_of": as_of}).fetchall()}
        pairs = {"origins": [one for one, _ in ways], "targets": [other for _, other in ways]}
        went_on = dict(connection.execute(_WENT_ON, pairs).fetchall()) if ways else {}
        ((without, refused),) = connection.execute(
            """SELECT count(*), count(*) FILTER (NOT consent_profiling) FROM customers
            WHERE kind = 'known' AND customer_id NOT IN (SELECT customer_id FROM visits WHERE left_at IS NULL)"""
        ).fetchall()
    told = []
    for place in sorted(range(len(stages)), key=lambda place: (stages[place].side, place)):
        people, recently, ever, days_in, days_so_far = figures.get(place, (0, 0, 0, None, None))
        further = went_on.get(place, 0) if any(one == place for one, _ in ways) else None
        told.append(StageFigures(names[place], people, recently, ever, further, days_in, days_so_far))
    return Funnel(as_of, tuple(told), without, refused)


def _further(stages: Sequence[StageSettings], one: int, other: int) -> bool:
    """Whether coming from one stage into the other is to come further."""
    if stages[one].side:
        return not stages[other].side or other > one
    return not stages[other].side and other > one
