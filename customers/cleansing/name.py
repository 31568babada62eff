"""People's names: comparable forms, and whether two names can be one person's."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import jaconv

from customers.cleansing.ideographs import TODAYS_FORMS
from customers.cleansing.romaji import plain_sound, sound_of_kana
from customers.cleansing.text import tidy_text

NAME_FIELDS = ("last_name", "first_name", "full_name", "last_name_kana", "first_name_kana", "full_name_kana")
_KANA = re.compile(r"^[ァ-ヶー]+$")
_LATIN = re.compile(r"^[a-z]+$")
_NOT_LETTERS = re.compile(r"[\s・･.,'’\-‐]+")
_HONORIFIC = re.compile(
    r"^((mr|mrs|ms|miss|dr|prof)\.?\s+)+|\s*((様|さん|氏|殿|先生)\s*|[\s-]+(san|sama)\b)+$", re.IGNORECASE
)
# As a family name 齊 stands for 斎, not for the 斉 that it was simplified to.
_IDEOGRAPH_VARIANTS = TODAYS_FORMS | {ord("齊"): "斎"}


@dataclass(frozen=True)
class PersonName:
    """A name in the scripts in which it is known, in comparable form; `sound` is a romanisation."""

    last: str | None = None
    first: str | None = None
    last_sound: str | None = None
    first_sound: str | None = None


def tidy_name(text: str) -> str | None:
    """A name or a part of one as it should be shown.

    >>> tidy_name(" ﾔﾏﾀﾞ ﾀﾛｳ様")
    'ヤマダ タロウ'
    >>> tidy_name("Ms. Hanako Sato"), tidy_name("Sato-san")
    ('Hanako Sato', 'Sato')
    """
    tidied = tidy_text(text)
    return (_HONORIFIC.sub("", tidied).strip() or None) if tidied else None


def split_full_name(text: str) -> tuple[str | None, str | None]:
    """Family and given name where a space parts them; Latin names are taken as given name first.

    >>> split_full_name("山田　太郎"), split_full_name("Taro Yamada"), split_full_name("山田太郎")
    (('山田', '太郎'), ('Yamada', 'Taro'), (None, None))
    """
    tidied = tidy_name(text)
    if tidied is None:
        return None, None
    parts = tidied.replace("・", " ").split(" ")
    if len(parts) != 2:
        return None, None
    if tidied.isascii() and not tidied.split(" ")[0].isupper():
        return parts[1], parts[0]
    return parts[0], parts[1]


def comparable_name(
    last: str | None,
    first: str | None,
    last_kana: str | None = None,
    first_kana: str | None = None,
) -> PersonName:
    """Bring the parts of a name into forms that can be compared.

    >>> comparable_name("髙橋", "健", "タカハシ", "ケン").last_sound
    'takahasi'
    """
    last_written, last_sound = _forms(last)
    first_written, first_sound = _forms(first)
    return PersonName(
        last_written,
        first_written,
        _forms(last_kana)[1] or last_sound,
        _forms(first_kana)[1] or first_sound,
    )


def name_from_parts(parts: Mapping[str, str | None]) -> PersonName:
    """The comparable name of a record from whichever of `NAME_FIELDS` it fills.

    >>> name_from_parts(dict.fromkeys(NAME_FIELDS) | {"full_name": "山田 太郎"}).first
    '太郎'
    """
    last, first = parts["last_name"], parts["first_name"]
    if not (last and first) and parts["full_name"]:
        full = split_full_name(parts["full_name"])
        last, first = last or full[0], first or full[1]
    last_kana, first_kana = parts["last_name_kana"], parts["first_name_kana"]
    if not (last_kana and first_kana) and parts["full_name_kana"]:
        full = split_full_name(parts["full_name_kana"])
        last_kana, first_kana = last_kana or full[0], first_kana or full[1]
    return comparable_name(last, first, last_kana, first_kana)


def _forms(part: str | None) -> tuple[str | None, str | None]:
    """How a part is written (ideographs only) and how it sounds (kana and Latin only)."""
    bare = _NOT_LETTERS.sub("", tidy_name(part or "") or "").casefold().translate(_IDEOGRAPH_VARIANTS)
    if not bare:
        return None, None
    kana = jaconv.hira2kata(bare)
    if _KANA.match(kana):
        return None, sound_of_kana(kana)
    if _LATIN.match(bare):
        return None, plain_sound(bare)
    return bare, None


def names_agree(left: PersonName, right: PersonName) -> bool | None:
    """Whether two names can be one person's: True, False, or None when nothing comparable is known.

    Given names that differ clearly speak against one person even when the family name is the same (couples, siblings);
    an equal given name with another family name does not (marriage), a slip of the pen in one part neither.

    >>> taro, hanako = comparable_name("山田", "太郎"), comparable_name("山田", "花子")
    >>> names_agree(taro, comparable_name("山田", "太朗")), names_agree(taro, hanako)
    (True, False)
    >>> names_agree(taro, comparable_name("Yamada", "Taro")) is None
    True
    """
    last = _parts_agree(left.last, right.last, left.last_sound, right.last_sound)
    first = _parts_agree(left.first, right.first, left.first_sound, right.first_sound)
    if first is not None:
        if first == 1.0 or (first > 0 and last != 0.0):
            return True
        # Family and given name entered the wrong way round.
        return _swapped(left, right)
    if last == 0.0:
        return False
    return None


def _swapped(left: PersonName, right: PersonName) -> bool:
    pairs = (
        (left.last, right.first, left.first, right.last),
        (left.last_sound, right.first_sound, left.first_sound, right.last_sound),
    )
    return any(a is not None and a == b and c is not None and c == d for a, b, c, d in pairs)


def _parts_agree(left: str | None, right: str | None, left_sound: str | None, right_sound: str | None) -> float | None:
    """1 equal, 0.5 alike, 0 different in every comparable script, None not comparable."""
    grades = []
    if left and right:
        grades.append(1.0 if left == right else 0.5 if _alike_written(left, right) else 0.0)
    if left_sound and right_sound:
        grades.append(1.0 if left_sound == right_sound else 0.5 if _alike_sound(left_sound, right_sound) else 0.0)
    return max(grades) if grades else None


def _alike_written(left: str, right: str) -> bool:
    # 太郎 and 太朗: one ideograph of several differs, which a conversion by keyboard easily does.
    return len(left) == len(right) > 1 and sum(a != b for a, b in zip(left, right, strict=True)) == 1


def _alike_sound(left: str, right: str) -> bool:
    # An initial, or one slip in a name of some length.
    if min(len(left), len(right)) == 1:
        return left[0] == right[0]
    return min(len(left), len(right)) >= 4 and _one_edit_apart(left, right)


def _one_edit_apart(left: str, right: str) -> bool:
    if abs(len(left) - len(right)) > 1:
        return False
    short, long = sorted((left, right), key=len)
    place = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) == len(long):
        swapped = short[:place] + short[place + 1 : place + 2] + short[place : place + 1] + short[place + 2 :]
        return short[place + 1 :] == long[place + 1 :] or swapped == long
    return short[place:] == long[place + 1 :]
