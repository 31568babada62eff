"""Lets `mlflow.pyfunc.load_model` open a bundle."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from scoring.bundle import ModelBundle


class ProbabilityModel:
    """A frame of features in, calibrated probabilities out."""

    def __init__(self, bundle: ModelBundle) -> None:
        self._bundle = bundle

    def predict(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Calibrated chance of each row; columns that the model does not read are ignored."""
        table = pa.Table.from_pandas(frame, preserve_index=False)
        return self._bundle.predict_probability(self._bundle.encode(table))


def _load_pyfunc(path: str) -> ProbabilityModel:
    """The entry point that MLflow asks a loader module for."""
    return ProbabilityModel(ModelBundle.load(Path(path)))
