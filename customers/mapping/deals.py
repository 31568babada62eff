"""The sections `deals`, `deal_stages` and `deal_people`."""

from core.source_settings import DealPeopleSection, DealsSection, DealStagesSection, SourceSettings
from customers.connectors.raw import literal
from customers.mapping.section_query import NO_MOMENT, NO_TEXT, SectionQuery
from customers.mapping.staging import NODE, SectionRows, insert, insert_same

TABLES = {
    "deals": "source VARCHAR, deal_id VARCHAR, system VARCHAR, account_id VARCHAR, owner_id VARCHAR, "
    "campaign_id VARCHAR, outcome VARCHAR, opened_at TIMESTAMPTZ, closed_at TIMESTAMPTZ, closed_known_at TIMESTAMPTZ, "
    "recorded_at TIMESTAMPTZ, amount DOUBLE, lost_reason VARCHAR",
    "deal_stages": "deal_id VARCHAR, stage VARCHAR, outcome VARCHAR, entered_at TIMESTAMPTZ, "
    "recorded_at TIMESTAMPTZ, amount DOUBLE",
    "deal_people": f"source VARCHAR, deal_id VARCHAR, {NODE}, role VARCHAR, recorded_at TIMESTAMPTZ",
}


def map_deals(query: SectionQuery, section: DealsSection, source: SourceSettings, rows: SectionRows) -> dict[str, str]:
    """Deals, with their one person where the row names one."""
    opened = query.moment("opened_at", section.opened_at, required=True)
    # An expected closing day of an open deal may lie in the future.
    closed = query.moment("closed_at", section.closed_at, fact=False)
    columns = {
        "source": literal(source.name),
        "deal_id": query.text("deal_id", section.id, required=True),
        "system": literal(source.system),
        "account_id": query.text("account", section.account),
        "owner_id": query.text("owner", section.owner),
        "campaign_id": query.text("campaign", section.campaign),
        "outcome": query.text("outcome", section.outcome),
        "opened_at": opened,
        "closed_at": closed,
        "closed_known_at": query.known("", None, closed)[0] if section.closed_at else NO_MOMENT,
        "recorded_at": query.known("recorded_at", section.recorded_at, opened)[0],
        "amount": query.number("amount", section.amount),
        "lost_reason": query.text("lost_reason", section.lost_reason),
    }
    query.faults.append(
        "CASE WHEN t_outcome NOT IN ('open', 'won', 'lost') THEN 'outcome: neither open nor won nor lost' END"
        if section.outcome
        else NO_TEXT
    )
    insert_same(rows, "deals", list(columns))
    if section.person:
        system, source_id = query.person("person", section.person, required=False)
        columns |= {"person_system": system, "person_id": source_id}
        insert(
            rows,
            "deal_people",
            {
                "source": literal(source.name),
                "deal_id": "deal_id",
                "system": "person_system",
                "source_id": "person_id",
                "recorded_at": "recorded_at",
            },
            "person_id IS NOT NULL",
        )
    return columns


def map_deal_stages(
    query: SectionQuery, section: DealStagesSection, source: SourceSettings, rows: SectionRows
) -> dict[str, str]:
    """Stages that deals entered."""
    entered = query.moment("entered_at", section.entered_at, required=True)
    stage = query.text("stage", section.stage, required=True)
    ends = " ".join(f"WHEN {literal(name)} THEN {literal(outcome)}" for name, outcome in section.outcomes.items())
    columns = {
        "deal_id": query.text("deal", section.deal, required=True),
        "stage": stage,
        "outcome": f"CASE {stage} {ends} ELSE 'open' END" if ends else "'open'",
        "entered_at": entered,
        "recorded_at": query.known("recorded_at", section.recorded_at, entered)[0],
        "amount": query.number("amount", section.amount),
    }
    insert_same(rows, "deal_stages", list(columns))
    return columns


def map_deal_people(
    query: SectionQuery, section: DealPeopleSection, source: SourceSettings, rows: SectionRows
) -> dict[str, str]:
    """People's parts in deals."""
    system, source_id = query.person("person", section.person)
    recorded = query.moment("recorded_at", section.recorded_at)
    columns = {
        "source": literal(source.name),
        "deal_id": query.text("deal", section.deal, required=True),
        "system": system,
        "source_id": source_id,
        "role": query.text("role", section.role),
        "recorded_at": query.known("", None, recorded)[0] if section.recorded_at else NO_MOMENT,
    }
    separator = next((person.column.separator for person in section.person if person.column.separator), None)
    one = f"trim(unnest(string_split(source_id, {literal(separator)})))" if separator else "source_id"
    insert(rows, "deal_people", {name: name for name in columns} | {"source_id": one})
    return columns
