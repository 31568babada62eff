"""A thousand people of a simulated company: online, in history, and in plain Python their features are the same."""

import random
from collections import defaultdict
from datetime import timedelta

import pyarrow as pa
import pytest

from core.clock import FixedClock
from core.settings import load_settings
from core.storage import Workspace
from core.tables import MOMENT, TABLES
from customers.unify import unify_customers
from features.build import build_features
from features.facts import KEY_SYSTEMS
from features.materialise import materialise_online
from features.retrieval import historical_features, online_features
from features.store import apply_definitions
from simulator import simulate_company
from tests.features.test_features_reference import PASSIVE, counted, reference
from tests.kizashi.conftest import write_config

PEOPLE = 1_000
SERVICES = ("lead_v1", "churn_v1")
# What the plain Python knows by name: two systems of records, and one kind of event that is done to people.
OWNED = ("identities", "attributes", "events", "deal_people", "consents", "contracts")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """The unified rows of a small company by table, in the words of the plain Python, and until when they reach."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate_company(folder / "home" / "exports", customers=1000, months=8, seed=9)
    settings = load_settings(write_config(folder, folder / "home"))
    workspace = Workspace(settings.home)
    unify_customers(settings, workspace, run="test")
    world = {name: workspace.read_table(name).to_pylist() for name in TABLES}
    for rows in world.values():
        for row in rows:
            system = row.get("system")
            if system is not None and "source_id" in row and system not in KEY_SYSTEMS:
                row["system"] = "crm" if system == "salesforce" else "ma"
                row["source_id"] = f"{system}:{row['source_id']}"
            if row.get("type") in ("email_sent", "campaign_sent", "email_bounced", "email_soft_bounced", "unsubscribe"):
                row["type"] = "email_delivered"
    return world, workspace.as_of()


def only_near(world, customer, index):
    """What may concern a person: rows on nodes that they, or a colleague of any time, ever owned."""
    nodes, people = index
    accounts = {value for node in nodes[customer] for value in people["accounts"][node]}
    near = {customer} | {other for account in accounts for other in people["of"][account]}
    owned = {node for person in near for node in nodes[person]}
    found = {name: [row for node in owned for row in people[name][node]] for name in OWNED}
    deals = {row["deal_id"] for row in found["deal_people"]}
    # Each proof concerns one value of a field.
    values = {(row["field"], row["value"]) for row in found["attributes"]}
    return {
        **found,
        "deals": [row for row in world["deals"] if row["deal_id"] in deals],
        "deal_stages": [row for row in world["deal_stages"] if row["deal_id"] in deals],
        "proofs": [row for row in world["proofs"] if (row["field"], row["value"]) in values],
    }


def indexed(world):
    """The nodes of each person, and by node everything that lies on it."""
    nodes, rows = defaultdict(set), {name: defaultdict(list) for name in OWNED}
    for name in OWNED:
        for row in world[name]:
            rows[name][row["system"], row["source_id"]].append(row)
    for link in world["identities"]:
        nodes[link["customer_id"]].add((link["system"], link["source_id"]))
    accounts = defaultdict(set)
    for row in world["attributes"]:
        if row["field"] == "account_id":
            accounts[row["system"], row["source_id"]].add(row["value"])
    members = defaultdict(set)
    for person, owned in nodes.items():
        for node in owned:
            for account in accounts[node]:
                members[account].add(person)
    return nodes, {**rows, "accounts": accounts, "of": members}


@pytest.fixture(scope="module")
def expected(simulated):
    """By customer what the plain Python says."""
    world, at = simulated
    index = indexed(world)
    everybody = sorted({row["customer_id"] for row in world["customers"]})
    assert len(everybody) > PEOPLE
    chosen = random.Random(1).sample(everybody, PEOPLE)  # noqa: S311 - a seeded choice of customers needs no secrecy
    found = {}
    for customer in chosen:
        near = only_near(world, customer, index)
        found[customer] = {**reference(near, customer, at), "activity_heat": heat(near, customer, at)}
    return found


def heat(world, customer, at):
    """In whole billionths for each event, as the feature is defined: a sum that depends on no order."""
    active = [event for event in counted(world, customer, at) if event["type"] not in PASSIVE]
    return sum(round(0.5 ** ((at - event["occurred_at"]) / timedelta(days=7)) * 10**9) for event in active) / 10**9


def test_online_history_and_plain_python_agree(simulated, expected, online_server, wide_settings, publish_tables):
    world, at = simulated
    workspace = publish_tables(data_until=at, **dict(world))
    settings = wide_settings.model_copy(update={"online_store": online_server.settings})
    people = list(expected)
    moments = pa.table({"customer_id": people, "as_of": pa.array([at] * PEOPLE, MOMENT)})
    build_features(settings, workspace, moments)
    apply_definitions(settings, workspace)
    materialise_online(settings, workspace, at)
    filled = 0
    for service in SERVICES:
        online = online_features(settings, workspace, service, people, FixedClock(at + timedelta(days=1)))
        # Equal bit for bit, floats included.
        assert online.combine_chunks().equals(historical_features(settings, workspace, service, moments))
        for row in online.to_pylist():
            for name, value in expected[row["customer_id"]].items():
                if name not in row:
                    continue
                if isinstance(value, float):
                    assert row[name] == pytest.approx(value, rel=1e-9, abs=1e-12), (row["customer_id"], name)
                else:
                    assert row[name] == value, (row["customer_id"], name)
                filled += bool(value)
    assert filled > 5 * PEOPLE
