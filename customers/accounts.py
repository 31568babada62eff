"""Companies, and which company a record belonged to, in time."""

from collections.abc import Iterator

import duckdb

from customers.cleansing.company import company_key, tidy_company
from customers.cleansing.text import tidy_text
from customers.memory import Memory


def build_accounts(connection: duckdb.DuckDBPyConnection, memory: Memory) -> None:
    """Make `account_list`, and `account_rows`: since when a record's mail domain or company tells an account.

    A record's own account id wins over its business mail domain, which wins over its company name; each step looks only
    at what was known of the record at that moment. Companies that no system keeps as an account get one of their own
    (`domain:…`, `company:…`), so that colleagues meet.
    """
    memory.ask("account_names", "SELECT name FROM staged.accounts", ("tidy_name", "name_key"), _forms_of_name)
    memory.ask(
        "industries",
        "SELECT industry FROM staged.accounts WHERE industry IS NOT NULL",
        ("tidy_industry",),
        lambda industry: [(tidy_text(industry),)],
    )
    connection.execute(
        """CREATE TABLE crm_accounts AS
        SELECT a.account_id, coalesce(n.tidy_name, a.name) AS name,
               coalesce(n.name_key, lower(a.name)) AS normalised_name,
               nullif(regexp_replace(lower(regexp_extract(
                   a.domain, '^\\s*(?:[A-Za-z]+://)?([^/\\s:@]+)', 1)), '^www\\.', ''), '') AS domain,
               i.tidy_industry AS industry, a.employees, coalesce(a.created_at, e.exported_at) AS known_at
        FROM staged.accounts a JOIN exports e USING (source)
        JOIN account_names n ON n.name = a.name LEFT JOIN industries i ON i.industry = a.industry
        QUALIFY row_number() OVER (PARTITION BY account_id ORDER BY known_at, a.system, a.name, a.domain) = 1"""
    )
    # A domain or name that several accounts share (branches) tells no single one: the oldest takes it.
    for key in ("domain", "normalised_name"):
        connection.execute(
            f"""CREATE TABLE account_by_{key} AS
            SELECT {key}, arg_min(account_id, (known_at, account_id)) AS account_id, min(known_at) AS known_at
            FROM crm_accounts WHERE {key} IS NOT NULL GROUP BY {key}"""
        )
    connection.execute(
        """CREATE TABLE account_hints AS
        WITH firsts AS (
            SELECT system, source_id,
                   min(recorded_at) FILTER (field = 'account_id') AS own_account_at,
                   min(recorded_at) FILTER (field = 'mail_kind' AND value = 'business') AS business_mail_at
            FROM account_facts WHERE field IN ('account_id', 'mail_kind') AND value IS NOT NULL GROUP BY ALL
        ), domains AS (
            SELECT d.system, d.source_id, d.value AS domain, d.occurred_at, d.recorded_at, d.recorded_assumed
            FROM account_facts d JOIN account_facts k USING (system, source_id, occurred_at, recorded_at)
            WHERE d.field = 'mail_domain' AND k.field = 'mail_kind' AND k.value = 'business'
        ), companies AS (
            SELECT c.system, c.source_id, k.company_key AS normalised_name, c.value AS name, c.occurred_at,
                   c.recorded_at, c.recorded_assumed
            FROM account_facts c JOIN company_keys k ON k.company = c.value
            WHERE c.field = 'company' AND k.company_key IS NOT NULL
        ), hints AS (
            SELECT d.* EXCLUDE (domain), 'domain:' || domain AS own_id, a.account_id AS crm_id, a.known_at,
                   domain, NULL::VARCHAR AS name, NULL::VARCHAR AS normalised_name
            FROM domains d LEFT JOIN account_by_domain a USING (domain)
            UNION ALL
            SELECT c.* EXCLUDE (normalised_name, name), 'company:' || substr(sha256(normalised_name), 1, 12),
                   a.account_id, a.known_at, NULL, name, normalised_name
            FROM companies c LEFT JOIN account_by_normalised_name a USING (normalised_name)
            LEFT JOIN firsts f USING (system, source_id)
            WHERE f.business_mail_at IS NULL OR f.business_mail_at > c.recorded_at
        )
        SELECT h.* FROM hints h LEFT JOIN firsts f USING (system, source_id)
        WHERE f.own_account_at IS NULL OR f.own_account_at > h.recorded_at"""
    )
    connection.execute(
        """CREATE TABLE account_rows AS
        -- Until a system keeps the company as an account, the company stands for itself.
        SELECT DISTINCT system, source_id, 'account_id' AS field, own_id AS value, occurred_at, recorded_at,
               recorded_assumed
        FROM account_hints WHERE crm_id IS NULL OR known_at > recorded_at
        UNION
        SELECT system, source_id, 'account_id', crm_id, greatest(occurred_at, known_at),
               greatest(recorded_at, known_at), recorded_assumed
        FROM account_hints WHERE crm_id IS NOT NULL"""
    )
    connection.execute(
        """CREATE TABLE account_list AS
        SELECT account_id, name, normalised_name, domain, industry, employees FROM crm_accounts
        UNION ALL
        SELECT h.own_id, coalesce(min(h.name), min(h.domain)), coalesce(min(h.normalised_name), min(h.domain)),
               min(h.domain), NULL, NULL
        FROM account_hints h WHERE h.own_id IN (SELECT value FROM account_rows)
        GROUP BY h.own_id"""
    )


def _forms_of_name(name: str) -> Iterator[tuple[str | None, ...]]:
    yield tidy_company(name), company_key(name)
