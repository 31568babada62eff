"""The estimator beside LightGBM alone: learning from many rows, and reasons for each of many rows.

Learning: the same final fit twice on the same frame, once by `LeadScorer` (canonical row order, encoding, growing,
joining the forests, storing as text) and once by `lightgbm.Dataset` and `lightgbm.train` with the parameters, rounds
and seeds that the estimator used. Choosing them (folds, trials, calibration) is left out of both sides and told apart.
Reasons: `LeadScorer.reasons` beside `Booster.predict(pred_contrib=True)` of the same trees, in alternating rounds.
"""

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import lightgbm
import numpy as np
import pandas as pd
from rich.console import Console
from scipy.special import expit

from training import LeadScorer
from training.columns import Encoded, as_table, row_hash
from training.forest import parameters

# Both sides take turns so often; what is told is the median.
_ROUNDS = 3


@dataclass(frozen=True)
class Speed:
    """Seconds of both sides, by wall clock and by processor; ratios above 1 mean that we took longer."""

    rows: int
    fit_seconds: float
    raw_fit_seconds: float
    fit_cpu: float
    raw_fit_cpu: float
    choosing_seconds: float
    reasons_seconds: float
    raw_contrib_seconds: float
    reasons_rows: int
    peak_gb: float


def made_up(rows: int, columns: int = 60, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers with gaps, counts and a few categories, of which a dozen matter."""
    rng = np.random.default_rng(seed)
    frame = {}
    z = np.full(rows, -2.5)
    for n in range(columns - 4):
        values = rng.poisson(1 + n % 7, rows).astype(float) if n % 2 else rng.normal(size=rows)
        if n < 12:
            z += 0.4 * np.tanh(values - values.mean()) * (1 if n % 3 else -1)
        if n % 5 == 0:
            values[rng.random(rows) < 0.2] = np.nan
        frame[f"n{n}"] = values
    for n in range(4):
        code = rng.integers(0, 8, rows)
        z += 0.2 * (code == n)
        frame[f"c{n}"] = pd.Categorical.from_codes(code, list("abcdefgh"))
    return pd.DataFrame(frame), rng.random(rows) < expit(z)


def measure(rows: int, reasons_rows: int) -> Speed:
    frame, won = made_up(rows)
    began = time.perf_counter()
    scorer = LeadScorer(trials=1, members=1, time_budget=3600).fit(frame, won)
    choosing = time.perf_counter() - began
    trial, _ = scorer.recipe_.trees[0]
    table = as_table(frame)

    def ours() -> None:
        given = as_table(frame)
        order = np.argsort(row_hash(given, won), kind="stable")
        ordered = given.take(order)
        encoded = Encoded(ordered, won[order], np.zeros(rows, dtype=np.int64))
        scorer.make_final(encoded, won[order])

    matrix = Encoded(table, won, np.zeros(rows, dtype=np.int64)).matrix

    def raw() -> None:
        categories = [n for n, column in enumerate(scorer.columns_) if column.is_category]
        data = lightgbm.Dataset(matrix, won, categorical_feature=categories, params={"verbose": -1})
        lightgbm.train(parameters(trial.shape, 0, 0, [0] * table.num_columns), data, trial.rounds)

    rounds = [(*_timed(ours), *_timed(raw)) for _ in range(_ROUNDS)]
    fit, fit_cpu, raw_fit, raw_cpu = (statistics.median(figures) for figures in zip(*rounds, strict=True))
    booster = lightgbm.Booster(model_str=scorer.model_.trees.text)
    some = frame.head(reasons_rows)
    ours_reasons, theirs = 0.0, 0.0
    block = max(1, reasons_rows // 4)
    for start in range(0, reasons_rows, block):
        part = some.iloc[start : start + block]
        ours_reasons += _timed(lambda part=part: scorer.reasons(part, top=5))[1]
        numbers = np.ascontiguousarray(matrix[start : start + block])
        theirs += _timed(lambda numbers=numbers: booster.predict(numbers, pred_contrib=True))[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return Speed(
        rows, fit, raw_fit, fit_cpu, raw_cpu, choosing - fit, ours_reasons, theirs, reasons_rows, round(peak, 2)
    )


def run(rows: int = 1_000_000, reasons_rows: int = 100_000) -> Speed:
    """Measure and print both sides."""
    speed = measure(rows, reasons_rows)
    console = Console(width=120)
    seconds, cpu = speed.fit_seconds / speed.raw_fit_seconds, speed.fit_cpu / speed.raw_fit_cpu
    console.print(
        f"Final fit of {rows:,} rows x 60, medians of {_ROUNDS}: ours {speed.fit_seconds:.1f} s ({speed.fit_cpu:.1f} s "
        f"of CPU), lightgbm.train {speed.raw_fit_seconds:.1f} s ({speed.raw_fit_cpu:.1f} s of CPU); ratio "
        f"{seconds:.2f} by seconds, {cpu:.2f} by CPU (bar 1.3). Choosing took {speed.choosing_seconds:.1f} s."
    )
    console.print(
        f"Five reasons for {reasons_rows:,} rows: ours {speed.reasons_seconds:.1f} s of CPU, pred_contrib "
        f"{speed.raw_contrib_seconds:.1f} s; throughput {speed.raw_contrib_seconds / speed.reasons_seconds:.2f} of it "
        f"(bar 0.8). Peak memory {speed.peak_gb} GB, LightGBM's own fit included."
    )
    return speed


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    run()
