"""Addresses in Latin letters: 1-19-11 Jinnan, Shibuya-ku, Tokyo 150-0041, Japan."""

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from customers.cleansing.gazetteer import City, fold, gazetteer, readings
from customers.cleansing.prefecture import prefecture_of
from customers.cleansing.romaji import sound_of_kana, sound_of_latin

_PARTS: Final = re.compile(r"[,;/]|\s{2,}")
_COUNTRY: Final = re.compile(r"\b(japan|jpn)\b\.?", re.IGNORECASE)
_CODE: Final = re.compile(r"\b\d{3}-\d{4}\b")
_KIND: Final = re.compile(r"[\s-]+(city|ward|town|village)$", re.IGNORECASE)
_CHOME: Final = re.compile(r"(\d{1,2})[\s-]*ch[oō]u?me\b[\s-]*", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\d+(?:-\d+)*")
_COUNTY: Final = re.compile("^.+?グン")
_ENDING: Final = re.compile("(シ|ク|マチ|チョウ|ムラ|ソン)$")
_LEAST_LETTERS: Final = 3


@dataclass(frozen=True, slots=True)
class Romanised:
    """What an address in Latin letters tells; `city` is blank where it tells the prefecture alone."""

    prefecture: str
    city: str | None = None
    town: str | None = None
    chome: str | None = None
    number: str | None = None
    building: str | None = None


def parse_romanised(text: str) -> Romanised | None:
    """The parts of an address in Latin letters, large or small parts first; None when no prefecture is named.

    Without its prefecture a romanised city is not believed: Ota and Nagano are family names, too.

    >>> found = parse_romanised("1-19-11 Jinnan, Shibuya-ku, Tokyo 150-0041, Japan")
    >>> found.city, found.town, found.chome, found.number
    ('渋谷区', '神南', '1', '19-11')
    """
    bare = _CODE.sub("", _COUNTRY.sub("", text))
    parts = [part for part in (part.strip(" .-") for part in _PARTS.split(bare)) if part]
    places = [place for place, part in enumerate(parts) if prefecture_of(part)]
    if not places:
        return None
    last = places[-1]
    prefecture = str(prefecture_of(parts[last]))
    # Large to small, whichever way round it was written; a city named like its prefecture is a part of its own.
    others = [part for place, part in enumerate(parts) if place != last]
    found = _city_among(prefecture, others)
    return _with_town(found[0], found[1]) if found else Romanised(prefecture)


def _city_among(prefecture: str, parts: list[str]) -> tuple[City, list[str]] | None:
    sounds = [_sound(part) for part in parts]
    known = _cities().get(prefecture, {})
    readings_of_parts = [
        (sounds[one] + sounds[other], {one, other})
        for one in range(len(parts))
        for other in range(len(parts))
        if one != other
    ]
    readings_of_parts += [(sound, {place}) for place, sound in enumerate(sounds)]
    for sound, used in readings_of_parts:
        if len(sound) >= _LEAST_LETTERS and len(cities := known.get(sound, ())) == 1:
            return cities[0], [part for place, part in enumerate(parts) if place not in used]
    return None


def _with_town(city: City, parts: list[str]) -> Romanised:
    towns = _towns().get((city.prefecture, city.name), {})
    place = next((place for place, part in enumerate(parts) if sound_of_latin(_CHOME.sub("", part)) in towns), None)
    numbers = [part for part in parts if _NUMBER.fullmatch(part)]
    building = ", ".join(part for other, part in enumerate(parts) if other != place and part not in numbers) or None
    if place is None:
        return Romanised(city.prefecture, city.name, number=numbers[0] if numbers else None, building=building)
    bare, chome = _CHOME.sub("", parts[place]), _CHOME.search(parts[place])
    name, numbered = towns[sound_of_latin(bare)]
    inside = _NUMBER.search(bare)
    told = inside[0] if inside else numbers[0] if numbers else None
    if chome or not told or not numbered:
        return Romanised(city.prefecture, city.name, name, chome[1] if chome else None, told, building)
    first, _, rest = told.partition("-")
    return Romanised(city.prefecture, city.name, name, first, rest or None, building)


def _sound(part: str) -> str:
    """A part's sound, with `City` and `Ward` and numbers left out."""
    return sound_of_latin(_KIND.sub("", part))


@lru_cache(maxsize=1)
def _cities() -> dict[str, dict[str, tuple[City, ...]]]:
    """Cities by prefecture and sound: with and without county, with and without the word for city at the end."""
    kana: dict[tuple[str, str], str] = {}
    for prefecture, city, _, city_kana, _, _ in readings():
        kana[prefecture, city] = city_kana
    wards: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (prefecture, name), reading in kana.items():
        if found := re.match(r"(.{2,4}市).+区$", name):
            wards[prefecture, found[1]].append(reading)
    for whole, (first, *others) in wards.items():
        # All wards' readings begin with the city's, which ends with シ.
        ends = (end for end in range(len(first), 0, -1) if first[end - 1] == "シ")
        kana[whole] = next(first[:end] for end in ends if all(other.startswith(first[:end]) for other in others))
    found_by: dict[str, dict[str, dict[str, City]]] = defaultdict(lambda: defaultdict(dict))
    for (prefecture, name), reading in kana.items():
        place = next(place for place in gazetteer().cities[prefecture][fold(name)] if place.name == name)
        spoken = {reading, _COUNTY.sub("", reading) if "郡" in name else reading}
        if ward := re.match("(.{2,4}市).+区$", name):
            spoken.add(reading.removeprefix(kana[prefecture, ward[1]]))
        for form in spoken | {_ENDING.sub("", form) for form in spoken}:
            found_by[prefecture][sound_of_kana(form)][name] = place
    return {
        prefecture: {sound: tuple(places.values()) for sound, places in sounds.items()}
        for prefecture, sounds in found_by.items()
    }


@lru_cache(maxsize=1)
def _towns() -> dict[tuple[str, str], dict[str, tuple[str, bool]]]:
    found: dict[tuple[str, str], dict[str, tuple[str, bool]]] = defaultdict(dict)
    for prefecture, city, town, _, town_kana, chome in readings():
        if town:
            found[prefecture, city].setdefault(sound_of_kana(re.sub(r"\(.*", "", town_kana)), (town, bool(chome)))
    return found
