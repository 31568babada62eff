"""How a text in kana or in Latin letters sounds, in one romanisation, so that the two can be compared."""

import re
import unicodedata

import jaconv

# One spelling for what romanisations of the same kana differ in (Hepburn, Kunrei, long vowels).
_VARIANTS = (
    ("shi", "si"), ("chi", "ti"), ("tsu", "tu"), ("sh", "sy"), ("ch", "ty"), ("ji", "zi"), ("j", "zy"), ("fu", "hu"),
    ("dzu", "zu"), ("ou", "o"), ("oo", "o"), ("oh", "o"), ("uu", "u"), ("mb", "nb"), ("mp", "np"), ("mm", "nm"),
)  # fmt: skip
_NOT_LETTERS = re.compile("[^a-z]+")


def plain_sound(latin: str) -> str:
    """Small Latin letters in one spelling.

    >>> plain_sound("shinjuku") == plain_sound("sinzyuku")
    True
    """
    for variant, plain in _VARIANTS:
        latin = latin.replace(variant, plain)
    return latin


def sound_of_kana(katakana: str) -> str:
    """What a text in katakana sounds like.

    >>> sound_of_kana("シンジュク")
    'sinzyuku'
    """
    return plain_sound(jaconv.kana2alphabet(jaconv.kata2hira(katakana)).replace("ー", ""))


def sound_of_latin(text: str) -> str:
    """What a text in Latin letters sounds like; macrons, signs and numbers aside.

    >>> sound_of_latin("Ōta-ku"), sound_of_kana("オオタク")
    ('otaku', 'otaku')
    """
    return plain_sound(_NOT_LETTERS.sub("", unicodedata.normalize("NFKD", text).casefold()))
