"""Why one person is scored as they are: the published score taken apart."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.errors import MissingStageError, NotFoundError
from core.model_settings import ModelName
from core.settings import Settings
from core.storage import Workspace
from features.catalog import service_of, service_schema
from scoring.lineage import merged_into
from scoring.reasons import Language
from scoring.registry import Registry
from scoring.score import FEATURES_FILE, SCORES_FILE


@dataclass(frozen=True)
class Explanation:
    """A probability and what it is made of.

    Attributes:
        status: `ok`, or `insufficient`, where no model answers yet and all figures are 0.
        base_probability: the chance before anything is known of the person.
        base_log_odds: the same as log-odds; with all contributions added it gives the probability's log-odds.
        contributions: what each subject adds in log-odds, strongest first, under its name in the language asked for.
        reasons: the sentences, with counts.
        features_as_of: the moment whose knowledge was used.
    """

    customer_id: str
    model: str
    status: str
    probability: float
    score: int
    grade: str
    base_probability: float
    base_log_odds: float
    contributions: tuple[tuple[str, float], ...]
    reasons: tuple[str, ...]
    features_as_of: datetime
    model_version: str


def explain_customer(
    settings: Settings, workspace: Workspace, model: ModelName, customer_id: str, lang: Language
) -> Explanation:
    """Take the published score of one customer apart, with the model version that gave it.

    The features are those that were published with the score: whatever a newer run has replaced since, the list in
    force can be explained.

    Args:
        settings: the configuration.
        workspace: where scores, features and registry lie.
        model: for example `lead`.
        customer_id: any id that the person ever had.
        lang: language of the names and sentences.

    Raises:
        NotFoundError: the customer is unknown, or is not scored (for the lead model: won already, profiling
            refused, anonymous).
        MissingStageError: nothing was scored yet, or by a release that kept no features with the scores.
        ContractError: the configuration has other features by now.
    """
    folder = workspace.current(f"scores/{model}")
    merged = merged_into(workspace)
    today = merged.get(customer_id, customer_id)
    # The list may be older than the newest merge.
    ids = [today, *(old for old, new in merged.items() if new == today)]
    scores = pq.read_table(folder / SCORES_FILE, filters=[("customer_id", "in", ids)])
    if scores.num_rows == 0:
        raise _not_scored(workspace, model, customer_id, today)
    listed = scores.to_pylist()
    answer = next((row for row in listed if row["customer_id"] == today), listed[0])
    if answer["status"] != "ok":
        return Explanation(
            today, model, answer["status"], 0.0, 0, "-", 0.0, 0.0, (), (), answer["as_of"], answer["model_version"]
        )
    schema = service_schema(settings, service_of(model))
    bundle = Registry(settings, workspace).load(model, answer["model_version"], schema).bundle
    if not (folder / FEATURES_FILE).exists():
        raise MissingStageError(
            "the scores were published without their features",
            "scores that can be explained",
            "run `kizashi run` again",
        )
    rows = pq.read_table(folder / FEATURES_FILE, filters=[("customer_id", "==", answer["customer_id"])])
    matrix = bundle.encode(rows)
    contributions = bundle.contributions(matrix)
    writer = bundle.reason_writer(schema.features, lang)
    effects = writer.by_subject(contributions)[0]
    strongest = np.argsort(-np.round(np.abs(effects), 6), kind="stable")
    reasons = writer.strongest(contributions[0], effects, rows.slice(0, 1).to_pylist()[0], matrix[0])
    base = float(contributions[0, -1])
    return Explanation(
        customer_id=today,
        model=model,
        status="ok",
        probability=float(bundle.predict_probability(matrix)[0]),
        score=answer["score"],
        grade=answer["grade"],
        base_probability=float(1 / (1 + np.exp(-base))),
        base_log_odds=base,
        contributions=tuple((writer.label(int(group)), float(effects[group])) for group in strongest if effects[group]),
        reasons=tuple(reason.text for reason in reasons),
        features_as_of=answer["as_of"],
        model_version=answer["model_version"],
    )


def _not_scored(workspace: Workspace, model: str, asked: str, today: str) -> NotFoundError:
    ids = workspace.read_table("customers", ["customer_id"])["customer_id"]
    if pc.any(pc.equal(ids, pa.scalar(today))).as_py():
        return NotFoundError(
            f"customer {asked} has no {model} score",
            "somebody known by name, not won yet, who did not refuse profiling",
            "look the person up in the customers table",
        )
    return NotFoundError(f"there is no customer {asked}", "an id from the customers table", "check the id")
