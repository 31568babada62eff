"""What a job title says: how high the rank is, and which department."""

import re

from customers.cleansing.ideographs import TODAYS_FORMS
from customers.cleansing.text import tidy_text


def _pattern(text: str) -> re.Pattern[str]:
    # ASCII: an English word also ends where Japanese goes on, as in IT部長.
    return re.compile(text, re.ASCII)


# Titles that name somebody higher than their bearer, or a trade by a high word; these are looked for first.
_NAMESAKES = (
    ("manager", _pattern(r"(社長|役員|秘書)室長|\b((partner|board) manager|chief of staff)\b")),
    (
        "staff",
        _pattern(
            r"秘書|アシスタント|\b(assistant to|executive assistant|administrative assistant|secretary|product owner|"
            r"account executive|sales executive)\b"
        ),
    ),
)
_RANKS = (
    (
        "executive",
        _pattern(
            r"社長|会長|代表|取締役|執行役員|専務|常務|役員|理事|監査役|オーナー|院長|学長|頭取|"
            r"\b(ceo|cto|cfo|coo|cio|cmo|ciso|chief|president|vp|svp|evp|vice president|founder|owner|partner|"
            r"managing director|executive|board)\b"
        ),
    ),
    (
        "director",
        _pattern(
            r"本部長|事業部長|局長|統括|部長|所長|工場長|支店長|支社長|ゼネラルマネ|"
            r"\b(director|head|general manager|gm)\b"
        ),
    ),
    (
        "manager",
        _pattern(
            r"課長|室長|次長|係長|主査|グループ長|チーム長|マネージャ|マネジャ|リーダー|店長|\b(manager|mgr|supervisor|lead|leader)\b"
        ),
    ),
    (
        "staff",
        _pattern(
            r"主任|担当|メンバー|社員|スタッフ|一般|係|員|\b(staff|associate|specialist|engineer|analyst|representative|assistant|member|coordinator|clerk)\b"
        ),
    ),
)
_DEPARTMENTS = (
    (
        "it",
        _pattern(
            r"情報|システム|\b(it|dx)\b|デジタル|インフラ|セキュリティ|\b(information|systems?|technology|digital|cto|cio)\b"
        ),
    ),
    ("marketing", _pattern(r"マーケ|宣伝|広報|販促|\b(marketing|cmo|communications?|pr)\b")),
    ("sales", _pattern(r"営業|販売|セールス|\bsales\b")),
    ("finance", _pattern(r"経理|財務|会計|\b(finance|accounting|cfo|treasury)\b")),
    ("hr", _pattern(r"人事|労務|採用|教育|研修|\b(hr|human resources|people|recruiting|talent)\b")),
    ("general_affairs", _pattern(r"総務|庶務|法務|管理部|\b(general affairs|administration|legal)\b")),
    ("procurement", _pattern(r"購買|調達|資材|\b(procurement|purchasing)\b")),
    ("research", _pattern(r"研究|開発|技術|設計|\b(r&d|research|development|engineering|engineer)\b")),
    ("production", _pattern(r"製造|生産|工場|品質|\b(production|manufacturing|quality|plant)\b")),
    ("planning", _pattern(r"企画|経営|戦略|\b(planning|strategy|corporate)\b")),
    ("support", _pattern(r"カスタマー|サポート|お客様|\b(support|customer success|service)\b")),
    ("logistics", _pattern(r"物流|ロジ|配送|\b(logistics|supply chain)\b")),
)


def rank_of(title: str) -> str | None:
    """`executive`, `director`, `manager` or `staff`; None when the title does not say.

    >>> rank_of("営業本部　部長"), rank_of("課長代理"), rank_of("ﾏﾈｰｼﾞｬｰ"), rank_of("CTO"), rank_of("???")
    ('director', 'manager', 'manager', 'executive', None)
    >>> rank_of("社長秘書"), rank_of("Account Executive"), rank_of("VP of Sales")
    ('staff', 'staff', 'executive')
    """
    tidied = (tidy_text(title) or "").casefold().translate(TODAYS_FORMS)
    return next((rank for rank, pattern in (*_NAMESAKES, *_RANKS) if pattern.search(tidied)), None)


def department_of(text: str) -> str | None:
    """The kind of department that a title or a department's name speaks of, as one English word.

    >>> [department_of(text) for text in ("情報システム部", "営業部長", "Head of Marketing", "部長")]
    ['it', 'sales', 'marketing', None]
    """
    tidied = (tidy_text(text) or "").casefold()
    return next((name for name, pattern in _DEPARTMENTS if pattern.search(tidied)), None)
