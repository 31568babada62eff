"""What the life cycle says to people, in Japanese and in English."""

from core.source_settings import Label
from kizashi.texts import Locale

LIFECYCLE_TEXTS: dict[str, Label] = {
    "title": Label(ja="リードのライフサイクル", en="Lead life cycle"),
    "as_of": Label(ja="{as_of} 時点", en="as of {as_of}"),
    "stage": Label(ja="段階", en="stage"),
    "people": Label(ja="人数", en="people"),
    "recent": Label(ja="{days}日間に到達", en="last {days} d"),
    "days_in": Label(ja="通過日数", en="days in"),
    "days_so_far": Label(ja="滞在日数", en="so far"),
    "went_on": Label(ja="その先へ", en="went on"),
    "note": Label(
        ja="通過日数は、その段階を出た人が過ごした日数の中央値。滞在日数は、いまいる人のこれまでの日数の中央値。"
        "その先へは、到達したことのある人のうち、さらに先の段階へ進んだ割合(失注などからは、戻ってきた割合)。",
        en="Days in: median of the stays that have ended; so far: of the people who are there now. Went on: of all who "
        "ever reached the stage, those who came further (out of side stages such as lost: who came back).",
    ),
    "without": Label(
        ja="段階のない人: {people:,} 人(うちプロファイリング拒否 {refused:,} 人)。",
        en="{people:,} people who are known have no stage; {refused:,} of them refused profiling.",
    ),
    "none": Label(
        ja="段階が設定されていません(lifecycle.stages)。", en="No stages are configured (lifecycle.stages)."
    ),
    "exported": Label(
        ja="{system} へ伝える差分 {rows:,} 件(全 {records:,} レコード中)を {path} に書き出しました。",
        en="{rows:,} of {records:,} records of {system} are told about in {path}.",
    ),
    "guarded": Label(
        ja="数式とみなされうる値 {count:,} 個の先頭に「'」を付けました。取り込み先で確認してください。",
        en="{count:,} values begin like a formula and were marked with an apostrophe; check them in the system.",
    ),
    "confirm_next": Label(
        ja="取り込んだら確定してください(それまでは同じ差分を書き出します): "
        ".venv/bin/kizashi lifecycle ack {path} --system {system}{options}",
        en="Once it is loaded, confirm it (until then the same is written again): "
        ".venv/bin/kizashi lifecycle ack {path} --system {system}{options}",
    ),
    "confirmed": Label(
        ja="{system} に {told:,} 件を伝えたことを記録しました。", en="{system} was told about {told:,} records."
    ),
    "gone": Label(
        ja="いまの統合データにないレコード {count:,} 件は記録していません。",
        en="{count:,} records of the file are not among today's any more and were not noted.",
    ),
}  # fmt: skip


def say(key: str, locale: Locale, **values: object) -> str:
    """The sentence in the wanted language, with its values filled in.

    >>> say("as_of", "en", as_of="2026-10-01")
    'as of 2026-10-01'
    """
    label = LIFECYCLE_TEXTS[key]
    chosen = label.ja if locale == "ja" else label.en
    return chosen.format(**values) if values else chosen
