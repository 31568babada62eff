"""Value: what somebody has brought so far, and what may still be expected of them."""

from collections.abc import Iterator

from core.settings import Settings
from core.source_settings import Label
from features.catalog.feature import NO_UNIT, SHARE, Feature, Measure


def value_features(settings: Settings) -> Iterator[Feature]:
    """The three kinds of revenue apart, since a deal and the contract behind it are often the same money."""
    subject = Label(ja="お客様の価値", en="value as a customer")
    rules = settings.features.value
    definition = f"{rules.rate_shape} {rules.rate_scale_days} {rules.dropout_a} {rules.dropout_b}"

    def feature(name: str, measure: Measure, label: Label, unit: Label, meaning: Label) -> Feature:
        return Feature(
            name,
            "value",
            "float",
            measure,
            "value",
            subject,
            "fit",
            label,
            unit,
            meaning=meaning,
            definition=definition if measure == "share" or name.startswith("value_expected") else "",
        )

    yield feature(
        "value_purchases",
        "value",
        Label(ja="これまでの購入金額", en="bought so far"),
        NO_UNIT,
        Label(ja="過去2年間の購入から返品を引いた金額", en="Purchases of the last two years less returns"),
    )
    yield feature(
        "value_deals",
        "value",
        Label(ja="これまでの受注金額", en="deals won so far"),
        NO_UNIT,
        Label(ja="その時点で受注と分かっていた商談の金額の合計", en="Sum of the deals known to be won by then"),
    )
    yield feature(
        "value_contracts",
        "value",
        Label(ja="これまでの契約料金", en="paid for agreements so far"),
        NO_UNIT,
        Label(
            ja="毎月の契約金額 × 続いた月数(1か月 = 30.4375日)の合計",
            en="Recurring amount times the months it ran (of 30.4375 days), over all agreements",
        ),
    )
    yield feature(
        "value_alive",
        "share",
        Label(ja="今も買い続けている見込み", en="chance of still being a buyer"),
        SHARE,
        Label(
            ja="BG/NBD モデルの P(alive)。パラメーターは features.value",
            en="P(alive) of the BG/NBD model with the parameters features.value",
        ),
    )
    yield feature(
        "value_expected_365d",
        "value",
        Label(ja="今後1年間に見込める購入金額", en="purchases expected within a year"),
        NO_UNIT,
        Label(
            ja="P(alive) × 事後の購入頻度 × 365日 × 平均購入単価",
            en="P(alive) times the posterior rate of purchases times 365 days times the average basket",
        ),
    )
