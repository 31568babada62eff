"""What hand-written SQL needs for 60 windowed features, with nothing around it: no identities, no time of recording.

The count of each of 12 types of events in 7, 30, 90 and 180 days (48), days since the last event of four types within
180 days (4), the amount in each window (4) and the active days in each (4), over `[as_of - window, as_of)`.

* direct: conditional aggregation the plain way, one FILTER a column, and count(DISTINCT day);
* packed: the fastest that was found, a type's four counts in one 64-bit sum, active days as bit masks.
"""

from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from benchmarks.feature_workload import DAY, TYPES

WINDOWS = (7, 30, 90, 180)
RECENT = ("pricing_view", "form_submit", "seminar_attend", "meeting")
_KINDS = list(TYPES)


def direct(folder: Path) -> dict[str, Any]:
    """One aggregate for each feature."""
    columns = [
        f"count(*) FILTER (slot BETWEEN {4 * kind} AND {4 * kind + window})::INT AS n_{name}_{days}d"
        for kind, name in enumerate(_KINDS)
        for window, days in enumerate(WINDOWS)
    ]
    columns += [
        f"min(age) FILTER (slot // 4 = {_KINDS.index(name)}) / {DAY}::DOUBLE AS days_since_{name}" for name in RECENT
    ]
    columns += [f"sum(amount) FILTER (age <= {days * DAY}) AS amount_{days}d" for days in WINDOWS]
    columns += [
        f"count(DISTINCT us // {DAY}) FILTER (age <= {days * DAY})::INT AS active_days_{days}d" for days in WINDOWS
    ]
    filled = [f"n_{name}_{days}d" for name in _KINDS for days in WINDOWS]
    filled += [f"active_days_{days}d" for days in WINDOWS]
    return _write(
        folder,
        "direct",
        f"""SELECT customer_id, as_of_ts AS as_of, * EXCLUDE (customer_id, rid, as_of, as_of_ts)
        REPLACE ({", ".join(f"coalesce({name}, 0) AS {name}" for name in filled)})
        FROM spine LEFT JOIN (SELECT rid, {", ".join(columns)} FROM ({_joined(folder)}) GROUP BY rid) USING (rid)""",
    )


def packed(folder: Path) -> dict[str, Any]:
    """23 aggregates: 12 packed counts, 4 recencies, 4 amounts, 3 masks of active days."""
    day = f"((age - 1) // {DAY})"
    inner = [f"sum(one) FILTER (slot // 4 = {kind})::UBIGINT AS c{kind}" for kind in range(len(_KINDS))]
    inner += [f"min(age) FILTER (slot // 4 = {_KINDS.index(name)}) AS r_{name}" for name in RECENT]
    inner += [f"sum(amount) FILTER (slot % 4 = {window}) AS a{window}" for window in range(4)]
    inner += [f"bit_or(1::UBIGINT << ({day} % 64)) FILTER ({day} // 64 = {mask}) AS m{mask}" for mask in range(3)]
    outer = []
    for kind, name in enumerate(_KINDS):
        parts = [f"((c{kind} >> {16 * window}) & 65535)" for window in range(4)]
        outer += [
            f"coalesce({' + '.join(parts[: window + 1])}, 0)::INT AS n_{name}_{days}d"
            for window, days in enumerate(WINDOWS)
        ]
    outer += [f"r_{name} / {DAY}::DOUBLE AS days_since_{name}" for name in RECENT]
    for window, days in enumerate(WINDOWS):
        known = ", ".join(f"a{part}" for part in range(window + 1))
        total = " + ".join(f"coalesce(a{part}, 0)" for part in range(window + 1))
        outer.append(f"CASE WHEN coalesce({known}) IS NOT NULL THEN {total} END AS amount_{days}d")
    for days in WINDOWS:  # mask m holds days 64 m to 64 m + 63 before as_of
        bits = [
            f"bit_count(coalesce(m{mask}, 0) & {2 ** min(days - 64 * mask, 64) - 1})::INT"
            for mask in range(3)
            if days > 64 * mask
        ]
        outer.append(f"{' + '.join(bits)} AS active_days_{days}d")
    return _write(
        folder,
        "packed",
        f"""WITH j AS (SELECT *, 1::UBIGINT << (slot % 4 * 16) AS one FROM ({_joined(folder)})),
        g AS (SELECT rid, count(*) AS n, {", ".join(inner)} FROM j GROUP BY rid)
        SELECT customer_id, as_of_ts AS as_of, {", ".join(outer)} FROM spine LEFT JOIN g USING (rid)
        WHERE CASE WHEN n > 65535 THEN error('a row has more events than 16 bits can count') ELSE true END""",
    )


def _joined(folder: Path) -> str:
    """Each event of a row's last 180 days: rid, age in microseconds, slot (type * 4 + the narrowest window)."""
    cases = " ".join(f"WHEN age <= {days * DAY} THEN {window}" for window, days in enumerate(WINDOWS[:-1]))
    return f"""SELECT *, (enum_code(type::kind) * 4 + CASE {cases} ELSE 3 END)::UTINYINT AS slot FROM (
        SELECT rid, as_of - us AS age, e.*
        FROM (SELECT customer_id, epoch_us(occurred_at) AS us, type, amount FROM '{events_file(folder)}') e
        JOIN spine USING (customer_id)
        WHERE us < as_of AND us >= as_of - {WINDOWS[-1] * DAY})"""


def events_file(folder: Path) -> Path:
    """The unified table of events, which all sides read."""
    return next(folder.glob("customers/*/events.parquet"))


def _write(folder: Path, name: str, query: str) -> dict[str, Any]:
    path = folder / f"{name}.parquet"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone='UTC'; SET preserve_insertion_order=false; SET enable_progress_bar=false")
        connection.execute(f"CREATE TYPE kind AS ENUM {tuple(_KINDS)}")
        connection.execute(f"""CREATE TEMP TABLE spine AS SELECT (row_number() OVER ())::INT AS rid, customer_id,
            as_of AS as_of_ts, epoch_us(as_of) AS as_of FROM '{folder}/spine.parquet'""")
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return {"rows": pq.read_metadata(path).num_rows, "features": pq.read_metadata(path).num_columns - 2}
