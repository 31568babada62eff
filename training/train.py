"""Train a model: spine, features, split, fit, judgement on later data, and only then registration."""

import math
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.clock import Clock
from core.errors import ContractError, EvidenceError
from core.model_settings import ModelName
from core.progress import Progress, SilentProgress
from core.settings import Settings
from core.storage import Workspace
from features.catalog import ServiceSchema, service_of, service_schema
from features.retrieval import historical_features
from scoring.bundle import ModelBundle, Reference, split_by_kind
from scoring.encoding import encode
from scoring.grades import Support, freeze_reference
from scoring.registry import CHALLENGER, CHAMPION, Registered, Registry
from training.baselines import PointsRules, fit_points_scale, points_rules
from training.canvas import as_png
from training.estimator import LeadScorer, scorer_of
from training.evaluation import Gain, Quality, area_under_curve, evaluate, gain_over
from training.gate import Evidence, Judgement, Promotion, Verdict, judge, too_little
from training.plots import gains_figure, reliability_figure
from training.recording import RunRecord, record_run
from training.spine import Spine, scoring_moments
from training.split import TimeSplit, gap_of, split_off_newest
from training.training_set import load_training_set

Floats = NDArray[np.float64]
_STEPS = 6
_NOTHING = float("nan")
# A reference of fewer people gives no percentile worth the name; the test part stands in.
_MIN_REFERENCE = 100
# TreeSHAP for the reference: a sample of this size fixes quartiles of fit and engagement well enough.
_REFERENCE_SAMPLE = 5000


@dataclass(frozen=True)
class PartSummary:
    """One part of the data: rows, wins, people, and its first and last as-of moment (ISO 8601, UTC)."""

    rows: int
    positives: int
    people: int
    first: str
    last: str


@dataclass(frozen=True)
class TrainingResult:
    """What came of a training run; measures are of the test part, NaN where there was too little to measure.

    Attributes:
        version: number in the registry, "-" where nothing was registered.
        baselines: quality by name: `base_rate`, `points`.
        verdict: is the model worth using against the baselines.
        promotion: did it become champion.
        why: both in words.
        points: whose rules `points` are: `configured`, `generic`, or `none`, where they give everybody the same.
        rows: mature rows in all parts and gaps.
        positives: won ones among them.
        unseen_auc: AUC on people of whom no row was trained on, with their numbers beside it.
        gain_over_base_rate: log-loss gained a row; `gain_standard_error` is clustered by person.
        rounds: trees of the model.
        calibrated_on: `later` or `circles`, see `training.estimator.HeldOut`.
        parts: `development` and `test`.
        data: fingerprint of everything the model was trained on.
        as_of: the moment (UTC) that the unified tables stood for; None in the records of earlier releases.
        generation: of the features that were learned from.
    """

    version: str
    auc: float
    ap: float
    logloss: float
    brier: float
    ece: float
    lift_at_10: float
    calibration_slope: float
    expected_observed: float
    baselines: dict[str, dict[str, float]]
    verdict: Verdict
    promotion: Promotion
    why: str
    points: str = "-"
    rows: int = 0
    positives: int = 0
    unseen_auc: float = _NOTHING
    unseen_rows: int = 0
    unseen_positives: int = 0
    gain_over_base_rate: float = _NOTHING
    gain_standard_error: float = _NOTHING
    rounds: int = 0
    calibrated_on: str = "-"
    parts: dict[str, PartSummary] = field(default_factory=dict)
    data: str = "-"
    as_of: datetime | None = None
    generation: str = "-"


def train_model(
    settings: Settings, workspace: Workspace, model: ModelName, *, clock: Clock, progress: Progress | None = None
) -> TrainingResult:
    """Develop a model on the earlier outcomes, judge it on the later ones, and let it answer if it deserves that.

    The parts, by as-of moment: development | gap of a horizon | test. Inside the development part a later calibration
    part is divided off in the same way where it holds enough wins; else calibration is read from folds of people who
    share no outcome (`training.estimator`), so that a short history still gives honest probabilities. The model that is
    registered is the one that was tested.

    With too little evidence nothing is registered and nothing fails: the result says so.

    Args:
        settings: the configuration.
        workspace: features must have been built for the spine and for the scoring moments, and applied.
        model: for example `lead`.
        clock: dates the run in the registry.
        progress: shows the steps.

    Raises:
        ConfigurationError: a gap shorter than the horizon, or a points rule on a feature that does not exist.
        ContractError: features are not those that the configuration describes.
        MissingStageError: the tables or features are missing.
    """
    as_of, generation = workspace.as_of(), workspace.current("features").name
    result = _train(settings, workspace, model, clock, progress or SilentProgress())
    return replace(result, as_of=as_of, generation=generation)


def _train(
    settings: Settings, workspace: Workspace, model: ModelName, clock: Clock, progress: Progress
) -> TrainingResult:
    rules = settings.models[model]
    schema = service_schema(settings, service_of(model))
    points = points_rules(rules.points, schema.features, model)
    gap = gap_of(rules.split, timedelta(days=rules.label.maturity_days))
    with progress.task(f"train {model}", _STEPS) as advance:
        data = load_training_set(settings, workspace, model)
        spine, rows = data.outcomes, data.features
        advance(2)
        try:
            split = split_off_newest(spine.as_of, rules.split.test_share, gap)
        except EvidenceError:
            return _without_model(spine, too_little("short_history", model, settings.locale, days=gap.days))
        development, label = split.earlier.rows, spine.label
        scorer = scorer_of(rules.estimator, rules.split, gap)
        scorer.fit(
            rows.select(schema.names).filter(pa.array(development)),
            label[development],
            spine.as_of[development],
            spine.circle[development],
        )
        if scorer.verdict_ == "insufficient":
            counted = {"rows": int(development.sum()), "positives": int(label[development].sum())}
            return _without_model(spine, too_little("few_outcomes", model, settings.locale, **counted))
        advance()
        if not label[split.later.rows].any():
            return _without_model(spine, too_little("no_test_wins", model, settings.locale))
        test = _test(spine, split, rows, scorer, points)
        advance()
        bundle = _bundle(settings, workspace, model, schema, scorer, spine, split, rows)
        advance()
        registry = Registry(settings, workspace)
        champion = registry.find(model, CHAMPION)
        evidence = Evidence(
            test.quality,
            int(test.label.sum()),
            test.over_base_rate,
            test.over_points,
            test.points_name,
            _champion_logloss(champion, schema, rows, split, test.label),
            champion is not None and champion.bundle.content == bundle.content,
        )
        judgement = judge(evidence, rules.promotion, model, settings.locale)
        result = _result(spine, split, scorer, test, judgement, data.fingerprint)
        record = _record(settings, model, result, test)
        alias = {"promoted": CHAMPION, "kept": CHALLENGER, "refused": None}[judgement.promotion]
        version = record_run(registry, model, record, bundle, alias, clock=clock)
        advance()
    return replace(result, version=version or "-")


@dataclass(frozen=True)
class _Test:
    """What the test part says."""

    label: NDArray[np.bool_]
    probability: Floats
    points: Floats
    points_name: str
    quality: Quality
    baselines: dict[str, Quality]
    over_base_rate: Gain
    over_points: Gain
    unseen: NDArray[np.bool_]


def _test(spine: Spine, split: TimeSplit, rows: pa.Table, scorer: LeadScorer, points: PointsRules) -> _Test:
    development, later = split.earlier.rows, split.later.rows
    label, person = spine.label[later], spine.person
    test_rows = rows.filter(pa.array(later))
    probability = scorer.predict_proba(test_rows)[:, 1]
    earned = points.points(rows)
    scale = fit_points_scale(earned[development], spine.label[development])
    by_points = scale.probability(earned[later])
    by_rate = np.full(len(label), float(spine.label[development].mean()))
    cluster = np.unique(person, return_inverse=True)[1][later]
    return _Test(
        label=label,
        probability=probability,
        points=earned[later],
        points_name=points.name if np.ptp(earned) > 0 else "none",
        quality=evaluate(label, probability),
        baselines={"base_rate": evaluate(label, by_rate), "points": evaluate(label, by_points)},
        over_base_rate=gain_over(label, probability, by_rate, cluster),
        over_points=gain_over(label, probability, by_points, cluster),
        unseen=~np.isin(person[later], np.unique(person[development])),
    )


def _bundle(
    settings: Settings,
    workspace: Workspace,
    model: ModelName,
    schema: ServiceSchema,
    scorer: LeadScorer,
    spine: Spine,
    split: TimeSplit,
    rows: pa.Table,
) -> ModelBundle:
    """The trained parts with the distributions that scores are measured against: today's people, else the test's."""
    people = historical_features(settings, workspace, schema.service, scoring_moments(settings, workspace, model))
    if people.num_rows < _MIN_REFERENCE:
        people = rows.filter(pa.array(split.later.rows))
    matrix = encode(people, scorer.columns_)
    step = max(1, math.ceil(len(matrix) / _REFERENCE_SAMPLE))
    contributions = scorer.calibrator_.contributions(scorer.model_.contributions(matrix[::step]))
    fit, engagement = split_by_kind(contributions, schema.features)
    trained = spine.as_of[split.earlier.rows].max()
    return ModelBundle(
        model=model,
        service=schema.service,
        schema_fingerprint=schema.fingerprint,
        columns=scorer.columns_,
        calibrator=scorer.calibrator_,
        grades=settings.grades,
        reference=Reference(
            freeze_reference(scorer.model_.margin(matrix)), freeze_reference(fit), freeze_reference(engagement)
        ),
        support=_support(scorer, spine, split),
        base_rate=float(spine.label[split.earlier.rows].mean()),
        horizon_days=settings.models[model].label.horizon_days,
        trained_until=_iso(trained),
        additive=scorer.model_,
    )


def _support(scorer: LeadScorer, spine: Spine, split: TimeSplit) -> Support:
    """Of each held-out person the log-odds of the newest row: what experience the model has of people like that."""
    rows = np.flatnonzero(split.earlier.rows)[scorer.held_out_.rows]
    log_odds = scorer.calibrator_.log_odds(scorer.held_out_.margin)
    newest_first = np.lexsort((spine.person[rows], -spine.as_of[rows].astype(np.int64)))
    _, first = np.unique(spine.person[rows][newest_first], return_index=True)
    return Support(freeze_reference(log_odds[newest_first][first]), len(first))


def _champion_logloss(
    champion: Registered | None, schema: ServiceSchema, rows: pa.Table, split: TimeSplit, label: NDArray[np.bool_]
) -> float | None:
    """The champion on the same test rows; None where it reads other features and so could not answer any more."""
    if champion is None:
        return None
    try:
        champion.bundle.check(schema)
    except ContractError:
        return None
    test_rows = champion.bundle.encode(rows.filter(pa.array(split.later.rows)))
    return evaluate(label, champion.bundle.predict_probability(test_rows)).logloss


def _result(
    spine: Spine,
    split: TimeSplit,
    scorer: LeadScorer,
    test: _Test,
    judgement: Judgement,
    data: str,
) -> TrainingResult:
    return TrainingResult(
        version="-",
        auc=test.quality.auc,
        ap=test.quality.ap,
        logloss=test.quality.logloss,
        brier=test.quality.brier,
        ece=test.quality.ece,
        lift_at_10=test.quality.lift_at_10,
        calibration_slope=test.quality.calibration_slope,
        expected_observed=test.quality.expected_observed,
        baselines={name: quality.as_dict() for name, quality in test.baselines.items()},
        verdict=judgement.verdict,
        promotion=judgement.promotion,
        why=judgement.why,
        points=test.points_name,
        rows=spine.table.num_rows,
        positives=int(spine.label.sum()),
        unseen_auc=area_under_curve(test.label[test.unseen], test.probability[test.unseen]),
        unseen_rows=int(test.unseen.sum()),
        unseen_positives=int(test.label[test.unseen].sum()),
        gain_over_base_rate=test.over_base_rate.mean,
        gain_standard_error=test.over_base_rate.standard_error,
        rounds=scorer.rounds_,
        calibrated_on=scorer.held_out_.how,
        parts={
            "development": _part(spine, split.earlier.rows),
            "test": _part(spine, split.later.rows),
        },
        data=data,
    )


def _without_model(spine: Spine, judgement: Judgement) -> TrainingResult:
    return TrainingResult(
        version="-",
        auc=_NOTHING,
        ap=_NOTHING,
        logloss=_NOTHING,
        brier=_NOTHING,
        ece=_NOTHING,
        lift_at_10=_NOTHING,
        calibration_slope=_NOTHING,
        expected_observed=_NOTHING,
        baselines={},
        verdict=judgement.verdict,
        promotion=judgement.promotion,
        why=judgement.why,
        rows=spine.table.num_rows,
        positives=int(spine.label.sum()),
    )


def _record(settings: Settings, model: ModelName, result: TrainingResult, test: _Test) -> RunRecord:
    measures = {name: getattr(result, name) for name in Quality.__dataclass_fields__}
    measures |= {
        "unseen_auc": result.unseen_auc,
        "rounds": result.rounds,
        "gain_over_base_rate": result.gain_over_base_rate,
    }
    for name, quality in result.baselines.items():
        measures |= {f"{name}_{measure}": value for measure, value in quality.items()}
    params = {f"estimator.{key}": str(value) for key, value in settings.models[model].estimator.model_dump().items()}
    params |= {f"label.{key}": str(value) for key, value in settings.models[model].label.model_dump().items()}
    params |= {f"split.{key}": str(value) for key, value in settings.models[model].split.model_dump().items()}
    for name, part in result.parts.items():
        params |= {f"{name}.{key}": str(value) for key, value in asdict(part).items()}
    return RunRecord(
        params=params,
        metrics={name: float(value) for name, value in measures.items() if math.isfinite(value)},
        tags={
            "model": model,
            "verdict": result.verdict,
            "promotion": result.promotion,
            "why": result.why,
            "data": result.data,
        },
        plots={
            "gains.png": as_png(gains_figure(test.label, test.probability, test.points, test.points_name)),
            "reliability.png": as_png(reliability_figure(test.label, test.probability)),
        },
    )


def _part(spine: Spine, rows: NDArray[np.bool_]) -> PartSummary:
    as_of = spine.as_of[rows]
    return PartSummary(
        int(rows.sum()),
        int(spine.label[rows].sum()),
        len(np.unique(spine.person[rows])),
        _iso(as_of.min()),
        _iso(as_of.max()),
    )


def _iso(moment: np.datetime64) -> str:
    return datetime.fromtimestamp(moment.astype("datetime64[us]").astype(np.int64) / 1e6, UTC).isoformat()
