"""The rows a training set is built on: who, at which moment, and what came of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from core.model_settings import ModelName, SpineSettings
from core.settings import Settings
from core.storage import Workspace, connect_duckdb
from scoring.lineage import merged_into
from training.eligibility import MOMENTS_SCHEMA, eligible_customers
from training.labels import label_moments
from training.marks import calendar_marks
from training.outcomes import OUTCOMES

_MARKS_A_YEAR = {"month": 12, "week": 52}


@dataclass(frozen=True)
class Spine:
    """Mature rows with their outcome.

    Attributes:
        table: customer_id (as known at as_of), as_of, person (today's id), label, outcome_id and outcome_at of the deal
            or agreement that decided (blank without one), circle: people joined by a deal or an account share a
            number, so that a division by circles never splits an outcome. Sorted by as_of and customer_id; each pair
            once.
        maturity: how long after its as-of a label is settled.
        dropped_settled: rows left out since the outcome had in truth come before as_of, unrecorded as yet.
    """

    table: pa.Table
    maturity: timedelta
    dropped_settled: int

    @property
    def moments(self) -> pa.Table:
        """customer_id and as_of, for feature building and retrieval."""
        return self.table.select(["customer_id", "as_of"])

    @property
    def as_of(self) -> NDArray[np.datetime64]:
        """The rows' moments in UTC, microseconds."""
        return _as_moments(self.table["as_of"])

    @property
    def label(self) -> NDArray[np.bool_]:
        """Whether the outcome came within the horizon."""
        return np.asarray(self.table["label"].to_numpy(), dtype=np.bool_)

    @property
    def person(self) -> NDArray[np.str_]:
        """Today's id of each row's person."""
        return np.asarray(self.table["person"].to_pylist(), dtype=np.str_)

    @property
    def circle(self) -> NDArray[np.int64]:
        """Number of the circle of people whose outcomes hang together."""
        return np.asarray(self.table["circle"].to_numpy(), dtype=np.int64)


def build_spine(settings: Settings, workspace: Workspace, model: ModelName) -> Spine:
    """Every eligible customer at every past mark whose outcome is settled.

    Two choices look at what is known today, and make the rows fewer, never richer. A row whose person had in truth
    been won (or had left) before as_of, while no system said so yet, is left out: its outcome lies behind it, and
    neither answer would teach what is asked. And who refuses profiling today is not trained on with older rows either.

    A person whom two ids stood for at a mark has a row for each: so it was for everybody who looked at that moment,
    and so it is for those who are scored today and merged tomorrow.

    Raises:
        MissingStageError: nothing was unified yet.
    """
    rules = settings.models[model]
    maturity = timedelta(days=rules.label.maturity_days)
    now = workspace.as_of()
    connection = connect_duckdb()
    try:
        workspace.tables(connection)
        anonymous = OUTCOMES[model].anonymous
        candidates = _candidates(connection, rules.spine, settings.timezone, now - maturity, anonymous)
        if rules.spine.kind == "calendar":
            candidates = _in_turns(connection, candidates, rules.spine)
        connection.register("eligible", eligible_customers(settings, workspace, model, candidates))
        connection.register("today", _people_today(connection, workspace))
        moments = connection.sql(
            """
            SELECT e.customer_id, e.as_of, today.person
            FROM eligible e
            JOIN today USING (customer_id)
            LEFT JOIN customers c ON c.customer_id = today.person
            WHERE coalesce(c.consent_profiling, $default_consent)
            ORDER BY e.as_of, e.customer_id
            """,
            params={"default_consent": settings.consent.profiling},
        ).to_arrow_table()
        labelled = label_moments(connection, settings, model, moments)
        table = labelled.filter(pc.invert(labelled["settled"])).drop_columns(["settled"])
        table = table.append_column("circle", pa.array(_circles(connection, table["person"])))
    finally:
        connection.close()
    return Spine(table, maturity, labelled.num_rows - table.num_rows)


def scoring_moments(settings: Settings, workspace: Workspace, model: ModelName) -> pa.Table:
    """Who is to be scored now: the eligible customers at the moment that the unified tables stand for.

    Returns:
        customer_id and as_of, sorted by customer_id.
    """
    now = workspace.as_of()
    connection = connect_duckdb()
    try:
        workspace.tables(connection)
        candidates = _customers_at(connection, [now], OUTCOMES[model].anonymous)
    finally:
        connection.close()
    return eligible_customers(settings, workspace, model, candidates)


def everyone_now(settings: Settings, workspace: Workspace) -> pa.Table:
    """Everybody who may be profiled, won and anonymous people included, at the moment that the tables stand for.

    Returns:
        customer_id and as_of, sorted by customer_id.
    """
    now = workspace.as_of()
    people = workspace.read_table("customers", ["customer_id", "consent_profiling"])
    connection = connect_duckdb()
    try:
        workspace.tables(connection)
        moments = _customers_at(connection, [now], anonymous=True)
    finally:
        connection.close()
    allowed = people.filter(people["consent_profiling"])["customer_id"]
    return moments.filter(pc.is_in(moments["customer_id"], value_set=allowed.combine_chunks()))


def _candidates(
    connection: duckdb.DuckDBPyConnection, rules: SpineSettings, timezone: str, last: datetime, anonymous: bool
) -> pa.Table:
    """Customers at each mark up to `last`; without `anonymous` only those known by name."""
    if rules.kind == "after_arrival":
        return _after_arrival(connection, rules, last, anonymous)
    start = rules.start or _first_observed(connection)
    if start is None:
        return MOMENTS_SCHEMA.empty_table()
    return _customers_at(connection, calendar_marks(start, last, rules.every, timezone), anonymous)


def _first_observed(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """Since when behaviour is recorded: customer lists often reach years further back than any system's events.

    Marks from a time in which nobody was watched would teach that silence means nothing. The first hundredth of the
    events is passed over, since single old entries do not make a history.
    """
    rows = connection.execute(
        """
        SELECT coalesce(
            (SELECT quantile_disc(recorded_at, 0.01) FROM events WHERE NOT is_bot),
            (SELECT min(linked_at) FROM identities WHERE system <> 'cookie')
        )
        """
    ).fetchall()
    first: datetime | None = rows[0][0]
    return first


def _customers_at(connection: duckdb.DuckDBPyConnection, marks: list[datetime], anonymous: bool) -> pa.Table:
    connection.register("marks", pa.table({"as_of": pa.array(marks, MOMENTS_SCHEMA.field("as_of").type)}))
    found: pa.Table = connection.sql(
        """
        SELECT DISTINCT i.customer_id, m.as_of
        FROM marks m
        JOIN identities i ON i.linked_at < m.as_of AND (i.ended_at IS NULL OR i.ended_at >= m.as_of)
        WHERE $anonymous OR i.system <> 'cookie'
        ORDER BY m.as_of, i.customer_id
        """,
        params={"anonymous": anonymous},
    ).to_arrow_table()
    connection.unregister("marks")
    return found.cast(MOMENTS_SCHEMA)


def _after_arrival(
    connection: duckdb.DuckDBPyConnection, rules: SpineSettings, last: datetime, anonymous: bool
) -> pa.Table:
    """One moment a customer: so many hours after they were first known; eligibility drops who was merged by then."""
    delay = timedelta(hours=rules.hours_after_arrival)
    found: pa.Table = connection.sql(
        """
        SELECT customer_id, min(linked_at) + $delay AS as_of
        FROM identities
        WHERE $anonymous OR system <> 'cookie'
        GROUP BY customer_id
        HAVING as_of <= $last AND ($start IS NULL OR as_of >= $start)
        ORDER BY as_of, customer_id
        """,
        params={"delay": delay, "last": last, "start": rules.start, "anonymous": anonymous},
    ).to_arrow_table()
    return found.cast(MOMENTS_SCHEMA)


def _in_turns(connection: duckdb.DuckDBPyConnection, candidates: pa.Table, rules: SpineSettings) -> pa.Table:
    """Of marks denser than `rows_per_year`, each customer gets every so manieth, beginning at one of their own.

    Which ones are left out hangs on nothing but the id, so that the share of outcomes stays what it is: to cap only
    people with many rows would take them from those who stay, and make every probability too high.
    """
    every = round(_MARKS_A_YEAR[rules.every] / rules.rows_per_year)
    if every < 2:
        return candidates
    moments = pc.unique(candidates["as_of"]).sort()
    connection.register("candidates", candidates)
    connection.register("marks", pa.table({"as_of": moments, "place": np.arange(len(moments))}))
    chosen: pa.Table = connection.sql(
        """
        SELECT c.customer_id, c.as_of
        FROM candidates c JOIN marks m USING (as_of)
        WHERE (m.place + md5_number_lower(c.customer_id) % $every) % $every = 0
        ORDER BY c.as_of, c.customer_id
        """,
        params={"every": every},
    ).to_arrow_table()
    for name in ("candidates", "marks"):
        connection.unregister(name)
    return chosen.cast(MOMENTS_SCHEMA)


def _people_today(connection: duckdb.DuckDBPyConnection, workspace: Workspace) -> pa.Table:
    """Today's person for every id that ever stood for somebody."""
    ids: list[str] = [row[0] for row in connection.execute("SELECT DISTINCT customer_id FROM identities").fetchall()]
    into = merged_into(workspace)
    ids = sorted({*ids, *into})
    return pa.table({"customer_id": pa.array(ids, pa.string()), "person": pa.array([into.get(i, i) for i in ids])})


def _circles(connection: duckdb.DuckDBPyConnection, person: pa.ChunkedArray) -> NDArray[np.int64]:
    """For each row the number of its circle: people connected through deals and accounts."""
    people = pc.unique(person)
    connection.register("people", pa.table({"person": people, "number": np.arange(len(people))}))
    links: pa.Table = connection.sql(
        """
        WITH tie AS (
            SELECT customer_id AS person, 'deal ' || deal_id AS tie FROM deal_people
            UNION
            SELECT customer_id, 'account ' || account_id FROM customers WHERE account_id IS NOT NULL
        )
        SELECT p.number, dense_rank() OVER (ORDER BY tie) - 1 AS tie
        FROM tie JOIN people p USING (person)
        ORDER BY ALL
        """
    ).to_arrow_table()
    connection.unregister("people")
    size = len(people) + (pc.max(links["tie"]).as_py() + 1 if links.num_rows else 0)
    edges = (links["number"].to_numpy(), links["tie"].to_numpy() + len(people))
    graph = coo_array((np.ones(links.num_rows), edges), shape=(size, size))
    circle = connected_components(graph, directed=False)[1][: len(people)]
    return np.asarray(circle[pc.index_in(person, value_set=people).to_numpy()], dtype=np.int64)


def _as_moments(values: pa.ChunkedArray) -> NDArray[np.datetime64]:
    return np.asarray(values.cast(pa.int64()).to_numpy().astype("datetime64[us]"))
