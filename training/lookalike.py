"""Who resembles a group of people that somebody chose: a ranking of all others, made on the spot.

The model `lookalike` learns how customers behaved *before* they were won. Here the seed is any list of people as they
are today: event guests, buyers of one product, a key account's contacts.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from core.errors import EvidenceError, NotFoundError
from core.settings import Settings
from core.storage import Workspace
from features.catalog import service_of
from features.retrieval import historical_features
from scoring.lineage import merged_into
from training.estimator import LeadScorer
from training.spine import everyone_now
from training.split import divide_by_circle

_FOLDS = 3
_MIN_SEED = 40


def rank_alike(
    settings: Settings, workspace: Workspace, seed: Sequence[str], size: int | None = None, random_state: int = 0
) -> pa.Table:
    """Rank everybody outside the seed by how much they behave like it, by what anonymous and known people both show.

    The others are unlabelled rather than different: nobody is ranked by a model that was told they do not belong, so
    the ranking comes from folds.

    Args:
        settings: the model `lookalike` must be configured, which has the features built.
        workspace: features must have been built and applied.
        seed: customer ids, former ones included.
        size: only the best so many; default all.
        random_state: seed of the folds.

    Returns:
        customer_id and likeness (0 to 1; comparable within this ranking alone), the likest first.

    Raises:
        EvidenceError: the seed has fewer than 40 people of whom something is known today.
        NotFoundError: an id was never given to anybody, or the person may not be profiled.
    """
    moments = everyone_now(settings, workspace)
    people = moments["customer_id"].to_pylist()
    today = merged_into(workspace)
    wanted = {today.get(customer, customer) for customer in seed}
    if strangers := sorted(wanted - set(people)):
        raise NotFoundError(
            f"{len(strangers)} of the seed are nobody who may be profiled today, {strangers[0]} for example",
            "ids from the customers table",
            "leave them out",
        )
    if len(wanted) < _MIN_SEED:
        raise EvidenceError(
            f"the seed has {len(wanted)} people", f"at least {_MIN_SEED}", "choose a wider group to imitate"
        )
    rows = historical_features(settings, workspace, service_of("lookalike"), moments)
    features = rows.drop_columns(["customer_id", "as_of"])
    label = np.array([customer in wanted for customer in people])
    likeness = np.empty(len(people))
    fold = divide_by_circle(np.arange(len(people)), _FOLDS, random_state)
    for held in range(_FOLDS):
        learned, asked = pa.array(fold != held), pa.array(fold == held)
        scorer = LeadScorer(trials=1, members=1, random_state=random_state)
        scorer.fit(features.filter(learned), label[fold != held])
        likeness[fold == held] = scorer.predict_proba(features.filter(asked))[:, 1]
    others = np.flatnonzero(~label)
    best = others[np.lexsort((others, -likeness[others]))][:size]
    return pa.table({"customer_id": moments["customer_id"].take(best), "likeness": likeness[best]})
