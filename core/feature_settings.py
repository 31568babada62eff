"""What is counted for features: windows, named groups of events, profile fields."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from core.source_settings import Frozen, Label


class SignalSettings(Frozen):
    """A named group of events that is counted over the windows.

    An event belongs to the group when every given list has a pattern (`*` and `?`) that it matches.
    """

    label: Label
    subject: Literal["engagement", "intent"] = "engagement"
    type: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    url: tuple[str, ...] = ()
    campaign: tuple[str, ...] = Field(
        (), description="Id or name of the campaign, or the `utm_campaign` of the address, in any letter case."
    )
    unit: Label = Label(ja="回", en="times")

    @model_validator(mode="after")
    def _matches_something(self) -> Self:
        if not (self.type or self.channel or self.url or self.campaign):
            raise ValueError("give at least one of type, channel, url, campaign")
        return self


def _signal(ja: str, en: str, **match: Any) -> SignalSettings:
    return SignalSettings(label=Label(ja=ja, en=en), **match)


def default_signals() -> dict[str, SignalSettings]:
    """The signs of interest that most companies' systems report, on the unified event types."""
    return {
        "web_visit": _signal("Webサイトの閲覧", "website visits", type=("web_visit",)),
        "email_sent": _signal("メールの配信", "e-mails delivered", type=("email_delivered",)),
        "email_open": _signal("メールの開封", "e-mail opens", type=("email_open",)),
        "email_click": _signal("メールのクリック", "e-mail clicks", type=("email_click",)),
        "form_fill": _signal("フォームの送信", "form submissions", type=("form_fill",)),
        "webinar": _signal("セミナーへの参加", "webinar attendances", type=("webinar_attended",)),
        "trade_fair": _signal("展示会での名刺交換", "trade-fair contacts", type=("trade_fair",)),
        "sales_call": _signal("営業との電話", "calls with sales", type=("call",)),
        "sales_meeting": _signal("営業との商談・打合せ", "meetings with sales", type=("meeting",)),
        "product_use": _signal("製品の利用", "product uses", type=("product_use",)),
        "purchase": _signal("購入", "purchases", type=("purchase",)),
        "pricing_page": _signal(
            "料金ページの閲覧",
            "pricing-page visits",
            subject="intent",
            type=("web_visit",),
            url=("*pricing*", "*price*"),
        ),
        "comparison_page": _signal(
            "比較・事例ページの閲覧",
            "comparison and case-study visits",
            subject="intent",
            type=("web_visit",),
            url=("*compar*", "*case*"),
        ),
        "help_page": _signal(
            "ヘルプの閲覧", "help-page visits", subject="intent", type=("web_visit",), url=("*help*", "*support*")
        ),
        "cancellation_page": _signal(
            "解約ページの閲覧", "cancellation-page visits", subject="intent", type=("web_visit",), url=("*cancel*",)
        ),
        # Whoever looks for a job reads much, and buys nothing.
        "recruiting_page": _signal(
            "採用ページの閲覧", "recruiting-page visits", type=("web_visit",), url=("*recruit*", "*career*", "*/jobs*")
        ),
    }


class PurchaseSettings(Frozen):
    """Which purchases were made online rather than in a store: those whose channel or store matches a pattern."""

    online_channels: tuple[str, ...] = ("web", "online", "app")
    online_stores: tuple[str, ...] = ("*online*", "*オンライン*", "*通販*")


class SupportSettings(Frozen):
    """What is known of requests for help."""

    solved: bool = Field(
        False,
        description="Events of the type `support_solved` tell when a request was settled; the property `ticket` of "
        "both says which (or the id of the `support_ticket`). Without them nobody knows what is open.",
    )


class ChannelSettings(Frozen):
    """A way to reach people: which types of events (`*` and `?`) are sent to them, and which are their answer."""

    label: Label
    sent: tuple[str, ...] = ()
    answered: tuple[str, ...] = Field(min_length=1)


def default_channels() -> dict[str, ChannelSettings]:
    """The ways in which most companies reach people."""
    return {
        "email": ChannelSettings(
            label=Label(ja="メール", en="e-mail"), sent=("email_delivered",), answered=("email_open", "email_click")
        ),
        "sales": ChannelSettings(label=Label(ja="営業", en="sales"), sent=("task",), answered=("call", "meeting")),
        "event": ChannelSettings(
            label=Label(ja="イベント", en="event"), answered=("webinar_attended", "trade_fair", "store_visit")
        ),
    }


class ValueSettings(Frozen):
    """How buyers behave who may stop at any time: the four parameters of the BG/NBD model, times in days.

    The defaults are those that Fader, Hardie and Lee (2005) found for the buyers of an online shop. Estimate your own
    with a library for such models (pymc-marketing, for example) and write them here; features never learn from the
    future of the rows that they describe.
    """

    rate_shape: float = Field(0.243, gt=0, description="r: the lower, the more people differ in how often they buy.")
    rate_scale_days: float = Field(30.9, gt=0, description="alpha: r / alpha is the average number of purchases a day.")
    dropout_a: float = Field(0.793, gt=0, description="a / (a + b) is the average chance to leave after a purchase.")
    dropout_b: float = Field(2.426, gt=0)


class ValidationSettings(Frozen):
    """What keeps a build of features from being published.

    Values that cannot be (a negative count, a share above one) always count. The people to be scored are compared with
    those of the build before, as far as its features meant the same.
    """

    on_fault: Literal["refuse", "warn"] = Field(
        "refuse", description="`warn` publishes the build all the same, and notes the faults in the log and beside it."
    )
    max_drift: float = Field(0.5, gt=0, description="Population stability index of a feature; above 0.25 is unusual.")
    max_null_rise: float = Field(
        0.3, gt=0, le=1, description="By how much the share of people without a value may rise."
    )
    compare_within_days: int = Field(
        35, ge=0, description="A build for a moment further away is not compared: people do change with time."
    )
    least_rows: int = Field(500, ge=1, description="Fewer people are not compared: chance alone moves them.")
    exempt: tuple[str, ...] = Field((), description="Features that are not examined (`*` and `?`).")


class FeatureSettings(Frozen):
    """What is counted, over which windows, and how long a feature row may be used."""

    windows_days: tuple[int, ...] = (1, 7, 30, 90, 180)
    signals: dict[str, SignalSettings] = Field(default_factory=default_signals)
    profile_fields: tuple[str, ...] = ("industry", "prefecture", "lead_source")
    purchases: PurchaseSettings = PurchaseSettings()
    support: SupportSettings = SupportSettings()
    channels: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")], ChannelSettings] = Field(
        default_factory=default_channels, description="Ways to reach people, by name."
    )
    value: ValueSettings = ValueSettings()
    validation: ValidationSettings = ValidationSettings()
    ttl_days: int = Field(400, ge=1, description="A feature row older than this is not used.")

    @field_validator("windows_days")
    @classmethod
    def _ascending(cls, windows: tuple[int, ...]) -> tuple[int, ...]:
        if not windows or list(windows) != sorted(set(windows)) or windows[0] < 1:
            raise ValueError("give ascending whole days of at least 1, each once")
        return windows
