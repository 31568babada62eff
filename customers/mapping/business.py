"""The sections `accounts`, `contracts`, `campaigns` and `staff`: what stands around people and deals."""

from core.source_settings import AccountsSection, CampaignsSection, ContractsSection, SourceSettings, StaffSection
from customers.connectors.raw import literal
from customers.mapping.section_query import NO_MOMENT, NO_TEXT, SectionQuery
from customers.mapping.staging import NODE, SectionRows, content_id, insert_same

TABLES = {
    "accounts": "system VARCHAR, account_id VARCHAR, name VARCHAR, domain VARCHAR, industry VARCHAR, "
    "employees DOUBLE, created_at TIMESTAMPTZ, source VARCHAR",
    "contracts": f"source VARCHAR, contract_id VARCHAR, {NODE}, account_id VARCHAR, plan VARCHAR, "
    "started_at TIMESTAMPTZ, ends_at TIMESTAMPTZ, renews_at TIMESTAMPTZ, cancelled_at TIMESTAMPTZ, "
    "recurring_amount DOUBLE, recorded_at TIMESTAMPTZ, terms_recorded_at TIMESTAMPTZ",
    "campaigns": "campaign_id VARCHAR, name VARCHAR, channel VARCHAR, cost DOUBLE, started_at TIMESTAMPTZ, "
    "ended_at TIMESTAMPTZ",
    "staff": "staff_id VARCHAR, name VARCHAR, email VARCHAR, team VARCHAR, daily_capacity DOUBLE",
}


def map_accounts(
    query: SectionQuery, section: AccountsSection, source: SourceSettings, rows: SectionRows
) -> dict[str, str]:
    """Companies."""
    created = query.moment("created_at", section.created_at)
    columns = {
        "system": literal(source.system),
        "account_id": query.text("account_id", section.id, required=True),
        "name": query.text("name", section.name, required=True),
        "domain": query.text("domain", section.domain),
        "industry": query.text("industry", section.industry),
        "employees": query.number("employees", section.employees),
        "created_at": query.known("", None, created)[0] if section.created_at else NO_MOMENT,
        "source": literal(source.name),
    }
    insert_same(rows, "accounts", list(columns))
    return columns


def map_contracts(
    query: SectionQuery, section: ContractsSection, source: SourceSettings, rows: SectionRows
) -> dict[str, str]:
    """Running agreements."""
    system, source_id = query.person("person", section.person, required=False) if section.person else (NO_TEXT, NO_TEXT)
    started = query.moment("started_at", section.started_at, required=True, fact=False)
    recorded = query.known("recorded_at", section.recorded_at, started)[0]
    columns = {
        "source": literal(source.name),
        "contract_id": query.text("contract_id", section.id, required=True)
        if query.has(section.id)
        else content_id(query),
        "system": system,
        "source_id": source_id,
        "account_id": query.text("account", section.account),
        "plan": query.text("plan", section.plan),
        "started_at": started,
        "ends_at": query.moment("ends_at", section.ends_at, fact=False),
        "renews_at": query.moment("renews_at", section.renews_at, fact=False),
        "cancelled_at": query.moment("cancelled_at", section.cancelled_at, fact=False),
        "recurring_amount": query.number("recurring_amount", section.recurring_amount),
        "recorded_at": recorded,
        "terms_recorded_at": recorded if section.terms_known_at == "created" else NO_MOMENT,
    }
    insert_same(rows, "contracts", list(columns))
    return columns


def map_campaigns(
    query: SectionQuery, section: CampaignsSection, source: SourceSettings, rows: SectionRows
) -> dict[str, str]:
    """Campaigns."""
    columns = {
        "campaign_id": query.text("campaign_id", section.id, required=True),
        "name": query.text("name", section.name, required=True),
        "channel": query.text("channel", section.channel),
        "cost": query.number("cost", section.cost),
        "started_at": query.moment("started_at", section.started_at, fact=False),
        "ended_at": query.moment("ended_at", section.ended_at, fact=False),
    }
    insert_same(rows, "campaigns", list(columns))
    return columns


def map_staff(query: SectionQuery, section: StaffSection, source: SourceSettings, rows: SectionRows) -> dict[str, str]:
    """Salespeople."""
    columns = {
        "staff_id": query.text("staff_id", section.id, required=True),
        "name": query.text("name", section.name, required=True),
        "email": query.text("email", section.email),
        "team": query.text("team", section.team),
        "daily_capacity": query.number("daily_capacity", section.daily_capacity),
    }
    insert_same(rows, "staff", list(columns))
    return columns
