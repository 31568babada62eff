"""An address whose parts lie in several fields, as forms and CRM systems ask for them."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from customers.cleansing.address import (
    Address,
    normalise_postal_code,
    parse_latin,
    parse_tidied_address,
    postal_code_without_zero,
)
from customers.cleansing.gazetteer import fold
from customers.cleansing.prefecture import prefecture_of
from customers.cleansing.romanised_address import parse_romanised
from customers.cleansing.text import tidy_text

ADDRESS_FIELDS: Final = ("postal_code", "prefecture", "city", "town", "address", "building")
"""What an address becomes: `address` is prefecture to number in one line, `building` what follows it."""
READ_FIELDS: Final = ("postal_code", "prefecture", "city", "town", "address", "building", "country")
"""What an address is read from: `address` may hold all of it, or what follows the parts in other fields."""
_JAPAN: Final = frozenset({"日本", "日本国", "japan", "jp", "jpn", "nippon"})

_LONGEST_PART: Final = 20
# Prefectures, cities and countries are few, and met again in most records; so are the codes of a region.
_prefecture = lru_cache(maxsize=10_000)(prefecture_of)
_tidy_place = lru_cache(maxsize=10_000)(tidy_text)
_postal_code = lru_cache(maxsize=100_000)(normalise_postal_code)


def cleanse_address(parts: Mapping[str, str | None]) -> dict[str, str | None]:
    """`ADDRESS_FIELDS` in normal form, from whichever of `READ_FIELDS` are filled.

    What names no known place, and everything in another country, is kept as it was typed, only tidied.

    >>> found = cleanse_address({"prefecture": "東京", "city": "渋谷区", "address": "神南１－１９－１１"})
    >>> found["city"], found["town"], found["address"]
    ('渋谷区', '神南一丁目', '東京都渋谷区神南一丁目19-11')
    >>> cleanse_address({"prefecture": "CA", "city": "San Francisco", "address": "1 Market St"})["city"]
    'San Francisco'
    """
    typed = {name: _tidied(name, text) if (text := parts.get(name)) else None for name in READ_FIELDS}
    code = typed["postal_code"]
    found: dict[str, str | None] = {name: typed[name] for name in ADDRESS_FIELDS}
    if typed["country"] and typed["country"].casefold() not in _JAPAN:
        return found
    found["postal_code"] = postal_code = _postal_code(code) if code else None
    found["prefecture"] = prefecture = _prefecture(typed["prefecture"]) if typed["prefecture"] else None
    if not any(typed[name] for name in ("postal_code", "city", "town", "address")):
        return found | {"prefecture": prefecture or typed["prefecture"]}
    address = _parse(typed, prefecture, postal_code)
    if address is None:
        found["postal_code"] = postal_code or code
        found["prefecture"] = prefecture or typed["prefecture"]
        return found
    if code and not postal_code:
        postal_code = postal_code_without_zero(code, address.prefecture) or code
    found["postal_code"] = postal_code or address.postal_code
    # A prefecture that contradicts the address stays, but then the address's city is not set beside it.
    found["prefecture"] = prefecture or typed["prefecture"] or address.prefecture
    if address.city and found["prefecture"] == address.prefecture:
        found["city"] = address.city
        found["town"] = address.town or typed["town"]
    if address.city and typed["address"]:
        if address.town or address.number:
            found["address"] = address.line
            found["building"] = _joined(" ", address.building, typed["building"])
        else:
            # Behind a city without known town the rest may hold the town.
            found["address"] = address.line + (address.building or "")
    return found


def _parse(typed: Mapping[str, str | None], prefecture: str | None, postal_code: str | None) -> Address | None:
    city, town, line = typed["city"] or "", typed["town"] or "", typed["address"] or ""
    if city.isascii() and city:
        if line.isascii():
            # From small to large, as such addresses are written.
            return parse_latin(_joined(", ", line, town, city, typed["prefecture"]) or "", postal_code)
        romanised = parse_romanised(f"{city}, {prefecture}")
        city = (romanised and romanised.city) or ""
    before = [part for part in (prefecture, city, town) if part]
    # Many fill the line as if the other fields were not there.
    given = fold(line[:_LONGEST_PART].replace(" ", ""))
    for place, part in enumerate(before):
        if given.startswith(_folded(part)):
            before = before[:place]
            break
    return parse_tidied_address("".join(before) + line, postal_code)


def _tidied(name: str, text: str) -> str | None:
    return tidy_text(text) if name in ("address", "building", "postal_code") else _tidy_place(text)


@lru_cache(maxsize=10_000)
def _folded(part: str) -> str:
    return fold(part.replace(" ", ""))


def _joined(between: str, *parts: str | None) -> str | None:
    return between.join(part for part in parts if part) or None
