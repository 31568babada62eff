"""The one place where features are listed: what each is called, counts, and is called aloud.

Everything else (the SQL of the views, the Feast definitions, a model's contract, the words of a reason) is derived from
this list. It depends on the settings alone and imports nothing heavy.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from core.errors import ConfigurationError, ContractError, Fault, raise_faults
from core.feature_settings import SignalSettings
from core.model_settings import ModelName
from core.settings import Settings
from core.source_settings import CustomType, Label
from core.storage import fingerprint

ViewName = Literal["profile", "engagement", "intent", "deal", "contract", "account", "custom"]
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
    "value",
]

VIEWS: tuple[ViewName, ...] = ("profile", "engagement", "intent", "deal", "contract", "account", "custom")
# Which views each service reads; a view without features in a configuration is left out.
SERVICES: dict[str, tuple[ViewName, ...]] = {
    "lead_v1": ("profile", "engagement", "intent", "deal", "account", "custom"),
    "churn_v1": ("profile", "engagement", "intent", "contract", "account", "custom"),
    "lookalike_v1": ("engagement", "intent"),
}
# Anonymous visitors and known people are compared by what both can have done: signals made of these event types alone.
SHARED_TYPES = ("web_visit",)
SHARED_SERVICES = ("lookalike_v1",)
# Done to a person rather than by them: counted as a signal of its own, never as activity.
PASSIVE_TYPES = (
    "email_sent",
    "email_delivered",
    "email_bounced",
    "email_soft_bounced",
    "campaign_sent",
    "task",
    "unsubscribe",
)
HEAT_HALF_LIFE_DAYS = 7
_PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]*")

_DAYS = Label(ja="日", en="days")
_TIMES = Label(ja="回", en="times")
_SHARE = Label(ja="割合", en="share")
_RATIO = Label(ja="倍", en="times the usual")
_NONE = Label(ja="", en="")
_PEOPLE = Label(ja="人", en="people")
_DEALS = Label(ja="件", en="deals")
_DEALS_OF = Label(ja="件", en="agreements")
_KINDS = Label(ja="種類", en="kinds")


@dataclass(frozen=True)
class Feature:
    """One column that models may read.

    Attributes:
        name: column name, unique over all views.
        view: the Feast feature view that holds it.
        type: `int`, `float` (both may be missing) or `category` (text).
        measure: what is calculated; `value` means that the view's own query says so.
        subject: features with equal subjects are one reason; `subject_label` is what the group is called.
        kind: who somebody is (`fit`) or what they do (`engagement`).
        label: what the feature is called, without its window; `unit` belongs to the number.
        window_days: events of the half-open window `[t - N days, t)` count; None: no window.
        against_days: for `momentum`, the longer window that the shorter one is compared with.
        signal: the configured signal that is counted; None: all activity.
        source: for profile and custom fields, the unified field whose as-of value is taken.
    """

    name: str
    view: ViewName
    type: FeatureType
    measure: Measure
    subject: str
    subject_label: Label
    kind: Kind
    label: Label
    unit: Label = _NONE
    window_days: int | None = None
    against_days: int | None = None
    signal: str | None = None
    source: str | None = None
    custom_type: CustomType | None = None


@dataclass(frozen=True)
class ServiceSchema:
    """What a model reads: the features of a service in their order, and a fingerprint of their meaning."""

    service: str
    features: tuple[Feature, ...]
    fingerprint: str

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names in schema order."""
        return tuple(feature.name for feature in self.features)


def row_marker(view: str) -> str:
    """The column of a view that holds the row's own as-of (microseconds since 1970 UTC): proof of which row was served.

    It is never null, so that a row of blanks is still a row, and no model reads it.
    """
    return f"{view}_row_as_of"


def feature_catalog(settings: Settings) -> tuple[Feature, ...]:
    """All features of a configuration, view by view, in a fixed order.

    Raises:
        ConfigurationError: two features would get the same name, or a custom field has two types.
    """
    features = (
        *_profile(settings),
        *_engagement(settings),
        *_signals(settings, "intent"),
        *_deal(),
        *_contract(),
        *_account(settings),
        *_custom(settings),
    )
    names = Counter(feature.name for feature in features)
    faults = [Fault(name, "is the name of two features") for name, count in names.items() if count > 1]
    faults += [Fault(name, "is no plain snake_case name") for name in names if not _PLAIN_NAME.fullmatch(name)]
    raise_faults(ConfigurationError, "the configuration", faults, "rename the signal, profile field or custom field")
    return features


def view_features(settings: Settings, view: str) -> tuple[Feature, ...]:
    """The features of one view."""
    return tuple(feature for feature in feature_catalog(settings) if feature.view == view)


def service_of(model: ModelName) -> str:
    """The feature service that a model reads.

    >>> service_of("lead")
    'lead_v1'
    """
    return f"{model}_v1"


def used_services(settings: Settings) -> tuple[str, ...]:
    """The services of the configured models."""
    return tuple(service_of(model) for model in settings.models.names)


def used_views(settings: Settings) -> tuple[ViewName, ...]:
    """The views that any configured model reads under this configuration."""
    read = {feature.view for service in used_services(settings) for feature in _read_by(settings, service)}
    return tuple(view for view in VIEWS if view in read)


def service_schema(settings: Settings, service: str) -> ServiceSchema:
    """The contract of a service.

    The fingerprint changes whenever a name, a type, a view, a window or the definition of a signal does; a model that
    was trained under another fingerprint must not be used.

    Raises:
        ContractError: there is no such service.
    """
    if service not in SERVICES:
        raise ContractError(f"there is no feature service {service!r}", ", ".join(SERVICES), "train the model again")
    features = _read_by(settings, service)
    parts = [service, settings.timezone, HEAT_HALF_LIFE_DAYS, *PASSIVE_TYPES]
    for feature in features:
        parts += [feature.name, feature.type, feature.view, feature.measure, feature.window_days, feature.against_days]
        parts += [feature.source, feature.custom_type]
        if feature.signal is not None:
            signal = settings.features.signals[feature.signal]
            parts += [feature.signal, *signal.type, "|", *signal.channel, "|", *signal.url]
    return ServiceSchema(service, features, fingerprint(*parts))


def _read_by(settings: Settings, service: str) -> tuple[Feature, ...]:
    features = tuple(feature for feature in feature_catalog(settings) if feature.view in SERVICES[service])
    if service not in SHARED_SERVICES:
        return features
    shared = {name for name, signal in settings.features.signals.items() if set(signal.type) <= set(SHARED_TYPES)}
    return tuple(feature for feature in features if feature.signal in shared)


def _wide_windows(settings: Settings) -> tuple[int, ...]:
    """Windows long enough for shares and variety; at least the longest one."""
    windows = settings.features.windows_days
    return tuple(days for days in windows if days >= 30) or windows[-1:]


_PROFILE_LABELS = {
    "industry": Label(ja="業種", en="industry"),
    "prefecture": Label(ja="都道府県", en="prefecture"),
    "city": Label(ja="市区町村", en="city"),
    "town": Label(ja="町名", en="town"),
    "lead_source": Label(ja="リードの獲得経路", en="lead source"),
    "lead_status": Label(ja="リードの状況", en="lead status"),
    "country": Label(ja="国", en="country"),
    "rank": Label(ja="役職", en="rank"),
    "department": Label(ja="部門", en="department"),
}


def _profile(settings: Settings) -> Iterator[Feature]:
    def feature(name: str, kind: FeatureType, label: Label, unit: Label = _NONE, **more: str) -> Feature:
        return Feature(name, "profile", kind, "value", name, label, "fit", label, unit, source=more.get("source"))

    for name in dict.fromkeys((*settings.features.profile_fields, "rank", "department")):
        yield feature(name, "category", _PROFILE_LABELS.get(name, Label(ja=name, en=name)), source=name)
    yield feature(
        "mail_kind", "category", Label(ja="メールアドレスの種類", en="kind of mail address"), source="mail_kind"
    )
    yield feature("marketing_consent", "category", Label(ja="メール配信の許諾", en="marketing consent"))
    yield feature("employees", "float", Label(ja="従業員数", en="employees"), _PEOPLE, source="employees")
    yield feature("annual_revenue", "float", Label(ja="売上高", en="annual revenue"), source="annual_revenue")
    yield feature("filled_fields", "int", Label(ja="登録済みの項目数", en="profile fields filled in"))
    yield feature("records", "int", Label(ja="登録されたレコード数", en="records in our systems"))
    yield feature("devices", "int", Label(ja="閲覧に使った端末の数", en="browsers used"))
    yield feature("days_since_first_seen", "float", Label(ja="初めて接点を持ってからの日数", en="days known"), _DAYS)


def _engagement(settings: Settings) -> Iterator[Feature]:
    windows = settings.features.windows_days
    wide = _wide_windows(settings)
    activity = Label(ja="全体の活動", en="overall activity")

    def feature(name: str, kind: FeatureType, measure: Measure, label: Label, unit: Label, days: int | None) -> Feature:
        return Feature(name, "engagement", kind, measure, "activity", activity, "engagement", label, unit, days)

    for days in windows:
        yield feature(f"events_count_{days}d", "int", "count", Label(ja="行動", en="actions"), _TIMES, days)
    last = Label(ja="最後の行動からの日数", en="days since the last action")
    yield feature("events_days_since", "float", "days_since", last, _DAYS, None)
    for days in windows[1:]:
        active = Label(ja="行動のあった日", en="active days")
        yield feature(f"active_days_{days}d", "int", "active_days", active, _DAYS, days)
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
            _RATIO,
            short,
            long,
        )
    heat = Label(ja="最近の活動の強さ", en="recent intensity of activity")
    yield feature("activity_heat", "float", "heat", heat, _NONE, None)
    for days in wide:
        kinds = Label(ja="行動の種類", en="kinds of action")
        yield feature(f"distinct_types_{days}d", "int", "distinct_types", kinds, _KINDS, days)
        topics = Label(ja="閲覧したページの種類", en="pages looked at")
        yield feature(f"distinct_topics_{days}d", "int", "distinct_topics", topics, _KINDS, days)
        amount = Label(ja="金額の合計", en="sum of amounts")
        yield feature(f"amount_{days}d", "float", "amount", amount, _NONE, days)
    habit = wide[-1]
    office = Label(ja="平日の営業時間内の行動の割合", en="share of actions in working hours")
    yield feature(f"working_hours_share_{habit}d", "float", "working_hours_share", office, _SHARE, habit)
    weekend = Label(ja="週末の行動の割合", en="share of actions at weekends")
    yield feature(f"weekend_share_{habit}d", "float", "weekend_share", weekend, _SHARE, habit)
    yield from _email_rates(settings, habit)
    yield from _signals(settings, "engagement")


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
                _SHARE,
                days,
                signal=numerator,
            )


def _signals(settings: Settings, view: Literal["engagement", "intent"]) -> Iterator[Feature]:
    def feature(name: str, kind: FeatureType, measure: Measure, signal: str, **more: object) -> Feature:
        definition: SignalSettings = settings.features.signals[signal]
        days = more.get("days")
        label = definition.label
        if measure == "days_since":
            label = Label(ja=f"最後の{label.ja}からの日数", en=f"days since the last {label.en}")
        if measure == "heat":
            label = Label(ja=f"最近の{label.ja}の強さ", en=f"recent intensity of {label.en}")
        units = {"count": definition.unit, "days_since": _DAYS}
        return Feature(
            name,
            view,
            kind,
            measure,
            signal,
            definition.label,
            "engagement",
            label,
            units.get(measure, _NONE),
            days if isinstance(days, int) else None,
            signal=signal,
        )

    for signal, definition in settings.features.signals.items():
        if definition.subject != view:
            continue
        for days in settings.features.windows_days:
            yield feature(f"{signal}_count_{days}d", "int", "count", signal, days=days)
        yield feature(f"{signal}_days_since", "float", "days_since", signal)
        if view == "intent":
            yield feature(f"{signal}_heat", "float", "heat", signal)


def _deal() -> Iterator[Feature]:
    talks = Label(ja="進行中の商談", en="current deal")
    history = Label(ja="過去の商談", en="earlier deals")

    def feature(name: str, kind: FeatureType, subject: str, ja: str, en: str, unit: Label = _NONE) -> Feature:
        group = talks if subject == "deal_progress" else history
        label = Label(ja=ja, en=en)
        return Feature(name, "deal", kind, "value", subject, group, "engagement", label, unit)

    yield feature("open_deals", "int", "deal_progress", "進行中の商談", "open deals", _DEALS)
    yield feature("deal_stage", "category", "deal_progress", "商談の段階", "stage of the deal")
    yield feature("days_in_stage", "float", "deal_progress", "今の段階に入ってからの日数", "days in the stage", _DAYS)
    yield feature("stages_passed", "int", "deal_progress", "商談が進んだ段階の数", "stages entered", _KINDS)
    yield feature("deal_age_days", "float", "deal_progress", "商談が始まってからの日数", "age of the deal", _DAYS)
    yield feature("deal_amount", "float", "deal_progress", "商談の金額", "amount of the deal")
    yield feature("deal_contacts", "int", "deal_progress", "商談に関わる人", "people in the deal", _PEOPLE)
    yield feature("deals_before", "int", "deal_history", "これまでの商談", "deals so far", _DEALS)
    yield feature("won_before", "int", "deal_history", "過去の受注", "deals won before", _DEALS)
    yield feature("lost_before", "int", "deal_history", "過去の失注", "deals lost before", _DEALS)
    yield feature("days_since_won", "float", "deal_history", "最後の受注からの日数", "days since a deal was won", _DAYS)
    yield feature(
        "days_since_lost", "float", "deal_history", "最後の失注からの日数", "days since a deal was lost", _DAYS
    )


def _contract() -> Iterator[Feature]:
    running = Label(ja="契約中の内容", en="running agreements")
    history = Label(ja="お客様としての期間", en="time as a customer")

    def feature(name: str, kind: FeatureType, group: Label, ja: str, en: str, unit: Label = _NONE) -> Feature:
        subject = "contract_terms" if group is running else "contract_history"
        return Feature(name, "contract", kind, "value", subject, group, "fit", Label(ja=ja, en=en), unit)

    yield feature("contracts_running", "int", running, "契約中の件数", "agreements running", _DEALS_OF)
    yield feature("contracts_ended", "int", history, "終了した契約", "agreements ended", _DEALS_OF)
    yield feature("contract_tenure_days", "float", history, "最初の契約からの日数", "days as a customer", _DAYS)
    yield feature("contract_age_days", "float", running, "今の契約が始まってからの日数", "age of the agreement", _DAYS)
    yield feature("contract_days_to_end", "float", running, "契約期間の終わりまでの日数", "days to its end", _DAYS)
    yield feature("contract_plan", "category", running, "契約プラン", "plan")
    yield feature("contract_recurring_amount", "float", running, "毎月の契約金額", "recurring amount")


def _account(settings: Settings) -> Iterator[Feature]:
    days = _wide_windows(settings)[0]
    colleagues = Label(ja="同じ会社の人の動き", en="activity of colleagues")
    company = Label(ja="会社としての商談", en="deals with the company")

    def feature(name: str, ja: str, en: str, unit: Label, window: int | None = None) -> Feature:
        subject, group = ("company_deals", company) if unit == _DEALS else ("colleagues", colleagues)
        label, source = Label(ja=ja, en=en), "account_id" if name == "colleagues" else None
        return Feature(
            name, "account", "int", "value", subject, group, "engagement", label, unit, window, source=source
        )

    yield feature("colleagues", "同じ会社の連絡先", "contacts at the same company", _PEOPLE)
    yield feature(f"colleagues_active_{days}d", "同じ会社で行動のあった人", "active colleagues", _PEOPLE, days)
    yield feature(f"colleague_events_{days}d", "同じ会社の人の行動", "actions of colleagues", _TIMES, days)
    yield feature(
        f"colleague_intent_{days}d",
        "同じ会社の人の検討ページの閲覧",
        "visits of colleagues to pages read before deciding",
        _TIMES,
        days,
    )
    yield feature("company_open_deals", "会社との進行中の商談", "open deals with the company", _DEALS)
    yield feature("company_won_deals", "会社からの過去の受注", "deals won with the company", _DEALS)
    yield feature("company_lost_deals", "会社との過去の失注", "deals lost with the company", _DEALS)


_CUSTOM_TYPES: dict[CustomType, FeatureType] = {
    "number": "float",
    "category": "category",
    "boolean": "int",
    "date": "float",
}


def _custom(settings: Settings) -> Iterator[Feature]:
    found: dict[str, tuple[CustomType, Label | None]] = {}
    faults = []
    for source in settings.sources:
        for field, column in source.people.custom.items() if source.people else ():
            kind, label = found.get(field, (column.type, None))
            if kind != column.type:
                faults.append(Fault(f"custom field {field}", f"is {kind} in one source and {column.type} in another"))
            found[field] = (kind, label or column.label)
    raise_faults(ConfigurationError, "the configuration", faults, "declare one type")
    for field, (kind, label) in found.items():
        slug = re.sub(r"[^a-z0-9]+", "_", field.lower()).strip("_")
        if not slug:
            raise ConfigurationError(f"the custom field {field!r}", "a name with Latin letters or digits", "rename it")
        spoken = label or Label(ja=field, en=field)
        if kind == "date":
            spoken = Label(ja=f"{spoken.ja}からの日数", en=f"days since {spoken.en}")
        yield Feature(
            f"custom_{slug}",
            "custom",
            _CUSTOM_TYPES[kind],
            "value",
            f"custom_{slug}",
            spoken,
            "fit",
            spoken,
            _DAYS if kind == "date" else _NONE,
            source=field,
            custom_type=kind,
        )
