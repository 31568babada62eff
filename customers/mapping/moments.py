"""Times as systems write them, read as moments in UTC; a time without an offset needs its source's zone."""

from datetime import datetime
from zoneinfo import ZoneInfo

import duckdb

from core.errors import Fault
from core.source_settings import EPOCH_UNITS, SourceSettings
from customers.connectors.raw import literal

EARLIEST_YEAR, LATEST_YEAR = 1900, 2200

_MACROS = (
    # 2025/3/4, 2025.3.4 and 2025年3月4日 are ISO dates in other clothes.
    r"""CREATE OR REPLACE MACRO tidy_time(v) AS regexp_replace(
        CASE WHEN v[5] = '-' THEN v
             ELSE regexp_replace(v, '^(\d{4})[/.年](\d{1,2})[/.月](\d{1,2})日?', '\1-\2-\3') END,
        '\s+([+-]\d{2}:?\d{2})$', '\1')""",
    r"""CREATE OR REPLACE MACRO has_offset(v) AS
        regexp_matches(v, ':\d{2}([.,]\d+)?\s*(Z|z|UTC|[+-]\d{2}(:?\d{2})?)$')""",
    """CREATE OR REPLACE MACRO has_clock_time(v) AS contains(v, ':')""",
    """CREATE OR REPLACE MACRO read_moment(v, zone) AS CASE
        WHEN v IS NULL THEN NULL
        WHEN has_offset(v) THEN try_cast(v AS TIMESTAMPTZ)
        WHEN zone IS NULL THEN NULL
        ELSE timezone(zone, try_cast(v AS TIMESTAMP)) END""",
    f"""CREATE OR REPLACE MACRO moment_fault(v, m, zone, name) AS CASE
        WHEN v IS NULL THEN NULL
        WHEN m IS NULL AND zone IS NULL AND try_cast(v AS TIMESTAMP) IS NOT NULL
            THEN name || ': a time without an offset, and the source declares no timezone'
        WHEN m IS NULL THEN name || ': an unreadable time'
        WHEN year(m) < {EARLIEST_YEAR} OR year(m) > {LATEST_YEAR} THEN name || ': an impossible time' END""",
)


def define_moments(connection: duckdb.DuckDBPyConnection) -> None:
    """Teach a DuckDB connection to read times."""
    for macro in _MACROS:
        connection.execute(macro)


def tidy_sql(text: str, source: SourceSettings) -> str:
    """SQL for the text of a time, brought into the form that `moment_sql` reads."""
    return text if source.time_format else f"tidy_time({text})"


def moment_sql(text: str, source: SourceSettings) -> str:
    """SQL for the moment that a tidied text means; NULL where it cannot be read."""
    zone = zone_sql(source)
    if source.time_format is None:
        return f"read_moment({text}, {zone})"
    if source.time_format in EPOCH_UNITS:
        return (
            f"make_timestamptz(round(try_cast({text} AS DOUBLE) * 1000000 / {EPOCH_UNITS[source.time_format]})::BIGINT)"
        )
    parsed = f"try_strptime({text}, {literal(source.time_format)})"
    # With an offset in the pattern DuckDB gives a moment, without one a wall-clock time.
    if "%z" in source.time_format:
        return parsed
    return f"CASE WHEN {zone} IS NULL THEN NULL ELSE timezone({zone}, {parsed}) END"


def fault_sql(text: str, moment: str, source: SourceSettings, name: str) -> str:
    """SQL for what is wrong with a time, NULL when nothing is."""
    return f"moment_fault({text}, {moment}, {zone_sql(source)}, {literal(name)})"


def date_only_sql(text: str, source: SourceSettings) -> str:
    """SQL for whether a text names a day and no time of day."""
    if source.time_format is None:
        return f"NOT has_clock_time({text})"
    if source.time_format in EPOCH_UNITS:
        return "false"
    return "false" if any(sign in source.time_format for sign in ("%H", "%I", "%T", "%X", "%c")) else "true"


def zone_sql(source: SourceSettings) -> str:
    """The source's declared zone as an SQL literal."""
    return literal(source.timezone) if source.timezone else "NULL::VARCHAR"


def export_moment(source: SourceSettings, faults: list[Fault]) -> datetime | None:
    """When the export was taken, as declared; a moment with time zone."""
    if source.exported_at is None:
        return None
    place = f"source {source.name}"
    try:
        moment = datetime.fromisoformat(source.exported_at)
    except ValueError:
        faults.append(Fault(place, f"exported_at {source.exported_at!r} is no ISO 8601 time"))
        return None
    if moment.tzinfo is None:
        if source.timezone is None:
            faults.append(Fault(place, "exported_at has no offset and the source no timezone; add one of them"))
            return None
        moment = moment.replace(tzinfo=ZoneInfo(source.timezone))
    return moment
