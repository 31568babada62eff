"""What each view is about, for whom it speaks, and which unified tables it reads."""

from dataclasses import dataclass

from core.source_settings import Label
from features.catalog.feature import Kind, ViewName


@dataclass(frozen=True)
class ViewNote:
    """One view in words.

    Attributes:
        about: what it says of a person.
        kind: whether it tells who somebody is, or what they do.
        tables: the unified tables that it reads, beside `identities`, which says whose their rows were.
    """

    about: Label
    kind: Kind
    tables: tuple[str, ...]


VIEW_NOTES: dict[ViewName, ViewNote] = {
    "profile": ViewNote(
        Label(ja="その人について分かっていたこと", en="Who a person was known to be"),
        "fit",
        ("attributes", "proofs", "consents"),
    ),
    "engagement": ViewNote(
        Label(
            ja="どれだけ、いつ、どのように行動したか", en="How much, how recently, how regularly a person was active"
        ),
        "engagement",
        ("events", "campaigns"),
    ),
    "intent": ViewNote(
        Label(ja="決める前に開かれるページの閲覧", en="Visits to the pages that people open before they decide"),
        "engagement",
        ("events", "campaigns"),
    ),
    "deal": ViewNote(
        Label(ja="営業との今と過去の商談", en="Talks with sales, current and earlier"),
        "engagement",
        ("deals", "deal_stages", "deal_people"),
    ),
    "contract": ViewNote(
        Label(ja="契約の内容と、お客様としての期間", en="Agreements held, and how long somebody has been a customer"),
        "fit",
        ("contracts",),
    ),
    "usage": ViewNote(
        Label(ja="製品をどれだけ幅広く、規則的に使っているか", en="How steadily and how widely the product is used"),
        "engagement",
        ("events",),
    ),
    "purchase": ViewNote(
        Label(ja="購入の頻度・金額・規則性・場所", en="How often, how much, how regularly and where somebody buys"),
        "engagement",
        ("events",),
    ),
    "support": ViewNote(Label(ja="問い合わせ", en="Requests for help"), "engagement", ("events",)),
    "warmth": ViewNote(
        Label(ja="どのチャネルで、どの時間帯に反応するか", en="By which channel and at which hours somebody answers"),
        "engagement",
        ("events",),
    ),
    "value": ViewNote(
        Label(ja="これまでの金額と、これから見込める金額", en="What somebody has brought so far, and may still bring"),
        "fit",
        ("events", "deals", "deal_stages", "deal_people", "contracts"),
    ),
    "account": ViewNote(
        Label(ja="同じ会社の人の動きと、会社との商談", en="Colleagues at the same company, and talks with it"),
        "engagement",
        ("attributes", "events", "deals", "deal_stages", "deal_people"),
    ),
    "custom": ViewNote(Label(ja="会社独自の項目", en="The company's own fields"), "fit", ("attributes",)),
}
