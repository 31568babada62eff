"""Prefectures of Japan, from a prefecture's name or an address."""

import re

from customers.cleansing.text import tidy_text

_PREFECTURES_TEXT = """
    北海道 青森県 岩手県 宮城県 秋田県 山形県 福島県 茨城県 栃木県 群馬県 埼玉県 千葉県 東京都
    神奈川県 新潟県 富山県 石川県 福井県 山梨県 長野県 岐阜県 静岡県 愛知県 三重県 滋賀県 京都府
    大阪府 兵庫県 奈良県 和歌山県 鳥取県 島根県 岡山県 広島県 山口県 徳島県 香川県 愛媛県 高知県
    福岡県 佐賀県 長崎県 熊本県 大分県 宮崎県 鹿児島県 沖縄県
"""
PREFECTURES = tuple(_PREFECTURES_TEXT.split())
_ROMAJI_TEXT = """
    hokkaido aomori iwate miyagi akita yamagata fukushima ibaraki tochigi gunma saitama chiba tokyo kanagawa niigata
    toyama ishikawa fukui yamanashi nagano gifu shizuoka aichi mie shiga kyoto osaka hyogo nara wakayama tottori
    shimane okayama hiroshima yamaguchi tokushima kagawa ehime kochi fukuoka saga nagasaki kumamoto oita miyazaki
    kagoshima okinawa
"""
_ROMAJI = tuple(_ROMAJI_TEXT.split())
_BY_NAME = {
    **{name.removesuffix("県").removesuffix("府").removesuffix("都"): name for name in PREFECTURES},
    **{name: name for name in PREFECTURES},
    **dict(zip(_ROMAJI, PREFECTURES, strict=True)),
}
_LATIN_SUFFIX = re.compile(r"[-\s]*(prefecture|pref\.?|ken|fu|to|do|city)$")
_LONG_VOWELS = str.maketrans("ōūŌŪ", "ouou")


def prefecture_of(text: str) -> str | None:
    """The prefecture with its suffix; None when the text names none.

    >>> [prefecture_of(text) for text in ("東京", "〒530-0001 大阪府大阪市北区", "Kanagawa-ken", "CA")]
    ['東京都', '大阪府', '神奈川県', None]
    """
    tidied = (tidy_text(text) or "").casefold().translate(_LONG_VOWELS)
    for candidate in (tidied, _LATIN_SUFFIX.sub("", tidied)):
        if candidate in _BY_NAME:
            return _BY_NAME[candidate]
    return next((name for name in PREFECTURES if name in tidied), None)
