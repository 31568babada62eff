"""The search for the trees' shape: sensible ones first, then Optuna's; what suits the held-out rows best is kept."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import lightgbm
import numpy as np
import optuna
from numpy.typing import NDArray

from scoring.encoding import FeatureColumn, Matrix
from training.forest import Shape, dataset, parameters

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
_MIN_ROUNDS = 20
# Folds after which a trial may be given up.
_FIRST_FOLDS = 2


@dataclass(frozen=True)
class Fold:
    """Rows to fit on and rows to hold out, encoded: the positions, and the numbers."""

    fit: NDArray[np.int64]
    held: NDArray[np.int64]
    fit_matrix: Matrix
    held_matrix: Matrix


@dataclass(frozen=True)
class Trial:
    """A shape that was tried on all folds.

    Attributes:
        shape: what was tried.
        rounds: trees that suited the held-out rows best.
        loss: mean log-loss on them at that number.
        margin: log-odds of the held-out rows, fold after fold.
    """

    shape: Shape
    rounds: int
    loss: float
    margin: Floats


@dataclass(frozen=True)
class Search:
    """What came of a search.

    Attributes:
        trials: those that were not given up, best first.
        tried: all that were begun.
        pruned: those that were given up early, since half of the others did better so far.
        stopped: whether the time ran out before the planned number was reached.
    """

    trials: tuple[Trial, ...]
    tried: int
    pruned: int
    stopped: bool


def first_shapes(start: Shape, rows: int) -> list[Shape]:
    """Shapes worth trying before any search: the given one, flatter trees, and bushier ones with more randomness."""
    least = max(5, min(start.min_data_in_leaf, rows // 40))
    start = replace(start, min_data_in_leaf=least)
    flat = replace(start, num_leaves=4, max_depth=3, min_data_in_leaf=max(5, least // 2), feature_fraction=0.5)
    bushy = replace(
        start, num_leaves=31, min_data_in_leaf=2 * least, feature_fraction=0.4, bagging_fraction=0.7, lambda_l2=20.0
    )
    return [start, flat, bushy]


class TreeSearch:
    """Tries shapes of trees on the same folds.

    Args:
        folds: fit and held-out rows.
        label: of all rows.
        columns: of the matrices.
        monotone: by column.
        max_rounds: trees at most.
        patience: a fit ends after so many trees without improvement on the held-out rows.
        seed: of the trees and of the search.
        threads: changes the speed, never the result.
    """

    def __init__(
        self,
        folds: Sequence[Fold],
        label: Labels,
        columns: Sequence[FeatureColumn],
        monotone: Sequence[int],
        *,
        max_rounds: int,
        patience: int,
        seed: int,
        threads: int,
    ) -> None:
        self._monotone, self._max_rounds, self._patience = monotone, max_rounds, patience
        self._seed, self._workers = seed, threads or os.cpu_count() or 1
        self._weight = np.array([len(fold.held) for fold in folds], dtype=np.float64)
        self._folds = folds
        self._data = []
        for fold in folds:
            data = dataset(fold.fit_matrix, label[fold.fit], columns)
            watched = dataset(fold.held_matrix, label[fold.held], columns, reference=data)
            self._data.append((data.construct(), watched.construct()))

    def run(self, start: Shape, trials: int, deadline: float | None = None) -> Search:
        """Try `trials` shapes, or as many as are begun before `deadline` (`time.monotonic` seconds), at least one."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(seed=self._seed, n_startup_trials=8),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=0),
        )
        rows = len(self._folds[0].fit)
        planned = first_shapes(start, rows)[:trials]
        for shape in planned:
            study.enqueue_trial(_chosen(shape))
        finished: list[Trial] = []
        tried = 0
        while tried < trials and not (tried and deadline is not None and time.monotonic() > deadline):
            asked = study.ask()
            shape = _suggest(asked, start, rows)
            found = self._try(shape, asked)
            tried += 1
            if found is None:
                study.tell(asked, state=optuna.trial.TrialState.PRUNED)
                continue
            study.tell(asked, found.loss)
            finished.append(found)
        best_first = tuple(sorted(finished, key=lambda trial: trial.loss))
        return Search(best_first, tried, tried - len(finished), tried < trials)

    def _try(self, shape: Shape, asked: Any) -> Trial | None:
        grown: list[tuple[Any, Floats]] = []
        with ThreadPoolExecutor(self._workers) as pool:
            for wave in (self._data[:_FIRST_FOLDS], self._data[_FIRST_FOLDS:]):
                grown += pool.map(lambda data: self._grow(shape, *data), wave)
                asked.report(float(np.mean([curve.min() for _, curve in grown])), len(grown))
                if len(grown) < len(self._data) and asked.should_prune():
                    return None
        # One number of trees for all folds: choosing it fold by fold would flatter each of them.
        shortest = min(len(curve) for _, curve in grown)
        mean = np.average([curve[:shortest] for _, curve in grown], axis=0, weights=self._weight)
        least = min(_MIN_ROUNDS, shortest)
        rounds = least + int(np.argmin(mean[least - 1 :]))
        margin = np.concatenate(
            [
                np.asarray(booster.predict(fold.held_matrix, raw_score=True, num_iteration=rounds, num_threads=1))
                for (booster, _), fold in zip(grown, self._folds, strict=True)
            ]
        )
        return Trial(shape, rounds, float(mean[rounds - 1]), margin)

    def _grow(self, shape: Shape, data: Any, watched: Any) -> tuple[Any, Floats]:
        told: dict[str, Any] = {}
        # One thread a fold: the folds run side by side, which wastes less than threads that share a small tree.
        booster = lightgbm.train(
            parameters(shape, self._seed, 1, self._monotone),
            data,
            num_boost_round=self._max_rounds,
            valid_sets=[watched],
            callbacks=[
                lightgbm.early_stopping(self._patience, verbose=False),
                lightgbm.record_evaluation(told),
            ],
        )
        return booster, np.array(told["valid_0"]["binary_logloss"])


def _chosen(shape: Shape) -> dict[str, Any]:
    return {
        "num_leaves": shape.num_leaves,
        "max_depth": shape.max_depth,
        "min_data_in_leaf": shape.min_data_in_leaf,
        "feature_fraction": shape.feature_fraction,
        "bagging_fraction": shape.bagging_fraction,
        "lambda_l2": shape.lambda_l2,
        "cat_smooth": shape.cat_smooth,
        "min_data_per_group": shape.min_data_per_group,
    }


def _suggest(trial: Any, start: Shape, rows: int) -> Shape:
    return replace(
        start,
        num_leaves=trial.suggest_int("num_leaves", 3, 32, log=True),
        max_depth=trial.suggest_int("max_depth", 2, 7),
        min_data_in_leaf=trial.suggest_int("min_data_in_leaf", 3, max(10, min(400, rows // 10)), log=True),
        feature_fraction=trial.suggest_float("feature_fraction", 0.2, 1.0),
        bagging_fraction=trial.suggest_float("bagging_fraction", 0.5, 1.0),
        lambda_l2=trial.suggest_float("lambda_l2", 0.1, 100.0, log=True),
        cat_smooth=trial.suggest_float("cat_smooth", 1.0, 100.0, log=True),
        min_data_per_group=trial.suggest_int("min_data_per_group", 5, 200, log=True),
    )
