"""The job: prepare the fields, find candidates, compare them, learn what agreement is worth, decide, cluster."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from customers.matching.candidates import find_candidates
from customers.matching.clusters import cluster_pairs
from customers.matching.comparisons import LEVELS, Comparer, Levels
from customers.matching.fields import Codes, Field, prepare_fields
from customers.matching.model import MatchModel, Rarity, learn_model

Floats = npt.NDArray[np.float64]
_LEARNED_FROM = 200_000
_SAMPLED = 50_000
_ROUNDS = 2
_LEAST = 0.01
_PAIRS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Evidence:
    """Why pairs are as likely one person as they are: one row a pair, one column for each of `fields`.

    `levels` says how well the two agree (0: equal, the field's `last_level`: different, `BLANK`: either is blank),
    `bits` what that says for one person and against strangers; `related` is the chance that the two are a couple,
    relatives or colleagues.
    """

    fields: tuple[str, ...]
    last_level: tuple[int, ...]
    levels: Levels
    bits: Floats
    related: Floats


@dataclass(frozen=True)
class Linkage:
    """Pairs that may be one person, and the clusters that they form.

    `left`, `right` and `probability` say for pairs of row numbers how likely they are one person (pairs below 0.01
    are left out); `clusters` holds for each row the first row of its cluster; `threshold` is the average probability
    that united groups reach; `model` is what was learned, and `score` gives the probability of any other pairs,
    `explain` their evidence.
    """

    left: Codes
    right: Codes
    probability: Floats
    clusters: Codes
    threshold: float
    model: MatchModel
    score: Callable[[Codes, Codes], Floats]
    explain: Callable[[Codes, Codes], Evidence]


def link_records(table: pa.Table, fields: Sequence[Field], *, seed: int = 0) -> Linkage:
    """Find the rows of a table that are one person, without being told any example.

    Args:
        table: one row a record; the compared columns are text.
        fields: what is compared, and how.
        seed: of the sample of pairs that strangers are learned from.
    """
    records = table.num_rows
    prepared = prepare_fields(table, fields)
    candidates = find_candidates(prepared, records)
    left, right = candidates.left, candidates.right
    comparer = Comparer(prepared)
    levels = comparer.levels(left, right)
    random = np.random.default_rng(seed)
    other_left, other_right, others = _other_pairs(records, left, right, random)
    other_levels = comparer.levels(other_left, other_right)
    chosen = _sample(len(left), _LEARNED_FROM, random)
    weight = np.concatenate(
        [
            np.full(len(chosen), len(left) / max(len(chosen), 1)),
            np.full(len(other_left), others / max(len(other_left), 1)),
        ]
    )
    learned_levels = np.concatenate([levels[chosen], other_levels])
    learned_left = np.concatenate([left[chosen], other_left])
    learned_right = np.concatenate([right[chosen], other_right])
    groups = np.arange(records, dtype=np.int32)
    for _ in range(_ROUNDS):
        rarity = Rarity(prepared, groups)
        learned_rarity = rarity.of(learned_left, learned_right, learned_levels)
        model = learn_model(prepared, learned_levels, learned_rarity, weight, records)
        probability = _probabilities(model, rarity, left, right, levels)

        def score(a: Codes, b: Codes, model: MatchModel = model, rarity: Rarity = rarity) -> Floats:
            return _probabilities(model, rarity, a, b, comparer.levels(a, b))

        def explain(a: Codes, b: Codes, model: MatchModel = model, rarity: Rarity = rarity) -> Evidence:
            found = comparer.levels(a, b)
            rare = rarity.of(a, b, found)
            return Evidence(
                tuple(field.name for field in prepared),
                tuple(LEVELS[field.kind] - 1 for field in prepared),
                found,
                model.weights(found, rare),
                model.related(found, rare),
            )

        likely = probability >= _LEAST
        threshold = _best_threshold(probability[likely])
        groups = cluster_pairs(records, left[likely], right[likely], probability[likely], threshold, score)
    return Linkage(left[likely], right[likely], probability[likely], groups, threshold, model, score, explain)


def _probabilities(model: MatchModel, rarity: Rarity, left: Codes, right: Codes, levels: Levels) -> Floats:
    """By parts: what is computed on the way takes a hundred times the space of its result."""
    found = np.empty(len(left))
    for start in range(0, len(left), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        found[part] = model.probability(levels[part], rarity.of(left[part], right[part], levels[part]))
    return found


def _best_threshold(probability: Floats) -> float:
    """Where F1 is best, from the probabilities alone: each accepted pair is right with its own probability.

    The best expected F1 is reached at half of itself (Lipton, Elkan and Naryanaswamy, 2014).

    >>> round(_best_threshold(np.array([0.9, 0.8, 0.2])), 2)
    0.44
    """
    falling = np.sort(probability)[::-1]
    if not len(falling):
        return 1.0
    right, count = np.cumsum(falling), np.arange(1, len(falling) + 1)
    return float((right / (count + right[-1])).max())


def _sample(count: int, most: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    return np.arange(count) if count <= most else np.sort(random.choice(count, most, replace=False))


def _other_pairs(records: int, left: Codes, right: Codes, random: np.random.Generator) -> tuple[Codes, Codes, float]:
    """A sample of the pairs that are no candidates, and how many of them there are."""
    total = records * (records - 1) / 2 - len(left)
    if total <= 0:
        return np.empty(0, np.int32), np.empty(0, np.int32), 0.0
    a, b = random.integers(0, records, (2, _SAMPLED))
    pair = np.unique(np.minimum(a, b) * records + np.maximum(a, b))
    pair = pair[pair // records != pair % records]
    pair = np.setdiff1d(pair, left.astype(np.int64) * records + right, assume_unique=True)
    return (pair // records).astype(np.int32), (pair % records).astype(np.int32), total
