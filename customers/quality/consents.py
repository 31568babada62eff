"""What people permit, by purpose and by the system that was told, and where systems were told different things."""

from dataclasses import dataclass

import duckdb

from core.tables import PURPOSES


@dataclass(frozen=True)
class PurposeConsents:
    """What known people decided about a purpose: the newest decision of all systems counts.

    `silent` people decided nothing; `allowed` is how many may be served today, the configuration speaking for the
    silent.
    """

    purpose: str
    given: int
    refused: int
    silent: int
    allowed: int


@dataclass(frozen=True)
class SystemConsents:
    """The people whose newest decision in a system grants or refuses a purpose.

    `email` and `login` stand for decisions that name an address or login and no record.
    """

    purpose: str
    system: str
    given: int
    refused: int


@dataclass(frozen=True)
class ConsentDisagreement:
    """Two systems that were told different things: for how many people, of how many of whom both were told anything.

    `refused` of the `different` ones are refused today.
    """

    purpose: str
    left: str
    right: str
    compared: int
    different: int
    refused: int


@dataclass(frozen=True)
class ConsentQuality:
    """Permissions of known people."""

    purposes: tuple[PurposeConsents, ...]
    systems: tuple[SystemConsents, ...]
    disagreements: tuple[ConsentDisagreement, ...]


def assess_consents(connection: duckdb.DuckDBPyConnection) -> ConsentQuality:
    """Assess the published permissions; empty where nobody is known."""
    newest = "arg_max(granted, (decided_at, NOT granted))"
    connection.execute(
        f"""CREATE TABLE decided AS
        SELECT customer_id, purpose, system, {newest} AS granted FROM consents
        SEMI JOIN (FROM customers WHERE kind = 'known') USING (customer_id) GROUP BY customer_id, purpose, system"""
    )
    connection.execute(
        f"""CREATE TABLE decided_last AS
        SELECT customer_id, purpose, {newest} AS granted FROM consents
        SEMI JOIN (FROM customers WHERE kind = 'known') USING (customer_id) GROUP BY customer_id, purpose"""
    )
    allowed = ", ".join(f"count(*) FILTER (consent_{purpose})" for purpose in PURPOSES)
    known, *may = connection.execute(f"SELECT count(*), {allowed} FROM customers WHERE kind = 'known'").fetchall()[0]
    told = {
        purpose: (given, refused)
        for purpose, given, refused in connection.execute(
            """SELECT purpose, count(*) FILTER (granted), count(*) FILTER (NOT granted)
            FROM decided_last GROUP BY purpose"""
        ).fetchall()
    }
    systems = connection.execute(
        """SELECT purpose, system, count(*) FILTER (granted), count(*) FILTER (NOT granted)
        FROM decided GROUP BY purpose, system ORDER BY purpose, system"""
    ).fetchall()
    disagreements = connection.execute(
        """SELECT purpose, a.system AS one, b.system AS other, count(*),
               count(*) FILTER (a.granted <> b.granted) AS different,
               count(*) FILTER (a.granted <> b.granted AND NOT l.granted)
        FROM decided a JOIN decided b USING (customer_id, purpose) JOIN decided_last l USING (customer_id, purpose)
        WHERE a.system < b.system GROUP BY ALL HAVING different > 0 ORDER BY different DESC, purpose, one, other"""
    ).fetchall()
    counts = {purpose: told.get(purpose, (0, 0)) for purpose in PURPOSES}
    return ConsentQuality(
        purposes=tuple(
            PurposeConsents(purpose, given, refused, known - given - refused, may[place])
            for place, (purpose, (given, refused)) in enumerate(counts.items())
        )
        if known
        else (),
        systems=tuple(SystemConsents(*row) for row in systems),
        disagreements=tuple(ConsentDisagreement(*row) for row in disagreements),
    )
