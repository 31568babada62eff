"""The published scores as flat answers: the same keys and values as a lookup over HTTP gives."""

from collections.abc import Sequence

import pandas as pd
import pyarrow.parquet as pq

from core.clock import Clock
from core.model_settings import ModelName
from core.settings import Settings
from core.storage import Workspace
from scoring.flat_answer import FlatAnswer, empty_answer, flat_answer
from scoring.score import SCORES_FILE
from serving.availability import Database
from serving.directory import OWN_SYSTEM, Directory, Reference
from serving.online import OnlineStore


def published_answers(
    settings: Settings, workspace: Workspace, model: ModelName, ids: Sequence[str] | None, *, clock: Clock
) -> pd.DataFrame:
    """One row for each id, in their order, or for everybody who is scored, best first.

    Args:
        settings: the configuration.
        workspace: holds the scores and the directory of records.
        model: for example `lead`.
        ids: customer ids, or `system:id`; None: everybody. An id that stands for nobody gets the status `unknown`.
        clock: dates the answers about people who have no score.

    Returns:
        The columns of the flat answer; `system` and `id` say how the person was asked for.

    Raises:
        MissingStageError: nothing was scored yet.
    """
    file = workspace.current(f"scores/{model}") / SCORES_FILE
    published = {row["customer_id"]: row for row in pq.read_table(file).to_pylist()}
    if ids is None:
        asked = [Reference(OWN_SYSTEM, customer_id) for customer_id in published]
        answers = [flat_answer(row) for row in published.values()]
    else:
        asked = [_reference(given) for given in ids]
        version = str((workspace.manifest(f"scores/{model}") or {})["version"])
        database = Database(settings, workspace)
        try:
            people = Directory(database, OnlineStore(settings, workspace)).find(asked)
        finally:
            database.close()
        answers = []
        for reference in asked:
            person = people.get(reference)
            if person is not None and person.customer_id in published:
                answers.append(flat_answer(published[person.customer_id]))
                continue
            status = "unknown" if person is None else person.refusal(model, version != "-") or "insufficient"
            answers.append(
                empty_answer(status, model, "" if person is None else person.customer_id, clock.now(), version)
            )
    told: list[FlatAnswer] = [
        {**answer, "system": reference.system, "id": reference.id}
        for reference, answer in zip(asked, answers, strict=True)
    ]
    return pd.DataFrame(told, columns=list(empty_answer("ok", model, "", clock.now(), "-")))


def _reference(given: str) -> Reference:
    system, colon, source_id = given.partition(":")
    return Reference(system, source_id) if colon else Reference(OWN_SYSTEM, given)
