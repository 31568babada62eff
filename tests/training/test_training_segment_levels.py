"""Parts of the market get a level of their own where other people bear it out, and nowhere else."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from scoring.curves import Curve, Curves
from scoring.encoding import FeatureColumn
from training.estimator import LeadScorer
from training.recipe import Recipe
from training.segment_levels import segment_levels

SIZE = 20_000
COLUMNS = (
    FeatureColumn("industry", vocabulary=("maker", "bank", "school")),
    FeatureColumn("visits"),
    FeatureColumn("region", vocabulary=("east", "west", "north", "south", "OTHER")),
)


def market(seed, off=None, size=SIZE):
    """Rows, what a model said of them, and what came; `off` adds log-odds by industry, the last for a missing one."""
    random = np.random.default_rng(seed)
    industry = random.integers(0, 4, size).astype(float)
    margin = random.normal(-2, 1, size)
    won = random.random(size) < expit(margin + (np.zeros(4) if off is None else np.array(off))[industry.astype(int)])
    region = random.integers(0, 5, size).astype(float)
    matrix = np.column_stack([np.where(industry == 3, np.nan, industry), random.normal(size=size), region])
    return matrix, margin, won


@pytest.mark.parametrize("seed", range(6))
def test_a_model_that_is_right_everywhere_is_left_alone(seed):
    matrix, margin, won = market(seed)
    assert segment_levels(matrix, COLUMNS, margin, won, np.arange(SIZE)) == ()


@pytest.mark.parametrize("off", [(0.0, 0.6, 0.0, 0.0), (0.0, 0.0, -0.5, 0.5)])
def test_an_industry_that_is_promised_too_little_gets_its_level(off):
    matrix, margin, won = market(1, off)
    (level,) = segment_levels(matrix, COLUMNS, margin, won, np.arange(SIZE))
    assert level.column == 0
    # Differences between the values are what a level is; the rest is for the calibration as a whole.
    found = np.array([*level.heights, level.missing])
    assert found - found.mean() == pytest.approx(np.array(off) - np.mean(off), abs=0.12)
    other, margin, won = market(2, off)
    said = margin + Curves(3, (level,)).margin(other)
    for code, industry in enumerate(np.where(np.isnan(other[:, 0]), 3, other[:, 0]) == n for n in range(4)):
        ratio = expit(said)[industry].sum() / won[industry].sum()
        assert 0.85 < ratio / (expit(said).sum() / won.sum()) < 1.18, code


def test_few_people_say_nothing_however_often_they_are_listed():
    matrix, margin, won = market(3, (0.0, 1.0, 0.0, 0.0), size=900)
    assert segment_levels(matrix, COLUMNS, margin, won, np.arange(900)) == ()
    many = np.repeat(np.arange(900), 30)
    assert segment_levels(matrix[many], COLUMNS, margin[many], won[many], many) == ()


def test_a_level_is_part_of_the_score_and_of_its_own_column_alone():
    matrix, _, won = market(4)
    level = Curve(0, (0.0, 1.0, 2.0), (0.0, 0.6, 0.0), -0.2)
    plain, levelled = (
        Recipe("logistic", 10.0, 1.0, levels=levels).make(matrix, won, COLUMNS, (0, 0, 0), base=-2.0, seed=0, threads=1)
        for levels in ((), (level,))
    )
    added = np.nan_to_num(np.where(matrix[:, 0] == 1, 0.6, 0.0)) + np.where(np.isnan(matrix[:, 0]), -0.2, 0.0)
    assert levelled.margin(matrix) - plain.margin(matrix) == pytest.approx(added)
    parts = levelled.contributions(matrix) - plain.contributions(matrix)
    assert parts[:, 0] == pytest.approx(added)
    assert not parts[:, 1:].any()


def test_a_learner_whose_categories_are_fair_adds_no_level():
    random = np.random.default_rng(4)
    size = 12_000
    visits, industry = random.normal(size=size), random.choice(["maker", "bank", "school"], size)
    off = pd.Series(industry).map({"maker": 0.0, "bank": 1.0, "school": -1.0}).to_numpy()
    won = random.random(size) < expit(visits - 2 + off)
    scorer = LeadScorer(trials=1, random_state=1).fit(pd.DataFrame({"visits": visits, "industry": industry}), won)
    assert scorer.recipe_.levels == ()
