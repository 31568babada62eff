"""Shifting all times by a constant shifts nothing but dates."""

from datetime import datetime, timedelta

import pytest

from features.build import build_features
from features.catalog import row_marker

# The day of the week plays a part.
CALENDAR = {"weekend_share_30d", "working_hours_share_30d"}
# The company's own field holds a date, which is a text and stays where it is.
DATES = {"custom_renewal"}


def shifted(world, by):
    return {
        table: [
            {key: value + by if isinstance(value, datetime) else value for key, value in row.items()} for row in rows
        ]
        for table, rows in world.items()
    }


@pytest.mark.parametrize(("days", "also"), [(7 * 30, set()), (-3, CALENDAR)])
def test_only_dates_move(
    days, also, feature_settings, publish_tables, random_world, view_rows, moments_table, tmp_path
):
    world, by = random_world(21), timedelta(days=days)
    first = min(event["occurred_at"] for event in world["events"])
    # In the middle of a day, on whole hours, and on the very time of an event.
    asked = [first + timedelta(days=33, seconds=33), world["events"][5]["occurred_at"]]
    asked.append((first + timedelta(days=45)).replace(minute=0, second=0, microsecond=0))
    asked = [(f"c_{n:03d}", at) for n in range(25) for at in asked]
    there = [(customer, at + by) for customer, at in asked]
    built = []
    for name, tables, moments in (("here", world, asked), ("there", shifted(world, by), there)):
        workspace = publish_tables(home=tmp_path / name, **tables)
        build = build_features(feature_settings, workspace, moments_table(moments))
        built.append({view: view_rows(workspace, view) for view in build.views})
    filled = 0
    for view, rows in built[0].items():
        others = built[1][view]
        for name in set(rows.column_names) - {"customer_id", "as_of", "built_at", row_marker(view)} - also - DATES:
            assert rows[name].equals(others[name]), name
            filled += len(rows[name].drop_null().unique()) > 1
    assert filled > 50
    moved = [float(b) - float(a) for a, b in zip(
        built[0]["custom"]["custom_renewal"].drop_null().to_pylist(),
        built[1]["custom"]["custom_renewal"].drop_null().to_pylist(),
        strict=True,
    )]  # fmt: skip
    assert moved
    assert moved == pytest.approx([days] * len(moved))
