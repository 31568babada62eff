"""Warmth: through which channel, and at which time of the day, somebody answers."""

from collections.abc import Iterator

from core.settings import Settings
from core.source_settings import Label
from features.catalog.feature import DAYS, NO_UNIT, SHARE, Feature, FeatureType, Measure


def warmth_features(settings: Settings) -> Iterator[Feature]:
    """For each channel how long ago the last answer lies and how much was answered; then the best channel and hours."""
    subject = Label(ja="連絡への反応", en="answers by channel")
    channels = settings.features.channels
    days = settings.features.windows_days[-1]
    definition = " | ".join(
        f"{name}: {', '.join(channel.sent)} > {', '.join(channel.answered)}" for name, channel in channels.items()
    )

    def feature(
        name: str,
        kind: FeatureType,
        measure: Measure,
        label: Label,
        unit: Label,
        meaning: Label,
        window: int | None = None,
    ) -> Feature:
        return Feature(
            name,
            "warmth",
            kind,
            measure,
            "warmth",
            subject,
            "engagement",
            label,
            unit,
            window,
            meaning=meaning,
            definition=definition,
        )

    for name, channel in channels.items():
        said = channel.label
        types = ", ".join(channel.answered)
        yield feature(
            f"warmth_{name}_days_since",
            "float",
            "days_since",
            Label(ja=f"{said.ja}で最後に反応があってからの日数", en=f"days since the last answer by {said.en}"),
            DAYS,
            Label(ja=f"最後の {types} からの日数", en=f"Days since the last of {types}"),
        )
        if channel.sent:
            yield feature(
                f"warmth_{name}_answered_share",
                "float",
                "share",
                Label(ja=f"{said.ja}の連絡に反応した割合", en=f"share of contacts by {said.en} that were answered"),
                SHARE,
                Label(
                    ja=f"{', '.join(channel.sent)} のうち、そのチャネルで次に起きたことが {types} だった割合",
                    en=f"Of {', '.join(channel.sent)}, the share after which the next on that channel was {types}",
                ),
                days,
            )
    if not channels:
        return
    yield feature(
        "warmest_channel",
        "category",
        "value",
        Label(ja="最も反応のあるチャネル", en="channel of the most answers"),
        NO_UNIT,
        Label(ja="反応の多いチャネル。1週間で半分に減る重み", en="By answers that count half after each week"),
    )
    yield feature(
        "answer_hours",
        "category",
        "value",
        Label(ja="反応の多い時間帯", en="time of the day of the most answers"),
        NO_UNIT,
        Label(
            ja="早朝 5時、午前 9時、昼 12時、午後 14時、夜 18時、深夜 22時から(事業のタイムゾーン)",
            en="From 5 early_morning, 9 morning, 12 midday, 14 afternoon, 18 evening, 22 night, in the business zone",
        ),
        days,
    )
    yield feature(
        "answer_hours_share",
        "float",
        "share",
        Label(ja="その時間帯の反応の割合", en="share of answers at that time of the day"),
        SHARE,
        Label(ja="反応のうち、最も多い時間帯のものの割合", en="Of all answers, the share in the most frequent band"),
        days,
    )
