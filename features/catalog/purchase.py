"""Purchases: how often, how much, how regularly and where somebody buys."""

from collections.abc import Iterator

from core.settings import Settings
from core.source_settings import Label
from features.catalog.feature import DAYS, NO_UNIT, RATIO, SHARE, STORES, TIMES, Feature, FeatureType, Measure


def purchase_features(settings: Settings) -> Iterator[Feature]:
    """Recency is the signal `purchase`; here stand frequency, amount, rhythm, returns and places."""
    subject = Label(ja="購入の習慣", en="buying habits")
    days = settings.features.windows_days[-1]
    rules = settings.features.purchases

    def feature(
        name: str, kind: FeatureType, measure: Measure, label: Label, unit: Label, meaning: Label, **more: object
    ) -> Feature:
        window, definition = more.get("window"), str(more.get("definition", ""))
        return Feature(
            name,
            "purchase",
            kind,
            measure,
            "purchase_habit",
            subject,
            "engagement",
            label,
            unit,
            window if isinstance(window, int) else None,
            meaning=meaning,
            definition=definition,
        )

    yield feature(
        "purchases_before",
        "int",
        "count",
        Label(ja="購入", en="purchases"),
        TIMES,
        Label(ja="過去2年間の購入の件数。返品は数えない", en="Purchases of the last two years, without returns"),
    )
    yield feature(
        f"purchase_amount_{days}d",
        "float",
        "amount",
        Label(ja="購入金額", en="amount bought for"),
        NO_UNIT,
        Label(ja="購入金額の合計。返品は引かない", en="Sum of what was bought, returns not deducted"),
        window=days,
    )
    yield feature(
        "purchase_average_amount",
        "float",
        "value",
        Label(ja="平均購入単価", en="average basket"),
        NO_UNIT,
        Label(ja="金額のある購入1件あたりの金額", en="Amount a purchase, of those that have an amount"),
    )
    yield feature(
        "purchase_gap_days",
        "float",
        "value",
        Label(ja="購入の間隔", en="days between purchases"),
        DAYS,
        Label(ja="購入のあった日どうしの間隔の平均", en="Mean gap between days on which something was bought"),
    )
    yield feature(
        "purchase_gap_variation",
        "float",
        "ratio",
        Label(ja="購入間隔のばらつき", en="irregularity of purchases"),
        RATIO,
        Label(
            ja="間隔の標準偏差 ÷ 平均。0 に近いほど規則的。購入日が3日以上あるとき",
            en="Standard deviation of the gaps divided by their mean; near 0 is regular; from three days of buying on",
        ),
    )
    yield feature(
        "purchase_lateness",
        "float",
        "ratio",
        Label(ja="いつもの購入間隔に対する経過日数", en="time since the last purchase against the usual gap"),
        RATIO,
        Label(ja="最後の購入からの日数 ÷ 購入の間隔", en="Days since the last purchase divided by the mean gap"),
    )
    yield feature(
        "purchase_return_share",
        "float",
        "share",
        Label(ja="返品の割合", en="share of returns"),
        SHARE,
        Label(
            ja="返品(purchase_return、または金額が負の購入) ÷ 購入。1 を上限とする",
            en="Returns (purchase_return, or purchases of a negative amount) divided by purchases, at most 1",
        ),
    )
    yield feature(
        "purchase_stores",
        "int",
        "value",
        Label(ja="利用した店舗の数", en="stores used"),
        STORES,
        Label(ja="購入の属性 store の異なる値の数", en="Different values of the purchases' property store"),
    )
    yield feature(
        "purchase_online_share",
        "float",
        "share",
        Label(ja="オンラインでの購入の割合", en="share bought online"),
        SHARE,
        Label(
            ja="チャネルか店舗が features.purchases に当てはまる購入の割合",
            en="Share of purchases whose channel or store matches features.purchases",
        ),
        definition=f"channel: {', '.join(rules.online_channels)}; store: {', '.join(rules.online_stores)}",
    )
