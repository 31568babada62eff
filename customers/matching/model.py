"""What agreement is worth: a mixture of one person, related people and strangers, learned without labels."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from customers.matching.comparisons import BLANK, LEVELS, Levels
from customers.matching.fields import Codes, Form, Kind, Prepared

Floats = npt.NDArray[np.float64]
_ROUNDS = 60
_SETTLED = 1e-4
_PRIOR = 2.0  # pairs' worth of belief in the starting shape: keeps levels that nobody shows from being impossible


# What people who are not the same have in common: how often a field agrees, above chance, in a household and among
# colleagues. Only how many such pairs there are is learned: free rates would drift to whatever else is frequent.
_SHARED: tuple[dict[Kind, float], ...] = (
    {"family_name": 0.9, "address": 0.9, "code": 0.9, "place": 0.95, "phone": 0.7, "email": 0.4, "text": 0.5},
    {"company": 0.95, "address": 0.8, "code": 0.8, "place": 0.9, "phone": 0.7, "email": 0.2, "text": 0.5},
)
# One person's records differ in a field no more often than this. Where nobody is in the data twice, the class of one
# person would otherwise settle on whatever pairs are left over.
_MOST_DIFFERENT: dict[Kind, float] = {
    "given_name": 0.1, "family_name": 0.2, "date": 0.3, "identifier": 0.3, "code": 0.3, "place": 0.3, "address": 0.35,
    "company": 0.35, "text": 0.4, "phone": 0.45, "email": 0.45,
}  # fmt: skip
# Of the records of one person that are not quite different, this share is equal or a slip of the pen apart.
_LEAST_CLOSE = 0.5


@dataclass(frozen=True)
class MatchModel:
    """Chances of each level between records of one person and between those of strangers, and how many pairs are what.

    Related people lie between: in each field that they share they agree as one person does, else as strangers do.
    """

    same: tuple[Floats, ...]
    strangers: tuple[Floats, ...]
    shared: Floats
    prior_same: float
    prior_related: Floats

    def probability(self, levels: Levels, rarity: Floats) -> Floats:
        """The chance of each pair to be one person; `rarity` as `Rarity.of` gives it."""
        return _posteriors(self, levels, rarity)[:, 0]

    def ceiling(self, levels: Levels, rarity: Floats, exact: Sequence[int]) -> Floats:
        """The most that `probability` can be of pairs whose fields were not compared yet.

        Args:
            levels: one row a pair; the best level that each field can have, 0 where it is equal.
            rarity: of these pairs; where a field is equal no more than what it is for the value.
            exact: the places of the fields whose levels are those that they have.
        """
        worth = np.zeros(len(levels))
        told = _worths(self, levels, rarity)
        for place, (m, u, (rows, known)) in enumerate(zip(self.same, self.strangers, told, strict=True)):
            if place not in exact:
                level = levels[rows, place]
                # A mailbox that is alike may count for nothing at all.
                best = np.maximum.accumulate(np.append(np.log(m / u), 0.0)[::-1])[::-1]
                known = np.where(level > 0, best[level], known)
            worth[rows] += known
        # Kinship only ever takes from the chance of being one person.
        rest = max(1 - self.prior_same - float(self.prior_related.sum()), 1e-12)
        return np.asarray(expit(worth + np.log(self.prior_same / rest)))

    def related(self, levels: Levels, rarity: Floats) -> Floats:
        """The chance of each pair to be two people of a household or colleagues."""
        return np.asarray(_posteriors(self, levels, rarity)[:, 1:].sum(axis=1))

    def weights(self, levels: Levels, rarity: Floats) -> Floats:
        """What each field says for one person and against strangers, in bits; 0 where either side is blank.

        The logarithm of how much likelier the agreement is between records of one person (Fellegi and Sunter, 1969).
        """
        found = np.zeros(levels.shape)
        for place, (told, worth) in enumerate(_worths(self, levels, rarity)):
            found[told, place] = worth / np.log(2)
        return found


@dataclass(frozen=True)
class Shares:
    """How common the values of one form are among people: logarithms of their shares, by the marks of the values.

    `marks` are sorted; `alone` is the logarithm of any value's share that at most one person bears, and which is not
    among them.
    """

    marks: npt.NDArray[np.uint64]
    logs: Floats
    alone: float

    def of(self, values: Sequence[str]) -> Floats:
        """The logarithm of each value's share."""
        found = np.full(len(values), self.alone)
        if len(self.marks) and len(values):
            asked = np.array([_mark(value) for value in values], np.uint64)
            places = np.searchsorted(self.marks, asked).clip(max=len(self.marks) - 1)
            known = self.marks[places] == asked
            found[known] = self.logs[places[known]]
        return found


def _mark(value: str) -> int:
    """A number for a text, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "little")


Logs = dict[tuple[int, int], Floats]


def count_logs(fields: Sequence[Prepared], groups: Codes) -> Logs:
    """The logarithm of each value's share, for every form, by the places of the field and of its form.

    Args:
        fields: the compared fields.
        groups: for each record the person that it is taken for; a value is counted once a person.
    """
    return {
        (place, number): _form_logs(form, groups)
        for place, field in enumerate(fields)
        for number, form in enumerate(field.forms)
    }


def _form_logs(form: Form, groups: Codes) -> Floats:
    told = np.flatnonzero(form.codes >= 0)
    bearers = np.unique(form.codes[told].astype(np.int64) * len(form.codes) + groups[told]) // len(form.codes)
    counts, total = np.bincount(bearers, minlength=len(form.values)), max(len(bearers), 1)
    # Once more for what nobody bears: the share of a value that is met for the first time.
    return np.asarray(np.log(np.append(counts, 1).clip(1) / total))


def keep_shares(fields: Sequence[Prepared], logs: Logs) -> dict[tuple[int, int], Shares]:
    """What `count_logs` said, for values of other records."""
    kept = {}
    for (place, number), found in logs.items():
        form, alone = fields[place].forms[number], float(found[-1])
        common = np.flatnonzero(found[:-1] > alone)
        marks = np.array([_mark(form.values[code]) for code in common], np.uint64)
        order = np.argsort(marks)
        kept[place, number] = Shares(marks[order], found[:-1][common][order], alone)
    return kept


def known_logs(fields: Sequence[Prepared], shares: dict[tuple[int, int], Shares]) -> Logs:
    """The logarithm of each value's share among those records that the shares were counted on."""
    return {
        (place, number): shares[place, number].of(form.values)
        for place, field in enumerate(fields)
        for number, form in enumerate(field.forms)
    }


class Rarity:
    """How rare each value is: agreeing on a rare value says more than agreeing on a common one.

    Args:
        fields: the compared fields of the records.
        logs: how common their values are, as `count_logs` or `known_logs` says.
    """

    def __init__(self, fields: Sequence[Prepared], logs: Logs) -> None:
        self._fields = fields
        self._logs = [
            [logs[place, number] for number, _ in enumerate(field.forms)] for place, field in enumerate(fields)
        ]

    def of(self, left: Codes, right: Codes, levels: Levels) -> Floats:
        """For pairs of records with these levels: the logarithm of equal values' share in the data, 0 elsewhere."""
        found = np.zeros(levels.shape)
        for place, (field, logs) in enumerate(zip(self._fields, self._logs, strict=True)):
            equal = np.flatnonzero(levels[:, place] == 0)
            for form, share in zip(field.forms, logs, strict=True):
                a = form.codes[left[equal]]
                agree = (a >= 0) & (a == form.codes[right[equal]])
                found[equal[agree], place] = np.minimum(found[equal[agree], place], share[a[agree]])
        return found


def learn_model(
    fields: Sequence[Prepared],
    levels: Levels,
    rarity: Floats,
    weight: Floats,
    candidates: npt.NDArray[np.bool_],
    records: int,
) -> MatchModel:
    """Estimate the mixture by expectation maximisation.

    Pairs that are no candidates share nothing that tells anybody from others: they are strangers. Left to themselves
    the few that were sampled, which stand for nearly all pairs, would take chance agreement for kinship.

    Args:
        fields: the compared fields.
        levels: one row a pair: the candidates, and a sample of all other pairs.
        rarity: of these pairs.
        weight: how many pairs each row stands for; all together are all pairs of records.
        candidates: which of the rows are candidates.
        records: how many records there are.
    """
    levels, rarity, weight, candidates = _patterns(levels, rarity, weight, candidates)
    total = max(float(weight.sum()), 1.0)
    per_record = min(max(records, 1) / total, 0.5)
    shapes = [_falling(LEVELS[field.kind], 0.75) for field in fields]
    strangers = tuple(_share(levels[:, place], weight, shape, 1.0) for place, shape in enumerate(shapes))
    shared = np.array([[circle.get(field.kind, 0.0) * field.shareable for field in fields] for circle in _SHARED])
    model = MatchModel(tuple(shapes), strangers, shared, 0.3 * per_record, np.full(2, 0.1 * per_record))
    before = np.zeros(len(levels))
    for _ in range(_ROUNDS):
        chances = _posteriors(model, levels, rarity) * candidates[:, None]
        model = _maximise(fields, levels, weight, chances, shapes, shared)
        if np.abs(chances[:, 0] - before).max(initial=0.0) < _SETTLED:
            break
        before = chances[:, 0]
    return model


def _patterns(
    levels: Levels, rarity: Floats, weight: Floats, candidates: npt.NDArray[np.bool_]
) -> tuple[Levels, Floats, Floats, npt.NDArray[np.bool_]]:
    """Rows that look alike as one row of their common weight; rarity in steps of a half."""
    steps = np.round(rarity * 2) / 2
    signs = (levels + 1).astype(np.uint64) * np.uint64(1000) + (-2 * steps).astype(np.uint64)
    with np.errstate(over="ignore"):
        marks = signs @ np.random.default_rng(0).integers(1, 2**63, levels.shape[1], dtype=np.uint64)
        marks += candidates
    _, first, which = np.unique(marks, return_index=True, return_inverse=True)
    return levels[first], steps[first], np.bincount(which, weights=weight).astype(np.float64), candidates[first]


def _maximise(
    fields: Sequence[Prepared], levels: Levels, weight: Floats, chances: Floats, shapes: list[Floats], shared: Floats
) -> MatchModel:
    matches, rest = weight * chances[:, 0], weight * (1 - chances.sum(axis=1))
    same, strangers = [], []
    for place, (field, shape) in enumerate(zip(fields, shapes, strict=True)):
        same.append(_bounded(_share(levels[:, place], matches, shape, _PRIOR), _MOST_DIFFERENT[field.kind]))
        strangers.append(_share(levels[:, place], rest, np.full(len(shape), 1 / len(shape)), 1.0))
    # One pair more of each kind and three of strangers: no kind is impossible, and nothing is certain.
    priors = (weight @ chances + 1) / (float(weight.sum()) + 6)
    return MatchModel(tuple(same), tuple(strangers), shared, float(priors[0]), priors[1:])


def _bounded(share: Floats, most: float) -> Floats:
    """The nearest shares in which "different" has at most its bound, and the two best levels at least theirs."""
    last = min(float(share[-1]), most)
    near, between = share[:2], share[2:-1]
    close = max(float(near.sum()), _LEAST_CLOSE * (1 - last)) if len(between) else 1 - last
    middle = max(1 - last - close, 0.0) if len(between) else 0.0
    if float(share[2:-1].sum()) < middle:
        close, middle = 1 - last - float(between.sum()), float(between.sum())
    return np.concatenate([near * close / near.sum(), between * middle / max(between.sum(), 1e-12), [last]])


def _falling(count: int, best: float) -> Floats:
    """A shape to begin with: mostly equal, each further level less likely."""
    rest = 0.5 ** np.arange(count - 1)
    return np.concatenate([[best], (1 - best) * rest / rest.sum()])


def _share(column: npt.NDArray[np.int8], weight: Floats, shape: Floats, belief: float) -> Floats:
    told = column != BLANK
    counted = np.bincount(column[told], weights=weight[told], minlength=len(shape)) + belief * shape
    return np.asarray(counted / counted.sum())


def _posteriors(model: MatchModel, levels: Levels, rarity: Floats) -> Floats:
    """Chances of one person, of a household and of colleagues; the rest are strangers."""
    logs = np.tile(np.log(np.append(model.prior_same, model.prior_related)), (len(levels), 1))
    for place, (told, worth) in enumerate(_worths(model, levels, rarity)):
        logs[told, 0] += worth
        for circle, share in enumerate(model.shared[:, place], start=1):
            if share:
                logs[told, circle] += np.logaddexp(np.log(share) + worth, np.log1p(-share))
    rest = np.log(max(1 - model.prior_same - float(model.prior_related.sum()), 1e-12))
    top = np.maximum(logs.max(axis=1), rest)
    chances = np.exp(logs - top[:, None])
    return np.asarray(chances / (chances.sum(axis=1) + np.exp(rest - top))[:, None])


def _worths(model: MatchModel, levels: Levels, rarity: Floats) -> Iterator[tuple[npt.NDArray[np.int64], Floats]]:
    """For each field the pairs in which both sides tell it, and the log-likelihood ratio of one person to strangers."""
    for place, (m, u) in enumerate(zip(model.same, model.strangers, strict=True)):
        column = levels[:, place]
        told = np.flatnonzero(column != BLANK)
        level = column[told]
        worth = np.log(m / u)[level]
        # Between strangers a value is as likely as it is common.
        rare = rarity[told, place]
        equal = (level == 0) & (rare < 0)
        worth[equal] = np.log(m[0]) - rare[equal]
        yield told, worth
