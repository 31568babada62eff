"""Usage: how steadily and how widely somebody uses the product, against their own habit."""

from collections.abc import Iterator

from core.settings import Settings
from core.source_settings import Label
from features.catalog.feature import DAYS, KINDS, RATIO, SHARE, Feature, FeatureType, Measure, wide_windows


def usage_features(settings: Settings) -> Iterator[Feature]:
    """How often is the signal `product_use`; here stand breadth, rhythm and a slump against the own habit."""
    subject = Label(ja="製品の使い方", en="how the product is used")
    short, long = wide_windows(settings)[0], settings.features.windows_days[-1]

    def feature(
        name: str,
        kind: FeatureType,
        measure: Measure,
        label: Label,
        unit: Label,
        meaning: Label,
        days: int | None = None,
        against: int | None = None,
    ) -> Feature:
        return Feature(
            name,
            "usage",
            kind,
            measure,
            "usage_habit",
            subject,
            "engagement",
            label,
            unit,
            days,
            against,
            meaning=meaning,
        )

    yield feature(
        f"usage_days_{short}d",
        "int",
        "active_days",
        Label(ja="製品を使った日", en="days on which the product was used"),
        DAYS,
        Label(ja="製品を使った日の数", en="Days on which the product was used"),
        short,
    )
    yield feature(
        f"usage_breadth_{short}d",
        "int",
        "distinct_types",
        Label(ja="使った機能", en="parts of the product used"),
        KINDS,
        Label(
            ja="使った機能の種類(属性 feature、なければイベントの種別)",
            en="Different parts used (the property feature, else the type of the event)",
        ),
        short,
    )
    yield feature(
        "usage_breadth_kept",
        "float",
        "share",
        Label(ja="今も使っている機能の割合", en="share of parts still used"),
        SHARE,
        Label(
            ja=f"{long}日間に使った機能のうち、{short}日間にも使った割合",
            en=f"Of the parts used within {long} days, the share used within {short} days",
        ),
        short,
        long,
    )
    yield feature(
        "usage_against_habit",
        "float",
        "ratio",
        Label(ja="いつもに対する利用の量", en="use against the own habit"),
        RATIO,
        Label(
            ja=f"{short}日間の利用 ÷ それより前({long}日前まで)の同じ日数あたりの利用",
            en=f"Uses within {short} days divided by those of as many days before them, back to {long} days",
        ),
        short,
        long,
    )
    yield feature(
        "usage_lateness",
        "float",
        "ratio",
        Label(ja="いつもの利用間隔に対する経過日数", en="time since the last use against the usual gap"),
        RATIO,
        Label(
            ja=f"最後の利用からの日数 ÷ {long}日間に使った日どうしの間隔の平均",
            en=f"Days since the last use divided by the mean gap between days of use within {long} days",
        ),
        None,
        long,
    )
