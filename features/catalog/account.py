"""Account: what colleagues at the same company do, and the talks with it."""

from collections.abc import Iterator

from core.settings import Settings
from core.source_settings import Label
from features.catalog.feature import DEALS, PEOPLE, TIMES, Feature, wide_windows


def account_features(settings: Settings) -> Iterator[Feature]:
    """What the colleagues of a person do, and how the talks with their company stand."""
    days = wide_windows(settings)[0]
    colleagues = Label(ja="同じ会社の人の動き", en="activity of colleagues")
    company = Label(ja="会社としての商談", en="deals with the company")

    def feature(name: str, ja: str, en: str, unit: Label, window: int | None = None) -> Feature:
        subject, group = ("company_deals", company) if unit == DEALS else ("colleagues", colleagues)
        label, source = Label(ja=ja, en=en), "account_id" if name == "colleagues" else None
        return Feature(
            name, "account", "int", "value", subject, group, "engagement", label, unit, window, source=source
        )

    yield feature("colleagues", "同じ会社の連絡先", "contacts at the same company", PEOPLE)
    yield feature(f"colleagues_active_{days}d", "同じ会社で行動のあった人", "active colleagues", PEOPLE, days)
    yield feature(f"colleague_events_{days}d", "同じ会社の人の行動", "actions of colleagues", TIMES, days)
    yield feature(
        f"colleague_intent_{days}d",
        "同じ会社の人の検討ページの閲覧",
        "visits of colleagues to pages read before deciding",
        TIMES,
        days,
    )
    yield feature("company_open_deals", "会社との進行中の商談", "open deals with the company", DEALS)
    yield feature("company_won_deals", "会社からの過去の受注", "deals won with the company", DEALS)
    yield feature("company_lost_deals", "会社との過去の失注", "deals lost with the company", DEALS)
