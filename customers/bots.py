"""Opens and clicks that no person made: security gateways follow the links of an e-mail before anybody reads it."""

import duckdb

from core.event_settings import BotSettings
from customers.connectors.raw import literal

# Two times on the minute may be a minute's rounding: they say nothing about seconds.
_MINUTE = 60_000_000


def date_opens(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `opens_told` (source, told_from): since when each source tells of opens at all."""
    connection.execute(
        """CREATE TABLE opens_told AS
        SELECT split_part(event_id, ':', 1) AS source, min(recorded_at) AS told_from
        FROM staged.events WHERE type = 'email_open' GROUP BY source"""
    )


def mark_bots(connection: duckdb.DuckDBPyConnection, rules: BotSettings) -> None:
    """Make `bot_events` (event_id, since, rule) of `kept_events`: since when it is known that no person made an event.

    A record's events are told by that record's events alone, and by `opens_told`.

    `told`: its system says so. `agent`, `honeypot`: a program's name, a link that nobody sees, and what the record
    clicked beside it. `burst`: many different links clicked by one record within seconds, and the opens among them.
    `unopened`: several links of one mail of which no open is known. `undelayed`: right after the mail's delivery.

    Each mark counts from the record of the last event that it needs on: before, the event is believed to be a person's,
    and nothing recorded later changes what was believed then.
    """
    _find_mail_events(connection)
    seconds = f"INTERVAL {round(rules.burst_seconds * 1_000_000)} MICROSECONDS"
    _find_crowds(connection, rules, seconds)
    marks = [
        "SELECT event_id, recorded_at AS since, 'told' AS rule FROM kept_events WHERE is_bot",
        f"""SELECT event_id, recorded_at, 'agent' FROM kept_events
        WHERE {_matches("user_agent", rules.user_agents)}""",
        "SELECT event_id, since, 'burst' FROM burst_clicks",
        f"""SELECT o.event_id, greatest(o.recorded_at, min(b.since)), 'burst'
        FROM mail_events o JOIN burst_clicks b USING (system, source_id)
        WHERE o.type = 'email_open'
          AND b.occurred_at BETWEEN o.occurred_at - {seconds} AND o.occurred_at + {seconds}
        GROUP BY o.event_id, o.recorded_at""",
    ]
    if rules.honeypots:
        marks += _honeypot_marks(rules, seconds)
    if rules.unopened_links is not None:
        marks.append(_unopened_marks(rules, rules.unopened_links, seconds))
    if rules.delivery_seconds is not None:
        marks.append(_undelayed_marks(rules, rules.delivery_seconds))
    connection.execute(
        f"""CREATE TABLE bot_events AS
        SELECT event_id, min(since) AS since, arg_min(rule, (since, rule)) AS rule
        FROM ({" UNION ALL ".join(marks)}) GROUP BY event_id"""
    )


def _matches(column: str, patterns: tuple[str, ...]) -> str:
    """SQL for whether a text is like one of the patterns."""
    return " OR ".join(f"lower({column}) GLOB {literal(pattern.lower())}" for pattern in patterns) or "false"


def _mail(rules: BotSettings, properties: str) -> str:
    """SQL for the mail that an event is about, blank where it does not say."""
    if not rules.mail_properties:
        return "NULL::VARCHAR"
    # One reading of the text for all of them.
    paths = ", ".join(literal(f'$."{name}"') for name in rules.mail_properties)
    told = f"json_extract_string({properties}, [{paths}])"
    return f"coalesce({', '.join(f'{told}[{place + 1}]' for place in range(len(rules.mail_properties)))})"


def _find_mail_events(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        """CREATE TABLE mail_events AS
        SELECT event_id, system, source_id, type, properties, coalesce(url, properties, event_id) AS link,
               occurred_at, recorded_at
        FROM kept_events WHERE type IN ('email_open', 'email_click')"""
    )


def _find_crowds(connection: duckdb.DuckDBPyConnection, rules: BotSettings, seconds: str) -> None:
    """Make `crowded` (clicks with another one near), `crowds` and `burst_clicks`.

    `crowds` says for each of them what was clicked around it, and when that was first told.
    """
    connection.execute(
        f"""CREATE TABLE crowded AS
        WITH marked AS (
            SELECT *, lead(occurred_at) OVER near - occurred_at <= {seconds}
                   OR occurred_at - lag(occurred_at) OVER near <= {seconds} AS has_neighbour
            FROM mail_events WHERE type = 'email_click'
            WINDOW near AS (PARTITION BY system, source_id ORDER BY occurred_at, event_id)
        )
        SELECT row_number() OVER () AS click, event_id, system, source_id, {_mail(rules, "properties")} AS mail,
               occurred_at, recorded_at, link
        FROM marked WHERE has_neighbour"""
    )
    connection.execute(
        f"""CREATE TABLE crowds AS
        SELECT a.click, b.link, a.mail = b.mail AS same_mail, min(b.recorded_at) AS told_at
        FROM crowded a JOIN crowded b ON a.system = b.system AND a.source_id = b.source_id
            AND b.occurred_at BETWEEN a.occurred_at - {seconds} AND a.occurred_at + {seconds}
        GROUP BY ALL"""
    )
    connection.execute(
        f"""CREATE TABLE burst_clicks AS
        WITH links AS (SELECT click, link, min(told_at) AS told_at FROM crowds GROUP BY click, link)
        {_first_told("links", rules.burst_links)}"""
    )


def _first_told(links: str, needed: int) -> str:
    """SQL of the clicks around which so many links were clicked, and since when that is known."""
    return f"""
        SELECT event_id, system, source_id, mail, occurred_at, greatest(recorded_at, told) AS since
        FROM crowded JOIN (
            SELECT click, list_sort(list(told_at))[{needed}] AS told FROM {links}
            GROUP BY click HAVING count(*) >= {needed}
        ) USING (click)"""


def _honeypot_marks(rules: BotSettings, seconds: str) -> list[str]:
    followed = f"(FROM kept_events WHERE {_matches('url', rules.honeypots)})"
    return [
        f"SELECT event_id, recorded_at, 'honeypot' FROM {followed}",
        f"""SELECT m.event_id, greatest(m.recorded_at, min(h.recorded_at)), 'honeypot'
        FROM mail_events m JOIN {followed} h USING (system, source_id)
        WHERE h.occurred_at BETWEEN m.occurred_at - {seconds} AND m.occurred_at + {seconds}
        GROUP BY m.event_id, m.recorded_at""",
    ]


def _unopened_marks(rules: BotSettings, links: int, seconds: str) -> str:
    return f"""
        SELECT c.event_id, c.since, 'unopened'
        FROM ({_first_told("(FROM crowds WHERE same_mail)", links)}) c
        JOIN opens_told t ON t.source = split_part(c.event_id, ':', 1) AND t.told_from <= c.since
        WHERE NOT EXISTS (
            FROM mail_events o WHERE o.type = 'email_open' AND o.system = c.system AND o.source_id = c.source_id
                AND {_mail(rules, "o.properties")} = c.mail AND o.recorded_at <= c.since
                AND o.occurred_at <= c.occurred_at + {seconds})"""


def _undelayed_marks(rules: BotSettings, seconds: float) -> str:
    return f"""
        SELECT m.event_id, greatest(m.recorded_at, min(d.recorded_at)), 'undelayed'
        FROM mail_events m
        JOIN (FROM kept_events WHERE type = 'email_delivered') d USING (system, source_id)
        WHERE m.occurred_at BETWEEN d.occurred_at
                            AND d.occurred_at + INTERVAL {round(seconds * 1_000_000)} MICROSECONDS
          AND NOT (epoch_us(m.occurred_at) % {_MINUTE} = 0 AND epoch_us(d.occurred_at) % {_MINUTE} = 0)
          AND {_mail(rules, "m.properties")} = {_mail(rules, "d.properties")}
        GROUP BY m.event_id, m.recorded_at"""
