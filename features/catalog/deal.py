"""Deals: the talks a person is in, and what became of the earlier ones."""

from collections.abc import Iterator

from core.source_settings import Label
from features.catalog.feature import DAYS, DEALS, KINDS, NO_UNIT, PEOPLE, Feature, FeatureType


def deal_features() -> Iterator[Feature]:
    """Where the newest open deal stands, and how the earlier ones ended."""
    talks = Label(ja="進行中の商談", en="current deal")
    history = Label(ja="過去の商談", en="earlier deals")

    def feature(name: str, kind: FeatureType, subject: str, ja: str, en: str, unit: Label = NO_UNIT) -> Feature:
        group = talks if subject == "deal_progress" else history
        label = Label(ja=ja, en=en)
        return Feature(name, "deal", kind, "value", subject, group, "engagement", label, unit)

    yield feature("open_deals", "int", "deal_progress", "進行中の商談", "open deals", DEALS)
    yield feature("deal_stage", "category", "deal_progress", "商談の段階", "stage of the deal")
    yield feature("days_in_stage", "float", "deal_progress", "今の段階に入ってからの日数", "days in the stage", DAYS)
    yield feature("stages_passed", "int", "deal_progress", "商談が進んだ段階の数", "stages entered", KINDS)
    yield feature("deal_age_days", "float", "deal_progress", "商談が始まってからの日数", "age of the deal", DAYS)
    yield feature("deal_amount", "float", "deal_progress", "商談の金額", "amount of the deal")
    yield feature("deal_contacts", "int", "deal_progress", "商談に関わる人", "people in the deal", PEOPLE)
    yield feature("deals_before", "int", "deal_history", "これまでの商談", "deals so far", DEALS)
    yield feature("won_before", "int", "deal_history", "過去の受注", "deals won before", DEALS)
    yield feature("lost_before", "int", "deal_history", "過去の失注", "deals lost before", DEALS)
    yield feature("days_since_won", "float", "deal_history", "最後の受注からの日数", "days since a deal was won", DAYS)
    yield feature(
        "days_since_lost", "float", "deal_history", "最後の失注からの日数", "days since a deal was lost", DAYS
    )
