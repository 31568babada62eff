"""What became of each source's rows, why some were set aside, and whether the source still moves."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

import duckdb

_SHOWN_REASONS = 5
# A source's silence is the newest of its pauses. If nothing has changed, each of n + 1 pauses is as likely to be the
# longest: with 19 before it, the silence is the longest by chance once in 20 times. With fewer, nothing is claimed.
_ENOUGH_PAUSES = 19
# A year holds each holiday once; what was usual when a system was young is usual no longer.
_HISTORY_DAYS = 365


@dataclass(frozen=True)
class QuarantineReason:
    """Why rows were set aside: how many, and where the first of them stands."""

    reason: str
    rows: int
    file: str
    line: int


@dataclass(frozen=True)
class Freshness:
    """When a source last told a fact, and whether that is long ago for this source.

    Days are those of the business time zone. `silent_days` lie between the newest fact and the end of the data,
    `longest_pause` between two days with facts in the year before (None: fewer than two), `pauses` counts them, and
    `stalled` says that the silence is longer than every one of enough pauses.
    """

    newest: date
    facts: int
    days: int
    silent_days: int
    pauses: int
    usual_pause: float | None
    longest_pause: int | None
    stalled: bool


@dataclass(frozen=True)
class SourceQuality:
    """What became of a source's rows: rows = published + quarantined + forgotten.

    `unexplained` is what is missing from (or, below 0, too much in) that sum, `unlisted` how many quarantined rows the
    quarantine does not hold; both are 0 unless the tables were damaged. `freshness` is None without a dated fact.
    """

    source: str
    files: tuple[str, ...]
    rows: int
    published: int
    quarantined: int
    forgotten: int
    unexplained: int
    unlisted: int
    unused_columns: tuple[str, ...]
    reasons: tuple[QuarantineReason, ...]
    other_reasons: int
    freshness: Freshness | None

    @property
    def quarantined_share(self) -> float:
        """Of the rows that were read; 0 where there were none."""
        return self.quarantined / self.rows if self.rows else 0.0

    @property
    def adds_up(self) -> bool:
        """Whether each row is accounted for."""
        return self.unexplained == 0 and self.unlisted == 0


def assess_sources(connection: duckdb.DuckDBPyConnection, until: date) -> tuple[SourceQuality, ...]:
    """Assess every source; `until` is the day up to which the data reach."""
    reasons, others = _reasons(connection)
    freshness = _freshness(connection, until)
    rows = connection.execute(
        """WITH listed AS (
            SELECT source, count(DISTINCT (file, line)) AS lines FROM quarantine GROUP BY source
        ), files AS (
            SELECT source, list(file ORDER BY file) AS files, sum(rows)::BIGINT AS rows,
                   sum(published)::BIGINT AS published, sum(quarantined)::BIGINT AS quarantined,
                   sum(forgotten)::BIGINT AS forgotten,
                   list(DISTINCT unused_columns ORDER BY unused_columns)
                       FILTER (unused_columns IS NOT NULL) AS unused
            FROM sources GROUP BY source
        )
        SELECT source, files, rows, published, quarantined, forgotten,
               rows - published - quarantined - forgotten, quarantined - coalesce(lines, 0), unused
        FROM files LEFT JOIN listed USING (source) ORDER BY source"""
    ).fetchall()
    return tuple(
        SourceQuality(
            source=source,
            files=tuple(files),
            rows=count,
            published=published,
            quarantined=quarantined,
            forgotten=forgotten,
            unexplained=unexplained,
            unlisted=unlisted,
            unused_columns=tuple(dict.fromkeys(name for listed in unused or () for name in listed.split(", "))),
            reasons=tuple(reasons[source]),
            other_reasons=others[source],
            freshness=freshness.get(source),
        )
        for source, files, count, published, quarantined, forgotten, unexplained, unlisted, unused in rows
    )


def _reasons(connection: duckdb.DuckDBPyConnection) -> tuple[dict[str, list[QuarantineReason]], dict[str, int]]:
    """The most frequent reasons of each source, and how many rows have others."""
    rows = connection.execute(
        """SELECT source, reason, count(*) AS rows, min((file, line)) AS place FROM quarantine
        GROUP BY source, reason ORDER BY source, rows DESC, reason"""
    ).fetchall()
    shown: dict[str, list[QuarantineReason]] = defaultdict(list)
    others: dict[str, int] = defaultdict(int)
    for source, reason, count, (file, line) in rows:
        if len(shown[source]) < _SHOWN_REASONS:
            shown[source].append(QuarantineReason(reason, count, file, line))
        else:
            others[source] += count
    return shown, others


def _freshness(connection: duckdb.DuckDBPyConnection, until: date) -> dict[str, Freshness]:
    rows = connection.execute(
        f"""WITH days AS (
            SELECT source, day, sum(facts)::BIGINT AS facts FROM source_days GROUP BY ALL
        ), paced AS (
            SELECT source, day, facts, max(day) OVER (PARTITION BY source) AS newest,
                   day - lag(day) OVER (PARTITION BY source ORDER BY day) AS pause
            FROM days
        )
        SELECT source, newest, sum(facts)::BIGINT, count(*), greatest($until::DATE - newest, 0),
               count(pause) FILTER (recent), median(pause) FILTER (recent), max(pause) FILTER (recent)
        FROM (SELECT *, day > newest - {_HISTORY_DAYS} AS recent FROM paced) GROUP BY source, newest""",
        {"until": until},
    ).fetchall()
    return {
        source: Freshness(
            newest, facts, days, silent, pauses, usual, longest,
            stalled=pauses >= _ENOUGH_PAUSES and silent > longest,
        )
        for source, newest, facts, days, silent, pauses, usual, longest in rows
    }  # fmt: skip
