"""What is counted for features: windows, named groups of events, profile fields."""

from typing import Any, Literal, Self

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
    unit: Label = Label(ja="回", en="times")

    @model_validator(mode="after")
    def _matches_something(self) -> Self:
        if not (self.type or self.channel or self.url):
            raise ValueError("give at least one of type, channel, url")
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
    }


class FeatureSettings(Frozen):
    """What is counted, over which windows, and how long a feature row may be used."""

    windows_days: tuple[int, ...] = (1, 7, 30, 90, 180)
    signals: dict[str, SignalSettings] = Field(default_factory=default_signals)
    profile_fields: tuple[str, ...] = ("industry", "prefecture", "lead_source")
    ttl_days: int = Field(400, ge=1, description="A feature row older than this is not used.")

    @field_validator("windows_days")
    @classmethod
    def _ascending(cls, windows: tuple[int, ...]) -> tuple[int, ...]:
        if not windows or list(windows) != sorted(set(windows)) or windows[0] < 1:
            raise ValueError("give ascending whole days of at least 1, each once")
        return windows
