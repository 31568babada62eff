"""Events: what was told twice, what no person did, and what claims to lie in the future."""

from dataclasses import dataclass

import duckdb

from customers.mapping.section_query import AFTER_EXPORT
from customers.quarantine import STRAY


@dataclass(frozen=True)
class SourceEvents:
    """The events of a source as read, and how many of them repeat an id and were left out.

    `future` rows stand in quarantine: dated after the export, or years after all others. `early` events were recorded
    before they occurred, by more than the source's clock skew: plans, or a clock that is wrong; they count from when
    they occurred.
    """

    source: str
    read: int
    repeated: int
    future: int
    early: int


@dataclass(frozen=True)
class ChannelEvents:
    """The published events of a channel, and how many of them no person made."""

    channel: str
    events: int
    bots: int


@dataclass(frozen=True)
class BotRule:
    """The events that a rule gave away; `later` of them counted as a person's at first."""

    rule: str
    events: int
    later: int


@dataclass(frozen=True)
class SourcePair:
    """Events that two sources tell of the same happening: `again` repeats what `first` told."""

    first: str
    again: str
    events: int


@dataclass(frozen=True)
class EventQuality:
    """All events, by source as they were read and by channel as they were published."""

    events: int
    bots: int
    sources: tuple[SourceEvents, ...]
    channels: tuple[ChannelEvents, ...]
    rules: tuple[BotRule, ...]
    pairs: tuple[SourcePair, ...]

    @property
    def told_twice(self) -> int:
        """Events that another system told before."""
        return sum(pair.events for pair in self.pairs)

    @property
    def early(self) -> int:
        """Events that were recorded before they occurred."""
        return sum(source.early for source in self.sources)

    @property
    def repeated(self) -> int:
        """Events that were left out because another one has the same id."""
        return sum(source.repeated for source in self.sources)

    @property
    def future(self) -> int:
        """Rows in quarantine because of an event's time that cannot be."""
        return sum(source.future for source in self.sources)


def assess_events(connection: duckdb.DuckDBPyConnection) -> EventQuality:
    """Assess the published events."""
    channels = tuple(
        ChannelEvents(*row)
        for row in connection.execute(
            """SELECT channel, count(*) AS events, count(*) FILTER (is_bot) FROM events
            GROUP BY channel ORDER BY events DESC, channel"""
        ).fetchall()
    )
    sources = tuple(
        SourceEvents(*row)
        for row in connection.execute(
            """WITH told AS (
                SELECT source, sum(facts)::BIGINT AS read, sum(repeated)::BIGINT AS repeated,
                       sum(early)::BIGINT AS early
                FROM source_days WHERE section = 'events' GROUP BY source
            ), future AS (
                SELECT source, count(DISTINCT (file, line)) AS rows FROM quarantine
                WHERE list_contains(string_split(section, ', '), 'events')
                    AND list_has_any(string_split(reason, '; '), $reasons)
                GROUP BY source
            )
            SELECT source, coalesce(read, 0), coalesce(repeated, 0), coalesce(rows, 0), coalesce(early, 0)
            FROM told FULL JOIN future USING (source) ORDER BY source""",
            {"reasons": [f"{time} {why}" for time in ("occurred_at", "recorded_at") for why in (AFTER_EXPORT, STRAY)]},
        ).fetchall()
    )
    rules = connection.execute(
        """SELECT coalesce(bot_rule, 'told') AS rule, count(*) AS events, count(*) FILTER (bot_since > recorded_at)
        FROM events WHERE is_bot GROUP BY rule ORDER BY events DESC, rule"""
    ).fetchall()
    pairs = connection.execute(
        """SELECT split_part(duplicate_of, ':', 1) AS one, split_part(event_id, ':', 1) AS other, count(*) AS events
        FROM events WHERE duplicate_of IS NOT NULL GROUP BY one, other ORDER BY events DESC, one, other"""
    ).fetchall()
    return EventQuality(
        events=sum(channel.events for channel in channels),
        bots=sum(channel.bots for channel in channels),
        sources=sources,
        channels=channels,
        rules=tuple(BotRule(*row) for row in rules),
        pairs=tuple(SourcePair(*row) for row in pairs),
    )
