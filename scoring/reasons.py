"""Why a person is scored as they are, in words that can be said aloud: each reason counts what was seen."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.source_settings import Label
from features.catalog import Feature
from scoring.experience import Alike, Experience

Floats = NDArray[np.float64]
Language = Literal["ja", "en"]
REASONS = 5
# The subject of all features that the configuration keeps from being said; no field can have such a name.
HIDDEN = "(hidden)"
# A group that moves the odds by less than two per cent is no reason.
_NEGLIGIBLE = 0.02
_UP, _DOWN = "↑", "↓"
# "料金ページの閲覧" is read as something (料金ページ), how it is meant (の), and what was done with it (閲覧).
_ACTION = re.compile(r"^(?P<thing>.+?)(?P<particle>への|での|との|の)(?P<action>[^の]+)$")
# The keywords that cleansing reads from titles and addresses, as Japanese people say them.
_SPOKEN = {
    "executive": "役員・経営層",
    "director": "部長級",
    "manager": "課長・係長級",
    "staff": "担当者",
    "it": "情報システム",
    "marketing": "マーケティング",
    "sales": "営業",
    "finance": "経理・財務",
    "hr": "人事",
    "general_affairs": "総務",
    "procurement": "購買",
    "research": "研究・開発",
    "production": "生産・製造",
    "planning": "経営企画",
    "support": "カスタマーサポート",
    "logistics": "物流",
    "business": "会社のアドレス",
    "free": "フリーメール",
    "shared": "共有アドレス",
    "early_morning": "早朝",
    "morning": "午前",
    "midday": "昼",
    "afternoon": "午後",
    "evening": "夜",
    "night": "深夜",
    "email": "メール",
    "event": "イベント",
    "granted": "あり",
    "refused": "なし",
}
# What became of people, by what the model predicts.
_OUTCOMES = {
    "lead": Label(ja="受注", en="were won"),
    "churn": Label(ja="離脱", en="left"),
    "revival": Label(ja="商談再開", en="came back"),
    "lookalike": Label(ja="受注", en="were won"),
}
# Before anything was learned.
NO_EXPERIENCE = Experience(Alike(0, 0), ())
_PARTICLES = {"への": "に", "での": "で", "との": "と", "の": "を"}


@dataclass(frozen=True)
class Reason:
    """One subject's part in a score.

    Attributes:
        subject: the group of features, as the catalog names it.
        effect: what the group adds to the calibrated log-odds.
        text: the sentence, with its direction in front.
    """

    subject: str
    effect: float
    text: str


class ReasonWriter:
    """Turns contributions into sentences for one list of features, one language and one model.

    Args:
        features: what the columns of the contributions are, in order.
        language: of names and sentences.
        model: whose contributions they are; it decides whether doing something or silence is the better witness.
        experience: how it went with people of the past who were alike; without it nothing is said of that.

    Attributes:
        features: the same, as a tuple.
        subjects: the groups that the features form, in the order in which they are first met; those that must not be
            said are one group at the end, of which no reason is ever made.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        language: Language,
        model: str = "lead",
        experience: Experience = NO_EXPERIENCE,
    ) -> None:
        self.features = tuple(features)
        self._model = model
        self._columns = {feature.name: place for place, feature in enumerate(self.features)}
        self._experience = experience
        self._language = language
        self._silence_raises = model == "churn"
        spoken = tuple(dict.fromkeys(feature.subject for feature in self.features if feature.spoken))
        silent = [n for n, feature in enumerate(self.features) if not feature.spoken]
        # What must not be said is one group of its own, so that sums stay whole.
        self.subjects = (*spoken, HIDDEN) if silent else spoken
        self._members = [
            [n for n, feature in enumerate(self.features) if feature.subject == subject and feature.spoken]
            for subject in spoken
        ]
        self._members += [silent] if silent else []
        self._belongs = np.zeros((len(self.features), len(self.subjects)))
        for group, members in enumerate(self._members):
            self._belongs[members, group] = 1.0

    def by_subject(self, contributions: Floats) -> Floats:
        """Sums by subject: (rows, columns + 1) becomes (rows, subjects); the starting value is left out."""
        sums: Floats = contributions[:, : len(self.features)] @ self._belongs
        return sums

    def label(self, group: int) -> str:
        """What a subject is called."""
        if self.subjects[group] == HIDDEN:
            return "非表示の項目" if self._language == "ja" else "fields that are not shown"
        label = self.features[self._members[group][0]].subject_label
        return label.ja if self._language == "ja" else label.en

    def strongest(
        self, contributions: Floats, effects: Floats, values: Mapping[str, Any], row: Floats, limit: int = REASONS
    ) -> tuple[Reason, ...]:
        """The reasons that move one person's score most: first what speaks for the person, then what speaks against.

        Args:
            contributions: of one row, shape (columns + 1,), in calibrated log-odds.
            effects: the same by subject, shape (subjects,).
            values: the row itself by feature name; None or NaN where nothing is known.
            row: the same as the model reads it, shape (columns,).
            limit: how many reasons at most.
        """
        # Sorting by rounded size keeps the order when two machines differ in the last bit.
        sizes = np.round(np.abs(effects), 6)
        order = [group for group in np.argsort(-sizes, kind="stable") if self.subjects[group] != HIDDEN][:limit]
        kept = [int(group) for group in order if sizes[group] >= _NEGLIGIBLE]
        kept.sort(key=lambda group: effects[group] < 0)
        said = (self._sentence(group, effects, contributions, values, row) for group in kept)
        return tuple(
            Reason(self.subjects[group], float(effects[group]), text) for group, text in zip(kept, said, strict=True)
        )

    def _sentence(
        self, group: int, effects: Floats, contributions: Floats, values: Mapping[str, Any], row: Floats
    ) -> str:
        """Counted evidence first, then the member that pulls hardest the group's way; else that nothing is known."""
        direction = 1.0 if effects[group] > 0 else -1.0
        members = sorted(self._members[group], key=lambda n: (-round(direction * float(contributions[n]), 6), n))
        features = [self.features[n] for n in members]
        telling = _telling_count(features, values, tell_deeds=(direction > 0) is not self._silence_raises)
        seen = self._last_seen(features, values) if telling is not None else ""
        if telling is None:
            telling = next((one for one in features if phrase(one, values.get(one.name), self._language)), features[0])
        said = phrase(telling, values.get(telling.name), self._language) or _nothing_known(telling, self._language)
        remarks = [remark for remark in (seen, self._how_it_went(telling, row, raises=direction > 0)) if remark]
        return f"{_UP if direction > 0 else _DOWN} {said}{_in_brackets(remarks, self._language)}"

    def _how_it_went(self, feature: Feature, row: Floats, *, raises: bool) -> str:
        """How many of the people who were alike in this came to the outcome; empty where that proves nothing."""
        column = self._columns[feature.name]
        alike = self._experience.supporting(column, float(row[column]), raises=raises)
        if alike is None:
            return ""
        outcome = _OUTCOMES[self._model]
        if self._language == "ja":
            return f"同様の{alike.people:,}人中{alike.won:,}人が{outcome.ja}"
        return f"{alike.won:,} of {alike.people:,} such people {outcome.en}"

    def _last_seen(self, features: Sequence[Feature], values: Mapping[str, Any]) -> str:
        """When the group's action was last seen; empty where that is not known."""
        for feature in features:
            if feature.measure == "days_since" and _known(values.get(feature.name)):
                days = math.floor(float(values[feature.name]))
                if self._language == "ja":
                    return f"最後は{days}日前" if days else "最後は24時間以内"
                return f"last {days} {'day' if days == 1 else 'days'} ago" if days else "last within 24 hours"
        return ""


def _telling_count(features: Sequence[Feature], values: Mapping[str, Any], *, tell_deeds: bool) -> Feature | None:
    """The count that a salesperson would name, of features sorted by their pull.

    What speaks for a deal (or for staying) is something they did: the hardest pulling count above zero. What speaks
    against it is best said as silence, the longer the better; failing that, as how little they did.
    """
    counts = [feature for feature in features if feature.measure == "count" and _known(values.get(feature.name))]
    seen = [feature for feature in counts if values[feature.name] > 0]
    if tell_deeds:
        return seen[0] if seen else None
    silent = [feature for feature in counts if values[feature.name] == 0]
    if silent:
        return max(silent, key=lambda feature: feature.window_days or 0)
    return counts[0] if counts else None


def _known(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def phrase(feature: Feature, value: Any, language: Language) -> str | None:
    """One feature and its value in words; None where there is nothing to say.

    Absent behaviour is said too ("30日間 メールの開封なし"): that somebody is silent is a reason of its own.
    """
    if not _known(value):
        return None
    if feature.type == "category":
        spoken = _SPOKEN.get(str(value), str(value)) if language == "ja" else str(value)
        return _pair(_label(feature, language), spoken, language) if spoken.strip() else None
    number = float(value)
    if feature.measure in ("count", "active_days", "distinct_types", "distinct_topics"):
        return _counted(feature, int(number), language)
    return _measured(feature, number, language)


def _measured(feature: Feature, number: float, language: Language) -> str | None:
    label = _label(feature, language)
    match feature.measure:
        case "heat":
            # A decayed sum has no unit that a person knows; other members of the group say it better.
            return None
        case "momentum":
            times = f"{number:.1f}"
            return f"{label}が{times}倍" if language == "ja" else f"{label}: {times} times the usual"
        case "ratio":
            return _pair(label, f"{number:.1f}{'倍' if language == 'ja' else ' times the usual'}", language)
        case "share":
            return _pair(label, f"{100 * number:.0f}%", language)
        case "open_rate" | "click_rate" | "working_hours_share" | "weekend_share":
            window = _window(feature, language)
            percent = f"{100 * number:.0f}%"
            return f"{window}の{label}が{percent}" if language == "ja" else f"{label} {percent} {window}"
        case "amount":
            window = _window(feature, language)
            return (
                f"{window}の{label}が{number:,.0f}{feature.unit.ja}"
                if language == "ja"
                else f"{label} {number:,.0f} {feature.unit.en} {window}"
            )
        case "days_since":
            return _pair(label, f"{math.floor(number)}日" if language == "ja" else f"{math.floor(number)}", language)
    if feature.custom_type == "boolean":
        return _pair(
            label, ("はい" if number else "いいえ") if language == "ja" else ("yes" if number else "no"), language
        )
    # Ages in days are counted in whole days that have passed; other amounts keep a digit only where it tells something.
    whole = feature.unit.en == "days" or number == round(number)
    amount = f"{math.floor(number):,}" if whole else f"{number:,.1f}"
    if language == "ja":
        return _pair(label, amount + feature.unit.ja, language)
    # Labels such as "days known" name the unit already.
    unit = " days" if feature.unit.en == "days" and not label.startswith("days") else ""
    return _pair(label, amount + unit, language)


def _counted(feature: Feature, count: int, language: Language) -> str:
    """A count within its window, or its absence.

    >>> from core.source_settings import Label
    >>> page = Label(ja="料金ページの閲覧", en="pricing-page visits")
    >>> seen = Feature("p_7d", "intent", "int", "count", "p", page, "engagement", page, Label(ja="回", en="times"), 7)
    >>> _counted(seen, 3, "ja"), _counted(seen, 0, "ja")
    ('料金ページを7日間に3回閲覧', '7日間、料金ページの閲覧なし')
    >>> _counted(seen, 3, "en"), _counted(seen, 0, "en")
    ('pricing-page visits: 3 in the last 7 days', 'no pricing-page visits in the last 7 days')
    """
    label, window = _label(feature, language), _window(feature, language)
    if language == "en":
        return f"{label}: {count:,} {window}" if count else f"no {label} {window}"
    if not count:
        return f"{window}、{label}なし"
    spoken = _ACTION.match(label) if feature.measure == "count" else None
    if spoken is None:
        return f"{label}が{window}に{count:,}{feature.unit.ja}"
    particle = _PARTICLES[spoken["particle"]]
    return f"{spoken['thing']}{particle}{window}に{count:,}{feature.unit.ja}{spoken['action']}"


def _window(feature: Feature, language: Language) -> str:
    if feature.window_days is None:
        return "これまで" if language == "ja" else "so far"
    days = feature.window_days
    if language == "ja":
        return f"{days}日間"
    return f"in the last {days} days" if days > 1 else "in the last day"


def _label(feature: Feature, language: Language) -> str:
    return feature.label.ja if language == "ja" else feature.label.en


def _in_brackets(remarks: Sequence[str], language: Language) -> str:
    if not remarks:
        return ""
    return f"（{'、'.join(remarks)}）" if language == "ja" else f" ({'; '.join(remarks)})"


def _pair(label: str, value: str, language: Language) -> str:
    return f"{label}：{value}" if language == "ja" else f"{label}: {value}"


def _nothing_known(feature: Feature, language: Language) -> str:
    """Nothing of the group has a value: it was never seen, or never filled in."""
    label = feature.subject_label.ja if language == "ja" else feature.subject_label.en
    if feature.kind == "fit":
        return _pair(label, "未登録" if language == "ja" else "not known", language)
    return f"{label}の記録なし" if language == "ja" else f"no record of {label}"
