"""The message that a Slack channel gets, in Japanese or English, within Slack's limits."""

import json
from dataclasses import dataclass
from typing import Any

from activation.people import Person
from activation.text import shorten
from activation.webhook_message import HotLead

HEADER_LIMIT = 150
SECTION_LIMIT = 3000
# Of the escaped text; five of them and their bullets stay below the limit of a section.
_REASON_LIMIT = 500
_NAME_LIMIT = 60


@dataclass(frozen=True)
class _Texts:
    title: str
    somebody: str
    score: str
    evidence: str
    levels: dict[str, str]
    owner: str
    nobody: str
    why: str
    open_page: str


_TEXTS = {
    "ja": _Texts(
        title="ホットリード: {who}",
        somebody="顧客 {customer_id}",
        score="成約確率 {percent}・スコア {score}・ランク {grade}",
        evidence="根拠の強さ: {level}",
        levels={"low": "弱", "medium": "中", "high": "強"},
        owner="担当: {owner}",
        nobody="未割り当て",
        why="理由",
        open_page="一覧を開く",
    ),
    "en": _Texts(
        title="Hot lead: {who}",
        somebody="customer {customer_id}",
        score="{percent} chance to win · score {score} · grade {grade}",
        evidence="evidence: {level}",
        levels={"low": "low", "medium": "medium", "high": "high"},
        owner="owner: {owner}",
        nobody="nobody yet",
        why="Why",
        open_page="Open the list",
    ),
}


def slack_body(lead: HotLead, person: Person | None, page_url: str | None, locale: str) -> str:
    """The JSON text for an incoming webhook: a header, the figures, the reasons.

    Args:
        lead: the alert; its reasons stay in the language of the scores.
        person: whom it is about; None where the channel is not to name people.
        page_url: where sales sees the hot leads.
        locale: `ja` or `en`.
    """
    texts = _TEXTS[locale]
    title = shorten(texts.title.format(who=_who(lead, person, locale, texts)), HEADER_LIMIT)
    figures = texts.score.format(percent=f"{lead.probability:.0%}", score=lead.score, grade=lead.grade)
    evidence = texts.evidence.format(level=texts.levels.get(lead.evidence, lead.evidence))
    known = person.owner_name if person is not None and person.owner_id == lead.owner_id else ""
    owner = texts.owner.format(owner=escaped(known or lead.owner_id or texts.nobody, _REASON_LIMIT))
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}},
        _section(f"*{figures}*\n{evidence} · {owner}"),
    ]
    if lead.reasons:
        listed = "\n".join(f"• {escaped(reason, _REASON_LIMIT)}" for reason in lead.reasons[:5])
        blocks.append(_section(f"*{texts.why}*\n{listed}"))
    if page_url:
        blocks.append(_section(f"<{page_url}|{texts.open_page}>"))
    content = {"text": escaped(f"{title} ({figures})", SECTION_LIMIT), "blocks": blocks}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _who(lead: HotLead, person: Person | None, locale: str, texts: _Texts) -> str:
    if person is not None:
        name = shorten(person.full_name if locale == "ja" else person.western_name, _NAME_LIMIT)
        company = shorten(person.company, _NAME_LIMIT)
        if name or company:
            return " · ".join(part for part in (name, company) if part)
    return texts.somebody.format(customer_id=lead.customer_id)


def _section(text: str) -> dict[str, Any]:
    # Verbatim: what looks like an address or a channel in somebody's name must not become a link or a call.
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def escaped(text: str, limit: int) -> str:
    """Slack's three control characters made harmless, cut so that the result has at most `limit` characters.

    >>> escaped("a <b> & c", 100), escaped("<<<<", 10)
    ('a &lt;b&gt; &amp; c', '&lt;&lt;…')
    """
    line = shorten(text, limit)
    letters = [{"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(letter, letter) for letter in line]
    if sum(map(len, letters)) <= limit:
        return "".join(letters)
    kept: list[str] = []
    length = 1
    for letter in letters:
        if length + len(letter) > limit:
            break
        kept.append(letter)
        length += len(letter)
    return "".join(kept) + "…"
