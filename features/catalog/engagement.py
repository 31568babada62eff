"""Engagement: how much, how recently, how regularly and in which ways a person was active."""

from collections.abc import Iterator
from itertools import pairwise

from core.settings import Settings
from core.source_settings import Label
from features.catalog.feature import (
    DAYS,
    KINDS,
    NO_UNIT,
    RATIO,
    SHARE,
    TIMES,
    Feature,
    FeatureType,
    Measure,
    wide_windows,
)
from features.catalog.signals import signal_definition, signal_features


def engagement_features(settings: Settings) -> Iterator[Feature]:
    """Activity as a whole, its habits, the response to e-mails, then each signal of this subject."""
    windows = settings.features.windows_days
    wide = wide_windows(settings)
    activity = Label(ja="全体の活動", en="overall activity")

    def feature(name: str, kind: FeatureType, measure: Measure, label: Label, unit: Label, days: int | None) -> Feature:
        return Feature(name, "engagement", kind, measure, "activity", activity, "engagement", label, unit, days)

    for days in windows:
        yield feature(f"events_count_{days}d", "int", "count", Label(ja="行動", en="actions"), TIMES, days)
    last = Label(ja="最後の行動からの日数", en="days since the last action")
    yield feature("events_days_since", "float", "days_since", last, DAYS, None)
    for days in windows[1:]:
        active = Label(ja="行動のあった日", en="active days")
        yield feature(f"active_days_{days}d", "int", "active_days", active, DAYS, days)
    for short, long in pairwise(windows):
        yield Feature(
            f"momentum_{short}d_{long}d",
            "engagement",
            "float",
            "momentum",
            "momentum",
            Label(ja="活動の勢い", en="momentum of activity"),
            "engagement",
            Label(ja=f"{long}日間の平均に対する{short}日間の活動", en=f"activity of {short} days against {long} days"),
            RATIO,
            short,
            long,
        )
    heat = Label(ja="最近の活動の強さ", en="recent intensity of activity")
    yield feature("activity_heat", "float", "heat", heat, NO_UNIT, None)
    for days in wide:
        kinds = Label(ja="行動の種類", en="kinds of action")
        yield feature(f"distinct_types_{days}d", "int", "distinct_types", kinds, KINDS, days)
        topics = Label(ja="閲覧したページの種類", en="pages looked at")
        yield feature(f"distinct_topics_{days}d", "int", "distinct_topics", topics, KINDS, days)
        amount = Label(ja="金額の合計", en="sum of amounts")
        yield feature(f"amount_{days}d", "float", "amount", amount, NO_UNIT, days)
    habit = wide[-1]
    office = Label(ja="平日の営業時間内の行動の割合", en="share of actions in working hours")
    yield feature(f"working_hours_share_{habit}d", "float", "working_hours_share", office, SHARE, habit)
    weekend = Label(ja="週末の行動の割合", en="share of actions at weekends")
    yield feature(f"weekend_share_{habit}d", "float", "weekend_share", weekend, SHARE, habit)
    yield from _email_rates(settings, habit)
    yield from signal_features(settings, "engagement")


def _email_rates(settings: Settings, days: int) -> Iterator[Feature]:
    signals = settings.features.signals
    subject = Label(ja="メールへの反応", en="response to e-mails")
    rates: tuple[tuple[str, str, Measure, Label], ...] = (
        ("email_open_rate", "email_open", "open_rate", Label(ja="メールの開封率", en="e-mail open rate")),
        ("email_click_rate", "email_click", "click_rate", Label(ja="メールのクリック率", en="e-mail click rate")),
    )
    for name, numerator, measure, label in rates:
        if numerator in signals and "email_sent" in signals:
            yield Feature(
                f"{name}_{days}d",
                "engagement",
                "float",
                measure,
                "email_response",
                subject,
                "engagement",
                label,
                SHARE,
                days,
                signal=numerator,
                definition=f"{signal_definition(signals[numerator])} / {signal_definition(signals['email_sent'])}",
            )
