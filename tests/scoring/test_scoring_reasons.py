"""Reasons as they are spoken."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.source_settings import Label
from features.catalog import Feature
from scoring.experience import Alike, ColumnExperience, Experience
from scoring.reasons import NO_EXPERIENCE, ReasonWriter, phrase

TIMES = Label(ja="回", en="times")
DAYS = Label(ja="日", en="days")
NONE = Label(ja="", en="")


def counted(name: str, days: int, ja: str, en: str) -> Feature:
    label = Label(ja=ja, en=en)
    column = f"{name}_count_{days}d"
    return Feature(column, "engagement", "int", "count", name, label, "engagement", label, TIMES, days, signal=name)


def value(name: str, ja: str, en: str, kind: str = "category", unit: Label = NONE, **more: Any) -> Feature:
    label = Label(ja=ja, en=en)
    named = {"measure": "value", "subject": name, **more}
    return Feature(  # type: ignore[misc]  # the parameters of a test
        name=name, view="profile", type=kind, subject_label=label, kind="fit", label=label, unit=unit, **named
    )


PRICING = (
    counted("pricing", 7, "料金ページの閲覧", "pricing-page visits"),
    counted("pricing", 30, "料金ページの閲覧", "pricing-page visits"),
    value(
        "pricing_days_since",
        "最後の閲覧からの日数",
        "days since",
        "float",
        DAYS,
        measure="days_since",
        subject="pricing",
    ),
)
INDUSTRY = value("industry", "業種", "industry")
EMPLOYEES = value("employees", "従業員数", "employees", "float", Label(ja="人", en="people"))
MEMBER = value("member", "会員", "member", "int", custom_type="boolean")
OPEN_RATE = value("open_rate", "開封率", "open rate", "float", measure="open_rate", window_days=90)
OPENS = counted("email_open", 30, "メールの開封", "e-mail opens")
ONLINE = value("online", "オンラインの割合", "share online", "float", measure="share")
LATE = value("late", "いつもの間隔に対する経過日数", "time since against the usual gap", "float", measure="ratio")
HOURS = value("hours", "反応の多い時間帯", "time of most answers")
FEATURES = (*PRICING, INDUSTRY)


@pytest.mark.parametrize(
    ("ja", "spoken"),
    [
        ("料金ページの閲覧", "料金ページを7日間に3回閲覧"),
        ("比較・事例ページの閲覧", "比較・事例ページを7日間に3回閲覧"),
        ("セミナーへの参加", "セミナーに7日間に3回参加"),
        ("展示会での名刺交換", "展示会で7日間に3回名刺交換"),
        ("営業との電話", "営業と7日間に3回電話"),
        ("購入", "購入が7日間に3回"),
    ],
)
def test_counts_in_japanese(ja: str, spoken: str) -> None:
    assert phrase(counted("x", 7, ja, "x"), 3, "ja") == spoken


@pytest.mark.parametrize(
    ("feature", "given", "ja", "en"),
    [
        (INDUSTRY, "製造業", "業種：製造業", "industry: 製造業"),
        (PRICING[2], 4.7, "最後の閲覧からの日数：4日", "days since: 4"),
        (EMPLOYEES, 1200.0, "従業員数：1,200人", "employees: 1,200"),
        (MEMBER, 1, "会員：はい", "member: yes"),
        (OPEN_RATE, 0.254, "90日間の開封率が25%", "open rate 25% in the last 90 days"),
        (ONLINE, 0.254, "オンラインの割合：25%", "share online: 25%"),
        (LATE, 2.5, "いつもの間隔に対する経過日数：2.5倍", "time since against the usual gap: 2.5 times the usual"),
        (HOURS, "midday", "反応の多い時間帯：昼", "time of most answers: midday"),
        (OPENS, 0, "30日間、メールの開封なし", "no e-mail opens in the last 30 days"),
    ],
)
def test_each_kind_of_value(feature: Feature, given: Any, ja: str, en: str) -> None:
    assert (phrase(feature, given, "ja"), phrase(feature, given, "en")) == (ja, en)


@pytest.mark.parametrize("given", [None, float("nan"), float("inf")])
def test_what_is_not_known_is_not_spoken(given: Any) -> None:
    assert [phrase(feature, given, "ja") for feature in FEATURES] == [None] * 4


def reasons(
    contributions: list[float],
    values: dict[str, Any],
    language: str = "ja",
    experience: Experience = NO_EXPERIENCE,
    model: str = "lead",
) -> list[str]:
    writer = ReasonWriter(FEATURES, language, model, experience)  # type: ignore[arg-type]  # parametrised
    parts = np.array([*contributions, -3.0])
    effects = writer.by_subject(parts[np.newaxis, :])[0]
    numbers = [values[feature.name] for feature in FEATURES]
    row = np.array([float(n) if isinstance(n, int | float) else float("nan" if n is None else 0) for n in numbers])
    return [reason.text for reason in writer.strongest(parts, effects, values, row)]


def test_an_action_is_told_by_its_count_and_when_it_was_last_seen() -> None:
    values = {"pricing_count_7d": 3, "pricing_count_30d": 5, "pricing_days_since": 2.5, "industry": "製造業"}
    assert reasons([0.5, 0.2, 0.9, 0.1], values) == ["↑ 料金ページを7日間に3回閲覧（最後は2日前）", "↑ 業種：製造業"]
    assert reasons([0.5, 0.2, 0.9, 0.1], values, "en")[0] == (
        "↑ pricing-page visits: 3 in the last 7 days (last 2 days ago)"
    )


def test_silence_speaks_against_and_comes_after_what_speaks_for() -> None:
    values = {"pricing_count_7d": 0, "pricing_count_30d": 0, "pricing_days_since": None, "industry": "製造業"}
    assert reasons([-0.5, -0.1, -0.9, 0.1], values) == ["↑ 業種：製造業", "↓ 30日間、料金ページの閲覧なし"]


def test_an_empty_field_is_said_to_be_empty() -> None:
    values = {"pricing_count_7d": None, "pricing_count_30d": None, "pricing_days_since": None, "industry": None}
    assert reasons([0.3, 0, 0, -0.4], values) == ["↑ 料金ページの閲覧の記録なし", "↓ 業種：未登録"]


def test_what_hardly_matters_is_no_reason() -> None:
    assert reasons([0.01, 0, 0, -0.01], dict.fromkeys([feature.name for feature in FEATURES], 1)) == []


def test_nothing_is_said_of_hidden_fields_and_sums_stay_whole() -> None:
    week, quarter = (counted("visit", days, "ページの閲覧", "page visits") for days in (7, 90))
    features = (week, replace(value("age", "年齢", "age", "float"), spoken=False), replace(quarter, spoken=False))
    contributions = np.array([[0.4, 3.0, 2.0, -1.0]])
    writer = ReasonWriter(features, "en")
    effects = writer.by_subject(contributions)
    assert effects.sum() == pytest.approx(5.4)
    assert [writer.label(group) for group in range(2)] == ["page visits", "fields that are not shown"]
    reasons = writer.strongest(
        contributions[0],
        effects[0],
        {"visit_count_7d": 3, "age": 61.0, "visit_count_90d": 40},
        np.array([3.0, 61.0, 40.0]),
    )
    assert [reason.text for reason in reasons] == ["↑ page visits: 3 in the last 7 days"]
    assert reasons[0].effect == pytest.approx(0.4)


# Of 400 people 40 were won; the columns are those of FEATURES.
VISITS = ColumnExperience((0.0, 2.0, 5.0), (300, 60, 80, 0), (12, 6, 24, 0))
INDUSTRIES = ColumnExperience((0.0, 1.0), (210, 90, 100), (30, 10, 0))
PAST = Experience(Alike(400, 40), (VISITS, VISITS, ColumnExperience((), (400,), (40,)), INDUSTRIES))


def test_a_reason_tells_how_it_went_with_people_alike() -> None:
    values = {"pricing_count_7d": 3, "pricing_count_30d": 5, "pricing_days_since": 2.5, "industry": "製造業"}
    assert reasons([0.5, 0.2, 0.9, 0.1], values, experience=PAST) == [
        "↑ 料金ページを7日間に3回閲覧（最後は2日前、同様の80人中24人が受注）",
        "↑ 業種：製造業（同様の210人中30人が受注）",
    ]
    assert reasons([0.5, 0.2, 0.9, 0.1], values, "en", PAST) == [
        "↑ pricing-page visits: 3 in the last 7 days (last 2 days ago; 24 of 80 such people were won)",
        "↑ industry: 製造業 (30 of 210 such people were won)",
    ]
    assert reasons([0.5, 0.2, 0.9, 0.1], values, "en", PAST, "churn")[1].endswith("(30 of 210 such people left)")


def test_silence_and_empty_fields_are_experience_too() -> None:
    values = {"pricing_count_7d": 0, "pricing_count_30d": 0, "pricing_days_since": None, "industry": None}
    assert reasons([-0.5, -0.1, -0.9, -0.2], values, experience=PAST) == [
        "↓ 30日間、料金ページの閲覧なし（同様の300人中12人が受注）",
        "↓ 業種：未登録（同様の100人中0人が受注）",
    ]


def test_nothing_is_said_of_few_people_or_against_the_reason() -> None:
    few = Experience(Alike(400, 40), (ColumnExperience((9.0,), (29, 0), (20, 0)),) * 4)
    values = {"pricing_count_7d": 3, "pricing_count_30d": 5, "pricing_days_since": None, "industry": "製造業"}
    plain = ["↑ 料金ページを7日間に3回閲覧", "↑ 業種：製造業"]
    assert reasons([0.5, 0.2, 0.9, 0.1], values, experience=few) == plain
    # Visitors were won more often than others: that is no witness for a part that lowers the score.
    assert reasons([-0.5, 0, 0, 0], values, experience=PAST) == ["↓ 料金ページを7日間に3回閲覧"]
