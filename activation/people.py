"""What an alert needs to know of people beyond their score: consent, open deals, owner, name. Read from the tables."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from core.activation_settings import AlertSettings
from core.storage import Workspace, connect_duckdb
from core.tables import TEXT

# More records than this say nothing more about where to find the person.
RECORDS_AT_MOST = 20


@dataclass(frozen=True)
class Person:
    """A person as of the moment of the scores; blank texts are empty.

    Attributes:
        full_name: as one reads it in Japanese (family name first) unless a source gave the whole name.
        western_name: given name first.
        opted_out: marketing was refused, rather than merely never granted.
        owner_id: the salesperson, or None.
        owner_name: empty where the staff list does not know the owner.
        daily_capacity: of the owner, where the staff list says so.
        records: (system, id) of the person in other systems.
    """

    customer_id: str
    full_name: str
    western_name: str
    company: str
    email: str
    mail_domain: str
    profiling: bool
    marketing: bool
    opted_out: bool
    talks: bool
    account_talks: bool
    owner_id: str | None
    owner_name: str
    daily_capacity: int | None
    records: tuple[tuple[str, str], ...]


# A deal's state is its last visible stage; of stages entered together the closing one is the last.
_OPEN_DEALS = """
CREATE TEMP TABLE open_deals AS
SELECT deal_id, account_id FROM deals
WHERE deal_id IN (
    SELECT deal_id FROM deal_stages WHERE entered_at < $as_of AND recorded_at < $as_of
    GROUP BY deal_id HAVING arg_max(outcome, (entered_at, outcome <> 'open', recorded_at)) = 'open'
)
"""
# Who looks after a person: the field that says so, then the newest deal of the person, then of the company.
_OWNERS = """
CREATE TEMP TABLE owners AS
WITH told AS (
    SELECT a.customer_id, arg_max(a.value, (a.occurred_at, a.recorded_at, a.system, a.source_id)) AS owner_id
    FROM attributes a JOIN asked USING (customer_id)
    WHERE a.field = $owner_field AND a.value IS NOT NULL AND a.occurred_at < $as_of AND a.recorded_at < $as_of
    GROUP BY a.customer_id
), own AS (
    SELECT p.customer_id, arg_max(d.owner_id, (d.opened_at, d.deal_id)) AS owner_id
    FROM deal_people p JOIN asked USING (customer_id) JOIN deals d USING (deal_id)
    WHERE d.owner_id IS NOT NULL AND d.opened_at < $as_of AND d.recorded_at < $as_of AND p.recorded_at < $as_of
    GROUP BY p.customer_id
), company AS (
    SELECT account_id, arg_max(owner_id, (opened_at, deal_id)) AS owner_id
    FROM deals
    WHERE account_id IS NOT NULL AND owner_id IS NOT NULL AND opened_at < $as_of AND recorded_at < $as_of
    GROUP BY account_id
)
SELECT c.customer_id, coalesce(told.owner_id, own.owner_id, company.owner_id, $default_owner) AS owner_id
FROM customers c JOIN asked USING (customer_id)
LEFT JOIN told USING (customer_id) LEFT JOIN own USING (customer_id)
LEFT JOIN company ON company.account_id = c.account_id
"""
_RECORDS = """
CREATE TEMP TABLE records AS
SELECT customer_id, list([system, source_id] ORDER BY system, source_id)[:$at_most] AS records
FROM (
    SELECT DISTINCT i.customer_id, i.system, i.source_id FROM identities i JOIN asked USING (customer_id)
    WHERE i.ended_at IS NULL AND i.system NOT IN ('email', 'login', 'cookie')
)
GROUP BY customer_id
"""
_PEOPLE = """
SELECT
    c.customer_id,
    coalesce(c.full_name, nullif(concat_ws(' ', c.last_name, c.first_name), ''), '') AS full_name,
    coalesce(nullif(concat_ws(' ', c.first_name, c.last_name), ''), c.full_name, '') AS western_name,
    coalesce(c.company, '') AS company,
    coalesce(c.email, '') AS email,
    lower(coalesce(c.mail_domain, '')) AS mail_domain,
    c.consent_profiling AS profiling,
    c.consent_marketing AS marketing,
    NOT c.consent_marketing AND c.customer_id IN (
        SELECT customer_id FROM consents WHERE purpose = 'marketing' AND NOT granted AND decided_at < $as_of
    ) AS opted_out,
    c.customer_id IN (
        SELECT p.customer_id FROM deal_people p JOIN open_deals USING (deal_id) WHERE p.recorded_at < $as_of
    ) AS talks,
    coalesce(c.account_id IN (SELECT account_id FROM open_deals WHERE account_id IS NOT NULL), false) AS account_talks,
    owners.owner_id,
    coalesce(staff.name, '') AS owner_name,
    CAST(floor(staff.daily_capacity) AS BIGINT) AS daily_capacity,
    coalesce(records.records, []) AS records
FROM customers c
JOIN asked USING (customer_id)
JOIN owners USING (customer_id)
LEFT JOIN staff ON staff.staff_id = owners.owner_id
LEFT JOIN records USING (customer_id)
ORDER BY c.customer_id
"""


def read_people(
    workspace: Workspace, rules: AlertSettings, customer_ids: Iterable[str], as_of: datetime
) -> dict[str, Person]:
    """The people asked for by id; whoever is not among the unified customers is missing from the answer.

    Args:
        workspace: holds the unified tables.
        rules: says where owners come from.
        customer_ids: whom to read.
        as_of: deals and owners as they were visible then (UTC).

    Raises:
        MissingStageError: nothing was unified yet.
    """
    connection = connect_duckdb()
    try:
        workspace.tables(connection)
        connection.register("asked", pa.table({"customer_id": pa.array(sorted(set(customer_ids)), TEXT)}))
        connection.execute(_OPEN_DEALS, {"as_of": as_of})
        connection.execute(
            _OWNERS, {"as_of": as_of, "owner_field": rules.owner_field, "default_owner": rules.default_owner}
        )
        connection.execute(_RECORDS, {"at_most": RECORDS_AT_MOST})
        table: pa.Table = connection.sql(_PEOPLE, params={"as_of": as_of}).to_arrow_table()
    finally:
        connection.close()
    return {row["customer_id"]: _person(row) for row in table.to_pylist()}


def _person(row: dict[str, Any]) -> Person:
    return Person(**{**row, "records": tuple((system, source_id) for system, source_id in row["records"])})


def refusing_people(workspace: Workspace, customer_ids: Iterable[str]) -> set[str]:
    """Of some people those who refuse to be profiled today.

    Raises:
        MissingStageError: nothing was unified yet.
    """
    table = workspace.read_table("customers", ["customer_id", "consent_profiling"])
    refused = pc.filter(table["customer_id"], pc.invert(table["consent_profiling"]))
    return set(customer_ids) & set(refused.to_pylist())


def merged_people(workspace: Workspace) -> dict[str, str]:
    """Ids that a merge ended, with the id that the person has today (a merge of a merge followed to its end)."""
    connection = connect_duckdb()
    try:
        workspace.tables(connection)
        merges = connection.execute(
            "SELECT old_id, new_id FROM identity_changes WHERE kind = 'merge' ORDER BY changed_at, old_id, new_id"
        ).fetchall()
        alive = _living(connection, merges)
    finally:
        connection.close()
    following = dict(merges)
    resolved = {}
    for old in sorted(following):
        person = old
        # Ids may have been split and merged again: as many steps as there are merges end every walk.
        for _ in merges:
            if person in alive or person not in following:
                break
            person = following[person]
        if person != old and person in alive:
            resolved[old] = person
    return resolved


def _living(connection: duckdb.DuckDBPyConnection, merges: list[tuple[str, str]]) -> set[str]:
    ids = sorted({person for merge in merges for person in merge})
    connection.register("asked", pa.table({"customer_id": pa.array(ids, TEXT)}))
    rows = connection.execute("SELECT customer_id FROM customers JOIN asked USING (customer_id)").fetchall()
    return {customer_id for (customer_id,) in rows}
