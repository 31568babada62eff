"""What the command `identity` says to people, in Japanese and in English."""

from core.source_settings import Label
from kizashi.texts import Locale

TEXTS: dict[str, Label] = {
    "one_person": Label(ja="{left} と {right} は同じ人です", en="{left} and {right} are one person"),
    "two_people": Label(ja="{left} と {right} は別の人です", en="{left} and {right} are two people"),
    "since": Label(ja="({since} から)", en="(since {since})"),
    "person": Label(ja="{customer}: レコードとキー {count} 件", en="{customer}: {count} records and keys"),
    "ids": Label(ja="顧客 ID: {ids}", en="customer ids: {ids}"),
    "found": Label(ja="このレコードの持ち主", en="Whose record it is"),
    "found_nobody": Label(ja="該当する人はいません。", en="Nobody's yet: it would be a new person."),
    "customer": Label(ja="顧客", en="customer"),
    "joins": Label(ja="統合", en="joins"),
    "joins_yes": Label(ja="する", en="yes"),
    "joins_no": Label(ja="しない", en="no"),
    "path": Label(ja="最も強いつながり", en="The strongest links between them"),
    "tree": Label(ja="つなぎとめているリンク", en="The links that hold them together"),
    "apart": Label(ja="つながらないリンク", en="Links that do not hold"),
    "obstacles": Label(ja="同じ人としない理由", en="Why they are not one person"),
    "members": Label(ja="この人のレコードとキー", en="Records and keys of the person"),
    "from": Label(ja="こちら", en="from"),
    "to": Label(ja="あちら", en="to"),
    "why": Label(ja="理由", en="why"),
    "known": Label(ja="判明", en="known since"),
    "record": Label(ja="レコード", en="record"),
    "rule_record": Label(ja="レコードそのもの", en="the record itself"),
    "rule_email": Label(ja="同じメールアドレス", en="the same e-mail address"),
    "rule_login": Label(ja="同じログイン", en="the same login"),
    "rule_cookie": Label(ja="同じブラウザ", en="the same browser"),
    "rule_source_link": Label(ja="システムがつないだ", en="linked by the system"),
    "rule_decision": Label(ja="人の判断", en="somebody's decision"),
    "rule_similar": Label(ja="よく似ている({probability})", en="alike ({probability})"),
    "rule_other": Label(ja="システムがつないだ({rule})", en="linked by the system ({rule})"),
    "decided": Label(
        ja="{by} が {at} に別人と判断しました({left} と {right})。",
        en="{by} decided on {at} that {left} and {right} are different people.",
    ),
    "decided_same": Label(ja="{by} が {at} に同一と判断", en="decided by {by} on {at}"),
    "cut": Label(
        ja="人の判断により、{left} と {right} のつながり({why})は使いません。",
        en="A decision leaves out the link between {left} and {right} ({why}).",
    ),
    "overruled": Label(
        ja="{left} と {right} を同一とした {by} の判断({at})は、別人とした判断と両立しないため無効です。",
        en="{by} decided on {at} that {left} and {right} are one person; other decisions forbid it.",
    ),
    "contradicted": Label(
        ja="氏名が食い違うため、{left} と {right} のつながり({why})は使いません。",
        en="Names that differ forbid the link between {left} and {right} ({why}).",
    ),
    "unlikely": Label(
        ja="{left} と {right} が同じ人である確率は {probability} で、基準 {threshold} に届きません"
        "(家族や同僚である確率 {related})。",
        en="{left} and {right} are one person with a chance of {probability}, below the {threshold} that is needed "
        "(a chance of {related} to be relatives or colleagues).",
    ),
    "nothing": Label(
        ja="つながりはなく、候補とするほど似てもいません。",
        en="No link leads from one to the other, and they are not alike enough to be considered.",
    ),
    "names": Label(ja="氏名が異なります: {left} / {right}", en="Their names differ: {left} / {right}"),
    "role_mailbox": Label(
        ja="{field} {value} は共用の宛先なので、だれもつなぎません。",
        en="Both have the {field} {value}: several people read a role's mailbox, it joins nobody.",
    ),
    "placeholder": Label(
        ja="{field} {value} は仮の値なので、根拠になりません。",
        en="Both have the {field} {value}: a placeholder is no evidence.",
    ),
    "common": Label(
        ja="{field} {value} は {holders:,} 件のレコードが持つため(代表番号など)、単独では根拠になりません。",
        en="Both have the {field} {value}, as {holders:,} records do (a switchboard?): alone it is no evidence.",
    ),
    "shared": Label(
        ja="{field} {value} は共通ですが、それだけでは同じ人としません。",
        en="Both have the {field} {value}; that alone joins nobody.",
    ),
    "equal": Label(ja="一致", en="equal"),
    "close": Label(ja="ほぼ一致", en="almost equal"),
    "alike": Label(ja="類似", en="alike"),
    "different": Label(ja="相違", en="different"),
    "field_given_name": Label(ja="名", en="given name"),
    "field_family_name": Label(ja="姓", en="family name"),
    "field_name": Label(ja="氏名", en="name"),
    "field_email": Label(ja="メール", en="e-mail"),
    "field_phone": Label(ja="電話", en="telephone"),
    "field_company": Label(ja="会社", en="company"),
    "field_address": Label(ja="住所", en="address"),
    "field_address.numbers": Label(ja="番地", en="house number"),
    "field_city": Label(ja="市区町村", en="city"),
    "field_postal_code": Label(ja="郵便番号", en="postal code"),
    "exported": Label(
        ja="{rows:,} 組を {path} に書き出しました(候補 {found:,} 組)。decision 列に same(同一)か different(別人)を"
        "記入し、kizashi identity review import で読み込んでください。",
        en="{rows:,} pairs of {found:,} are in {path}. Fill the column decision with same or different, then read it "
        "back with kizashi identity review import.",
    ),
    "left_out": Label(
        ja="プロファイリングを拒否した人を含む {count:,} 組は除きました。",
        en="{count:,} pairs are left out: somebody in them refused profiling.",
    ),
    "imported": Label(
        ja="{recorded:,} 件の判断を記録しました(登録済み {unchanged:,} 件、空欄 {blank:,} 行)。"
        "次の kizashi run で反映されます。",
        en="{recorded:,} decisions were recorded ({unchanged:,} were known, {blank:,} rows are blank). The next "
        "kizashi run heeds them.",
    ),
    "waiting": Label(
        ja="前回の実行より後の判断が {count:,} 件あります。次の kizashi run で反映されます。",
        en="{count:,} decisions are younger than the last run; the next kizashi run heeds them.",
    ),
    "conflict": Label(
        ja="両立しない判断: {left} と {right} は同一({by}、{at})とされましたが、{other_left} と {other_right} は別人"
        "({other_by}、{other_at})です。別人が優先されます。",
        en="A conflict: {left} and {right} are one person by {by} ({at}), but {other_left} and {other_right} are "
        "different by {other_by} ({other_at}). They stay apart.",
    ),
}  # fmt: skip


def say(key: str, locale: Locale, **values: object) -> str:
    """The sentence in the wanted language, with its values filled in.

    >>> say("ids", "en", ids="c_1")
    'customer ids: c_1'
    """
    label = TEXTS[key]
    chosen = label.ja if locale == "ja" else label.en
    return chosen.format(**values) if values else chosen


def field_label(field: str, locale: Locale) -> str:
    """What people call a compared field; one that is not listed stays as it is."""
    return say(f"field_{field}", locale) if f"field_{field}" in TEXTS else field
