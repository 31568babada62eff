"""What the model is held against: intervals, counting, parts of the market, and the gate's file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import expit

from core.errors import ConfigurationError
from core.model_settings import PromotionSettings
from core.settings import Settings
from core.source_settings import Label
from features.catalog import Feature
from training.evaluation import area_under_curve, calibration_slope
from training.gate_rules import GATES_FILE, gate_rules
from training.naive_bayes import count_values
from training.plain_logistic import fit_plain_logistic
from training.resampling import intervals
from training.slices import slices_of


def rows(people: int, each: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    chance = np.repeat(expit(rng.normal(-2, 1, people)), each)
    won = np.repeat(rng.random(people), each) < chance
    return won, chance, np.repeat(np.arange(people), each)


def test_intervals_hold_the_true_values_and_the_measures() -> None:
    won, chance, person = rows(3000)
    found = intervals(won, chance, person, draws=200)
    assert found["auc"][0] < area_under_curve(won, chance) < found["auc"][1]
    assert found["calibration_slope"][0] < calibration_slope(won, chance) < found["calibration_slope"][1]
    for measure in ("calibration_slope", "expected_observed"):
        assert found[measure][0] < 1 < found[measure][1]
    assert intervals(won, chance, person, draws=0) == {}


def test_ten_rows_of_one_person_are_no_ten_pieces_of_evidence() -> None:
    once, often = (intervals(*rows(1000, each), draws=200) for each in (1, 10))
    for measure, (low, high) in once.items():
        repeated = often[measure]
        assert repeated[1] - repeated[0] == pytest.approx(high - low, rel=0.35), measure


def test_counting_multiplies_shares_and_knows_nothing_of_what_it_never_saw() -> None:
    table = pa.table({"source": ["fair"] * 10 + ["web"] * 10 + [None], "kind": ["a"] * 21})
    won = np.array([True] * 8 + [False] * 2 + [True] * 2 + [False] * 8 + [False])
    counting = count_values(table, won, ["source", "kind"])
    odds = (10.1 / 11.1) * (8.1 / 10.2) / (2.1 / 10.2)
    asked = pa.table({"source": ["fair", "radio", None], "kind": ["a", "a", "a"]})
    base = 10.1 / 11.1
    assert counting.probability(asked) == pytest.approx([odds / (1 + odds), base / (1 + base), base / (1 + base)])


def test_a_plain_logistic_regression_learns_numbers_values_and_gaps() -> None:
    rng = np.random.default_rng(0)
    visits, kind = rng.poisson(2, 4000).astype(float), rng.choice(["a", "b"], 4000)
    visits[rng.random(4000) < 0.2] = np.nan
    won = rng.random(4000) < expit(-2 + 0.5 * np.nan_to_num(visits) + (kind == "a") - np.isnan(visits))
    table = pa.table({"visits": pa.array(visits, from_pandas=True), "kind": kind})
    chance = fit_plain_logistic(table, won).probability(table)
    assert area_under_curve(won, chance) > 0.75
    assert chance.sum() == pytest.approx(won.sum(), rel=0.01)


def test_slices_are_told_from_ten_wins_on() -> None:
    label = Label(ja="業種", en="industry")
    industry = Feature("industry", "profile", "category", "value", "industry", label, "fit", label)
    won = np.array([True] * 12 + [False] * 28 + [True] * 3 + [False] * 20)
    table = pa.table({"industry": ["steel"] * 40 + [None] * 23})
    (steel,) = slices_of(table, [industry], won, np.full(63, 0.3))
    assert (steel.value, steel.rows, steel.positives, steel.expected_observed) == ("steel", 40, 12, pytest.approx(1))
    assert [one.value for one in slices_of(table, [industry], won, np.full(63, 0.3), least_wins=3)] == ["steel", "-"]


def test_the_configuration_is_laid_over_the_gates_file(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    settings = make_settings(tmp_path, lead={"promotion": {"min_auc": 0.7}})
    file = tmp_path / "gates.yaml"
    file.write_text("default: {min_positives: 7, min_auc: 0.6}\nmodels: {lead: {max_ece: 0.01}}\n", encoding="utf-8")
    rules = gate_rules(settings, "lead", file)
    assert (rules.min_positives, rules.min_auc, rules.max_ece) == (7, 0.7, 0.01)
    assert gate_rules(settings, "lead", tmp_path / "absent.yaml") == PromotionSettings(min_auc=0.7)
    bad = tmp_path / "bad.yaml"
    bad.write_text("default: {min_acu: 0.6}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="min_acu"):
        gate_rules(settings, "lead", bad)


def test_the_shipped_gates_are_the_built_in_ones(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    settings = make_settings(tmp_path, lead={"promotion": {}})
    assert gate_rules(settings, "lead", GATES_FILE) == PromotionSettings()
