"""Pairs that are ruled out before their texts are compared: never one that would have been likely."""

import itertools
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.identity_people import Register, households, offices_ja
from customers.matching import Field, link_records
from customers.matching.comparisons import BLANK, Comparer, Glance, count_grams
from customers.matching.fields import (
    NAMES,
    WORDED,
    Kind,
    Prepared,
    as_columns,
    column_names,
    from_columns,
    prepare_fields,
)

KINDS = tuple(kind for kind in get_args(Kind) if kind != "full_name")
LETTERS = st.text("ab1.2 青葉商事", max_size=7)
MAILBOXES = st.builds("{}@{}.jp".format, st.text("ab.12", min_size=1, max_size=9), st.text("xyab", min_size=1))


def two_columns(rows: list[tuple[str | None, str | None]]) -> pa.Table:
    return pa.table({name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate("ab")})


def every_pair(rows: int) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.array(list(itertools.combinations(range(rows), 2)), np.int32).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


@given(st.data(), st.sampled_from(KINDS))
def test_no_field_agrees_better_than_a_glance_says(data: st.DataObject, kind: Kind) -> None:
    values = st.none() | (MAILBOXES if kind == "email" else LETTERS)
    rows = data.draw(st.lists(st.tuples(values, values), min_size=2, max_size=12))
    fields = prepare_fields(two_columns(rows), [Field("told", kind, ("a", "b"))])
    left, right = every_pair(len(rows))
    best, found = Glance(fields).levels(left, right), Comparer(fields, count_grams(fields)).levels(left, right)
    assert ((best == BLANK) == (found == BLANK)).all()
    assert (best <= found).all()
    assert ((best == 0) == (found == 0)).all()


@pytest.mark.parametrize(
    "register",
    [
        households("small", 250, seed=41, copies=0.5, slips=0.2, blanks=0.2, shared=0.3),
        offices_ja("small", 250, seed=42, copies=0.5, slips=0.2, blanks=0.2),
    ],
    ids=["households", "offices"],
)
@pytest.mark.parametrize("least", [0.05, 0.9])
def test_no_likely_pair_is_ruled_out(register: Register, least: float) -> None:
    table = pa.Table.from_pandas(register.table, preserve_index=False)
    knowledge, fields = link_records(table, register.fields).learned.knowledge, prepare_fields(table, register.fields)
    left, right = every_pair(table.num_rows)
    probability = knowledge.judge(fields).probability(left, right)
    shares = []
    for kinds in (NAMES, frozenset(KINDS) - WORDED):
        hopeful = np.zeros(len(left), bool)
        hopeful[knowledge.hopeful(fields, left, right, least, kinds)] = True
        assert not (probability[~hopeful] >= least).any()
        shares.append(hopeful.mean())
    # Else it would be of no use.
    assert shares[1] < min(0.2, shares[0])


def told(fields: list[Prepared]) -> list[tuple[str, str, list[list[str | None]]]]:
    return [
        (
            field.name,
            field.kind,
            [[form.values[code] if code >= 0 else None for code in form.codes] for form in field.forms],
        )
        for field in fields
    ]


@given(st.lists(st.tuples(st.none() | LETTERS, st.none() | LETTERS), max_size=9), st.data())
def test_kept_forms_are_read_as_they_were(rows: list[tuple[str | None, str | None]], data: st.DataObject) -> None:
    table = two_columns(rows)
    compared = [Field("both", "address", ("a", "b")), Field("a", "phone"), Field("b", "family_name")]
    fields = prepare_fields(table, compared)
    kept = as_columns(fields)
    assert kept.column_names == column_names(fields)
    assert told(from_columns(kept, compared)) == told(fields)
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), unique=True)) if rows else []
    some = [field.take(np.array(chosen, np.int64)) for field in fields]
    assert told(some) == told(from_columns(kept.take(pa.array(chosen, pa.int64())), compared))
