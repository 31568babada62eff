"""What a feature is: its name, what it counts, and what it is called aloud."""

from dataclasses import dataclass
from typing import Literal

from core.settings import Settings
from core.source_settings import CustomType, Label

ViewName = Literal[
    "profile",
    "engagement",
    "intent",
    "deal",
    "contract",
    "usage",
    "purchase",
    "support",
    "warmth",
    "value",
    "account",
    "custom",
]
FeatureType = Literal["int", "float", "category"]
Kind = Literal["fit", "engagement"]
Measure = Literal[
    "count",
    "days_since",
    "active_days",
    "distinct_types",
    "distinct_topics",
    "momentum",
    "heat",
    "open_rate",
    "click_rate",
    "working_hours_share",
    "weekend_share",
    "amount",
    "share",
    "ratio",
    "value",
]

DAYS = Label(ja="日", en="days")
TIMES = Label(ja="回", en="times")
SHARE = Label(ja="割合", en="share")
RATIO = Label(ja="倍", en="times the usual")
NO_UNIT = Label(ja="", en="")
PEOPLE = Label(ja="人", en="people")
DEALS = Label(ja="件", en="deals")
REQUESTS = Label(ja="件", en="requests")
STORES = Label(ja="店", en="stores")
AGREEMENTS = Label(ja="件", en="agreements")
KINDS = Label(ja="種類", en="kinds")


@dataclass(frozen=True)
class Feature:
    """One column that models may read.

    Attributes:
        name: column name, unique over all views.
        view: the Feast feature view that holds it.
        type: `int`, `float` (both may be missing) or `category` (text).
        measure: what is calculated; `value`, `share` (0 to 1) and `ratio` mean that the view's own query says so.
        subject: features with equal subjects are one reason; `subject_label` is what the group is called.
        kind: who somebody is (`fit`) or what they do (`engagement`).
        label: what the feature is called, without its window; `unit` belongs to the number.
        window_days: events of the half-open window `[t - N days, t)` count; None: no window.
        against_days: for `momentum`, the longer window that the shorter one is compared with.
        signal: the configured signal that is counted; None: all activity.
        meaning: what exactly is calculated, where the label and the measure do not say it all.
        definition: the settings that decide what is calculated; a change of them makes another contract.
        source: for profile and custom fields, the unified field whose as-of value is taken.
        spoken: whether a reason may be made of it (`reasons.hidden`).
    """

    name: str
    view: ViewName
    type: FeatureType
    measure: Measure
    subject: str
    subject_label: Label
    kind: Kind
    label: Label
    unit: Label = NO_UNIT
    window_days: int | None = None
    against_days: int | None = None
    signal: str | None = None
    meaning: Label | None = None
    definition: str = ""
    source: str | None = None
    custom_type: CustomType | None = None
    spoken: bool = True


def wide_windows(settings: Settings) -> tuple[int, ...]:
    """Windows long enough for shares and variety; at least the longest one."""
    windows = settings.features.windows_days
    return tuple(days for days in windows if days >= 30) or windows[-1:]
