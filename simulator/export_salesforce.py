"""Salesforce as the Data Loader exports it: UTF-8 with a byte-order mark, every text quoted, API field names."""

from pathlib import Path

from simulator.files import write_csv
from simulator.salesforce_campaigns import campaign_members, campaigns
from simulator.salesforce_deals import contact_roles, opportunities, stage_history, tasks
from simulator.salesforce_people import crm_accounts, crm_contacts, crm_leads, users
from simulator.traps import TrapList
from simulator.world import World


def write_salesforce(world: World, directory: Path, traps: TrapList) -> dict[str, int]:
    """Writes all ten objects; returns rows by file."""
    folder = directory / "salesforce"
    tables = {
        "User": users(world),
        "Account": crm_accounts(world, traps),
        "Lead": crm_leads(world, traps),
        "Contact": crm_contacts(world, traps),
        "Campaign": campaigns(world),
        "CampaignMember": campaign_members(world),
        "Opportunity": opportunities(world),
        "OpportunityContactRole": contact_roles(world),
        "OpportunityHistory": stage_history(world, traps),
        "Task": tasks(world, traps),
    }
    return {
        f"salesforce/{name}.csv": write_csv(folder / f"{name}.csv", columns, byte_order_mark=True)
        for name, columns in tables.items()
    }
