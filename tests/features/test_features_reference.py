"""The SQL against the slowest and plainest way to say the same in Python, on random worlds."""

import json
import statistics
from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from features import feature_catalog
from features.build import build_features

TOKYO = ZoneInfo("Asia/Tokyo")
PASSIVE = {"email_delivered", "task", "support_solved"}
ANSWERS = {
    "email": ("email_open", "email_click"),
    "sales": ("call", "meeting"),
    "event": ("webinar_attended", "trade_fair", "store_visit"),
}
SENT = {"email_delivered": "email", "task": "sales"}
BANDS = {5: "early_morning", 9: "morning", 12: "midday", 14: "afternoon", 18: "evening", 22: "night"}


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


def bought(events):
    """What was bought, and how many times something was sent back."""
    kept = [e for e in events if e["type"] == "purchase" and not e["amount"] < 0]
    return kept, [e for e in events if e["type"] == "purchase_return" or (e["type"] == "purchase" and e["amount"] < 0)]


def local_days(events):
    return sorted({e["occurred_at"].astimezone(TOKYO).date() for e in events})


def gaps(events):
    days = local_days(events)
    return [(later - earlier).days for earlier, later in pairwise(days)]


def told(event, name):
    return json.loads(event["properties"]).get(name) if event["properties"] else None


def is_online(store):
    return any(word in (store or "").casefold() for word in ("online", "オンライン", "通販"))


def days_since(moments, at):
    return (at - max(moments)) / timedelta(days=1) if moments else None


def purchases(events, at):
    kept, returns = bought(events)
    between = gaps(kept)
    usual = statistics.mean(between) if between else None
    lately = [e for e in kept if e["occurred_at"] >= at - timedelta(days=50)]
    online = [e for e in kept if e["channel"] in {"web", "online", "app"} or is_online(told(e, "store"))]
    return {
        "purchases_before": len(kept),
        "purchase_amount_50d": sum(abs(e["amount"]) for e in lately) + 0.0,
        "purchase_average_amount": sum(e["amount"] for e in kept) / len(kept) if kept else None,
        "purchase_gap_days": float(usual) if usual else None,
        "purchase_gap_variation": statistics.pstdev(between) / usual if len(between) > 1 else None,
        "purchase_lateness": days_since([e["occurred_at"] for e in kept], at) / usual if usual else None,
        "purchase_return_share": min(len(returns) / len(kept), 1.0) if kept else None,
        "purchase_stores": len({told(e, "store") for e in kept} - {None}),
        "purchase_online_share": len(online) / len(kept) if kept else None,
    }


def support(events, at):
    asked, settled = {}, {}
    for event in sorted(events, key=lambda e: e["occurred_at"]):
        if event["type"] == "support_ticket":
            asked.setdefault(told(event, "ticket"), event["occurred_at"])
        if event["type"] == "support_solved":
            settled[told(event, "ticket")] = event["occurred_at"]
    unsettled = [when for ticket, when in asked.items() if ticket not in settled]
    took = [max(settled[ticket] - when, timedelta(0)) for ticket, when in asked.items() if ticket in settled]
    recent = {days: sum(when >= at - timedelta(days=days) for when in asked.values()) for days in (30, 50)}
    plain = {f"support_tickets_{days}d": count for days, count in recent.items()}
    return plain | {
        "support_days_since": days_since(asked.values(), at),
        "support_open": len(unsettled),
        "support_open_days": (at - min(unsettled)) / timedelta(days=1) if unsettled else None,
        "support_solving_days": sum(took, timedelta(0)) / timedelta(days=1) / len(took) if took else None,
    }


def usage(events, at):
    def within(days):
        return [e for e in events if e["type"] == "product_use" and e["occurred_at"] >= at - timedelta(days=days)]

    def parts(rows):
        return {told(e, "feature") or "product_use" for e in rows}

    long, short = within(50), within(30)
    before = len(long) - len(short)
    usual = statistics.mean(gaps(long)) if gaps(long) else None
    return {
        "usage_days_30d": len(local_days(short)),
        "usage_breadth_30d": len(parts(short)),
        "usage_breadth_kept": len(parts(short)) / len(parts(long)) if long else None,
        "usage_against_habit": (len(short) / 30) / (before / 20) if before else None,
        "usage_lateness": days_since([e["occurred_at"] for e in long], at) / usual if usual else None,
    }


def warmth(events, at):
    lately, plain, heat, hours = at - timedelta(days=50), {}, {}, {}
    for channel, types in ANSWERS.items():
        answers = [e["occurred_at"] for e in events if e["type"] in types]
        plain[f"warmth_{channel}_days_since"] = days_since(answers, at)
        if answers:
            heat[channel] = sum(0.5 ** ((at - when) / timedelta(days=7)) for when in answers)
        for when in answers:
            if when >= lately:
                hour = when.astimezone(TOKYO).hour
                band = next((name for first, name in sorted(BANDS.items(), reverse=True) if hour >= first), "night")
                hours[band] = hours.get(band, 0) + 1
    for kind, channel in SENT.items():
        line = [e for e in events if e["type"] == kind or e["type"] in ANSWERS[channel]]
        line.sort(key=lambda e: (e["occurred_at"], e["type"] != kind))
        sent = [place for place, e in enumerate(line) if e["type"] == kind and e["occurred_at"] >= lately]
        answered = [place for place in sent if place + 1 < len(line) and line[place + 1]["type"] != kind]
        plain[f"warmth_{channel}_answered_share"] = len(answered) / len(sent) if sent else None
    return plain | {
        "warmest_channel": max(heat, key=heat.get) if heat else None,
        "answer_hours": max(hours, key=lambda band: (hours[band], band)) if hours else None,
        "answer_hours_share": max(hours.values()) / sum(hours.values()) if hours else None,
    }


def value(world, customer, events, at):
    kept, returns = bought(events)
    net = sum(e["amount"] for e in kept) - sum(abs(e["amount"]) for e in returns)
    won = 0.0
    for deal, outcome in deals(world, customer, at).items():
        stages = [s for s in world["deal_stages"] if s["deal_id"] == deal and s["entered_at"] < at]
        stages = [s for s in stages if s["recorded_at"] < at and s.get("amount") is not None]
        if outcome == "won" and stages:
            won += max(stages, key=lambda s: s["entered_at"])["amount"]
    paid = 0.0
    for contract in visible(world, "contracts", customer, at, ("started_at", "recorded_at", "terms_recorded_at")):
        ends = [at, *(contract[name] for name in ("ends_at", "cancelled_at") if contract[name])]
        paid += (contract["recurring_amount"] or 0) * max(min(ends) - contract["started_at"], timedelta(0)).days
    plain = {"value_purchases": net + 0.0, "value_deals": won, "value_contracts": paid / (365.25 / 12)}
    alive = expected = None
    if kept:
        first, last = (choose(e["occurred_at"] for e in kept) for choose in (min, max))
        x, t = len(local_days(kept)) - 1, (at - first) / timedelta(days=1)
        t_x = (last - first) / timedelta(days=1)
        odds = 0.793 / (2.426 + x - 1) * ((30.9 + t) / (30.9 + t_x)) ** (0.243 + x) if x else 0.0
        alive = 1 / (1 + odds)
        expected = alive * (0.243 + x) / (30.9 + t) * 365 * sum(e["amount"] for e in kept) / len(kept)
    return plain | {"value_alive": alive, "value_expected_365d": expected}


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
        plain[f"email_sent_count_{days}d"] = len(within([e for e in events if e["type"] == "email_delivered"], days))
    for days in (7, 30):
        plain[f"active_days_{days}d"] = len({e["occurred_at"].astimezone(TOKYO).date() for e in within(active, days)})
    plain |= company(world, customer, at, surviving(world, values, "account_id", ("crm", "ma"), at))
    plain |= contracts(world, customer, at)
    plain |= purchases(events, at)
    plain |= support(events, at)
    plain |= usage(events, at)
    plain |= warmth(events, at)
    plain |= value(world, customer, events, at)
    plain["distinct_types_30d"] = len({e["type"] for e in within(active, 30)})
    return plain


@pytest.mark.parametrize("seed", range(10, 15))
def test_equal_to_plain_python(seed, wide_settings, publish_tables, random_world, view_rows, moments_table):
    world = random_world(seed)
    first = min(event["occurred_at"] for event in world["events"])
    # Moments on the very time of an event, on whole hours, and in between.
    ats = [first + timedelta(days=days, seconds=days) for days in (9, 31, 55)]
    ats += [world["events"][7]["occurred_at"], (first + timedelta(days=40)).replace(minute=0, second=0, microsecond=0)]
    asked = [(f"c_{n:03d}", at) for n in range(25) for at in ats]
    workspace = publish_tables(**dict(world))
    summary = build_features(wide_settings, workspace, moments_table(asked))
    rows = {}
    for view in summary.views:
        for row in view_rows(workspace, view).to_pylist():
            rows.setdefault((row["customer_id"], row["as_of"]), {}).update(row)
    covered = {"usage", "purchase", "support", "warmth", "value", "contract"}
    named = {feature.name for feature in feature_catalog(wide_settings) if feature.view in covered}
    assert named <= reference(world, *asked[0]).keys()
    filled = 0
    for customer, at in asked:
        found = rows[customer, at]
        for name, expected in reference(world, customer, at).items():
            if isinstance(expected, float):
                assert found[name] == pytest.approx(expected, rel=1e-9, abs=1e-6), (customer, at, name)
            else:
                assert found[name] == expected, (customer, at, name)
            filled += bool(expected)
    assert filled > 500
