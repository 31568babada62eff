"""The dictionary of the features, written from the catalogue itself so that it cannot rot.

`python -m kizashi.feature_reference` rewrites docs/features.md; a test compares.
"""

from itertools import groupby
from pathlib import Path

from core.settings import Settings, load_settings
from core.source_settings import Label
from core.storage import write_atomically
from features.catalog import SERVICE_NOTES, SERVICES, VIEW_NOTES, Feature, Measure, feature_catalog, service_schema

PAGE = Path(__file__).parent.parent / "docs" / "features.md"
# The shipped company that uses all four models; windows, signals and fields are a configuration's own.
CONFIGURATION = Path(__file__).parent.parent / "conf" / "demo.yaml"
_HEAD = """# Features 特徴量

What every feature means, for the configuration [`conf/demo.yaml`](../conf/demo.yaml). Windows, signals, profile
fields, channels and custom fields are [configuration](configuration.md) (`features`); other ones give other rows here.
Where a feature is added: [`features/catalog/`](../features/catalog/__init__.py). This page is written from the code by
`python -m kizashi.feature_reference`.

`conf/demo.yaml` の設定での、すべての特徴量の意味です。期間、シグナル、項目は設定で変わります。

* A feature as of *t* uses only what occurred **and** was recorded before *t*, on records that were the person's then.
* A window of N days is `[t − N × 24 hours, t)`. `name_{7,30}d` stands for one feature for each window.
* Every row has every feature; *blank* means not known, and no count is ever blank.
* Where no window is given, events of up to two years count.

*t* 時点の特徴量は、*t* より前に起き、かつ記録されたことだけを、その時点で本人のものだったレコードから数えます。
"""
_MEASURES: dict[Measure, Label] = {
    "count": Label(ja="期間内の回数", en="how many within the window"),
    "days_since": Label(ja="最後からの日数。なければ空", en="days since the last, in fractions; blank without one"),
    "active_days": Label(
        ja="行動のあった日(事業のタイムゾーン)の数", en="days (of the business time zone) with at least one"
    ),
    "distinct_types": Label(ja="種類の数", en="how many different kinds"),
    "distinct_topics": Label(
        ja="閲覧したページ(ホストと引数を除く)の数", en="how many different pages, host and parameters aside"
    ),
    "momentum": Label(
        ja="1日あたりの行動 ÷ 長い期間の1日あたりの行動", en="actions a day divided by those a day of the longer window"
    ),
    "heat": Label(ja="1週間で半分に減る重みの合計", en="sum of weights that halve with each week passed"),
    "open_rate": Label(ja="開封 ÷ 配信(1を超えうる)", en="opens per mail delivered; may exceed 1"),
    "click_rate": Label(ja="クリック ÷ 配信(1を超えうる)", en="clicks per mail delivered; may exceed 1"),
    "working_hours_share": Label(ja="平日9～18時の行動の割合", en="share of actions on weekdays from 9 to 18"),
    "weekend_share": Label(ja="土日の行動の割合", en="share of actions on Saturdays and Sundays"),
    "amount": Label(ja="金額の合計", en="sum of amounts"),
    "share": Label(ja="0 から 1 の割合", en="a share from 0 to 1"),
    "ratio": Label(ja="倍率", en="a ratio, 1 being the usual"),
    "value": Label(ja="それぞれの説明のとおり", en="as the feature's own row says"),
}


def features_page(settings: Settings) -> str:
    """The whole page as Markdown."""
    features = feature_catalog(settings)
    parts = [_HEAD, "\n## How it is measured 測り方\n", "\n| measure | meaning | 意味 |\n|---|---|---|\n"]
    parts += [f"| {measure} | {label.en} | {label.ja} |\n" for measure, label in _MEASURES.items()]
    parts += ["\n## Services サービス\n", "\n| service | answers | 問い | views | features |\n|---|---|---|---|---|\n"]
    for service, views in SERVICES.items():
        asked, size = SERVICE_NOTES[service], len(service_schema(settings, service).features)
        named = ", ".join(f"[{view}](#{view})" for view in views)
        parts.append(f"| `{service}` | {asked.en} | {asked.ja} | {named} | {size} |\n")
    read = {service: set(service_schema(settings, service).names) for service in SERVICES}
    for view, own in groupby(features, key=lambda feature: feature.view):
        note = VIEW_NOTES[view]
        tables = ", ".join(f"`{table}`" for table in ("identities", *note.tables))
        parts.append(f"\n## {view}\n\n{note.about.en}. {note.about.ja}。 Source 元の表: {tables}.\n\n")
        parts.append("| feature | type | measure | unit | meaning | 意味 | services |\n|---|---|---|---|---|---|---|\n")
        for _, alike in groupby(own, key=_family):
            parts.append(_row(list(alike), read))
    return "".join(parts)


def _family(feature: Feature) -> object:
    """Equal for features that differ in their window alone."""
    name = feature.name.removesuffix(f"_{feature.window_days}d")
    return (name, feature.type, feature.measure, feature.label) if feature.against_days is None else feature.name


def _row(alike: list[Feature], read: dict[str, set[str]]) -> str:
    first = alike[0]
    name, unit = first.name, first.unit.en
    if len(alike) > 1:
        windows = ",".join(str(feature.window_days) for feature in alike)
        name = f"{first.name.removesuffix(f'_{first.window_days}d')}_{{{windows}}}d"
    services = " ".join(service.removesuffix("_v1") for service, names in read.items() if first.name in names)
    english, japanese = first.label.en, first.label.ja
    if first.meaning:
        english, japanese = f"{english}: {first.meaning.en}", f"{japanese}：{first.meaning.ja}"
    if first.signal and first.definition:
        english += f" ({first.definition})"
    if first.source:
        english += f" (field `{first.source}`)"
    cells = (f"`{name}`", first.type, first.measure, unit, english, japanese, services)
    return f"| {' | '.join(cell.replace('|', '/').replace('*', chr(92) + '*') for cell in cells)} |\n"


if __name__ == "__main__":
    write_atomically(PAGE, features_page(load_settings(CONFIGURATION)).encode())
