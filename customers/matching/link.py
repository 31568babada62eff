"""The job: prepare the fields, find candidates, compare them, learn what agreement is worth, decide, cluster."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.storage import connect_duckdb
from customers.matching.candidates import add_blocks, pairs_of_blocks
from customers.matching.clusters import cluster_pairs
from customers.matching.comparisons import Comparer, count_grams
from customers.matching.fields import Codes, Field, Prepared, prepare_fields
from customers.matching.knowledge import Floats, Judge, Knowledge
from customers.matching.model import Rarity, count_logs, keep_shares, learn_model

_LEARNED_FROM = 200_000
_SAMPLED = 50_000
_LEAST = 0.01


@dataclass(frozen=True)
class Learned:
    """What was learned from records, and those of their pairs that may be one person.

    `left`, `right` and `probability` say for pairs of record numbers how likely they are one person (pairs below 0.01
    are left out); `judge` says it of any other pairs of these records, and why.
    """

    knowledge: Knowledge
    judge: Judge
    left: Codes
    right: Codes
    probability: Floats


@dataclass(frozen=True)
class Linkage:
    """For each row of a table the first row of its `clusters`, and what they were made from."""

    learned: Learned
    clusters: Codes


def link_records(table: pa.Table, fields: Sequence[Field], *, seed: int = 0) -> Linkage:
    """Find the rows of a table that are one person, without being told any example.

    Args:
        table: one row a record; the compared columns are text.
        fields: what is compared, and how.
        seed: of the sample of pairs that strangers are learned from.
    """
    with connect_duckdb() as connection:
        learned = learn(connection, prepare_fields(table, fields), table.num_rows, seed=seed)
    return Linkage(learned, _clusters(learned, table.num_rows))


def learn(connection: duckdb.DuckDBPyConnection, fields: Sequence[Prepared], records: int, *, seed: int = 0) -> Learned:
    """Learn from all records what agreement is worth; leaves their `ranked_keys` in the DuckDB connection.

    Learned twice: how rare a value is depends on how many people bear it, which the first round tells.
    """
    commonness = add_blocks(connection, fields, records)
    candidates = pairs_of_blocks(connection, records)
    connection.execute("DROP TABLE blocks")
    left, right = candidates.left, candidates.right
    grams = count_grams(fields)
    comparer = Comparer(fields, grams)
    levels = comparer.levels(left, right)
    random = np.random.default_rng(seed)
    other_left, other_right, others = _other_pairs(records, left, right, random)
    chosen = _sample(len(left), _LEARNED_FROM, random)
    weight = np.concatenate(
        [
            np.full(len(chosen), len(left) / max(len(chosen), 1)),
            np.full(len(other_left), others / max(len(other_left), 1)),
        ]
    )
    learned_levels = np.concatenate([levels[chosen], comparer.levels(other_left, other_right)])
    is_candidate = np.arange(len(learned_levels)) < len(chosen)
    learned_left = np.concatenate([left[chosen], other_left])
    learned_right = np.concatenate([right[chosen], other_right])

    def judged(people: Codes) -> Learned:
        logs = count_logs(fields, people)
        rarity = Rarity(fields, logs)
        learned_rarity = rarity.of(learned_left, learned_right, learned_levels)
        model = learn_model(fields, learned_levels, learned_rarity, weight, is_candidate, records)
        judge = Judge(fields, comparer, rarity, model)
        probability = judge.probability(left, right, levels)
        likely = np.flatnonzero(probability >= _LEAST)
        probability = probability[likely]
        threshold = _best_threshold(probability)
        knowledge = Knowledge(model, keep_shares(fields, logs), grams, commonness, threshold, records)
        return Learned(knowledge, judge, left[likely], right[likely], probability)

    first = judged(np.arange(records, dtype=np.int32))
    return judged(_clusters(first, records))


def _clusters(learned: Learned, records: int) -> Codes:
    found = (learned.left, learned.right, learned.probability)
    return cluster_pairs(records, *found, learned.knowledge.threshold, learned.judge.probability)


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
