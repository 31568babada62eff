"""A trained model as a folder of text files: its parts, calibration, contract, what its scores are measured against."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import ContractError
from core.model_settings import GradeSettings
from core.storage import fingerprint, write_atomically, write_json
from features.catalog import Feature, ServiceSchema
from scoring.additive import AdditiveModel
from scoring.calibration import Calibrator
from scoring.curves import Curves
from scoring.encoding import FeatureColumn, Matrix, encode
from scoring.experience import Experience
from scoring.grades import Support, engagement_of, fit_of, grade_of, score_of
from scoring.reasons import Language, ReasonWriter
from scoring.trees import Trees

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
FORMAT = 3
_TREES = "trees.txt"
_MODEL = "model.json"


@dataclass(frozen=True)
class Reference:
    """Frozen distributions that percentiles are read from, so that a score does not move because others arrive.

    Attributes:
        margin: raw margins of the reference people, ascending.
        fit: their contributions of who they are, ascending, in calibrated log-odds.
        engagement: their contributions of what they do, ascending, in calibrated log-odds.
    """

    margin: tuple[float, ...]
    fit: tuple[float, ...]
    engagement: tuple[float, ...]


@dataclass(frozen=True, repr=False)
class ModelBundle:
    """Everything that is needed to score, and nothing that training alone needs.

    Attributes:
        model: for example `lead`.
        service: the feature service that names its columns.
        schema_fingerprint: of the service when the model was trained.
        columns: what the model reads, in order.
        calibrator: from raw margin to probability.
        grades: lowest score of each grade.
        reference: distributions for score, fit and engagement.
        support: held-out people, for the evidence.
        experience: how it went with the people it was developed on, for the reasons.
        base_rate: share of positive outcomes among the rows it was developed on.
        horizon_days: how far ahead the probability looks.
        trained_until: newest as-of moment that it was developed on, ISO 8601.
        additive: from columns to the raw margin.
    """

    model: str
    service: str
    schema_fingerprint: str
    columns: tuple[FeatureColumn, ...]
    calibrator: Calibrator
    grades: GradeSettings
    reference: Reference
    support: Support
    experience: Experience
    base_rate: float
    horizon_days: int
    trained_until: str
    additive: AdditiveModel = field(compare=False)

    def __repr__(self) -> str:
        return (
            f"{self.model} model: {self.additive} over {len(self.columns)} columns of {self.service}, "
            f"outcome within {self.horizon_days} days, base rate {self.base_rate:.1%}, "
            f"developed on moments up to {self.trained_until[:10]}"
        )

    @property
    def content(self) -> str:
        """A hash of all that decides about a score: equal content gives equal answers."""
        return fingerprint(json.dumps(self._description(), sort_keys=True), self._forest)

    def save(self, folder: Path) -> None:
        """Write the bundle into `folder`, which is made when it does not exist."""
        folder.mkdir(parents=True, exist_ok=True)
        if self._forest:
            write_atomically(folder / _TREES, self._forest.encode())
        write_json(folder / _MODEL, {**self._description(), "content": self.content})

    @staticmethod
    def load(folder: Path, schema: ServiceSchema | None = None) -> "ModelBundle":
        """Read a bundle, and refuse one that does not belong to the features at hand.

        Args:
            folder: written by `save`.
            schema: the service as it is configured now; None reads the model without checking that.

        Raises:
            ContractError: the folder is no bundle, was altered, or was trained on other features.
        """
        try:
            raw = json.loads((folder / _MODEL).read_text(encoding="utf-8"))
            if raw.get("format") != FORMAT:
                raise ContractError(
                    f"the model has format {raw.get('format')}", f"format {FORMAT}", "train it again with this release"
                )
            trees = Trees((folder / _TREES).read_text(encoding="utf-8")) if raw["trees"] else None
        except (FileNotFoundError, json.JSONDecodeError) as error:
            raise ContractError(
                f"{folder} holds no model", f"{_MODEL} and {_TREES}", "train the model again"
            ) from error
        bundle = _from_description(raw, trees)
        if raw["content"] != bundle.content:
            raise ContractError("the model's files were changed after it was saved", "untouched files", "train again")
        if schema is not None:
            bundle.check(schema)
        return bundle

    def check(self, schema: ServiceSchema) -> None:
        """Refuse features of another service or another definition.

        Raises:
            ContractError: service or fingerprint differ.
        """
        if (self.service, self.schema_fingerprint) == (schema.service, schema.fingerprint):
            return
        raise ContractError(
            f"the {self.model} model was trained on {self.service} ({self.schema_fingerprint}), "
            f"and the features at hand are {schema.service} ({schema.fingerprint})",
            "the same service with the same definition",
            "train the model again or restore the feature settings",
        )

    def encode(self, rows: "pa.Table | pd.DataFrame") -> Matrix:
        """The feature rows as the model reads them; columns may be in any order, and more than these."""
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False)
        return encode(table, self.columns)

    def predict_margin(self, matrix: Matrix) -> Floats:
        """Raw log-odds before calibration, shape (rows,)."""
        return self.additive.margin(matrix)

    def predict_probability(self, matrix: Matrix) -> Floats:
        """Calibrated chance of the outcome within the horizon, shape (rows,)."""
        return self.calibrator.probability(self.additive.margin(matrix))

    def contributions(self, matrix: Matrix) -> Floats:
        """What each column adds to the calibrated log-odds, shape (rows, columns + 1).

        The last column is the starting value; each row sums to the log-odds of `predict_probability`.
        """
        return self.calibrator.contributions(self.additive.contributions(matrix))

    def score(self, margin: Floats) -> NDArray[np.int64]:
        """Percentile 1 to 100 in the frozen reference."""
        return score_of(self.reference.margin, margin)

    def grade(self, score: NDArray[np.int64]) -> NDArray[np.str_]:
        """A to D by score."""
        return grade_of(score, self.grades)

    def fit_and_engagement(
        self, contributions: Floats, features: tuple[Feature, ...]
    ) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
        """The split of the contributions into who somebody is (A to D) and what they do (1 to 4, 1 the most)."""
        fit, engagement = split_by_kind(contributions, features)
        return fit_of(self.reference.fit, fit), engagement_of(self.reference.engagement, engagement)

    def reason_writer(self, features: tuple[Feature, ...], language: Language) -> ReasonWriter:
        """Says why, with how it went with the people that the model was developed on."""
        return ReasonWriter(features, language, self.model, self.experience)

    @property
    def _forest(self) -> str:
        return self.additive.trees.text if self.additive.trees is not None else ""

    def _description(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "model": self.model,
            "service": self.service,
            "schema_fingerprint": self.schema_fingerprint,
            "columns": [asdict(column) for column in self.columns],
            "constant": self.additive.constant,
            "curves": None if self.additive.curves is None else self.additive.curves.as_lists(),
            "trees": self.additive.trees is not None,
            "calibrator": asdict(self.calibrator),
            "grades": self.grades.model_dump(),
            "reference": {name: list(values) for name, values in asdict(self.reference).items()},
            "support": {"log_odds": list(self.support.log_odds), "people": self.support.people},
            "experience": self.experience.as_lists(),
            "base_rate": self.base_rate,
            "horizon_days": self.horizon_days,
            "trained_until": self.trained_until,
        }


def split_by_kind(contributions: Floats, features: tuple[Feature, ...]) -> tuple[Floats, Floats]:
    """Sums of the contributions of fit and of engagement features, rounded so that equal people stay equal.

    TreeSHAP adds in an order that depends on the path, which leaves differences in the last bits.
    """
    is_fit = np.array([feature.kind == "fit" for feature in features])
    values = contributions[:, : len(features)]
    fit: Floats = np.round(values[:, is_fit].sum(axis=1), 9)
    engagement: Floats = np.round(values[:, ~is_fit].sum(axis=1), 9)
    return fit, engagement


def _from_description(raw: dict[str, Any], trees: Trees | None) -> ModelBundle:
    width, curves = len(raw["columns"]), raw["curves"]
    return ModelBundle(
        model=raw["model"],
        service=raw["service"],
        schema_fingerprint=raw["schema_fingerprint"],
        columns=tuple(
            FeatureColumn(**{**column, "vocabulary": column["vocabulary"] and tuple(column["vocabulary"])})
            for column in raw["columns"]
        ),
        calibrator=Calibrator(**{**raw["calibrator"], "steps": tuple(map(tuple, raw["calibrator"]["steps"]))}),
        grades=GradeSettings(**raw["grades"]),
        reference=Reference(**{name: tuple(values) for name, values in raw["reference"].items()}),
        support=Support(tuple(raw["support"]["log_odds"]), raw["support"]["people"]),
        experience=Experience.from_lists(raw["experience"]),
        base_rate=raw["base_rate"],
        horizon_days=raw["horizon_days"],
        trained_until=raw["trained_until"],
        additive=AdditiveModel(width, raw["constant"], curves and Curves.from_lists(width, curves), trees),
    )
