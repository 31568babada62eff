"""Linkage without labels, on registers whose truth is known."""

import itertools

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from benchmarks.identity_people import Register, households, offices_ja
from benchmarks.identity_quality_measure import pairwise
from core.errors import ConfigurationError
from core.storage import connect_duckdb
from customers.matching import Field, Linkage, link_records
from customers.matching.candidates import add_blocks, pairs_of_blocks
from customers.matching.combinations import MOST_JOINED, JoinedKeys, MarkSet
from customers.matching.fields import prepare_fields
from customers.matching.model import learn_model


def linked(register: Register) -> Linkage:
    return link_records(pa.Table.from_pandas(register.table, preserve_index=False), register.fields)


def quality(register: Register) -> tuple[float, float, float]:
    return pairwise(linked(register).clusters.astype(np.int64), pd.factorize(register.truth)[0])


def test_people_are_found_and_households_are_not_merged():
    register = households("small", 800, seed=31, copies=0.5, slips=0.15, blanks=0.15, shared=0.3)
    precision, recall, _ = quality(register)
    assert precision >= 0.96
    assert recall >= 0.95


def test_japanese_colleagues_at_one_switchboard_are_not_merged():
    precision, recall, _ = quality(offices_ja("small", 800, seed=32, copies=0.5, slips=0.1, blanks=0.1))
    assert precision >= 0.96
    assert recall >= 0.88


def test_where_nobody_is_in_the_data_twice_next_to_nobody_is_merged():
    register = households("single", 1000, seed=33, copies=0.0, slips=0.1, blanks=0.15, shared=0.2)
    clusters = linked(register).clusters
    assert len(clusters) - len(np.unique(clusters)) <= 5


def test_the_same_table_gives_the_same_answer():
    register = households("small", 300, seed=34, copies=0.5, slips=0.2, blanks=0.1, shared=0.1)
    first, second = linked(register), linked(register)
    assert np.array_equal(first.learned.probability, second.learned.probability)
    assert np.array_equal(first.clusters, second.clusters)


def test_a_value_that_everybody_has_makes_no_candidates():
    names = [f"{chr(97 + number % 26)}{number:04d}" for number in range(2000)]
    table = pa.table({"name": names, "email": ["nobody@example.com"] * 2000, "phone": ["0312345678"] * 2000})
    fields = [Field("name", "identifier"), Field("email", "email"), Field("phone", "phone")]
    with connect_duckdb() as connection:
        add_blocks(connection, prepare_fields(table, fields), 2000)
        assert len(pairs_of_blocks(connection, 2000).left) < 2000 * 50


def test_names_entered_the_wrong_way_round_agree():
    register = households("small", 400, seed=35, copies=0.5, slips=0.05, blanks=0.05, shared=0.1)
    linkage = linked(register)
    register.table.loc[400:499, ["given", "family"]] = register.table.loc[400:499, ["family", "given"]].to_numpy()
    turned = linked(register)
    truth = pd.factorize(register.truth)[0]
    assert pairwise(turned.clusters.astype(np.int64), truth)[2] >= (
        pairwise(linkage.clusters.astype(np.int64), truth)[2] - 0.02
    )


def test_a_field_without_its_column_is_named():
    with pytest.raises(ConfigurationError, match="no column telephone"):
        link_records(pa.table({"name": ["a"]}), [Field("telephone", "phone")])


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_tiny_tables_are_linked_without_error(rows):
    table = pa.table({"name": pa.array(["Anna Berg", "Anna Berg"][:rows], pa.string())})
    assert len(link_records(table, [Field("name", "full_name")]).clusters) == rows


@pytest.mark.parametrize("told", [True, False])
def test_chance_agreement_of_strangers_is_no_kinship(told: bool) -> None:
    """Of a million records nearly all pairs are strangers; a sample of a few stands for them, and errs a little."""
    table = pa.table({name: pa.array(["a"], pa.string()) for name in ("given", "family", "city")})
    compared = [Field("given", "given_name"), Field("family", "family_name"), Field("city", "place")]
    fields = prepare_fields(table, compared)
    different, random = 3, np.random.default_rng(7)
    pairs, others = 4000, 50_000
    levels = np.full((pairs + others, 3), different, np.int8)
    rarity = np.zeros(levels.shape)
    # One pair in four of the candidates is one person: all equal, the names rare.
    levels[: pairs // 4] = 0
    rarity[: pairs // 4] = np.log([0.01, 0.001, 0.1])
    # The others agree in the city more often than its cities are common.
    alike = pairs + np.flatnonzero(random.random(others) < 0.2)
    levels[alike, 2] = 0
    rarity[alike, 2] = np.log(0.1)
    weight = np.concatenate([np.full(pairs, 200.0), np.full(others, 1e7)])
    candidates = np.arange(pairs + others) < pairs if told else np.ones(pairs + others, bool)
    model = learn_model(fields, levels, rarity, weight, candidates, 1_000_000)
    kin = float(model.prior_related.sum())
    # Not told which are candidates it would take hundreds of times as many pairs for relatives as there are people.
    assert (kin < 1e-9) if told else (kin > 1e-3)


def test_combinations_are_those_that_one_would_write_down_record_by_record() -> None:
    random = np.random.default_rng(3)
    rows = [
        (record, int(random.integers(1, 1 << 62)) if random.random() < 0.8 else 7, int(random.integers(5)), rank)
        for record in range(0, 60, 3)
        for rank in range(int(random.integers(2)), 1 + int(random.integers(MOST_JOINED + 1)))
    ]
    told = pa.table(dict(zip(("record", "key", "field", "rank"), map(list, zip(*rows, strict=True)), strict=True)))
    with duckdb.connect() as connection:
        connection.register("told", told)
        joined = JoinedKeys.of(
            connection.sql("SELECT record, key::UBIGINT AS key, field, rank FROM told ORDER BY hash(rank)"), (1, 4)
        )
    twos, threes = [], []
    for record in sorted({record for record, *_ in rows}):
        own = sorted((rank, key, field) for owner, key, field, rank in rows if owner == record and rank)
        for one, other in itertools.combinations(own, 2):
            if one[1] == other[1] or (one[2] == other[2] and one[2] not in (1, 4)):
                continue
            block = one[1] ^ (other[1] >> 1)
            twos.append((record, block))
            if block % 2:
                continue
            for third in own:
                if third[0] > other[0] and third[2] not in (one[2], other[2]):
                    threes.append((record, block ^ (third[1] >> 2)))
    even = MarkSet(np.array(sorted({block for _, block in twos if block % 2 == 0}), np.uint64))

    def listed(table: pa.Table) -> list[tuple[int, int]]:
        return sorted(zip(table["record"].to_pylist(), table["block"].to_pylist(), strict=True))

    assert twos
    assert threes
    assert listed(joined.table((places, marks) for _, _, places, marks in joined.twos())) == sorted(twos)
    assert listed(joined.table(joined.threes(even))) == sorted(threes)


@pytest.mark.parametrize("asked", [50, 50_000])
def test_a_set_of_marks_tells_its_own_from_others_that_look_alike(asked: int) -> None:
    random = np.random.default_rng(4)
    own = np.unique(random.integers(0, 1 << 63, 3_000, np.uint64))
    others = np.concatenate([own[:1_000] + np.uint64(1 << 40), random.integers(0, 1 << 63, asked, np.uint64)])
    mixed = random.permutation(np.concatenate([own, others]))[:asked]
    marks = MarkSet(own)
    assert marks.holds(mixed).tolist() == np.isin(mixed, own).tolist()
    assert marks.may_hold(own).all()
    assert not MarkSet(own[:0]).holds(mixed).any()
