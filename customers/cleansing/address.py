"""Japanese addresses: prefecture, city, town, number and building, in one form for all the ways of writing them."""

import re
from dataclasses import dataclass

from customers.cleansing.gazetteer import HYPHENS, City, Town, arabic_number, fold, gazetteer, kanji_number
from customers.cleansing.prefecture import PREFECTURES, prefecture_of
from customers.cleansing.romanised_address import parse_romanised
from customers.cleansing.text import tidy_text

_POSTAL = re.compile(r"^〒?\s*(\d{3})\s*-?\s*(\d{4})(?!\d|-)[\s,、]*|〒\s*(\d{3})\s*-?\s*(\d{4})(?!\d)\s*")
_POSTAL_INSIDE = re.compile(r"\b\d{3}-\d{4}\b")
_POSTAL_ALONE = re.compile(r"^〒?\s*(\d{3})\s*-?\s*(\d{4})$")
_LATIN_ONLY = re.compile(r"^[\x20-\x7eÀ-ɏ’]+$")
_KANJI_NUMBER = "[〇一二三四五六七八九十百]+"
_CHOME = re.compile(rf"(\d{{1,2}}|{_KANJI_NUMBER})(丁目|丁)[-ノ]?")
# 神南1-19-11: the first number is the 丁目 where the town has any. The highest in the list is Obihiro's 42丁目.
_SHORT_CHOME = re.compile(rf"(\d{{1,2}}|{_KANJI_NUMBER})(?:[-ノ](?=[\d〇一二三四五六七八九十])|$)")
_MOST_SHORT_CHOME = 42
# 2-5番12号: what stands before 番 is a 丁目, even where the list knows of none.
_MIXED_CHOME = re.compile(r"(\d{1,2})-(?=\d+番(?!地))")
_KANJI_IN_NUMBER = re.compile(rf"{_KANJI_NUMBER}(?=番|号|[-のノ]|丁|$|\s)|(?<=[番地号のノ-]){_KANJI_NUMBER}(?=\D|$)")
_NUMBER = re.compile(
    r"(?P<number>\d+(?:(?:\s?(?:番地の|番地|番丁|番の|番)\s?|\s?[-のノ]\s?)\d+(?![\d.]*\s?(?:号[室棟館]|番館|階|F\b|棟|室)))*)"
    r"(?:番地|番丁|番(?!館))?(?:号(?![室棟館]))?"
)
_SMALL_AREA = re.compile(r"^(?:字)?[^\d\s〇一二三四五六七八九十-]{1,10}(?=\d+(?:番|-|$))")
_PREFIX = re.compile("(?:大字|字|小字)")
# In Kyoto the corner of two streets stands before the town: 寺町通御池上る上本能寺前町.
_KYOTO_CORNER = re.compile("上ケ?ル|下ケ?ル|[東西]?入ケ?ル?|通")
_TOWN_ENDS = re.compile("[〇一二三四五六七八九十百\\d]|$")
_FULL = {fold(name): name for name in PREFECTURES}
_SHORT = {fold(name[:-1]): name for name in PREFECTURES if name != "北海道"}
_ANY_PREFECTURE = re.compile("|".join(_FULL))
_LONGEST_SHORT = 4
_BETWEEN = " ,、・-"
_LONGEST_NUMBER = 40
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of an address, as far as they are told; city and town (without its 丁目) are in Japan Post's list."""

    prefecture: str
    city: str | None = None
    town: str | None = None
    number: str | None = None
    building: str | None = None
    postal_code: str | None = None

    @property
    def line(self) -> str:
        """Everything but postal code and building, as one would write it today."""
        return "".join(part for part in (self.prefecture, self.city, self.town, self.number) if part)


def normalise_postal_code(text: str) -> str | None:
    """A Japanese postal code with its hyphen.

    >>> normalise_postal_code("〒１５０００４１"), normalise_postal_code("94105")
    ('150-0041', None)
    """
    found = _POSTAL_ALONE.match((tidy_text(text) or "").translate(HYPHENS))
    return f"{found[1]}-{found[2]}" if found else None


def postal_code_without_zero(text: str, prefecture: str) -> str | None:
    """The postal code of which a spreadsheet took the leading zeros, if it lies in the prefecture.

    >>> postal_code_without_zero("600001", "北海道"), postal_code_without_zero("94105", "東京都")
    ('060-0001', None)
    """
    code = (tidy_text(text) or "").zfill(7)
    known = gazetteer().by_code.get(code)
    return f"{code[:3]}-{code[3:]}" if known and known.prefecture == prefecture else None


def parse_address(text: str, postal_code: str | None = None) -> Address | None:
    """The parts of an address in Japan; None when the text names no place that is known.

    A prefecture that is left out is told by the city, a city that several prefectures have by the town or the postal
    code; what remains open stays open.

    Args:
        text: the address as somebody typed it.
        postal_code: normalised; one in the text is used where none is given.

    >>> parse_address("渋谷区神南１丁目１９番１１号　パークウェースクエア２").line
    '東京都渋谷区神南一丁目19-11'
    >>> parse_address("京都市中京区寺町通御池上る上本能寺前町488番地").town, parse_address("未定")
    ('上本能寺前町', None)
    """
    return parse_tidied_address(tidy_text(text) or "", postal_code)


def parse_tidied_address(tidied: str, postal_code: str | None = None) -> Address | None:
    """As `parse_address`, of a text that is tidied already."""
    if tidied[:1].isdecimal() or "〒" in tidied:
        postal_code, tidied = _cut_postal_code(tidied, postal_code)
    if not tidied:
        return _of_postal_code(postal_code)
    if tidied in PREFECTURES and postal_code is None:
        return Address(tidied)
    if _LATIN_ONLY.match(tidied):
        return parse_latin(tidied, postal_code)
    folded = fold(tidied.replace(" ", ""))
    found_city = _find_city(folded, 0, postal_code) or _find_city_later(folded, postal_code)
    if found_city is None:
        return _without_city(tidied, folded, postal_code)
    city, end = found_city
    name = None
    if found_town := _find_town(city, folded, end):
        town, end = found_town
        chome, end = _chome(town, city, folded, end)
        name = town.name + chome
    number, building = _split_tail(tidied[_place_with_spaces(tidied, end) :])
    return Address(city.prefecture, city.name, name, number, building, postal_code)


def _cut_postal_code(tidied: str, postal_code: str | None) -> tuple[str | None, str]:
    """The postal code (the given one, else the one in the text), and the text without it."""
    if not (found := _POSTAL.search(tidied.translate(HYPHENS))):
        return postal_code, tidied
    own = "-".join(part for part in found.groups() if part)
    return postal_code or own, (tidied[: found.start()] + tidied[found.end() :]).strip()


def _of_postal_code(postal_code: str | None) -> Address | None:
    if postal_code is None or (known := gazetteer().by_code.get(postal_code.replace("-", ""))) is None:
        return None
    return Address(known.prefecture, known.name, postal_code=postal_code)


def _without_city(tidied: str, folded: str, postal_code: str | None) -> Address | None:
    """A text that names no city: many forms ask for the postal code and then only for the rest."""
    prefecture = _full_prefecture(folded, 0) or (prefecture_of(tidied) if len(tidied) <= _LONGEST_SHORT else None)
    coded = _of_postal_code(postal_code)
    if coded is None or prefecture not in (None, coded.prefecture):
        return Address(prefecture, postal_code=postal_code) if prefecture else None
    rest = tidied.removeprefix(prefecture) if prefecture else tidied
    return parse_tidied_address(f"{coded.prefecture}{coded.city}{rest}", postal_code)


def parse_latin(text: str, postal_code: str | None = None) -> Address | None:
    """The parts of an address in Latin letters that names its prefecture; None of any other text.

    >>> parse_latin("1-19-11 Jinnan, Shibuya-ku, Tokyo").line
    '東京都渋谷区神南一丁目19-11'
    """
    found = parse_romanised(text)
    if found is None:
        return None
    code = _POSTAL_INSIDE.search(text)
    town = found.town and found.town + (_chome_name(found.chome, "丁目") if found.chome else "")
    return Address(
        found.prefecture, found.city, town, found.number, found.building, postal_code or (code[0] if code else None)
    )


def _full_prefecture(folded: str, start: int) -> str | None:
    return _FULL.get(folded[start : start + 3]) or _FULL.get(folded[start : start + 4])


def _find_city(folded: str, start: int, postal_code: str | None) -> tuple[City, int] | None:
    """The city that the text begins with and where its name ends; None when it begins with none."""
    if prefecture := _full_prefecture(folded, start):
        return _best_city(prefecture, folded, start + len(prefecture), postal_code)
    found = _best_city("", folded, start, postal_code)
    if found and not found[0].has_wards:
        return found
    # 神奈川横浜市, and 千葉市川市, which begins like the city of 千葉市.
    prefecture = _SHORT.get(folded[start : start + 2]) or _SHORT.get(folded[start : start + 3])
    return (prefecture and _best_city(prefecture, folded, start + len(prefecture) - 1, postal_code)) or found


def _find_city_later(folded: str, postal_code: str | None) -> tuple[City, int] | None:
    """The city where something stands before the prefecture: a country, a company, the prefecture itself."""
    for prefecture in reversed(list(_ANY_PREFECTURE.finditer(folded, 1))):
        if found := _find_city(folded, prefecture.start(), postal_code):
            return found
    return None


def _best_city(prefecture: str, folded: str, start: int, postal_code: str | None) -> tuple[City, int] | None:
    candidates = gazetteer().cities_at(prefecture, folded, start)
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    coded = gazetteer().by_code.get(postal_code.replace("-", "")) if postal_code else None
    longest = [(city, end) for city, end in candidates if end == candidates[0][1]]
    if len(longest) == 1:
        return longest[0]
    strengths = [_strength(city, end, folded, coded) for city, end in longest]
    best = [found for found, strength in zip(longest, strengths, strict=True) if strength == max(strengths)]
    # Cities or wards of one name, and nothing that tells them apart: no more than the whole city is sure.
    return best[0] if len(best) == 1 else next((found for found in longest if found[0].has_wards), None)


def _strength(city: City, end: int, folded: str, coded: City | None) -> tuple[bool, int]:
    town = _find_town(city, folded, end)
    return city is coded, town[1] if town else 0


def _find_town(city: City, folded: str, start: int) -> tuple[Town, int] | None:
    if (prefix := _PREFIX.match(folded, start)) and (found := city.town_at(folded, prefix.end())):
        return found
    found = city.town_at(folded, start)
    if city.name.startswith("京都市"):
        # The last corner counts; the town follows it, and after that a number or nothing.
        for corner in reversed(list(_KYOTO_CORNER.finditer(folded, start))):
            after = city.town_at(folded, corner.end())
            if after and _TOWN_ENDS.match(folded, after[1]):
                return after
    return found


def _chome(town: Town, city: City, folded: str, end: int) -> tuple[str, int]:
    """The 丁目 that follows a town, and where it ends."""
    if written := _CHOME.match(folded, end):
        return _chome_name(written[1], written[2]), written.end()
    short = _SHORT_CHOME.match(folded, end) if town.numbered else _MIXED_CHOME.match(folded, end)
    if short and _value(short[1]) <= _MOST_SHORT_CHOME:
        # In Sakai they are called 丁.
        unit = "丁" if city.name.startswith("堺市") and city.name != "堺市美原区" else "丁目"
        return _chome_name(short[1], unit), short.end()
    return "", end


def _value(number: str) -> int:
    return int(number) if number.isdecimal() else arabic_number(number)


def _chome_name(number: str, unit: str) -> str:
    value = _value(number)
    return (kanji_number(value) if 0 < value < 100 else number) + unit


def _place_with_spaces(tidied: str, place: int) -> int:
    """Where a place in the text without spaces lies in the text with them."""
    start = 0
    for piece in tidied.split(" "):
        if place < len(piece):
            return start + place
        place -= len(piece)
        start += len(piece) + 1
    return len(tidied)


def _split_tail(tail: str) -> tuple[str | None, str | None]:
    """What follows the town: the number, in which 番地, 番, 号 and の become hyphens, and the building."""
    line = tail.strip(_BETWEEN)
    if not line:
        return None, None
    head = line[:_LONGEST_NUMBER].translate(HYPHENS)
    head = _KANJI_IN_NUMBER.sub(lambda found: str(arabic_number(found[0])), head)
    area = None if head[0].isdecimal() else _SMALL_AREA.match(head)
    found = _NUMBER.match(head, area.end() if area else 0)
    if found is None:
        return None, line
    number = "-".join(_DIGITS.findall(found["number"]))
    # What stands behind the number keeps its own signs: セントラルビル.
    behind = len(head) - found.end() + max(len(line) - _LONGEST_NUMBER, 0)
    return (area[0] if area else "") + number, line[len(line) - behind :].strip(_BETWEEN) or None
