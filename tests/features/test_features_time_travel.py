"""Nothing that happened, or was recorded, or was linked at or after t changes a feature at t or before."""

import copy
import random
from datetime import timedelta

import pytest

from features.build import build_features

TIMES = {
    "events": ("occurred_at", "recorded_at"),
    "attributes": ("occurred_at", "recorded_at"),
    "proofs": ("recorded_at",),
    "deal_stages": ("entered_at", "recorded_at"),
    "deal_people": ("recorded_at",),
    "consents": ("decided_at", "recorded_at"),
}


def split(world, at):
    """The world of those who stand at `at`: every row not yet known is gone, and links have not ended yet."""
    past = {
        table: [row for row in world[table] if all(row[time] < at for time in times)] for table, times in TIMES.items()
    }
    past["events"] = [
        row if not row["is_bot"] or row["bot_since"] < at else {**row, "is_bot": False, "bot_since": None}
        for row in past["events"]
    ]
    past["identities"] = [
        {**link, "ended_at": ended if (ended := link.get("ended_at")) and ended < at else None}
        for link in world["identities"]
        if link["linked_at"] < at
    ]
    past["contracts"] = [
        {
            **row,
            "cancelled_at": row["cancelled_at"] if row["cancelled_at"] and row["cancelled_at"] < at else None,
            **({} if row["terms_recorded_at"] < at else {"plan": None, "recurring_amount": None, "ends_at": None}),
        }
        for row in world["contracts"]
        if row["started_at"] < at and row["recorded_at"] < at
    ]
    staged = {row["deal_id"] for row in past["deal_stages"]}
    past["deals"] = [
        deal
        for deal in world["deals"]
        if deal["deal_id"] in staged or (deal["opened_at"] < at and deal["recorded_at"] < at)
    ]
    return past


def twist(world, at, seed):
    """Change, repeat and drop what lies at or after `at`, and let tomorrow's facts arrive."""
    rng = random.Random(seed)  # noqa: S311 - a seeded test world needs no secrecy
    twisted = copy.deepcopy(world)
    for table, times in TIMES.items():
        rows = []
        for row in twisted[table]:
            if any(row[time] >= at for time in times):
                if rng.random() < 0.3:
                    continue
                for key in {"value", "amount", "url", "properties", "stage", "outcome", "granted", "type"} & row.keys():
                    donor = rng.choice(twisted[table])
                    row[key] = donor.get(key) if row[key] is not None else row[key]
            elif rng.random() < 0.5 and table != "deal_people":
                again = dict(row)
                again[rng.choice(times)] = at + timedelta(hours=rng.choice([0, 1, 500]))
                if "event_id" in again:
                    again["event_id"] += "-again"
                if "value" in again:
                    again["value"] = "tomorrow"
                rows.append(again)
            rows.append(row)
        twisted[table] = rows
    for event in twisted["events"]:
        # Who is found out later, and who was but is not any more: until then both pass for people.
        if (not event["is_bot"] or event["bot_since"] >= at) and rng.random() < 0.4:
            found_out = at + timedelta(hours=rng.choice([0, 7]))
            event |= rng.choice([{"is_bot": True, "bot_since": found_out}, {"is_bot": False, "bot_since": None}])
    links = []
    for link in twisted["identities"]:
        if link["linked_at"] >= at and rng.random() < 0.3:
            continue
        links.append(link)
        if not link.get("ended_at") and link["linked_at"] < at and rng.random() < 0.5:
            merged_at = at + timedelta(hours=rng.choice([0, 3]))
            link["ended_at"] = merged_at
            links.append({**link, "customer_id": "c_000", "linked_at": merged_at, "ended_at": None})
    twisted["identities"] = links
    for contract in list(twisted["contracts"]):
        if contract["terms_recorded_at"] >= at:
            contract |= {"plan": "tomorrow", "recurring_amount": 1.0, "ends_at": contract["started_at"]}
        if contract["cancelled_at"] is None or contract["cancelled_at"] >= at:
            contract["cancelled_at"] = max(at, contract["started_at"]) + timedelta(hours=rng.choice([0, 5]))
        twisted["contracts"].append(
            {
                **contract,
                "contract_id": contract["contract_id"] + "-again",
                "recorded_at": max(at, contract["recorded_at"]),
            }
        )
    for deal in twisted["deals"]:
        deal["outcome"] = rng.choice(["open", "won", "lost"])
        deal["closed_at"] = at + timedelta(days=1)
        deal["amount"] = rng.random()
        deal["lost_reason"] = "price"
    return twisted


@pytest.mark.parametrize("seed", range(6))
def test_later_facts_change_nothing(
    seed, wide_settings, publish_tables, random_world, view_rows, moments_table, tmp_path
):
    world = random_world(seed)
    at = sorted(event["occurred_at"] for event in world["events"])[len(world["events"]) * (seed + 2) // 9]
    asked = [(f"c_{n:03d}", at - timedelta(days=back)) for n in range(25) for back in (0, 4)]
    built = []
    worlds = {"as_it_is": world, "past_only": split(world, at), "twisted": twist(world, at, seed)}
    for name, tables in worlds.items():
        workspace = publish_tables(home=tmp_path / name, **dict(tables))
        summary = build_features(wide_settings, workspace, moments_table(asked))
        built.append({view: view_rows(workspace, view) for view in summary.views})
    for view, rows in built[0].items():
        assert rows.equals(built[1][view]), f"{view} reads what was known only later"
        assert rows.equals(built[2][view]), f"{view} reads what was changed later"


def test_the_twist_is_felt_afterwards(wide_settings, publish_tables, random_world, view_rows, moments_table, tmp_path):
    """The worlds of the test above really differ: a moment later they give other features, in every view."""
    world = random_world(0)
    at = sorted(event["occurred_at"] for event in world["events"])[150]
    asked = [(f"c_{n:03d}", at + timedelta(days=30)) for n in range(25)]
    built = []
    for name, tables in {"plain": world, "twisted": twist(world, at, 0)}.items():
        workspace = publish_tables(home=tmp_path / name, **dict(tables))
        summary = build_features(wide_settings, workspace, moments_table(asked))
        built.append({view: view_rows(workspace, view) for view in summary.views})
    for view, rows in built[0].items():
        assert not rows.equals(built[1][view]), f"{view} never changes"
