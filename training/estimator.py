"""The learner: the highest rung that the evidence carries, with a calibrated probability, in scikit-learn's manner."""

import os
import time as clock
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit
from scipy.stats import norm
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from core.errors import ContractError, EvidenceError
from core.model_settings import EstimatorSettings, SplitSettings
from scoring.additive import AdditiveModel, Rung
from scoring.calibration import Calibrator, shift_to_mean
from scoring.curves import Curves
from scoring.encoding import encode
from scoring.grades import Support, freeze_reference
from training.calibration_choice import best_calibrator
from training.columns import Encoded, as_table, directions, row_hash
from training.drift import Drift, forecast_drift
from training.forest import Shape
from training.ladder import CLEARLY, USEFUL, log_loss, steady_blend, wins_clearly
from training.logistic import (
    PENALTIES,
    TRIED_ROWS,
    choose_penalty,
    design,
    fit_coefficients,
    lay_basis,
    limits,
    telling_rows,
)
from training.recipe import Recipe
from training.row_reasons import strongest_columns
from training.segment_levels import segment_levels
from training.split import divide_by_circle, split_off_newest
from training.tuning import Fold, Search, TreeSearch

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
Rows = NDArray[np.int64]
ScorerVerdict = Literal["use", "do_not_use", "insufficient"]
# Separate wins on both sides before calibration is read from a later part instead of folds. A trial fit on half of a
# small history is so much weaker than the final one that its calibration does not carry over: its slope came out up to
# a fifth wrong.
_MIN_LATER_WINS = 600
# Below so many wins (or others) nothing but the base rate is said; below the second number trees are not tried.
_MIN_WINS, _MIN_TREE_WINS = 20, 30
# Rows that trials look at; the final fit sees all.
_MAX_TRIAL_ROWS = 100_000
# More rows carry more trees than the trial fits could grow: their number rises with this power of the rows.
_MORE_TREES = 1 / 3
# Rows whose contributions are held in memory at once.
_BATCH = 50_000


@dataclass(frozen=True)
class HeldOut:
    """Rows that a trial fit did not see, with the raw margin it gave them.

    Attributes:
        rows: positions in the training data.
        margin: one for each of `rows`.
        how: `later` (a later part of the training data, after a gap) or `circles` (other people, deals and accounts).
    """

    rows: Rows
    margin: Floats
    how: str


class LeadScorer(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Probability of a yes within the horizon, from a frame of numbers, categories, texts, dates and gaps.

    Three rungs are tried on rows that a trial fit did not see (folds of rows that share no circle): the base rate, a
    regularised logistic model with bent lines, and boosted trees, blended with the logistic model where that helps. A
    more complex rung must win clearly. What won is learned once more from all rows, and calibrated on rows that were
    held out: a later part where there is one with enough wins, else the folds. With `time`, a base rate that moves is
    followed as far as the past shows that following it pays.

    The order of the rows, the case and width of letters, and the names of the columns change nothing.

    Args:
        time_budget: seconds. It says how many trials are planned where `trials` does not, and no trial begins after six
            tenths of it.
        trials: shapes of trees that are tried; with a number the same input gives the same model.
        members: forests that may be blended; each makes reasons dearer.
        max_rounds: trees of a forest at most.
        early_stopping_rounds: a trial fit ends after so many trees without improvement on the held-out rows.
        learning_rate: weight of each tree.
        num_leaves: leaves of a tree at most, in the first shape that is tried, as are the next four.
        max_depth: depth of a tree at most.
        min_data_in_leaf: rows in a leaf at least.
        feature_fraction: share of the columns that a tree may look at.
        lambda_l2: pull of the leaf values towards zero.
        calibration_share: share of the training moments that form the later part.
        gap_days: the label's horizon; rows closer than that to the later part sit out the trial fit.
        monotone: by column 1 where more must never lower the score, -1 where it must never raise it.
        random_state: seed of folds, search and trees.
        num_threads: changes the speed, never the result; 0: as many as there are processors.

    Attributes:
        verdict_: `use`; `do_not_use`, where nothing beats the base rate; `insufficient`, where there are fewer than 20
            wins or others, so that nothing but the base rate is said.
        rung_: `prior`, `logistic` or `trees`.
        model_: what was learned.
        columns_: what it reads.
        calibrator_: from margin to probability.
        held_out_: what the calibration was read from.
        drift_: how the base rate moved, and what was done about it.
        trials_: what the search did.
        rounds_: number of trees.
        seconds_: what the fit took.
    """

    def __init__(
        self,
        *,
        time_budget: float = 60,
        trials: int | None = None,
        members: int = 4,
        max_rounds: int = 1000,
        early_stopping_rounds: int = 50,
        learning_rate: float = 0.05,
        num_leaves: int = 15,
        max_depth: int = 6,
        min_data_in_leaf: int = 40,
        feature_fraction: float = 0.7,
        lambda_l2: float = 5.0,
        calibration_share: float = 0.2,
        gap_days: int = 0,
        monotone: dict[str, int] | None = None,
        random_state: int = 0,
        num_threads: int = 0,
    ) -> None:
        self.time_budget = time_budget
        self.trials = trials
        self.members = members
        self.max_rounds = max_rounds
        self.early_stopping_rounds = early_stopping_rounds
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.max_depth = max_depth
        self.min_data_in_leaf = min_data_in_leaf
        self.feature_fraction = feature_fraction
        self.lambda_l2 = lambda_l2
        self.calibration_share = calibration_share
        self.gap_days = gap_days
        self.monotone = monotone
        self.random_state = random_state
        self.num_threads = num_threads

    def fit(self, X: Any, y: ArrayLike, time: ArrayLike | None = None, circle: Rows | None = None) -> Self:  # noqa: N803  # scikit-learn's name
        """Learn from rows and their outcomes.

        Args:
            X: one row each; numbers, booleans, dates and texts, all of which may be missing.
            y: outcomes of two kinds; the greater one is a yes.
            time: each row's moment; without it nothing is "later" and nothing drifts.
            circle: rows with equal numbers are kept together in the folds; default: exact duplicates.

        Raises:
            ContractError: rows and outcomes do not belong together, or `monotone` names no number.
        """
        started = clock.monotonic()
        table = as_table(X)
        label = self._labels(y, table.num_rows)
        self.n_features_in_ = table.num_columns
        self.feature_names_in_ = np.array(table.column_names, dtype=object)
        hashed = row_hash(table, label)
        order = np.argsort(hashed, kind="stable")
        table, label = table.take(pa.array(order)), label[order]
        when = None if time is None else moments_of(time)[order]
        circle = _circles(table) if circle is None else np.unique(circle, return_inverse=True)[1][order]
        encoded = Encoded(table, label, divide_by_circle(circle, 5, self.random_state + 1))
        self.columns_ = encoded.columns
        self._monotone = directions(self.columns_, self.monotone or {})
        base = float(logit(np.clip(label.mean(), 1 / (len(label) + 2), 1 - 1 / (len(label) + 2))))
        width = len(self.columns_)
        self.trials_, self.rounds_, self.drift_ = Search((), 0, 0, False), 0, Drift()
        if min(label.sum(), (~label).sum()) < _MIN_WINS:
            self.verdict_: ScorerVerdict = "insufficient"
            self.model_ = AdditiveModel(width, base)
            self.calibrator_ = Calibrator()
            self.held_out_ = HeldOut(order, np.full(len(label), base), "circles")
        else:
            chosen = self._trial_rows(circle)
            folds = self._folds(encoded, label, circle, chosen)
            recipe, held, margin = self._climb(folds, label, circle, base, started)
            recipe, margin = self._level(encoded, recipe, label, circle, held, margin)
            self.verdict_ = "do_not_use" if recipe.rung == "prior" else "use"
            self.recipe_ = recipe
            self._calibrate(encoded, recipe, label, when, circle, held, margin, base)
            self.held_out_ = HeldOut(order[self.held_out_.rows], self.held_out_.margin, self.held_out_.how)
            self.model_ = self._final(encoded, recipe, label, np.arange(len(label)), base)
            self.rounds_ = sum(trial.rounds for trial, _ in recipe.trees)
        self.rung_: Rung = self.model_.rung
        self.seconds_ = clock.monotonic() - started
        return self

    def _labels(self, y: ArrayLike, rows: int) -> Labels:
        values = np.asarray(y)
        if values.ndim != 1 or len(values) != rows:
            raise ContractError(f"{rows} rows and {values.shape} outcomes", "as many of both", "align them")
        if pd.isna(values).any():
            raise ContractError("some outcomes are missing", "an outcome for each row", "leave such rows out")
        classes = np.unique(values)
        if set(classes.tolist()) <= {0, 1}:
            classes = np.array([0, 1]).astype(values.dtype)
        if len(classes) != 2:
            raise ContractError(f"{len(classes)} different outcomes", "two", "say for each row whether it was won")
        self.classes_ = classes
        return np.asarray(values == classes[1])

    def predict_proba(self, X: Any) -> Floats:  # noqa: N803  # scikit-learn's name
        """Chance of no and of yes, shape (rows, 2); values unseen in training count as missing."""
        check_is_fitted(self)
        chance = self.calibrator_.probability(self.model_.margin(encode(as_table(X), self.columns_)))
        return np.column_stack([1 - chance, chance])

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803  # scikit-learn's name
        """The likelier outcome of each row."""
        return np.asarray(self.classes_[(self.predict_proba(X)[:, 1] >= 0.5).astype(int)])

    def contributions(self, X: Any) -> Floats:  # noqa: N803  # scikit-learn's name
        """What each column adds to the calibrated log-odds, shape (rows, columns + 1); the starting value is last."""
        check_is_fitted(self)
        return self._contributions(as_table(X))

    def _contributions(self, table: pa.Table) -> Floats:
        return self.calibrator_.contributions(self.model_.contributions(encode(table, self.columns_)))

    def reasons(self, X: Any, top: int = 5) -> pd.DataFrame:  # noqa: N803  # scikit-learn's name
        """The columns that move each row's score most, strongest first.

        Returns:
            For each n up to `top` the columns `reason_n` (text: direction, column and value) and `effect_n` (what it
            adds to the calibrated log-odds); empty and 0 where no more columns have a say. The index is that of `X`.
        """
        check_is_fitted(self)
        table = as_table(X).select([column.name for column in self.columns_])
        parts = [
            strongest_columns(table.slice(start, _BATCH), self._contributions(table.slice(start, _BATCH)), top)
            for start in range(0, max(1, table.num_rows), _BATCH)
        ]
        found = pd.concat(parts, ignore_index=True)
        return found.set_index(X.index) if isinstance(X, pd.DataFrame) else found

    def interval(self, X: Any, level: float = 0.9) -> Floats:  # noqa: N803  # scikit-learn's name
        """Lower and upper end of the chance of yes, shape (rows, 2), as far as held-out rows with like scores carry it.

        The share of wins among the held-out rows whose log-odds lie within 0.5 of a row's is known to within a margin
        that shrinks with their number (Wilson 1927); the interval is as wide as that, about the row's own chance.
        """
        check_is_fitted(self)
        chance = self.predict_proba(X)[:, 1]
        alike = support_of(self.calibrator_.log_odds(self.held_out_.margin)).alike(logit(chance))
        z = float(norm.ppf(0.5 + level / 2))
        count = np.maximum(alike, 1.0)
        middle = (chance + z**2 / (2 * count)) / (1 + z**2 / count)
        half = z / (1 + z**2 / count) * np.sqrt(chance * (1 - chance) / count + z**2 / (4 * count**2))
        return np.clip(np.column_stack([middle - half, middle + half]), 0.0, 1.0)

    def _trial_rows(self, circle: Rows) -> Rows:
        parts = -(-len(circle) // _MAX_TRIAL_ROWS)
        if parts == 1:
            return np.arange(len(circle))
        return np.flatnonzero(divide_by_circle(circle, parts, self.random_state) == 0)

    def _folds(self, encoded: Encoded, label: Labels, circle: Rows, chosen: Rows) -> list[Fold]:
        size = len(chosen) * len(encoded.columns)
        count = 10 if len(chosen) < 1000 else 5 if size < 2e6 else 3
        number = divide_by_circle(circle[chosen], count, self.random_state, label[chosen])
        folds = []
        for n in range(count):
            fit, held = chosen[number != n], chosen[number == n]
            if label[fit].any() and not label[fit].all() and len(held):
                folds.append(Fold(fit, held, encoded.rows(fit), encoded.others(fit, held)))
        return folds

    def _climb(
        self, folds: list[Fold], label: Labels, circle: Rows, base: float, started: float
    ) -> tuple[Recipe, Rows, Floats]:
        """Try the rungs on the folds; what the final model is to be, and its margins on the held-out rows."""
        held = np.concatenate([fold.held for fold in folds])
        won = label[held]
        prior = np.concatenate([np.full(len(f.held), logit(np.mean(label[f.fit]))) for f in folds])
        penalty, logistic = self._try_logistic(folds, label)
        recipe, margin = Recipe("logistic", penalty, 1.0), logistic
        if min(label.sum(), (~label).sum()) >= _MIN_TREE_WINS:
            self.trials_ = self._search(folds, label, started)
            best = self.trials_.trials[: 2 * self.members]
            mixed = steady_blend(won, [logistic, *(trial.margin for trial in best)], self.members + 1, circle[held])
            if mixed.weights[1:].any() and self._wins(won, margin, mixed.margin, circle[held]):
                more = (len(label) / np.mean([len(fold.fit) for fold in folds])) ** _MORE_TREES
                trees = tuple(
                    (replace(trial, rounds=min(self.max_rounds, round(more * trial.rounds))), float(weight))
                    for trial, weight in zip(best, mixed.weights[1:], strict=True)
                    if weight
                )
                recipe, margin = Recipe("trees", penalty, float(mixed.weights[0]), trees), mixed.margin
        if not self._wins(won, prior, margin, circle[held], USEFUL):
            return Recipe("prior"), held, prior
        return recipe, held, margin

    def _level(
        self, encoded: Encoded, recipe: Recipe, label: Labels, circle: Rows, held: Rows, margin: Floats
    ) -> tuple[Recipe, Floats]:
        """The recipe and its held-out margins, put right in parts of the market where they are clearly off."""
        if recipe.rung == "prior":
            return recipe, margin
        matrix = encoded.matrix[held]
        levels = segment_levels(matrix, self.columns_, margin, label[held], circle[held])
        return replace(recipe, levels=levels), margin + Curves(len(self.columns_), levels).margin(matrix)

    def _wins(self, won: Labels, simple: Floats, more: Floats, circle: Rows, errors: float = CLEARLY) -> bool:
        return wins_clearly(log_loss(won, simple), log_loss(won, more), circle, errors)

    def _search(self, folds: list[Fold], label: Labels, started: float) -> Search:
        search = TreeSearch(
            folds,
            label,
            self.columns_,
            self._monotone,
            max_rounds=self.max_rounds,
            patience=self.early_stopping_rounds,
            seed=self.random_state,
            threads=self.num_threads,
        )
        shape = Shape(
            learning_rate=self.learning_rate,
            num_leaves=self.num_leaves,
            max_depth=self.max_depth,
            min_data_in_leaf=self.min_data_in_leaf,
            feature_fraction=self.feature_fraction,
            lambda_l2=self.lambda_l2,
        )
        trials = self.trials or planned_trials(self.time_budget, sum(len(f.fit) for f in folds), len(self.columns_))
        return search.run(shape, trials, started + 0.6 * self.time_budget)

    def _try_logistic(self, folds: list[Fold], label: Labels) -> tuple[float, Floats]:
        """The penalty that suits the held-out rows best, and their log-odds under it."""
        # One thread a fold, for speed, and so that no sum depends on how many threads there are.
        with threadpool_limits(1), ThreadPoolExecutor(self.num_threads or os.cpu_count()) as pool:
            by_fold = list(pool.map(lambda fold: self._logistic_path(fold, label), folds))
        won = label[np.concatenate([fold.held for fold in folds])]
        joined = [np.concatenate(parts) for parts in zip(*by_fold, strict=True)]
        best = choose_penalty([float(log_loss(won, margin).sum()) for margin in joined])
        return PENALTIES[best], joined[best]

    def _logistic_path(self, fold: Fold, label: Labels) -> list[Floats]:
        """Held-out log-odds for each penalty."""
        basis = lay_basis(fold.fit_matrix, self.columns_)
        rows, weight = telling_rows(label[fold.fit], TRIED_ROWS)
        laid, held = design(fold.fit_matrix[rows], basis), design(fold.held_matrix, basis)
        won = label[fold.fit][rows]
        low, high = limits(basis, self._monotone)
        found = np.append(np.zeros(laid.shape[1]), logit(label[fold.fit].mean()))
        margins = []
        for penalty in PENALTIES:
            found = fit_coefficients(laid, won, weight, penalty, low, high, found)
            margins.append(held @ found[:-1] + found[-1])
        return margins

    def _calibrate(
        self,
        encoded: Encoded,
        recipe: Recipe,
        label: Labels,
        when: NDArray[np.datetime64] | None,
        circle: Rows,
        held: Rows,
        margin: Floats,
        base: float,
    ) -> None:
        self.held_out_ = HeldOut(held, margin, "circles")
        calibrator = Calibrator() if recipe.rung == "prior" else best_calibrator(margin, label[held], circle[held])
        if when is None:
            self.calibrator_ = calibrator
            return
        later = self._later(label, when, circle)
        if later is not None and recipe.rung != "prior":
            fit, rows = later
            trial = self._final(encoded, recipe, label, fit, base)
            margins = trial.margin(encoded.others(fit, rows))
            self.held_out_ = HeldOut(rows, margins, "later")
            calibrator = best_calibrator(margins, label[rows], circle[rows])
            calibrator = shift_to_mean(calibrator, margin, float(label[held].mean()))
        gap = np.timedelta64(timedelta(days=self.gap_days))
        self.drift_ = forecast_drift(calibrator.log_odds(margin), label[held], when[held], gap, circle=circle[held])
        self.calibrator_ = calibrator.shifted(self.drift_.shift)

    def _later(self, label: Labels, when: NDArray[np.datetime64], circle: Rows) -> tuple[Rows, Rows] | None:
        """Rows to fit on and later rows to calibrate on, where both hold enough."""
        try:
            split = split_off_newest(when, self.calibration_share, timedelta(days=self.gap_days))
        except EvidenceError:
            return None
        fit, rows = split.earlier.rows, split.later.rows
        wins = min(_won_circles(label, circle, fit), _won_circles(label, circle, rows))
        # A later part costs the trial fit all rows in the gap; it must leave most of the history to learn from.
        if wins < _MIN_LATER_WINS or fit.sum() < 0.4 * len(label):
            return None
        return np.flatnonzero(fit), np.flatnonzero(rows)

    def make_final(self, encoded: Encoded, label: Labels) -> AdditiveModel:
        """The final fit alone, by what was chosen before: what remains of `fit` where nothing has to be chosen."""
        base = float(logit(label.mean()))
        return self._final(encoded, self.recipe_, label, np.arange(len(label)), base)

    def _final(self, encoded: Encoded, recipe: Recipe, label: Labels, rows: Rows, base: float) -> AdditiveModel:
        """The chosen model, learned from all the rows given."""
        return recipe.make(
            encoded.rows(rows),
            label[rows],
            self.columns_,
            self._monotone,
            base=base,
            seed=self.random_state,
            threads=self.num_threads,
        )


def planned_trials(budget: float, rows: int, columns: int) -> int:
    """How many trials a budget is good for, by what they usually cost; so the same call makes the same model.

    Args:
        budget: seconds in all.
        rows: that one trial fits on, all folds together.
        columns: of them.
    """
    usual = 250 * (2e-3 + rows * columns * 4e-9)
    return int(np.clip(0.5 * budget / usual, 3, 40))


def moments_of(time: ArrayLike) -> NDArray[np.datetime64]:
    """Moments as numpy keeps them; those with a zone in UTC."""
    moments = pd.to_datetime(pd.Series(np.asarray(time)), utc=True)
    return moments.dt.tz_localize(None).to_numpy().astype("datetime64[us]")


def support_of(log_odds: Floats) -> Support:
    """Held-out rows by their calibrated log-odds."""
    return Support(freeze_reference(log_odds), len(log_odds))


def _circles(table: pa.Table) -> Rows:
    """Rows of equal content share a number where most rows are distinct: an exact duplicate is no new evidence."""
    hashed = row_hash(table)
    distinct, number = np.unique(hashed, return_inverse=True)
    return number if len(distinct) >= 0.5 * len(hashed) else np.arange(len(hashed))


def scorer_of(settings: EstimatorSettings, split: SplitSettings, gap: timedelta) -> LeadScorer:
    """The learner as the configuration describes it."""
    return LeadScorer(
        **settings.model_dump(exclude={"seed"}),
        random_state=settings.seed,
        calibration_share=split.calibration_share,
        gap_days=gap.days,
    )


def _won_circles(label: Labels, circle: NDArray[np.int64], rows: Labels) -> int:
    """How many separate circles of people were won among the rows: snapshots of one win are one piece of evidence."""
    return len(np.unique(circle[rows & label]))
