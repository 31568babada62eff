"""What the commands `replay` and `change` say to people, in Japanese and in English."""

from core.source_settings import Label
from kizashi.texts import Locale

TEXTS: dict[str, Label] = {
    "history": Label(ja="{who} への回答の履歴", en="What was answered about {who}"),
    "features_as_of": Label(ja="時点", en="as of"),
    "version": Label(ja="版", en="version"),
    "probability": Label(ja="確率", en="probability"),
    "score": Label(ja="スコア", en="score"),
    "grade": Label(ja="評価", en="grade"),
    "again": Label(ja="再計算", en="computed again"),
    "exact": Label(ja="一致", en="the same"),
    "differs": Label(ja="不一致: {names}", en="differs: {names}"),
    "left_out": Label(ja="それより前の回答 {count:,} 件", en="{count:,} earlier answers"),
    "reasons": Label(ja="{moment} の理由:", en="The reasons of {moment}:"),
    "change": Label(
        ja="{who}: {before} → {after}({since} から {until})",
        en="{who}: {before} → {after} ({since} to {until})",
    ),
    "step": Label(ja="要因", en="what"),
    "log_odds": Label(ja="対数オッズ", en="log-odds"),
    "then": Label(ja="その結果", en="leads to"),
    "time": Label(ja="時間の経過", en="time that passed"),
    "facts": Label(ja="新しい事実", en="new facts"),
    "others": Label(ja="そのほか・既知の事柄との組み合わせ", en="others, and interplay with what was known"),
    "model": Label(ja="モデルの変更({former} → {latter})", en="another model ({former} → {latter})"),
    "same_model": Label(ja="モデルの変更(なし)", en="another model (none)"),
}


def say(key: str, locale: Locale, **values: object) -> str:
    """The sentence in the wanted language, with its values filled in.

    >>> say("left_out", "en", count=3)
    '3 earlier answers'
    """
    label = TEXTS[key]
    chosen = label.ja if locale == "ja" else label.en
    return chosen.format(**values) if values else chosen
