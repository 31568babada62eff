"""Company names: one display form, and a key under which spellings of one company meet."""

import re

import jaconv

from customers.cleansing.ideographs import TODAYS_FORMS
from customers.cleansing.text import tidy_text

_ADDRESSED = re.compile(r"\s*御中$")
_ABBREVIATED = (
    (re.compile(r"(株式|有限|合同|合資|合名|相互)會社"), r"\1会社"),
    (re.compile(r"\(株\)"), "株式会社"),
    (re.compile(r"\(有\)"), "有限会社"),
    (re.compile(r"\(合\)"), "合同会社"),
    (re.compile(r"\(資\)"), "合資会社"),
    (re.compile(r"\(財\)|\(公財\)|\(一財\)"), "財団法人"),
    (re.compile(r"\(社\)|\(一社\)|\(公社\)"), "社団法人"),
    (re.compile(r"\(学\)"), "学校法人"),
    (re.compile(r"\(医\)"), "医療法人"),
)
_FORMS = re.compile(
    "株式会社|有限会社|合同会社|合資会社|合名会社|相互会社|一般財団法人|公益財団法人|財団法人|一般社団法人|公益社団法人|社団法人|"
    "学校法人|医療法人|特定非営利活動法人|国立大学法人|独立行政法人|カブシキガイシャ|カブシキカイシャ|ユウゲンガイシャ"
)
_LATIN_FORMS = re.compile(
    r"(?<![a-z])(incorporated|inc|corporation|corp|company limited|co\s*ltd|company|co|limited|ltd|llc|llp|kk|k k|gk|"
    r"gmbh|ag|sa|plc|bv|pty)(?![a-z])"
)
_PUNCTUATION = re.compile(r"[\s.,・･'\"「」『』()\[\]&＆/\\_\-‐‑–—―]+")


def tidy_company(text: str) -> str | None:
    """The name as it should be shown: ordinary width, the legal form written out.

    >>> tidy_company("㈱ﾐﾗｲ  商事"), tidy_company("（株）ミライ商事")
    ('株式会社ミライ 商事', '株式会社ミライ商事')
    """
    tidied = tidy_text(text)
    if tidied is None:
        return None
    tidied = _ADDRESSED.sub("", tidied)
    for pattern, form in _ABBREVIATED:
        tidied = pattern.sub(form, tidied)
    return re.sub(r"\s*(株式会社|有限会社|合同会社)\s*", r"\1", tidied)


def company_key(text: str) -> str | None:
    """What is left of a name without legal form, spaces, signs, case, old ideographs and the difference of the kana.

    >>> company_key("㈱みらい商事") == company_key("ミライ商事 株式会社")
    True
    >>> company_key("Mirai Trading Co., Ltd."), company_key("株式会社")
    ('miraitrading', None)
    """
    tidied = tidy_company(text)
    if tidied is None:
        return None
    bare = _PUNCTUATION.sub(" ", _FORMS.sub(" ", tidied).casefold().translate(TODAYS_FORMS))
    key = _LATIN_FORMS.sub(" ", bare).replace(" ", "") or _PUNCTUATION.sub("", bare)
    return jaconv.hira2kata(key) or None
