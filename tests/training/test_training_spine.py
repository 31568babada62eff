"""Rows, labels and maturity."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.settings import Settings
from core.storage import Workspace
from training.marks import calendar_marks
from training.spine import build_spine, scoring_moments

DAY = timedelta(days=1)
MARK = datetime(2025, 2, 28, 15, tzinfo=UTC)  # 1 March, 00:00 in Tokyo
FIRST = MARK - 40 * DAY
NOW = MARK + 31 * DAY + timedelta(hours=1)


def person(customer: str, source: str, at: datetime = FIRST, account: str | None = None) -> dict[str, list[Any]]:
    return {
        "customers": [
            {
                "customer_id": customer, "kind": "known", "consent_marketing": True, "consent_profiling": True,
                "consent_transfer": True, "records": 1, "first_seen_at": at, "account_id": account,
            }
        ],
        "identities": [
            {
                "system": "crm", "source_id": source, "customer_id": customer, "rule": "source", "probability": 1.0,
                "linked_at": at, "run": "r",
            }
        ],
    }  # fmt: skip


def won(customer: str, source: str, at: datetime, recorded: datetime | None = None, account: str | None = None) -> Any:
    opened = at - DAY
    return {
        "deals": [
            {
                "deal_id": f"d-{source}-{at:%m%d%H%M%S%f}", "system": "crm", "outcome": "won", "opened_at": opened,
                "closed_at": at, "recorded_at": opened, "account_id": account,
            }
        ],
        "deal_stages": [
            {
                "deal_id": f"d-{source}-{at:%m%d%H%M%S%f}", "stage": "won", "outcome": "won", "entered_at": at,
                "recorded_at": recorded or at,
            }
        ],
        "deal_people": [
            {
                "deal_id": f"d-{source}-{at:%m%d%H%M%S%f}", "customer_id": customer, "system": "crm",
                "source_id": source, "recorded_at": opened,
            }
        ],
    }  # fmt: skip


@pytest.fixture
def rows(publish_tables: Callable[..., Workspace], make_settings: Callable[..., Settings]) -> Callable[..., Any]:
    def build(*parts: dict[str, list[Any]], now: datetime = NOW, lead: dict[str, Any] | None = None) -> Any:
        tables: dict[str, list[Any]] = {}
        for part in parts:
            for name, entries in part.items():
                tables.setdefault(name, []).extend(entries)
        workspace = publish_tables(data_until=now, **tables)
        return build_spine(make_settings(Path("unused"), lead=lead or {}), workspace, "lead")

    return build


@pytest.mark.parametrize(
    ("offset", "label"),
    [
        (timedelta(0), True),
        (30 * DAY - timedelta(microseconds=1), True),
        (30 * DAY, False),
    ],
)
def test_the_horizon_is_half_open(rows: Callable[..., Any], offset: timedelta, label: bool) -> None:
    spine = rows(person("c", "s"), won("c", "s", MARK + offset))
    at_mark = [row for row in spine.table.to_pylist() if row["as_of"] == MARK]
    assert [row["label"] for row in at_mark] == [label]
    assert (at_mark[0]["outcome_id"] is not None) is label


def test_only_rows_whose_horizon_has_passed(rows: Callable[..., Any]) -> None:
    assert MARK in rows(person("c", "s"), now=MARK + 30 * DAY).table["as_of"].to_pylist()
    assert MARK not in rows(person("c", "s"), now=MARK + 30 * DAY - timedelta(seconds=1)).table["as_of"].to_pylist()


def test_a_win_that_nobody_had_recorded_yet_is_left_out(rows: Callable[..., Any]) -> None:
    spine = rows(person("c", "s"), won("c", "s", MARK - DAY, recorded=MARK + DAY))
    assert MARK not in spine.table["as_of"].to_pylist()
    assert spine.dropped_settled == 1


def test_after_a_recorded_win_there_are_no_rows(rows: Callable[..., Any]) -> None:
    spine = rows(person("c", "s"), won("c", "s", MARK - 5 * DAY))
    assert MARK not in spine.table["as_of"].to_pylist()
    assert spine.dropped_settled == 0


def test_a_later_merge_gives_the_label_but_not_the_id(rows: Callable[..., Any]) -> None:
    elder, younger = person("elder", "s1"), person("younger", "s2")
    merged = MARK + 5 * DAY
    younger["identities"][0]["ended_at"] = merged
    younger["identities"].append({**younger["identities"][0], "customer_id": "elder", "linked_at": merged})
    younger["identities"][1]["ended_at"] = None
    del younger["customers"]
    change = {"old_id": "younger", "new_id": "elder", "changed_at": merged, "kind": "merge", "reason": "", "run": "r"}
    spine = rows(elder, younger, {"identity_changes": [change]}, won("elder", "s1", MARK + 9 * DAY))
    at_mark = [row for row in spine.table.to_pylist() if row["as_of"] == MARK]
    assert [(row["customer_id"], row["person"], row["label"]) for row in at_mark] == [
        ("elder", "elder", True),
        ("younger", "elder", True),
    ]
    assert at_mark[0]["circle"] == at_mark[1]["circle"]


def test_a_colleague_s_deal_counts_for_the_account_alone(rows: Callable[..., Any]) -> None:
    parts = (
        person("a", "s1", account="acme"),
        person("b", "s2", account="acme"),
        won("a", "s1", MARK + DAY, account="acme"),
    )
    by_contacts = {row["customer_id"]: row["label"] for row in rows(*parts).table.to_pylist() if row["as_of"] == MARK}
    assert by_contacts == {"a": True, "b": False}


def test_with_account_attribution_everybody_there_is_won(rows: Callable[..., Any]) -> None:
    parts = (
        person("a", "s1", account="acme"),
        person("b", "s2", account="acme"),
        won("a", "s1", MARK + DAY, account="acme"),
    )
    spine = rows(*parts, lead={"label": {"horizon_days": 30, "attribution": "account"}})
    assert {row["customer_id"]: row["label"] for row in spine.table.to_pylist() if row["as_of"] == MARK} == {
        "a": True,
        "b": True,
    }
    assert len(set(spine.circle)) == 1


def test_who_refuses_profiling_today_is_in_no_row(rows: Callable[..., Any]) -> None:
    refused = person("c", "s")
    refused["customers"][0]["consent_profiling"] = False
    assert rows(refused).table.num_rows == 0


def test_one_row_a_customer_after_arrival(rows: Callable[..., Any]) -> None:
    lead = {"spine": {"kind": "after_arrival", "hours_after_arrival": 24}, "label": {"horizon_days": 30}}
    spine = rows(person("c", "s"), person("late", "s2", NOW - 5 * DAY), lead=lead)
    assert [(row["customer_id"], row["as_of"]) for row in spine.table.to_pylist()] == [("c", FIRST + DAY)]


def test_scored_are_those_who_are_eligible_now(
    publish_tables: Callable[..., Workspace], make_settings: Callable[..., Settings]
) -> None:
    tables = person("c", "s")
    for name, entries in person("w", "s2").items():
        tables[name] += entries
    workspace = publish_tables(data_until=NOW, **tables, **won("w", "s2", MARK))
    moments = scoring_moments(make_settings(Path("unused")), workspace, "lead")
    assert moments.to_pylist() == [{"customer_id": "c", "as_of": NOW}]


def test_dense_marks_are_taken_in_turns_that_hang_on_the_id_alone(rows: Callable[..., Any]) -> None:
    people = [person(f"c{number}", f"s{number}", FIRST - 300 * DAY) for number in range(40)]
    spine = {"every": "week", "start": (FIRST - 290 * DAY).isoformat()}
    whole = rows(*people, lead={"spine": {**spine, "rows_per_year": 52}}).table.to_pandas()
    thinned = rows(*people, lead={"spine": {**spine, "rows_per_year": 12}}).table.to_pandas()
    assert len(thinned) / len(whole) == pytest.approx(1 / 4, abs=0.03)
    assert (thinned.groupby("customer_id")["as_of"].diff().dropna() >= 27 * DAY).all()
    assert thinned["as_of"].nunique() == whole["as_of"].nunique(), "all weeks are looked at by somebody"
    again = rows(
        *people, *(won(f"c{n}", f"s{n}", MARK) for n in range(0, 40, 2)), lead={"spine": {**spine, "rows_per_year": 12}}
    )
    before = thinned[thinned["as_of"] < MARK - 30 * DAY]
    kept = again.table.to_pandas()
    kept = kept[kept["as_of"] < MARK - 30 * DAY]
    assert set(zip(kept["customer_id"], kept["as_of"], strict=True)) == set(
        zip(before["customer_id"], before["as_of"], strict=True)
    )


def test_weeks_begin_on_monday_in_the_business_time_zone() -> None:
    marks = calendar_marks(datetime(2025, 6, 3, tzinfo=UTC), datetime(2025, 6, 20, tzinfo=UTC), "week", "Asia/Tokyo")
    assert marks == [datetime(2025, 6, 8, 15, tzinfo=UTC), datetime(2025, 6, 15, 15, tzinfo=UTC)]


def test_months_survive_a_change_to_summer_time() -> None:
    marks = calendar_marks(
        datetime(2025, 2, 1, tzinfo=UTC), datetime(2025, 4, 30, tzinfo=UTC), "month", "Europe/Berlin"
    )
    assert [mark.hour for mark in marks] == [23, 22]
