"""A person's features built on the spot, also as they would be had nothing been told after an earlier moment."""

from datetime import UTC, datetime, timedelta

import pytest

from features.as_known import features_as_known
from features.build import build_features
from features.catalog import service_schema

SERVICES = ("lead_v1", "churn_v1")
TIMES = {
    "attributes": ("occurred_at", "recorded_at"),
    "deal_stages": ("entered_at", "recorded_at"),
    "deal_people": ("recorded_at",),
    "consents": ("decided_at", "recorded_at"),
    "proofs": ("recorded_at",),
}


def past_of(world, until):
    """The world as it stood: every row, end, machine and term that was not known yet is gone."""
    past = {
        table: [row for row in world[table] if all(row[time] < until for time in times)]
        for table, times in TIMES.items()
    }
    past["events"] = [
        event if event["is_bot"] and event["bot_since"] < until else {**event, "is_bot": False, "bot_since": None}
        for event in world["events"]
        if event["occurred_at"] < until and event["recorded_at"] < until
    ]
    past["identities"] = [
        {**link, "ended_at": ended if (ended := link.get("ended_at")) and ended < until else None}
        for link in world["identities"]
        if link["linked_at"] < until
    ]
    past["contracts"] = [
        {
            **row,
            "cancelled_at": row["cancelled_at"] if row["cancelled_at"] and row["cancelled_at"] < until else None,
            **({} if row["terms_recorded_at"] < until else {"plan": None, "recurring_amount": None, "ends_at": None}),
        }
        for row in world["contracts"]
        if row["started_at"] < until and row["recorded_at"] < until
    ]
    opened = {deal["deal_id"] for deal in world["deals"] if deal["opened_at"] < until and deal["recorded_at"] < until}
    staged = {row["deal_id"] for row in past["deal_stages"]}
    never = datetime(2200, 1, 1, tzinfo=UTC)
    past["deals"] = [
        deal if deal["deal_id"] in opened else {**deal, "opened_at": never, "recorded_at": never}
        for deal in world["deals"]
        if deal["deal_id"] in opened | staged
    ]
    return past


@pytest.mark.parametrize("seed", range(2))
def test_one_person_alone_has_the_features_of_the_whole_build(
    seed, feature_settings, publish_tables, random_world, view_rows, moments_table, tmp_path
):
    world = random_world(seed)
    at = sorted(event["occurred_at"] for event in world["events"])[len(world["events"]) * (seed + 3) // 7]
    workspace = publish_tables(home=tmp_path / "home", **dict(world))
    people = [f"c_{n:03d}" for n in range(25)]
    build_features(feature_settings, workspace, moments_table([(person, at) for person in people]))
    for service in SERVICES:
        schema = service_schema(feature_settings, service)
        built = {view: view_rows(workspace, view).to_pylist() for view in {f.view for f in schema.features}}
        for person in people[:: 6 if service == "lead_v1" else 12]:
            alone = features_as_known(feature_settings, workspace, service, person, at).to_pylist()[0]
            rows = {view: next(row for row in rows if row["customer_id"] == person) for view, rows in built.items()}
            together = {feature.name: rows[feature.view][feature.name] for feature in schema.features}
            assert {name: alone[name] for name in together} == together


@pytest.mark.parametrize("seed", range(2))
def test_what_was_told_later_is_left_out(
    seed, feature_settings, publish_tables, random_world, view_rows, moments_table, tmp_path
):
    """The same as building at the later moment over the world as it stood at the earlier one."""
    world = random_world(seed)
    at = sorted(event["occurred_at"] for event in world["events"])[len(world["events"]) * (seed + 3) // 7]
    until = at - timedelta(days=6)
    workspace = publish_tables(home=tmp_path / "now", **dict(world))
    past = publish_tables(home=tmp_path / "then", **past_of(world, until))
    people = [f"c_{n:03d}" for n in range(0, 25, 5)]
    build_features(feature_settings, past, moments_table([(person, at) for person in people]))
    schema = service_schema(feature_settings, "lead_v1")
    built = {view: view_rows(past, view).to_pylist() for view in {f.view for f in schema.features}}
    for person in people:
        alone = features_as_known(feature_settings, workspace, "lead_v1", person, at, until).to_pylist()[0]
        rows = {view: next(row for row in rows if row["customer_id"] == person) for view, rows in built.items()}
        then = {feature.name: rows[feature.view][feature.name] for feature in schema.features}
        assert {name: alone[name] for name in then} == then


def test_nothing_is_left_in_the_workspace(feature_settings, publish_tables, random_world, tmp_path):
    world = random_world(1)
    workspace = publish_tables(home=tmp_path / "home", **dict(world))
    before = {path for path in workspace.home.rglob("*") if path.is_file()}
    features_as_known(feature_settings, workspace, "lead_v1", "c_001", world["events"][0]["occurred_at"])
    assert {path for path in workspace.home.rglob("*") if path.is_file()} == before
