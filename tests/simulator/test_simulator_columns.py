"""Single columns: stamps, identifiers, kana."""

import numpy as np
import pytest

from simulator.columns import (
    blank_where,
    date_japan,
    numbered,
    salesforce_id,
    stamp_japan,
    stamp_naive_japan,
    stamp_salesforce,
    stamp_z,
    words,
)
from simulator.vocabulary import GIVEN_NAMES, SURNAMES, full_width_ascii, half_width_kana

MOMENT = np.array([1_741_071_967])  # 2025-03-04 07:06:07 UTC


def test_stamps_name_the_same_moment_in_each_form() -> None:
    assert stamp_z(MOMENT).to_pylist() == ["2025-03-04T07:06:07Z"]
    assert stamp_salesforce(MOMENT).to_pylist() == ["2025-03-04T07:06:07.000+0000"]
    assert stamp_japan(MOMENT).to_pylist() == ["2025-03-04T16:06:07+09:00"]
    assert stamp_naive_japan(MOMENT).to_pylist() == ["2025/03/04 16:06:07"]


def test_a_late_evening_in_london_is_the_next_day_in_tokyo() -> None:
    assert date_japan(MOMENT + 10 * 3600).to_pylist() == ["2025-03-05"]


@pytest.mark.parametrize(("prefix", "suffix"), [("003", "AAA"), ("00Q", "EAA"), ("00v", "AAA"), ("00K", "EAA")])
def test_salesforce_ids_carry_their_checksum(prefix: str, suffix: str) -> None:
    (made,) = salesforce_id(prefix, np.array([42])).to_pylist()
    assert len(made) == 18
    assert made.endswith(suffix)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    groups = [made[start : start + 5] for start in (0, 5, 10)]
    checksum = "".join(letters[sum(1 << n for n, c in enumerate(group) if c.isupper())] for group in groups)
    assert made[15:] == checksum


def test_words_and_numbers_and_blanks() -> None:
    assert words(["a", "b"], np.array([1, -1, 0])).to_pylist() == ["b", "", "a"]
    assert numbered("x", np.array([7]), 3, "!").to_pylist() == ["x007!"]
    assert blank_where(words(["a"], np.array([0, 0])), np.array([True, False])).to_pylist() == [None, "a"]


def test_kana_of_all_names_has_a_half_width_form_that_a_till_can_write() -> None:
    assert half_width_kana("ワタナベ") == "ﾜﾀﾅﾍﾞ"
    assert half_width_kana("パーティー") == "ﾊﾟｰﾃｨｰ"
    for _, kana, _ in SURNAMES + GIVEN_NAMES:
        half = half_width_kana(kana)
        assert all("ｦ" <= letter <= "ﾟ" for letter in half)
        assert half.encode("cp932").decode("cp932") == half


def test_full_width_letters() -> None:
    assert full_width_ascii("a@b.jp 03-1") == "ａ＠ｂ．ｊｐ ０３－１"
