"""Signals: what is counted of each configured group of events."""

from collections.abc import Iterator
from typing import Literal

from core.feature_settings import SignalSettings
from core.settings import Settings
from core.source_settings import Label
from features.catalog.feature import DAYS, NO_UNIT, Feature, FeatureType, Measure


def signal_features(settings: Settings, view: Literal["engagement", "intent"]) -> Iterator[Feature]:
    """The counts and recency of each signal that the settings put under this view."""

    def feature(name: str, kind: FeatureType, measure: Measure, signal: str, **more: object) -> Feature:
        definition: SignalSettings = settings.features.signals[signal]
        days = more.get("days")
        label = definition.label
        if measure == "days_since":
            label = Label(ja=f"最後の{label.ja}からの日数", en=f"days since the last {label.en}")
        if measure == "heat":
            label = Label(ja=f"最近の{label.ja}の強さ", en=f"recent intensity of {label.en}")
        units = {"count": definition.unit, "days_since": DAYS}
        return Feature(
            name,
            view,
            kind,
            measure,
            signal,
            definition.label,
            "engagement",
            label,
            units.get(measure, NO_UNIT),
            days if isinstance(days, int) else None,
            signal=signal,
            definition=signal_definition(definition),
        )

    for signal, definition in settings.features.signals.items():
        if definition.subject != view:
            continue
        for days in settings.features.windows_days:
            yield feature(f"{signal}_count_{days}d", "int", "count", signal, days=days)
        yield feature(f"{signal}_days_since", "float", "days_since", signal)
        if view == "intent":
            yield feature(f"{signal}_heat", "float", "heat", signal)


def signal_definition(signal: SignalSettings) -> str:
    """Which events a signal counts, as one text: what its features mean hangs on it, what they are called does not."""
    parts = {"type": signal.type, "channel": signal.channel, "url": signal.url, "campaign": signal.campaign}
    return "; ".join(f"{part}: {', '.join(patterns)}" for part, patterns in parts.items() if patterns)
