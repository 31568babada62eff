"""Text in one form: width, kana and spaces."""

import re
import unicodedata

_SPACES = re.compile(r"\s+")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")
_NUMBER = re.compile(r"^[-+]?\d+(\.\d+)?$")
_AROUND_NUMBERS = re.compile(r"[,\s¥$€£円名人%]|\\")


def tidy_text(text: str) -> str | None:
    """NFKC (full-width Latin and half-width kana become ordinary), one space between words, none around.

    >>> tidy_text(" ﾔﾏﾀﾞ　ﾀﾛｳ ")
    'ヤマダ タロウ'
    >>> tidy_text("　") is None
    True
    """
    return _SPACES.sub(" ", _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))).strip() or None


def normalise_login(text: str) -> str | None:
    """A login name regardless of width and case.

    >>> normalise_login("Ｔaro.Y ")
    'taro.y'
    """
    tidied = tidy_text(text)
    return tidied.casefold() if tidied else None


def normalise_number(text: str) -> str | None:
    """A number without the signs that people put around it; None when it is no number.

    >>> normalise_number("￥1,200"), normalise_number("△300"), normalise_number("several")
    ('1200', '-300', None)
    """
    tidied = _AROUND_NUMBERS.sub("", tidy_text(text) or "")
    if tidied.startswith(("△", "▲", "−")):
        tidied = "-" + tidied[1:]
    return tidied if _NUMBER.match(tidied) else None
