"""A small table of deals, all of it categories: the ladder beside its rungs on their own, in twenty grouped repeats.

The open data of 448 B2B sales (Bohanec, Borstnar, Robnik-Sikonja 2015) hold many deals that are alike in every field.
Those stay on one side of a division: else whoever remembers best would win. Both others are set up with care, their
strength chosen on grouped folds of the same rows.
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold, GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from training import LeadScorer

Floats = NDArray[np.float64]
REPEATS = 20
_FILE = Path("b2b_sales_salvirt") / "Salvirt_B2B_ML_dataset.csv"
_FOLDS, _PATIENCE, _MOST_ROUNDS = 5, 30, 600


def ladder(
    known: pd.DataFrame, won: NDArray[np.bool_], group: NDArray[np.int64], new: pd.DataFrame, seed: int
) -> Floats:
    scorer = LeadScorer(time_budget=10, random_state=seed).fit(known, won, circle=group)
    return np.asarray(scorer.predict_proba(new)[:, 1])


def logistic(
    known: pd.DataFrame, won: NDArray[np.bool_], group: NDArray[np.int64], new: pd.DataFrame, seed: int
) -> Floats:
    del seed
    folds = list(GroupKFold(_FOLDS).split(known, won, group))
    line = make_pipeline(
        OneHotEncoder(handle_unknown="ignore"),
        LogisticRegressionCV(
            Cs=np.logspace(-3, 1, 9),
            l1_ratios=(0,),
            cv=folds,
            scoring="neg_log_loss",
            max_iter=500,
            use_legacy_attributes=False,
        ),
    )
    return np.asarray(line.fit(known, won).predict_proba(new)[:, 1])


def trees(
    known: pd.DataFrame, won: NDArray[np.bool_], group: NDArray[np.int64], new: pd.DataFrame, seed: int
) -> Floats:
    levels = {name: pd.CategoricalDtype(sorted(known[name].unique())) for name in known}
    data = lightgbm.Dataset(known.astype(levels), won, free_raw_data=False, params={"verbose": -1})
    shape = {"objective": "binary", "learning_rate": 0.03, "num_leaves": 7, "min_data_in_leaf": 10, "seed": seed}
    quiet = {"verbose": -1, "deterministic": True, "force_row_wise": True}
    found = lightgbm.cv(
        {**shape, **quiet},
        data,
        _MOST_ROUNDS,
        folds=list(GroupKFold(_FOLDS).split(known, won, group)),
        callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
    )
    rounds = len(found["valid binary_logloss-mean"])
    return np.asarray(lightgbm.train({**shape, **quiet}, data, rounds).predict(new.astype(levels)))


_SIDES: dict[str, Callable[..., Floats]] = {"ladder": ladder, "logistic": logistic, "LightGBM": trees}


def measure(table: pd.DataFrame, repeats: int = REPEATS) -> pd.DataFrame:
    """Log-loss of each side, one row a repeat."""
    won = (table["Status"] == "Won").to_numpy()
    frame = table.drop(columns="Status")
    group = frame.groupby(list(frame), dropna=False).ngroup().to_numpy()
    losses = []
    parts = GroupShuffleSplit(repeats, test_size=0.3, random_state=0).split(frame, won, group)
    for seed, (past, later) in enumerate(parts):
        given = frame.iloc[past], won[past], group[past], frame.iloc[later], seed
        losses.append({name: log_loss(won[later], play(*given)) for name, play in _SIDES.items()})
    return pd.DataFrame(losses)


def run(console: Console | None = None) -> pd.DataFrame | None:
    """Measure and print all sides; None where the data are not on this machine."""
    console = console or Console(width=100)
    file = Path(os.environ.get("KIZASHI_REAL_DATA", "../shared/data")) / _FILE
    if not file.exists():
        console.print(f"Ladder: left out, {file} is not there (KIZASHI_REAL_DATA names the folder of data sets).")
        return None
    losses = measure(pd.read_csv(file, sep=";"))
    means = losses.mean()
    rival = str(means.drop("ladder").idxmin())
    behind = losses["ladder"] - losses[rival]
    error = float(behind.std(ddof=1) / np.sqrt(len(behind)))
    printed = Table("side", "mean log-loss", title=f"{len(losses)} grouped repeats", title_justify="left")
    for name, mean in means.items():
        printed.add_row(str(name), f"{mean:.4f}")
    console.print(printed)
    console.print(
        f"The ladder's log-loss is {behind.mean():+.4f} beside that of {rival}, the better of the two, with a standard "
        f"error of {error:.4f} (bar: not more than one above it)."
    )
    return losses


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m benchmarks.ladder_quality", description=__doc__).parse_args()
    run()
