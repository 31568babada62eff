"""What columns are taken for, and that what words say is learned from other rows."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from core.errors import ContractError
from scoring.encoding import OTHER, encode
from training.columns import Encoded, as_table, learn_columns, row_hash

ROWS = 600
RNG = np.random.default_rng(0)
WON = RNG.random(ROWS) < 0.3


def test_columns_are_read_for_what_they_hold() -> None:
    frame = pd.DataFrame(
        {
            "amount": [f"{n:,}" for n in range(1000, 1000 + ROWS)],
            "day": ["2025-03-01", "2025/3/2 12:00", None] * (ROWS // 3),
            "rank": ["Chief", "chief ", "ＣＨＩＥＦ", "clerk", "x1", "x2"] * (ROWS // 6),
            "rare": [f"v{n}" if n < 40 else "usual" for n in range(ROWS)],
            "title": [f"{word} {n}" for n, word in enumerate(["sales manager", "engineer"] * (ROWS // 2))],
            "empty": [None] * ROWS,
        }
    )
    table = as_table(frame)
    columns = {column.name: column for column in learn_columns(table, WON)}
    assert columns["amount"].parsed == "number"
    assert columns["day"].parsed == "date"
    assert columns["rank"].vocabulary == ("chief", "clerk", "x1", "x2")
    assert columns["rare"].vocabulary == ("usual", OTHER)
    assert set(columns["title"].weights or {}) >= {"sales", "manager", "engineer"}
    matrix = encode(table, tuple(columns.values()))
    assert matrix[:3, 0].tolist() == [1000, 1001, 1002]
    assert matrix[1, 1] - matrix[0, 1] == 1.5
    assert np.isnan(matrix[2, 1])
    assert matrix[:3, 2].tolist() == [0, 0, 0]
    assert np.isnan(matrix[:, 5]).all()


def test_text_in_a_column_of_numbers_is_missing_where_numbers_were_learned_from_texts() -> None:
    columns = learn_columns(as_table(pd.DataFrame({"amount": [str(n) for n in range(ROWS)]})), WON)
    later = encode(pa.table({"amount": ["12", "n/a", None]}), columns)[:, 0]
    assert later[0] == 12
    assert np.isnan(later[1:]).all()


def test_words_of_single_rows_tell_nothing_of_their_own_outcome() -> None:
    names = pd.DataFrame({"name": [f"word{n} pair{n % 300}" for n in range(ROWS)]})
    encoded = Encoded(as_table(names), WON, np.arange(ROWS) % 5)
    told = encoded.rows(np.arange(ROWS))[:, 0]
    known = ~np.isnan(told)
    assert known.sum() < 10 or abs(np.corrcoef(told[known], WON[known])[0, 1]) < 0.2


def test_rows_have_numbers_that_depend_on_their_content_alone() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 1.0, np.nan], "b": ["x", "y", "x", None]})
    hashed = row_hash(as_table(frame))
    assert hashed[0] == hashed[2]
    assert len(set(hashed)) == 3
    assert np.array_equal(row_hash(as_table(frame[::-1])), hashed[::-1])


def test_columns_of_one_name_are_refused() -> None:
    with pytest.raises(ContractError, match="a come twice"):
        as_table(pd.DataFrame([[1, 2]], columns=["a", "a"]))
