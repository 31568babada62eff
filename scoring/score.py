"""Score everyone who is eligible now with the champion, write the list, and log what was answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.clock import Clock
from core.database import open_database
from core.model_settings import HotSettings, ModelName
from core.progress import Progress, SilentProgress
from core.settings import Settings
from core.storage import Workspace, fingerprint, write_parquet
from core.tables import MOMENT
from features.catalog import Feature, service_of, service_schema
from features.retrieval import historical_features
from scoring.answers import Scored, StoredScore, log_answers, scores_before, stored_scores, week_before
from scoring.encoding import Matrix
from scoring.grades import evidence_of
from scoring.reasons import REASONS, Language, ReasonWriter
from scoring.registry import CHAMPION, Registered, Registry

Floats = NDArray[np.float64]
SCORES_FILE = "scores.parquet"
# What the scores were computed from: an explanation of a list in force needs nothing that a newer run has replaced.
FEATURES_FILE = "features.parquet"
SCORES_SCHEMA = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("score", pa.int64(), nullable=False),
        pa.field("probability", pa.float64(), nullable=False),
        pa.field("grade", pa.string(), nullable=False),
        pa.field("fit", pa.string(), nullable=False),
        pa.field("engagement", pa.int64(), nullable=False),
        pa.field("trend", pa.string(), nullable=False),
        pa.field("delta_7d", pa.int64(), nullable=False),
        pa.field("hot", pa.bool_(), nullable=False),
        pa.field("evidence", pa.string(), nullable=False),
        *(pa.field(f"reason_{n}", pa.string(), nullable=False) for n in range(1, REASONS + 1)),
        pa.field("as_of", MOMENT, nullable=False),
        pa.field("scored_at", MOMENT, nullable=False),
        pa.field("model_version", pa.string(), nullable=False),
    ]
)
# "Hot" is a state of leads: whoever is likely to leave, or resembles customers, is listed in segments instead.
HOT_MODEL: ModelName = "lead"
# A change of so many percentile points within seven days is worth an arrow.
_NOTABLE_CHANGE = 3
# Rows whose contributions are held in memory at once.
_BATCH = 20_000


@dataclass(frozen=True)
class ScoringResult:
    """What a scoring run did.

    Attributes:
        scored: people with a score of their own; 0 where no model was ever promoted.
        eligible: people who were asked about.
        hot: of the scored ones, those who are hot now.
        answers: scores that differed from the stored ones and were logged.
        version: the champion's version, "-" without one.
    """

    model: str
    scored: int
    eligible: int
    hot: int
    answers: int
    version: str


def score_customers(
    settings: Settings,
    workspace: Workspace,
    model: ModelName,
    moments: pa.Table,
    *,
    clock: Clock,
    progress: Progress | None = None,
) -> ScoringResult:
    """Write `scores/<model>/scores.parquet` for the customers and moments given, features beside it.

    Args:
        settings: the configuration; `locale` is the language of the reasons.
        workspace: holds features, registry and application database.
        model: which model's champion answers.
        moments: customer_id and as_of (UTC, one moment for all), for which features were built; the list is best first.
        clock: says when it was answered.
        progress: shows the batches.

    Raises:
        ContractError: the champion was trained on other features than those configured now.
        MissingStageError: no features were built yet.
    """
    champion = Registry(settings, workspace).find(model, CHAMPION)
    now = clock.now()
    if champion is None:
        table = _insufficient(model, moments, now)
        _publish(workspace, model, table, "-", None)
        return ScoringResult(model, 0, moments.num_rows, 0, 0, "-")
    schema = service_schema(settings, service_of(model))
    champion.check(schema)
    rows = historical_features(settings, workspace, schema.service, moments)
    engine = open_database(settings, workspace)
    try:
        last = stored_scores(engine, model)
        as_of = max(moments["as_of"].to_pylist(), default=now)
        before = scores_before(engine, model, champion.version, week_before(as_of))
        with (progress or SilentProgress()).task(f"score {model}", rows.num_rows) as advance:
            scored: list[Scored] = []
            tables: list[pa.Table] = []
            for start in range(0, rows.num_rows, _BATCH):
                batch = rows.slice(start, _BATCH)
                people, table = score_rows(
                    settings, model, champion, batch, schema.features, last, before, now, settings.locale
                )
                scored += people
                tables.append(table)
                advance(batch.num_rows)
        table = pa.concat_tables([SCORES_SCHEMA.empty_table(), *tables])
        table = table.sort_by([("probability", "descending"), ("customer_id", "ascending")])
        _publish(workspace, model, table, champion.version, rows)
        added = log_answers(engine, model, champion.version, as_of, now, scored)
    finally:
        engine.dispose()
    hot = sum(person.hot for person in scored)
    return ScoringResult(model, len(scored), moments.num_rows, hot, added, champion.version)


def score_rows(
    settings: Settings,
    model: str,
    champion: Registered,
    rows: pa.Table,
    features: tuple[Feature, ...],
    last: Mapping[str, StoredScore],
    before: Mapping[str, int],
    now: datetime,
    language: Language,
) -> tuple[list[Scored], pa.Table]:
    """Score feature rows: the one path that batches and lookups share, so that both answer the same.

    Args:
        settings: the cuts of hot.
        model: for example `lead`.
        champion: who answers.
        rows: customer_id, as_of and the features, one row a person.
        features: of the service, in schema order.
        last: the stored state by customer id, of those who have one.
        before: the score of seven days earlier by customer id.
        now: when it is answered.
        language: of the reasons.

    Returns:
        What is logged of each person, and the answers in the columns of `SCORES_SCHEMA`, both in the order of `rows`.
    """
    bundle = champion.bundle
    matrix = bundle.encode(rows)
    ids: list[str] = rows["customer_id"].to_pylist()
    as_of: list[datetime] = rows["as_of"].to_pylist()
    margin = bundle.predict_margin(matrix)
    probability = bundle.calibrator.probability(margin)
    score = bundle.score(margin)
    grade = bundle.grade(score)
    contributions = bundle.contributions(matrix)
    fit, engagement = bundle.fit_and_engagement(contributions, features)
    evidence = evidence_of(features, rows, bundle.support.alike(bundle.calibrator.log_odds(margin)))
    hot = [
        model == HOT_MODEL and is_hot(settings.hot, float(chance), str(proof), _held(last.get(customer), moment))
        for customer, chance, proof, moment in zip(ids, probability, evidence, as_of, strict=True)
    ]
    delta = np.array(
        [int(now_score) - before.get(customer, int(now_score)) for customer, now_score in zip(ids, score, strict=True)],
        dtype=np.int64,
    )
    reasons = reason_texts(rows, contributions, matrix, bundle.reason_writer(features, language))
    table = pa.table(
        {
            "customer_id": ids,
            "model": [model] * len(ids),
            "status": ["ok"] * len(ids),
            "score": score,
            "probability": probability,
            "grade": grade.tolist(),
            "fit": fit.tolist(),
            "engagement": engagement,
            "trend": [trend_of(int(d), customer in before) for d, customer in zip(delta, ids, strict=True)],
            "delta_7d": delta,
            "hot": hot,
            "evidence": evidence.tolist(),
            **{f"reason_{n + 1}": [texts[n] for texts in reasons] for n in range(REASONS)},
            "as_of": rows["as_of"],
            "scored_at": [now] * len(ids),
            "model_version": [champion.version] * len(ids),
        }
    ).cast(SCORES_SCHEMA)
    words = _words(rows, features)
    people = _people(ids, as_of, probability, score, grade, evidence, hot, matrix, words, contributions, last)
    return people, table


def _people(
    ids: list[str],
    as_of: list[datetime],
    probability: Floats,
    score: NDArray[np.int64],
    grade: NDArray[np.str_],
    evidence: NDArray[np.str_],
    hot: list[bool],
    matrix: Matrix,
    words: list[dict[str, str]],
    contributions: Floats,
    last: Mapping[str, StoredScore],
) -> list[Scored]:
    people = []
    for n, customer in enumerate(ids):
        since = None
        if hot[n]:
            held = _held(last.get(customer), as_of[n])
            since = held.hot_since if held is not None and held.hot else as_of[n]
        people.append(
            Scored(
                customer,
                float(probability[n]),
                int(score[n]),
                str(grade[n]),
                str(evidence[n]),
                hot[n],
                since,
                matrix[n],
                words[n],
                contributions[n],
            )
        )
    return people


def _words(rows: pa.Table, features: tuple[Feature, ...]) -> list[dict[str, str]]:
    """The texts of each row: a model reads rare ones as "other", a reason says them."""
    names = [feature.name for feature in features if feature.type == "category"]
    told = zip(*(rows[name].to_pylist() for name in names), strict=True) if names else ([()] * rows.num_rows)
    return [{name: text for name, text in zip(names, texts, strict=True) if text is not None} for texts in told]


def is_hot(cuts: HotSettings, probability: float, evidence: str, last: StoredScore | None) -> bool:
    """Hot from the enter cut on, until below the leave cut; never on low evidence.

    >>> cuts = HotSettings(enter=0.25, leave=0.15)
    >>> is_hot(cuts, 0.3, "medium", None), is_hot(cuts, 0.2, "medium", None), is_hot(cuts, 0.3, "low", None)
    (True, False, False)
    """
    if evidence == "low":
        return False
    was_hot = last is not None and last.hot
    return probability >= (cuts.leave if was_hot else cuts.enter)


def trend_of(delta: int, comparable: bool) -> str:
    """`new` where this version said nothing seven days ago; else `up`, `down` or `steady`.

    >>> trend_of(5, True), trend_of(-5, True), trend_of(1, True), trend_of(0, False)
    ('up', 'down', 'steady', 'new')
    """
    if not comparable:
        return "new"
    if abs(delta) < _NOTABLE_CHANGE:
        return "steady"
    return "up" if delta > 0 else "down"


def reason_texts(rows: pa.Table, contributions: Floats, matrix: Matrix, writer: ReasonWriter) -> list[tuple[str, ...]]:
    """Five sentences for each row; empty ones where there are fewer reasons."""
    effects = writer.by_subject(contributions)
    columns = {feature.name: rows[feature.name].to_pylist() for feature in writer.features}
    texts = []
    for n in range(rows.num_rows):
        values = {name: column[n] for name, column in columns.items()}
        spoken = [reason.text for reason in writer.strongest(contributions[n], effects[n], values, matrix[n])]
        texts.append(tuple(spoken + [""] * (REASONS - len(spoken))))
    return texts


def _held(last: StoredScore | None, moment: datetime) -> StoredScore | None:
    """The stored state, unless it is of a later moment than the one that is scored."""
    return last if last is not None and last.features_as_of <= moment else None


def _insufficient(model: str, moments: pa.Table, now: datetime) -> pa.Table:
    """Everybody without a score: no model was ever good enough to answer."""
    count = moments.num_rows
    filled: dict[str, object] = {
        "customer_id": moments["customer_id"],
        "model": [model] * count,
        "status": ["insufficient"] * count,
        "score": [0] * count,
        "probability": [0.0] * count,
        "grade": ["-"] * count,
        "fit": ["-"] * count,
        "engagement": [0] * count,
        "trend": ["new"] * count,
        "delta_7d": [0] * count,
        "hot": [False] * count,
        "evidence": ["low"] * count,
        **{f"reason_{n}": [""] * count for n in range(1, REASONS + 1)},
        "as_of": moments["as_of"],
        "scored_at": [now] * count,
        "model_version": ["-"] * count,
    }
    table = pa.table(
        {
            name: pa.chunked_array([pa.array(v, SCORES_SCHEMA.field(name).type)]) if isinstance(v, list) else v
            for name, v in filled.items()
        }
    )
    return table.cast(SCORES_SCHEMA).sort_by([("customer_id", "ascending")])


def _publish(workspace: Workspace, model: str, table: pa.Table, version: str, rows: pa.Table | None) -> None:
    as_of = max(table["as_of"].to_pylist(), default=None)
    manifest = {"version": version, "as_of": as_of.isoformat() if as_of else None, "rows": table.num_rows}
    key = fingerprint(version, as_of)
    with workspace.publish(f"scores/{model}", key, manifest) as folder:
        write_parquet(folder / SCORES_FILE, table)
        if rows is not None:
            write_parquet(folder / FEATURES_FILE, rows)
