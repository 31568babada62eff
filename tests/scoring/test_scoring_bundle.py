"""A bundle on disk: what is read is what was written, and nothing else is accepted."""

import json
from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
import pyarrow as pa
import pytest

from core.errors import ContractError
from core.model_settings import GradeSettings
from features.catalog import ServiceSchema
from scoring.additive import AdditiveModel
from scoring.bundle import ModelBundle, Reference
from scoring.calibration import Calibrator
from scoring.curves import Curve, Curves
from scoring.encoding import FeatureColumn, encode
from scoring.experience import Alike, ColumnExperience, Experience
from scoring.grades import Support
from scoring.trees import Trees

COLUMNS = (FeatureColumn("visits"), FeatureColumn("industry", ("a", "b")))
CURVES = Curves(2, (Curve(0, (0.0, 4.0), (-0.5, 0.5), 0.1), Curve(1, (0.0, 1.0), (0.2, -0.2), 0.0)))
EXPERIENCE = Experience(Alike(200, 30), (ColumnExperience((0.0, 4.0), (150, 50, 0), (10, 20, 0)),) * 2)
SCHEMA = ServiceSchema("lead_v1", (), "f1")


@pytest.fixture(scope="module")
def bundle() -> ModelBundle:
    rng = np.random.default_rng(0)
    matrix = np.column_stack([rng.poisson(2, 500), rng.integers(0, 2, 500)]).astype(float)
    won = rng.random(500) < 0.1 + 0.1 * np.minimum(matrix[:, 0], 5) * matrix[:, 1]
    data = lightgbm.Dataset(matrix, won, categorical_feature=[1], params={"verbose": -1})
    grown = lightgbm.train({"objective": "binary", "num_leaves": 4, "verbose": -1, "num_threads": 1}, data, 15)
    return ModelBundle(
        "lead", "lead_v1", "f1", COLUMNS, Calibrator(0.9, -0.2), GradeSettings(),
        Reference((-3.0, -2.0, -1.0), (0.0, 1.0), (0.0, 1.0)), Support((-3.0, -1.0), 200), EXPERIENCE, 0.1, 90,
        "2026-01-01T00:00:00+00:00", AdditiveModel(2, 0.1, CURVES, Trees(grown.model_to_string())),
    )  # fmt: skip


ROWS = pa.table({"industry": ["A", "B", "Z", None], "visits": pa.array([1, 5, None, 0], pa.int64())})


def test_a_saved_bundle_answers_the_same(bundle: ModelBundle, tmp_path: Path) -> None:
    bundle.save(tmp_path)
    loaded = ModelBundle.load(tmp_path, SCHEMA)
    assert loaded == bundle
    assert loaded.content == bundle.content
    matrix = bundle.encode(ROWS)
    assert np.array_equal(loaded.predict_probability(matrix), bundle.predict_probability(matrix))
    assert {path.suffix for path in tmp_path.iterdir()} == {".txt", ".json"}


def test_contributions_add_up_to_the_log_odds(bundle: ModelBundle) -> None:
    matrix = bundle.encode(ROWS)
    chance = bundle.predict_probability(matrix)
    assert np.allclose(bundle.contributions(matrix).sum(axis=1), np.log(chance / (1 - chance)))


def test_one_row_and_many_rows_are_scored_alike(bundle: ModelBundle) -> None:
    matrix = bundle.encode(pa.concat_tables([ROWS] * 50))
    assert np.array_equal(bundle.predict_margin(matrix)[:4], bundle.predict_margin(matrix[:4]))


@pytest.mark.parametrize(
    "calibrator", [Calibrator(1.1, 0.2, 0.15), Calibrator(1.0, 0.1, 0.0, ((-3.0, -2.5), (-1.0, -1.5), (1.0, 0.5)))]
)
@pytest.mark.parametrize(
    "parts", [AdditiveModel(2, -1.5), AdditiveModel(2, -1.5, CURVES)], ids=["the base rate", "2 curves"]
)
def test_every_rung_and_calibration_is_stored_and_adds_up(
    bundle: ModelBundle, tmp_path: Path, parts: AdditiveModel, calibrator: Calibrator
) -> None:
    simple = replace(bundle, additive=parts, calibrator=calibrator)
    simple.save(tmp_path)
    assert not (tmp_path / "trees.txt").exists()
    loaded = ModelBundle.load(tmp_path, SCHEMA)
    matrix = bundle.encode(ROWS)
    chance = loaded.predict_probability(matrix)
    assert np.array_equal(chance, simple.predict_probability(matrix))
    assert np.allclose(loaded.contributions(matrix).sum(axis=1), np.log(chance / (1 - chance)))
    assert str(parts) in repr(loaded)


@pytest.mark.parametrize("schema", [ServiceSchema("churn_v1", (), "f1"), ServiceSchema("lead_v1", (), "f2")])
def test_other_features_are_refused(bundle: ModelBundle, tmp_path: Path, schema: ServiceSchema) -> None:
    bundle.save(tmp_path)
    with pytest.raises(ContractError, match=r"was trained on lead_v1 \(f1\)"):
        ModelBundle.load(tmp_path, schema)


def test_altered_or_absent_files_are_refused(bundle: ModelBundle, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="holds no model"):
        ModelBundle.load(tmp_path)
    bundle.save(tmp_path)
    description = json.loads((tmp_path / "model.json").read_text())
    description["calibrator"]["slope"] = 2.0
    (tmp_path / "model.json").write_text(json.dumps(description))
    with pytest.raises(ContractError, match="changed after it was saved"):
        ModelBundle.load(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({**description, "format": 99}))
    with pytest.raises(ContractError, match="format 99"):
        ModelBundle.load(tmp_path)


def test_any_change_is_another_content(bundle: ModelBundle) -> None:
    assert replace(bundle, base_rate=0.2).content != bundle.content


def test_encoding_names_what_is_absent_and_what_is_no_number() -> None:
    assert encode(ROWS, COLUMNS)[:, 1].tolist()[:2] == [0.0, 1.0]
    assert np.isnan(encode(ROWS, COLUMNS)[2:, 1]).all()
    with pytest.raises(ContractError, match="lack visits"):
        encode(ROWS.drop_columns(["visits"]), COLUMNS)
    with pytest.raises(ContractError, match="visits is string"):
        encode(ROWS.set_column(1, "visits", pa.array(["many"] * 4)), COLUMNS)
