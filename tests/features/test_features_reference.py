"""The SQL against the slowest and plainest way to say the same in Python, on random worlds."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from features.build import build_features

TOKYO = ZoneInfo("Asia/Tokyo")
PASSIVE = {"email_delivered"}


def owned(world, customer, at):
    return {
        (link["system"], link["source_id"])
        for link in world["identities"]
        if link["customer_id"] == customer
        and link["linked_at"] < at
        and (not link.get("ended_at") or link["ended_at"] >= at)
    }


def visible(world, table, customer, at, times):
    nodes = owned(world, customer, at)
    return [
        row
        for row in world[table]
        if (row["system"], row["source_id"]) in nodes and all(row[time] < at for time in times)
    ]


def counted(world, customer, at):
    """The events that counted at a moment: no machine's as far as known then, and no happening twice."""
    nodes = owned(world, customer, at)
    where = {event["event_id"]: (event["system"], event["source_id"]) for event in world["events"]}
    return [
        event
        for event in visible(world, "events", customer, at, ("occurred_at", "recorded_at"))
        if not (event["is_bot"] and event["bot_since"] < at) and where.get(event.get("duplicate_of")) not in nodes
    ]


def surviving(world, rows, field, order, at):
    found = [row for row in rows if row["field"] == field and (row["value"] or "").strip()]
    if not found:
        return None
    ranks = {system: place for place, system in enumerate(order)}

    def proved(row):
        """By the last proof known then: True verified, False refuted, None neither."""
        known = [p for p in world["proofs"] if (p["field"], p["value"]) == (field, row["value"])]
        known = [p for p in known if p["recorded_at"] < at]
        return max(known, key=lambda p: p["recorded_at"])["verified"] if known else None

    def loses(row):
        # Among rows that nothing tells apart the first by its names wins.
        return (
            proved(row) is False,
            field == "plan" and proved(row) is not True,
            ranks.get(row["system"], 99),
            proved(row) is not True,
            -row["occurred_at"].timestamp(),
            -row["recorded_at"].timestamp(),
            (row["system"], row["source_id"], row["value"]),
        )

    return min(found, key=loses)["value"]


def company(world, customer, at, account):
    if account is None:
        return {"colleagues": None, "colleague_events_30d": None, "company_lost_deals": None}
    everyone = {link["customer_id"] for link in world["identities"]}
    colleagues = [
        other
        for other in everyone - {customer}
        if any(
            row["field"] == "account_id" and row["value"] == account
            for row in visible(world, "attributes", other, at, ("occurred_at", "recorded_at"))
        )
    ]
    events = [
        event
        for other in colleagues
        for event in counted(world, other, at)
        if event["type"] not in PASSIVE and event["occurred_at"] >= at - timedelta(days=30)
    ]
    lost = {
        deal for one in (customer, *colleagues) for deal, outcome in deals(world, one, at).items() if outcome == "lost"
    }
    return {"colleagues": len(colleagues), "colleague_events_30d": len(events), "company_lost_deals": len(lost)}


def deals(world, customer, at):
    state = {}
    for part in visible(world, "deal_people", customer, at, ("recorded_at",)):
        deal = next(deal for deal in world["deals"] if deal["deal_id"] == part["deal_id"])
        stages = [s for s in world["deal_stages"] if s["deal_id"] == deal["deal_id"]]
        stages = [s for s in stages if s["entered_at"] < at and s["recorded_at"] < at]
        if stages or (deal["opened_at"] < at and deal["recorded_at"] < at):
            state[deal["deal_id"]] = max(stages, key=lambda s: s["entered_at"], default={"outcome": "open"})["outcome"]
    return state


def contracts(world, customer, at):
    own = visible(world, "contracts", customer, at, ("started_at", "recorded_at"))
    running = [
        c
        for c in own
        if (c["cancelled_at"] is None or c["cancelled_at"] >= at)
        and (c["ends_at"] is None or c["ends_at"] >= at or c["terms_recorded_at"] >= at)
    ]
    told = [c for c in running if c["terms_recorded_at"] < at]
    plans = [c for c in told if c["plan"]]
    amounts = [c["recurring_amount"] for c in told if c["recurring_amount"] is not None]
    ends = [c["ends_at"] for c in told if c["ends_at"]]

    def days(moments, choose):
        return abs(at - choose(moments)) / timedelta(days=1) if moments else None

    return {
        "contracts_running": len(running),
        "contracts_ended": len(own) - len(running),
        "contract_tenure_days": days([c["started_at"] for c in own], min),
        "contract_age_days": days([c["started_at"] for c in running], max),
        "contract_days_to_end": days(ends, min),
        "contract_plan": max(plans, key=lambda c: c["started_at"])["plan"] if plans else None,
        "contract_recurring_amount": sum(amounts) if amounts else None,
    }


def reference(world, customer, at):
    events = counted(world, customer, at)
    active = [event for event in events if event["type"] not in PASSIVE]

    def within(rows, days):
        return [row for row in rows if row["occurred_at"] >= at - timedelta(hours=24 * days)]

    def since(rows):
        return (at - max(row["occurred_at"] for row in rows)) / timedelta(days=1) if rows else None

    pricing = [e for e in events if e["type"] == "web_visit" and "pricing" in (e["url"] or "").lower()]
    values = visible(world, "attributes", customer, at, ("occurred_at", "recorded_at"))
    state = deals(world, customer, at)
    consents = visible(world, "consents", customer, at, ("decided_at", "recorded_at"))
    consents = [consent for consent in consents if consent["purpose"] == "marketing"]
    newest_consent = max(consents, key=lambda c: c["decided_at"], default=None)
    nodes = owned(world, customer, at)
    first_links = [
        min(link["linked_at"] for link in world["identities"] if (link["system"], link["source_id"]) == node)
        for node in nodes
    ]
    plain = {
        "records": sum(system in ("crm", "ma") for system, _ in nodes),
        "devices": sum(system == "cookie" for system, _ in nodes),
        "days_since_first_seen": (at - min(first_links)) / timedelta(days=1) if first_links else None,
        "industry": surviving(world, values, "industry", ("ma", "crm"), at),
        "custom_plan": surviving(world, values, "plan", ("crm", "ma"), at),
        "marketing_consent": ("granted" if newest_consent["granted"] else "refused") if newest_consent else None,
        "events_days_since": since(active),
        "pricing_page_days_since": since(pricing),
        "open_deals": sum(outcome == "open" for outcome in state.values()),
        "won_before": sum(outcome == "won" for outcome in state.values()),
        "lost_before": sum(outcome == "lost" for outcome in state.values()),
        "deals_before": len(state),
        "activity_heat": sum(0.5 ** ((at - e["occurred_at"]) / timedelta(days=7)) for e in active),
        "amount_30d": sum(e["amount"] or 0 for e in within(active, 30)),
    }
    for days in (1, 7, 30):
        plain[f"events_count_{days}d"] = len(within(active, days))
        plain[f"pricing_page_count_{days}d"] = len(within(pricing, days))
        plain[f"email_sent_count_{days}d"] = len(within([e for e in events if e["type"] in PASSIVE], days))
    for days in (7, 30):
        plain[f"active_days_{days}d"] = len({e["occurred_at"].astimezone(TOKYO).date() for e in within(active, days)})
    plain |= company(world, customer, at, surviving(world, values, "account_id", ("crm", "ma"), at))
    plain |= contracts(world, customer, at)
    plain["distinct_types_30d"] = len({e["type"] for e in within(active, 30)})
    return plain


@pytest.mark.parametrize("seed", range(10, 15))
def test_equal_to_plain_python(seed, feature_settings, publish_tables, random_world, view_rows, moments_table):
    world = random_world(seed)
    first = min(event["occurred_at"] for event in world["events"])
    # Moments on the very time of an event, on whole hours, and in between.
    ats = [first + timedelta(days=days, seconds=days) for days in (9, 31, 55)]
    ats += [world["events"][7]["occurred_at"], (first + timedelta(days=40)).replace(minute=0, second=0, microsecond=0)]
    asked = [(f"c_{n:03d}", at) for n in range(25) for at in ats]
    workspace = publish_tables(**dict(world))
    summary = build_features(feature_settings, workspace, moments_table(asked))
    rows = {}
    for view in summary.views:
        for row in view_rows(workspace, view).to_pylist():
            rows.setdefault((row["customer_id"], row["as_of"]), {}).update(row)
    filled = 0
    for customer, at in asked:
        found = rows[customer, at]
        for name, expected in reference(world, customer, at).items():
            if isinstance(expected, float):
                assert found[name] == pytest.approx(expected, abs=1e-6), (customer, at, name)
            else:
                assert found[name] == expected, (customer, at, name)
            filled += bool(expected)
    assert filled > 500
