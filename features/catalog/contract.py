"""Contracts: the agreements a person holds, and how long they have been a customer."""

from collections.abc import Iterator

from core.source_settings import Label
from features.catalog.feature import AGREEMENTS, DAYS, NO_UNIT, Feature, FeatureType


def contract_features() -> Iterator[Feature]:
    """The terms of the running agreements, and the time as a customer."""
    running = Label(ja="契約中の内容", en="running agreements")
    history = Label(ja="お客様としての期間", en="time as a customer")

    def feature(name: str, kind: FeatureType, group: Label, ja: str, en: str, unit: Label = NO_UNIT) -> Feature:
        subject = "contract_terms" if group is running else "contract_history"
        return Feature(name, "contract", kind, "value", subject, group, "fit", Label(ja=ja, en=en), unit)

    yield feature("contracts_running", "int", running, "契約中の件数", "agreements running", AGREEMENTS)
    yield feature("contracts_ended", "int", history, "終了した契約", "agreements ended", AGREEMENTS)
    yield feature("contract_tenure_days", "float", history, "最初の契約からの日数", "days as a customer", DAYS)
    yield feature("contract_age_days", "float", running, "今の契約が始まってからの日数", "age of the agreement", DAYS)
    yield feature("contract_days_to_end", "float", running, "契約期間の終わりまでの日数", "days to its end", DAYS)
    yield feature("contract_plan", "category", running, "契約プラン", "plan")
    yield feature("contract_recurring_amount", "float", running, "毎月の契約金額", "recurring amount")
