"""The leakage gate: which columns know the outcome, by what was declared of them and by what they look like."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from core.errors import ContractError, EvidenceError
from core.source_settings import Label
from training.leakage_signs import (
    Coded,
    Floats,
    Labels,
    Outcomes,
    area_together,
    area_where_filled,
    chronological_gap,
    coded,
    filling,
    held_out_log_odds,
    lower_area,
    one_sided,
    outcomes_of,
)
from training.leakage_texts import HEADS, REMEDY, SIDES, SIGNS

Language = Literal["ja", "en"]
Availability = Literal["history", "created", "after"]
"""Since when a value is known: `history`, each with its own time, so that a gap is behaviour; `created`, as declared by
somebody, to be examined; `after`, only once the outcome is there."""

# More rows than these change no sign.
_SAMPLE = 60_000
_LEAST_OF_EACH = 20
# AUC from which a column alone is beyond belief; and from which it is asked whether it beats all others together.
_BEYOND_BELIEF = 0.95
_REMARKABLE = 0.85
_ABOVE_OTHERS = 0.03
_TELLING = 0.70
_LEAST_BLANK = 0.05
# Being filled in alone ranks that much better than chance, and surely.
_FILLING_AREA = 0.10
_FILLING_Z = 8.0
_DRIFT = 0.10
_TREND = 0.65
_LATER_SHARE = 0.02
_AFTER_SHARE = 0.5


@dataclass(frozen=True)
class Sign:
    """One piece of evidence.

    Attributes:
        kind: a key of `training.leakage_texts.SIGNS`.
        decisive: it needs no second sign beside it.
        values: figures of the sentence.
    """

    kind: str
    decisive: bool
    values: Mapping[str, Any]

    def sentence(self, language: Language) -> str:
        """The evidence in words."""
        values = dict(self.values)
        if "side" in values:
            values["side"] = _spoken(SIDES[values["side"]], language)
        return _spoken(SIGNS[self.kind], language).format(**values)


@dataclass(frozen=True)
class Suspect:
    """A column that looks as if it knew the outcome.

    Attributes:
        field: its name.
        signs: what speaks against it, the gravest first.
        trusted: the reason that the configuration gives for using it nevertheless; None without one.
    """

    field: str
    signs: tuple[Sign, ...]
    trusted: str | None = None

    @property
    def strong(self) -> bool:
        """One decisive sign, or filled in on the way to the outcome *and* telling where it is filled in."""
        kinds = {sign.kind for sign in self.signs}
        return any(sign.decisive for sign in self.signs) or {"filled", "telling"} <= kinds

    def sentence(self, language: Language) -> str:
        """Field and evidence in words."""
        pause, colon = ("。", "：") if language == "ja" else ("; ", ": ")
        return self.field + colon + pause.join(sign.sentence(language) for sign in self.signs)


@dataclass(frozen=True)
class LeakReport:
    """What the gate found.

    Attributes:
        suspects: the strong ones first.
        undeclared: columns of which nobody said since when they are known.
        left_out: columns that were declared as known only afterwards.
    """

    suspects: tuple[Suspect, ...] = ()
    undeclared: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def strong(self) -> tuple[str, ...]:
        """Fields with strong evidence against them that nobody vouches for: training must stop."""
        return tuple(one.field for one in self.suspects if one.strong and one.trusted is None)

    @property
    def weak(self) -> tuple[str, ...]:
        """Fields to look at."""
        return tuple(one.field for one in self.suspects if not one.strong and one.trusted is None)

    @property
    def trusted(self) -> Mapping[str, str]:
        """Fields with evidence against them that are used by configuration, with the reasons given."""
        return {one.field: one.trusted for one in self.suspects if one.trusted is not None}

    def lines(self, language: Language) -> list[str]:
        """The report: what stops, what to look at, each field with its evidence, and what to do."""
        lines: list[str] = []
        for head, fields in (("strong", self.strong), ("weak", self.weak)):
            if fields:
                lines.append(_head(head, language, fields))
                lines += ["- " + one.sentence(language) for one in self.suspects if one.field in fields]
        if self.trusted:
            lines.append(_head("trusted", language, tuple(self.trusted)))
            for one in self.suspects:
                if one.trusted is not None:
                    lines.append(f"- {one.sentence(language)} [{one.trusted}]")
        if self.strong or self.weak:
            lines.append(_spoken(HEADS["remedy"], language).format(remedy=_spoken(REMEDY, language)))
        for head, fields in (("undeclared", self.undeclared), ("left_out", self.left_out)):
            if fields:
                lines.append(_head(head, language, fields))
        return lines or [_spoken(HEADS["clean"], language)]

    def to_frame(self) -> pd.DataFrame:
        """One row a sign: field, strong, kind, evidence (English), trusted."""
        return pd.DataFrame(
            [
                (one.field, one.strong, sign.kind, sign.sentence("en"), one.trusted)
                for one in self.suspects
                for sign in one.signs
            ],
            columns=["field", "strong", "kind", "evidence", "trusted"],
        )

    def __str__(self) -> str:
        return "\n".join(self.lines("en"))


@dataclass(frozen=True)
class _Unit:
    """What counts as one piece of evidence: each row, or each person once, with whether the outcome ever came.

    Attributes:
        rows: positions in the frame.
        outcomes: what came of each.
        moments: when each was asked about; None where that is not known.
    """

    rows: NDArray[np.int64]
    outcomes: Outcomes
    moments: NDArray[Any] | None


@dataclass
class _Column:
    """A column while it is examined."""

    name: str
    unit: _Unit
    values: Coded
    area: float
    said: Floats
    signs: list[Sign] = field(default_factory=list)


def find_leaks(
    X: pd.DataFrame | pa.Table,  # noqa: N803  # the name that scikit-learn calls it by
    y: ArrayLike,
    time: ArrayLike | None = None,
    *,
    availability: Mapping[str, Availability] | None = None,
    circle: NDArray[np.int64] | None = None,
    person: ArrayLike | None = None,
    filled_at: Mapping[str, ArrayLike] | None = None,
    outcome_at: ArrayLike | None = None,
    trusted: Mapping[str, str] | None = None,
    random_state: int = 0,
) -> LeakReport:
    """Hold every column against the outcome, without knowing what any of them is called.

    The principle: what is known beforehand is vague, and filled in as well for those who will be lost. So a column is
    suspect when it alone ranks too well, when a value occurs on one side of the outcome only, when it is filled in more
    often on one side, when what is filled in tells too much, when its strength vanishes on newer rows, when its dates
    lie ahead, or when it was filled in after the outcome. Signs of chance are kept out by confidence limits.

    Args:
        X: one row each; numbers, texts, dates, blanks.
        y: truth values.
        time: each row's moment of prediction, or any number that gives their order; dates are compared with dates.
        availability: what was declared of the columns; those that it lacks are reported as undeclared, those that are
            known `after` are not examined, and those with a `history` only for being beyond belief. None: nothing
            declared, and nothing reported about that.
        circle: rows with equal numbers share people, deals or accounts: they are never divided, and count once where
            people are counted.
        person: whose row it is, where people have several. What is known of a person at all times alike (all but a
            `history`) is held against whether the outcome ever came, each person once: on rows a rating that was
            written down at the closing would hide behind the earlier rows of those who were won later.
        filled_at: by column, when each row's value was filled in.
        outcome_at: when each row's outcome came; needed for `filled_at`.
        trusted: columns to be used in spite of evidence, with the reason.
        random_state: seed of folds and sample.

    Raises:
        ContractError: rows and outcomes differ in number.
        EvidenceError: fewer than 20 rows of one outcome: nothing can be told.
    """
    frame = X.to_pandas() if isinstance(X, pa.Table) else X
    label = np.asarray(y).astype(np.bool_)
    if len(label) != len(frame):
        raise ContractError(f"{len(frame)} rows and {len(label)} outcomes", "as many of both", "align them")
    if min(int(label.sum()), int((~label).sum())) < _LEAST_OF_EACH:
        raise EvidenceError(
            f"there are {int(label.sum())} wins in {len(label)} rows", f"at least {_LEAST_OF_EACH} of both", "wait"
        )
    moments = None if time is None else _order_or_moments(time)
    rows = _sampled(len(label), random_state)
    by_row = _unit(rows, label, moments, circle, random_state)
    by_person = (
        by_row if person is None else _each_person(rows, label, moments, circle, np.asarray(person), random_state)
    )
    declared = availability or {}
    columns = []
    for name in map(str, frame.columns):
        if declared.get(name) == "after":
            continue
        unit = by_row if declared.get(name) == "history" else by_person
        values = frame[name].iloc[unit.rows]
        column = _examined(name, values, unit)
        if declared.get(name) != "history":
            column.signs += _signs(column)
            filled = None if filled_at is None or name not in filled_at else np.asarray(filled_at[name])[unit.rows]
            settled = None if outcome_at is None else np.asarray(outcome_at)[unit.rows]
            column.signs += _time_signs(values, unit.moments, filled, settled)
        columns.append(column)
    _compare_with_others(columns, frame, {name for name, since in declared.items() if since == "history"})
    reasons = trusted or {}
    suspects = [Suspect(one.name, tuple(one.signs), reasons.get(one.name)) for one in columns if one.signs]
    area = {one.name: one.area for one in columns}
    suspects.sort(key=lambda one: (not one.strong, -area[one.field]))
    undeclared = () if availability is None else tuple(one.name for one in columns if one.name not in declared)
    left_out = tuple(name for name in map(str, frame.columns) if declared.get(name) == "after")
    return LeakReport(tuple(suspects), undeclared, left_out)


def _sampled(rows: int, seed: int) -> NDArray[np.int64]:
    if rows <= _SAMPLE:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, _SAMPLE, replace=False))


def _unit(
    rows: NDArray[np.int64], label: Labels, moments: NDArray[Any] | None, circle: NDArray[np.int64] | None, seed: int
) -> _Unit:
    when = None if moments is None else moments[rows]
    together = None if circle is None else np.asarray(circle)[rows]
    return _Unit(rows, outcomes_of(label[rows], when, together, seed), when)


def _each_person(
    rows: NDArray[np.int64],
    label: Labels,
    moments: NDArray[Any] | None,
    circle: NDArray[np.int64] | None,
    person: NDArray[Any],
    seed: int,
) -> _Unit:
    """Each person's last row, with whether the outcome ever came; all rows where that leaves too few of a kind."""
    number = np.unique(person[rows], return_inverse=True)[1]
    ever = np.zeros(int(number.max()) + 1, dtype=np.bool_)
    np.logical_or.at(ever, number, label[rows])
    if min(int(ever.sum()), int((~ever).sum())) < _LEAST_OF_EACH:
        return _unit(rows, label, moments, circle, seed)
    order = np.argsort(moments[rows], kind="stable") if moments is not None else np.arange(len(rows))
    last = np.empty(len(ever), dtype=np.int64)
    last[number[order]] = order
    whole = np.zeros(len(label), dtype=np.bool_)
    whole[rows[last]] = ever
    return _unit(rows[last], whole, moments, circle, seed)


def _examined(name: str, values: "pd.Series[Any]", unit: _Unit) -> _Column:
    """The column, with a sign where it alone is beyond belief, whatever was declared of it."""
    column = coded(values)
    said = held_out_log_odds(column, unit.outcomes)
    found = _Column(name, unit, column, lower_area(unit.outcomes.label, said), said)
    if found.area >= _BEYOND_BELIEF:
        found.signs.append(Sign("alone", True, {"found": _percent(found.area)}))
    return found


def _signs(column: _Column) -> list[Sign]:
    signs: list[Sign] = []
    outcomes = column.unit.outcomes
    alone = one_sided(column.values, outcomes)
    if alone is not None:
        counted = {"people": alone.people, "side": alone.won, "expected": round(alone.expected)}
        signs.append(Sign("one_sided", True, counted))
    fill = filling(column.values, outcomes.label)
    if not column.values.is_amount and abs(fill.won - fill.lost) / 2 >= _FILLING_AREA and abs(fill.z) >= _FILLING_Z:
        signs.append(Sign("filled", False, {"won": _percent(fill.won), "lost": _percent(fill.lost)}))
    if float((~column.values.filled).mean()) >= _LEAST_BLANK:
        area = area_where_filled(column.values, outcomes, column.said)
        if area >= _TELLING:
            signs.append(Sign("telling", False, {"found": _percent(area)}))
    gap = chronological_gap(column.values, outcomes) if column.area >= _TREND else None
    if gap is not None and gap[0] - gap[1] >= _DRIFT:
        signs.append(Sign("drifting", False, {"found": _percent(gap[0]), "later": _percent(gap[1])}))
    return signs


def _time_signs(
    values: "pd.Series[Any]",
    moments: NDArray[Any] | None,
    filled_at: NDArray[Any] | None,
    outcome_at: NDArray[Any] | None,
) -> list[Sign]:
    """What calendars say: dates ahead of the prediction, and values filled in when the outcome was there."""
    signs = []
    if (
        moments is not None
        and np.issubdtype(moments.dtype, np.datetime64)
        and pd.api.types.is_datetime64_any_dtype(values.dtype)
    ):
        dates = pd.to_datetime(values, utc=True)
        known = dates.notna().to_numpy()
        ahead = (dates > pd.to_datetime(pd.Series(moments, index=values.index), utc=True)).to_numpy()
        if known.any() and float(ahead[known].mean()) >= _LATER_SHARE:
            signs.append(Sign("later", False, {"share": _percent(float(ahead[known].mean()))}))
    if filled_at is not None and outcome_at is not None:
        filled = pd.to_datetime(pd.Series(filled_at), utc=True)
        settled = pd.to_datetime(pd.Series(outcome_at), utc=True)
        both = (filled.notna() & settled.notna()).to_numpy()
        after = (filled >= settled).to_numpy()
        if both.sum() >= _LEAST_OF_EACH and float(after[both].mean()) >= _AFTER_SHARE:
            signs.append(Sign("after_outcome", True, {"share": _percent(float(after[both].mean()))}))
    return signs


def _compare_with_others(columns: list[_Column], frame: pd.DataFrame, proven: Collection[str]) -> None:
    """Columns that alone rank better than all lesser ones together, whatever greater leaks stand above them.

    Args:
        columns: as they were examined.
        frame: their values.
        proven: names of columns whose times are on record; they may be as strong as they are.
    """
    ordered = sorted(columns, key=lambda one: -one.area if np.isfinite(one.area) else 0.0)
    for place, column in enumerate(ordered):
        if not column.area >= _REMARKABLE:
            return
        if column.name in proven:
            continue
        unit = column.unit
        said = [
            one.said if one.unit is unit else held_out_log_odds(coded(frame[one.name].iloc[unit.rows]), unit.outcomes)
            for one in ordered[place + 1 :]
        ]
        others = area_together(said, unit.outcomes)
        if column.area >= others + _ABOVE_OTHERS:
            values = {"found": _percent(column.area), "others": _percent(others)}
            column.signs.insert(0, Sign("above_all", True, values))


def _order_or_moments(time: ArrayLike) -> NDArray[Any]:
    """Numbers as they are; moments in UTC, whatever their zone was."""
    given = pd.Series(time).reset_index(drop=True)
    if pd.api.types.is_datetime64_any_dtype(given.dtype):
        return np.asarray(pd.to_datetime(given, utc=True).dt.tz_localize(None))
    return given.to_numpy()


def _percent(share: float) -> str:
    return f"{100 * share:.0f}"


def _head(key: str, language: Language, fields: tuple[str, ...]) -> str:
    return _spoken(HEADS[key], language).format(fields=("、" if language == "ja" else ", ").join(fields))


def _spoken(label: Label, language: Language) -> str:
    return label.ja if language == "ja" else label.en
