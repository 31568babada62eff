"""E-mail addresses: one form for each mailbox, and what kind of mailbox it is."""

import re
from typing import Literal

from email_validator import EmailNotValidError, validate_email

from customers.cleansing.text import tidy_text

MailKind = Literal["business", "free", "shared"]

_FREE_DOMAINS_TEXT = """
    gmail.com googlemail.com yahoo.co.jp yahoo.com yahoo.ne.jp ymail.ne.jp outlook.com outlook.jp hotmail.com
    hotmail.co.jp live.jp live.com msn.com icloud.com me.com mac.com aol.com aol.jp docomo.ne.jp ezweb.ne.jp au.com
    softbank.ne.jp i.softbank.jp ymobile.ne.jp y-mobile.ne.jp disney.ne.jp vodafone.ne.jp willcom.com rakuten.jp
    nifty.com nifty.ne.jp biglobe.ne.jp so-net.ne.jp ocn.ne.jp plala.or.jp dion.ne.jp infoseek.jp excite.co.jp
    goo.jp mail.goo.ne.jp livedoor.com proton.me protonmail.com gmx.com gmx.de web.de mail.ru yandex.ru qq.com
    163.com 126.com naver.com zoho.com fastmail.com
"""
FREE_DOMAINS = frozenset(_FREE_DOMAINS_TEXT.split())
_ROLE_NAMES_TEXT = """
    info information contact contactus inquiry inquiries toiawase otoiawase sales eigyo eigyobu marketing support
    help helpdesk office admin administrator webmaster postmaster hostmaster root noreply no-reply donotreply mail
    hello service customer customerservice cs press pr koho kouhou media news newsletter recruit saiyo saiyou jobs
    hr jinji soumu somu keiri accounting billing invoice seikyu finance hanbai honsha daihyo daihyou reception
    uketsuke shop store order orders purchasing koubai it system team staff all everyone group general kanri kikaku
    jimukyoku secretary privacy legal security abuse web marketing-team sales-team
"""
ROLE_NAMES = frozenset(_ROLE_NAMES_TEXT.split())
_WRAPPED = re.compile(r"^.*<([^<>]+)>$")
_TAG = re.compile(r"\+[^@]*(?=@)")
_NUMBERED = re.compile(r"[-_.]?\d{1,2}$")


def normalise_email(text: str) -> str | None:
    """The mailbox in lower case, without a name around it, a `mailto:` or a `+tag`; None when the syntax is wrong.

    No name server is asked: the same text always gives the same answer.

    >>> normalise_email("Yamada <Taro.Yamada+demo@EXAMPLE.co.jp>"), normalise_email("ｉｎｆｏ＠example.jp")
    ('taro.yamada@example.co.jp', 'info@example.jp')
    >>> normalise_email("taro@@example") is None
    True
    """
    tidied = (tidy_text(text) or "").removeprefix("mailto:")
    if wrapped := _WRAPPED.match(tidied):
        tidied = wrapped.group(1)
    candidate = _TAG.sub("", tidied.replace(" ", "").rstrip(".,;").casefold())
    try:
        checked = validate_email(candidate, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return checked.normalized.casefold()


def mail_domain(email: str) -> str:
    """The domain of a normalised address.

    >>> mail_domain("taro@example.co.jp")
    'example.co.jp'
    """
    return email.rpartition("@")[2]


def is_role_mailbox(email: str) -> bool:
    """Whether a mailbox belongs to a role that several people fill, such as info@ or sales2@.

    >>> is_role_mailbox("info@example.jp"), is_role_mailbox("sales02@example.jp"), is_role_mailbox("inform@example.jp")
    (True, True, False)
    """
    local = email.rpartition("@")[0]
    return local in ROLE_NAMES or _NUMBERED.sub("", local) in ROLE_NAMES


def mail_kind(email: str) -> MailKind:
    """Whether a normalised address is a role's, a free mail provider's or a company's own.

    >>> mail_kind("info@gmail.com"), mail_kind("taro@gmail.com"), mail_kind("taro@example.jp")
    ('shared', 'free', 'business')
    """
    if is_role_mailbox(email):
        return "shared"
    return "free" if mail_domain(email) in FREE_DOMAINS else "business"
