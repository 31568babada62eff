"""What MLflow keeps of a training run: settings, measures, pictures, model card, fingerprints, and an example."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd
import pyarrow as pa

from core.model_settings import ModelName
from core.settings import Settings
from core.storage import Workspace
from features.catalog import ServiceSchema, service_of, service_schema
from scoring.bundle import ModelBundle
from scoring.registry import DATA_TAG
from training.backtest import Backtest
from training.canvas import as_png
from training.comparison import Comparison
from training.evaluation import Quality
from training.leakage import LeakReport
from training.model_card import model_card
from training.plots import (
    backtest_figure,
    bars_figure,
    beeswarm_figure,
    distribution_figure,
    gains_figure,
    reliability_figure,
)
from training.recording import RunRecord
from training.result import TrainingResult
from training.split import split_off_newest
from training.training_set import TrainingSet

AS_OF_TAG = "as_of"
# Rows behind the pictures of contributions, and rows given as an example of what the model takes.
_SAMPLE, _EXAMPLE = 1000, 3
# What MLflow takes as one parameter.
_LONGEST = 5000


def run_record(
    settings: Settings,
    workspace: Workspace,
    model: ModelName,
    result: TrainingResult,
    test: Comparison,
    past: Backtest,
    leaks: LeakReport,
    bundle: ModelBundle,
    data: TrainingSet,
) -> RunRecord:
    """All of a run that made a model."""
    later = split_off_newest(data.time, data.test_share, data.gap).later.rows
    rows = data.features.filter(pa.array(later))
    step = max(1, math.ceil(rows.num_rows / _SAMPLE))
    matrix = bundle.encode(rows.take(np.arange(0, rows.num_rows, step)))
    names = list(data.schema.names)
    contributions = bundle.contributions(matrix)[:, : len(names)]
    pictures = {
        "gains": gains_figure(test.label, test.probability, test.points, test.points_name),
        "reliability": reliability_figure(test.label, test.probability),
        "distribution": distribution_figure(test.label, test.probability),
        "backtest": backtest_figure(past, result.auc),
        "shap_beeswarm": beeswarm_figure(contributions, matrix, names),
        "shap_bars": bars_figure(contributions, names),
    }
    card = model_card(settings, model, data.schema, result, leaks)
    files = {f"plots/{name}.png": as_png(figure) for name, figure in pictures.items()}
    files |= {"model_card.md": card.markdown().encode(), "model_card.html": card.page().encode()}
    files["slices.csv"] = pd.DataFrame([asdict(one) for one in test.slices]).to_csv(index=False).encode()
    files["features.json"] = _definitions(data.schema)
    return RunRecord(
        params=_params(settings, model, result),
        metrics=_metrics(result, test, past),
        tags=_tags(workspace, model, result, data.schema),
        files={**files, **_leakage_files(settings, leaks)},
        example=rows.select(names).slice(0, _EXAMPLE).to_pandas(),
    )


def stop_record(
    settings: Settings, workspace: Workspace, model: ModelName, result: TrainingResult, leaks: LeakReport
) -> RunRecord:
    """Of a run that the leakage gate stopped: what it found."""
    schema = service_schema(settings, service_of(model))
    return RunRecord(
        params=_params(settings, model, result),
        metrics={"rows": float(result.rows), "positives": float(result.positives)},
        tags=_tags(workspace, model, result, schema),
        files=_leakage_files(settings, leaks),
    )


def _tags(workspace: Workspace, model: ModelName, result: TrainingResult, schema: ServiceSchema) -> dict[str, str]:
    return {
        "model": model,
        "verdict": result.verdict,
        "promotion": result.promotion,
        "why": result.why[:_LONGEST],
        DATA_TAG: result.data,
        "features": schema.fingerprint,
        "service": schema.service,
        "leaks": ", ".join(result.leaks),
        AS_OF_TAG: workspace.as_of().isoformat(),
    }


def _metrics(result: TrainingResult, test: Comparison, past: Backtest) -> dict[str, float]:
    measures: dict[str, float] = {name: getattr(result, name) for name in Quality.__dataclass_fields__}
    measures |= {
        "unseen_auc": result.unseen_auc,
        "rounds": result.rounds,
        "gain_over_base_rate": result.gain_over_base_rate,
        "precision_at_capacity": result.precision_at_capacity,
        "backtest_mean_auc": past.mean_auc,
        "backtest_worst_auc": past.worst_auc,
        "random_auc": past.random_auc,
    }
    for name, quality in test.baselines.items():
        measures |= {f"{name}_{measure}": value for measure, value in quality.as_dict().items()}
    for name, (low, high) in test.intervals.items():
        measures |= {f"{name}_low": low, f"{name}_high": high}
    for place, cut_off in enumerate(past.cut_offs, start=1):
        measures[f"backtest_{place}_auc"] = cut_off.auc
    return {name: float(value) for name, value in measures.items() if math.isfinite(value)}


def _params(settings: Settings, model: ModelName, result: TrainingResult) -> dict[str, str]:
    rules = settings.models[model]
    params: dict[str, str] = {}
    for name in ("estimator", "label", "split", "spine", "exclude", "leakage", "evaluation"):
        params |= _flat(name, getattr(rules, name).model_dump(mode="json"))
    for name, part in result.parts.items():
        params |= _flat(name, asdict(part))
    return params


def _flat(prefix: str, values: Mapping[str, object]) -> dict[str, str]:
    return {f"{prefix}.{key}": str(value)[:_LONGEST] for key, value in values.items()}


def _leakage_files(settings: Settings, leaks: LeakReport) -> dict[str, bytes]:
    report = "\n".join(leaks.lines(settings.locale)) + "\n"
    return {"leakage.md": report.encode(), "leakage.csv": leaks.to_frame().to_csv(index=False).encode()}


def _definitions(schema: ServiceSchema) -> bytes:
    """The features as they were defined, so that a later definition can be held against them."""
    features = [
        {"name": one.name, "type": one.type, "view": one.view, "measure": one.measure, "window_days": one.window_days}
        for one in schema.features
    ]
    content = {"service": schema.service, "fingerprint": schema.fingerprint, "features": features}
    return json.dumps(content, ensure_ascii=False, indent=1).encode()
