"""What each person allows today: the newest decision per purpose, else the configured default."""

import duckdb

from core.settings import Settings
from core.tables import PURPOSES


def build_consents(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `consents`, with the decisions of shared mailboxes also written to each record that holds the mailbox.

    Nobody is joined through a shared mailbox or against contradicting names; but who withdraws permission by a mailbox
    withdraws it for everyone who is reached there.

    A permission without a date is what a system happens to hold, not something that a person decided after all else:
    wherever the person refused, however long ago and in whichever system, it is left out. A refusal without a date
    counts from the export on.
    """
    connection.execute(
        """CREATE TABLE consents AS
        WITH decisions AS (
            SELECT c.* REPLACE (
                coalesce(c.decided_at, e.exported_at) AS decided_at,
                coalesce(c.recorded_at, e.exported_at) AS recorded_at
            ), c.decided_at IS NULL AS undated
            FROM staged.consents c JOIN exports e USING (source)
        ), told AS (
            SELECT DISTINCT n.customer_id, c.system, c.source_id, c.purpose, c.granted, c.decided_at, c.recorded_at,
                   c.granted AND c.undated AS only_held
            FROM decisions c JOIN node_now n USING (system, source_id)
            UNION
            SELECT r.customer_id, k.system, k.source_id, c.purpose, c.granted,
                   greatest(c.decided_at, k.known_at), greatest(c.recorded_at, k.known_at), false
            FROM decisions c
            JOIN key_rows k ON c.system = k.kind AND c.source_id = k.key_value
            JOIN node_now r ON r.system = k.system AND r.source_id = k.source_id
            LEFT JOIN node_now o ON o.system = c.system AND o.source_id = c.source_id
            WHERE NOT c.granted AND o.customer_id IS DISTINCT FROM r.customer_id
        )
        SELECT * EXCLUDE (only_held) FROM told
        WHERE NOT only_held
           OR (customer_id, purpose) NOT IN (SELECT (customer_id, purpose) FROM told WHERE NOT granted)"""
    )


def build_consent_now(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make `consent_now`: for each customer the three permissions, by the newest decision in any system.

    A refusal holds against whatever was granted earlier, in any system; only a decision that the person dated later
    revokes it. Among decisions of one moment the refusal wins.
    """
    flags = ", ".join(
        f"coalesce(arg_max(granted, (decided_at, NOT granted)) FILTER (purpose = '{purpose}'), "
        f"{getattr(settings.consent, purpose)}) AS consent_{purpose}"
        for purpose in PURPOSES
    )
    connection.execute(
        f"""CREATE TABLE consent_now AS
        SELECT n.customer_id, {flags}
        FROM (SELECT DISTINCT customer_id FROM node_now) n LEFT JOIN consents USING (customer_id)
        GROUP BY n.customer_id"""
    )
