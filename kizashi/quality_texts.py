"""What the report on the quality of the data says to people, in Japanese and in English."""

from core.source_settings import Label
from kizashi.texts import Locale

QUALITY_TEXTS: dict[str, Label] = {
    "title": Label(ja="データ品質レポート", en="Data quality"),
    "until": Label(ja="{until} までのデータ", en="data until {until}"),
    "written": Label(ja="データ品質レポートを {path} に書き出しました。", en="The data quality report is in {path}."),
    "attention": Label(ja="要確認", en="Needs a look"),
    "all_well": Label(
        ja="行数はすべて合い、止まっているソースもありません。",
        en="Every row is accounted for, and no source stands still.",
    ),
    "warn_unexplained": Label(
        ja="{source}: 読み込み {rows:,} 行と内訳の合計が {count:+,} 行合いません。表が壊れている可能性があります。"
        "kizashi unify をやり直してください。",
        en="{source}: {count:+,} of {rows:,} rows are not accounted for. The tables may be damaged; run kizashi unify "
        "again.",
    ),
    "warn_unlisted": Label(
        ja="{source}: 隔離と数えた行のうち {count:,} 行が隔離の表にありません。kizashi unify をやり直してください。",
        en="{source}: the quarantine lacks {count:,} of the rows that were counted in it. Run kizashi unify again.",
    ),
    "warn_stalled": Label(
        ja="{source}: {silent:,} 日間、新しい事実がありません(最終 {newest}、過去1年で最長の間隔は {longest:,} 日)。",
        en="{source}: nothing new for {silent:,} days (newest {newest}); its longest pause in a year was {longest:,}.",
    ),
    "sources": Label(ja="ソース", en="Sources"),
    "sources_note": Label(
        ja="行 = 採用 + 隔離 + 忘却。経過日は最新の事実からデータの終わりまでの日数です。"
        "そのソース自身の間隔(過去1年)と比べます。",
        en="Rows = published + set aside + forgotten. Silent: days from the newest fact to the end of the data, beside "
        "the source's own pauses of the last year.",
    ),
    "source": Label(ja="ソース", en="source"),
    "rows": Label(ja="行", en="rows"),
    "published": Label(ja="採用", en="published"),
    "quarantined": Label(ja="隔離", en="set aside"),
    "forgotten": Label(ja="忘却", en="forgotten"),
    "share": Label(ja="割合", en="share"),
    "newest": Label(ja="最新の事実", en="newest"),
    "silent": Label(ja="経過日", en="silent"),
    "pause": Label(ja="ふだん/最長", en="usual/max"),
    "pause_long": Label(ja="間隔(ふだん / 最長、日)", en="pauses (usual / longest, days)"),
    "reasons": Label(ja="隔離の理由", en="Why rows were set aside"),
    "reason": Label(ja="理由", en="reason"),
    "first": Label(ja="最初の行", en="first at"),
    "place": Label(ja="{file} {line:,} 行目", en="{file} line {line:,}"),
    "other_reasons": Label(ja="ほかの理由", en="other reasons"),
    "no_reasons": Label(ja="隔離した行はありません。", en="No row was set aside."),
    "unused": Label(ja="使っていない列", en="Columns not used"),
    "unused_columns": Label(
        ja="{source} の使っていない列 {count} 個：{columns}", en="{source}: {count} columns not used: {columns}"
    ),
    "fields": Label(ja="項目の充足率", en="How often fields are filled"),
    "fields_note": Label(
        ja="値のあるレコードの割合。「統合」は統合後の人物(匿名を除く)。「–」は、そのシステムに値が一つもないことを示します。",
        en="Share of records with a value; golden: of people who are known. A dash: the system has no value at all.",
    ),
    "field": Label(ja="項目", en="field"),
    "golden": Label(ja="統合", en="golden"),
    "records": Label(ja="レコード", en="records"),
    "unreadable": Label(ja="読めない値", en="unreadable"),
    "conflicts_title": Label(ja="システム間の食い違い", en="Where systems disagree"),
    "conflicts_note": Label(
        ja="同じ人について、二つ以上のシステムが値を持つときの食い違い。「採用」は統合後の値になった側です。",
        en="Of the people for whom several systems hold a value. Won: whose value stands in the golden record.",
    ),
    "conflicts": Label(ja="食い違い", en="conflicts"),
    "conflicts_written": Label(
        ja="{people:,} 人の食い違い {count:,} 件を {path} に書き出しました。個人データを含みます。",
        en="{count:,} conflicts about {people:,} people are in {path}. The list holds personal data.",
    ),
    "conflicts_left_out": Label(
        ja="プロファイリングを拒否した人の食い違い {count:,} 件は含めていません。",
        en="{count:,} conflicts are left out: the people refused profiling.",
    ),
    "compared": Label(ja="比較した人", en="compared"),
    "systems": Label(ja="システム", en="systems"),
    "people": Label(ja="人", en="people"),
    "won": Label(ja="採用", en="won"),
    "no_conflicts": Label(ja="食い違いはありません。", en="Systems never disagree."),
    "neither": Label(ja="他 {count:,}", en="other {count:,}"),
    "identities": Label(ja="名寄せ", en="Who is who"),
    "identities_say": Label(
        ja="レコード {records:,} 件 → {known:,} 人(ほかに匿名 {anonymous:,} 人)。{large} 件を超えるレコードを持つ人は"
        " {over:,} 人、最大 {largest:,} 件。",
        en="{records:,} records are {known:,} people (and {anonymous:,} anonymous ones). {over:,} people have more "
        "than {large} records; the largest has {largest:,}.",
    ),
    "changes_say": Label(
        ja="前回の実行での変化: 統合 {merges:,} 件、分割 {splits:,} 件。",
        en="Brought by the last run: {merges:,} merges and {splits:,} splits.",
    ),
    "per_person": Label(ja="1人あたりのレコード数", en="Records per person"),
    "key_only": Label(ja="0(アドレスやログインのみ)", en="0 (an address or login alone)"),
    "largest": Label(ja="レコードの多い人", en="People of many records"),
    "customer": Label(ja="顧客 ID", en="customer id"),
    "overlaps": Label(ja="重複している人", en="People in several places"),
    "overlaps_note": Label(
        ja="対角線は一つのシステムの中での重複(余分なレコード数)、ほかは両方のシステムにいる人数です。",
        en="On the diagonal: people with several records in one system (and the records too many); elsewhere: people "
        "in both systems.",
    ),
    "within": Label(ja="{system} の中", en="within {system}"),
    "between": Label(ja="{left} と {right}", en="{left} and {right}"),
    "surplus": Label(ja="余分なレコード", en="surplus records"),
    "links": Label(ja="リンク", en="Links"),
    "links_note": Label(
        ja="「統合」は二人を一人にしたリンク、「確認」はそれを裏づけたリンク。氏名か人の判断に反するものは使いません。",
        en="Joined: united two people. Further: confirm what others united. No: names or a decision speak against it.",
    ),
    "rule": Label(ja="規則", en="rule"),
    "similar": Label(ja="よく似ている", en="alike"),
    "joined": Label(ja="統合", en="joined"),
    "further": Label(ja="確認", en="further"),
    "names": Label(ja="氏名で却下", en="no: names"),
    "decision": Label(ja="判断で却下", en="no: decision"),
    "events": Label(ja="イベント", en="Events"),
    "events_say": Label(
        ja="採用 {events:,} 件(うちボット {bots:,} 件、{share})。同じ ID の重複を除いたもの {repeated:,} 件、"
        "別のシステムと同じ出来事 {told_twice:,} 件、ありえない時刻で隔離 {future:,} 行、"
        "発生より前に記録 {early:,} 件。",
        en="{events:,} published, {bots:,} of them by bots ({share}). {repeated:,} copies were left out, "
        "{told_twice:,} tell what another system told before; {future:,} rows were set aside for a time that cannot "
        "be, {early:,} events were recorded before they occurred.",
    ),
    "bot_rules": Label(ja="ボットと判断した理由", en="Why events are taken for bots'"),
    "later": Label(ja="後から判明", en="found out later"),
    "bot_told": Label(ja="システムの申告", en="its system says so"),
    "bot_agent": Label(ja="プログラム名", en="the program's name"),
    "bot_honeypot": Label(ja="見えないリンク", en="a link that nobody sees"),
    "bot_burst": Label(ja="一度に多数のリンク", en="many links at once"),
    "bot_unopened": Label(ja="開封なしで複数リンク", en="several links, never opened"),
    "bot_undelayed": Label(ja="配信の直後", en="right after the delivery"),
    "pairs": Label(ja="二つのシステムが伝えた同じ出来事", en="Told by two systems"),
    "told_first": Label(ja="先に記録", en="told first by"),
    "told_again": Label(ja="重ねて記録", en="again by"),
    "early": Label(ja="発生前", en="early"),
    "consents": Label(ja="同意", en="Consent"),
    "consents_note": Label(
        ja="匿名を除く人数。「未回答」は設定の既定に従います。食い違いでは新しい判断が、同時なら拒否が優先します。",
        en="People who are known; for the silent the configuration decides. Of two decisions the newer holds, at one "
        "moment the refusal.",
    ),
    "purpose": Label(ja="目的", en="purpose"),
    "given": Label(ja="同意", en="given"),
    "refused": Label(ja="拒否", en="refused"),
    "silent_people": Label(ja="未回答", en="no answer"),
    "allowed": Label(ja="利用可", en="allowed"),
    "system": Label(ja="システム", en="system"),
    "consents_by_system": Label(ja="システムごとの最新の判断", en="The newest decision in each system"),
    "consents_differ": Label(ja="システムごとに異なる同意", en="Systems that were told different things"),
    "different": Label(ja="食い違い", en="different"),
    "refused_now": Label(ja="現在は拒否", en="now refused"),
    "purpose_marketing": Label(ja="マーケティング", en="marketing"),
    "purpose_profiling": Label(ja="プロファイリング", en="profiling"),
    "purpose_transfer": Label(ja="第三者提供", en="transfer"),
    "count": Label(ja="件数", en="events"),
    "channel": Label(ja="チャネル", en="channel"),
    "bots": Label(ja="ボット", en="bots"),
    "read": Label(ja="読み込み", en="read"),
    "repeated": Label(ja="重複", en="copies"),
    "future": Label(ja="未来", en="future"),
    "days": Label(ja="{count:,} 日", en="{count:,} d"),
}  # fmt: skip
_FIELDS: dict[str, Label] = {
    "email": Label(ja="メール", en="e-mail"),
    "login": Label(ja="ログイン", en="login"),
    "last_name": Label(ja="姓", en="family name"),
    "first_name": Label(ja="名", en="given name"),
    "full_name": Label(ja="氏名", en="name"),
    "last_name_kana": Label(ja="姓カナ", en="family name kana"),
    "first_name_kana": Label(ja="名カナ", en="given name kana"),
    "full_name_kana": Label(ja="氏名カナ", en="name kana"),
    "company": Label(ja="会社", en="company"),
    "title": Label(ja="役職", en="title"),
    "department": Label(ja="部署", en="department"),
    "rank": Label(ja="職位", en="rank"),
    "industry": Label(ja="業種", en="industry"),
    "employees": Label(ja="従業員数", en="employees"),
    "annual_revenue": Label(ja="売上高", en="annual revenue"),
    "phone": Label(ja="電話", en="telephone"),
    "postal_code": Label(ja="郵便番号", en="postal code"),
    "prefecture": Label(ja="都道府県", en="prefecture"),
    "city": Label(ja="市区町村", en="city"),
    "town": Label(ja="町域", en="town"),
    "address": Label(ja="住所", en="address"),
    "building": Label(ja="建物", en="building"),
    "country": Label(ja="国", en="country"),
    "lead_source": Label(ja="リードソース", en="lead source"),
    "lead_status": Label(ja="リード状況", en="lead status"),
}


def say(key: str, locale: Locale, **values: object) -> str:
    """The sentence in the wanted language, with its values filled in.

    >>> say("between", "en", left="crm", right="web")
    'crm and web'
    """
    label = QUALITY_TEXTS[key]
    chosen = label.ja if locale == "ja" else label.en
    return chosen.format(**values) if values else chosen


def person_field(field: str, locale: Locale) -> str:
    """What people call a field of a person; one of the configuration's own keeps its name.

    >>> person_field("email", "en"), person_field("interest", "en")
    ('e-mail', 'interest')
    """
    label = _FIELDS.get(field)
    return field if label is None else label.ja if locale == "ja" else label.en
