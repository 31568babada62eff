"""The AutoML side, run in an environment of its own: `python automl_peer.py PLAYER FOLDER SECONDS`.

Reads train.parquet and test.parquet (outcome in `y`), writes chance.npy. It imports nothing of the project.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd


def as_categories(train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    for name in train.columns:
        if name != "y" and not pd.api.types.is_numeric_dtype(train[name]):
            levels = pd.Index(train[name].astype(str).unique())
            train[name] = pd.Categorical(train[name].astype(str), categories=levels)
            test[name] = pd.Categorical(test[name].astype(str), categories=levels)
    return train, test


def flaml(train: pd.DataFrame, test: pd.DataFrame, seconds: float) -> np.ndarray:
    from flaml import AutoML

    train, test = as_categories(train, test)
    model = AutoML()
    model.fit(
        train.drop(columns="y"), train.y, task="classification", metric="log_loss", time_budget=seconds, n_jobs=2,
        verbose=0, seed=1,
    )  # fmt: skip
    return model.predict_proba(test.drop(columns="y"))[:, 1]


def autogluon(train: pd.DataFrame, test: pd.DataFrame, seconds: float) -> np.ndarray:
    import tempfile

    from autogluon.tabular import TabularPredictor

    with tempfile.TemporaryDirectory() as folder:
        model = TabularPredictor("y", eval_metric="log_loss", path=folder, verbosity=0)
        model.fit(train, presets="best_quality", time_limit=seconds, num_cpus=2, dynamic_stacking=False)
        return model.predict_proba(test)[1].to_numpy()


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    frames = [pd.read_parquet(folder / name) for name in ("train.parquet", "test.parquet")]
    np.save(folder / "chance.npy", {"flaml": flaml, "autogluon": autogluon}[sys.argv[1]](*frames, float(sys.argv[3])))
