"""A lookup, from record to answer: who is it, may they be scored, what do the features of this moment say."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow.compute as pc
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from core.clock import Clock
from core.logs import get_logger
from core.model_settings import ModelName
from core.settings import Settings
from scoring.answers import Scored, StoredScore, last_answer, log_answers, scores_before, stored_scores, week_before
from scoring.flat_answer import FlatAnswer, empty_answer, flat_answers, stale_answer
from scoring.reasons import Language
from scoring.registry import Registered
from serving.availability import AwayError, Database
from serving.champions import Champions
from serving.directory import Directory, Person, Reference
from serving.online import OnlineStore

NO_VERSION = "-"


class Lookup:
    """Answers for people named by records of any system, by the model's champion.

    An answer is computed from the online features of that moment. While the online store is away, the last stored
    answer is given as `stale`; while the database is away, answers are computed without what it remembers (trend).
    """

    def __init__(
        self,
        settings: Settings,
        champions: Champions,
        directory: Directory,
        online: OnlineStore,
        database: Database,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._champions = champions
        self._directory = directory
        self._online = online
        self._database = database
        self._clock = clock

    def answer(self, model: ModelName, references: Sequence[Reference], language: Language) -> list[FlatAnswer]:
        """One flat answer for each reference, in their order.

        Raises:
            AwayError: what would be needed to answer cannot be reached.
        """
        people = self._directory.find(references)
        champion = self._champions.of(model)
        scorable = sorted(
            {person.customer_id for person in people.values() if person.refusal(model, champion is not None) is None}
        )
        scored = self._scored(model, champion, scorable, language) if champion is not None else {}
        return [
            {
                **self._one(model, champion, people.get(reference), scored),
                "system": reference.system,
                "id": reference.id,
            }
            for reference in references
        ]

    def _one(
        self, model: ModelName, champion: Registered | None, person: Person | None, scored: dict[str, FlatAnswer]
    ) -> FlatAnswer:
        version = champion.version if champion else NO_VERSION
        if person is None:
            return empty_answer("unknown", model, "", self._clock.now(), version)
        refusal = person.refusal(model, champion is not None)
        if refusal is None and person.customer_id in scored:
            return scored[person.customer_id]
        return empty_answer(refusal or "insufficient", model, person.customer_id, self._clock.now(), version)

    def _scored(
        self, model: ModelName, champion: Registered, customer_ids: Sequence[str], language: Language
    ) -> dict[str, FlatAnswer]:
        if not customer_ids:
            return {}
        try:
            rows = self._online.features(self._champions.schema(model).service, customer_ids)
        except AwayError:
            return self._stale(model, champion, customer_ids, language)
        online = rows.filter(pc.is_valid(rows["as_of"]))
        answers: dict[str, FlatAnswer] = {}
        # Whoever was online while a run replaced the rows may carry another moment: each moment is a batch of its own.
        for as_of in sorted(set(online["as_of"].to_pylist())):
            batch = online.filter(pc.equal(online["as_of"], as_of))
            ids = batch["customer_id"].to_pylist()
            last, before = self._history(model, champion, ids, as_of)
            now = self._clock.now()
            features = self._champions.schema(model).features
            found, scored = flat_answers(self._settings, model, champion, batch, features, last, before, now, language)
            self._log(model, champion, as_of, scored, last)
            answers |= dict(zip(ids, found, strict=True))
        missing = [customer_id for customer_id in customer_ids if customer_id not in answers]
        if missing:
            try:
                answers |= self._stale(model, champion, missing, language)
            except AwayError:
                return answers
        return answers

    def _history(
        self, model: ModelName, champion: Registered, ids: Sequence[str], as_of: datetime
    ) -> tuple[dict[str, StoredScore], dict[str, int]]:
        try:
            with self._database.engine() as engine:
                last = stored_scores(engine, model, ids)
                return last, scores_before(engine, model, champion.version, week_before(as_of), ids)
        except AwayError:
            return {}, {}

    def _log(
        self,
        model: ModelName,
        champion: Registered,
        as_of: datetime,
        scored: Sequence[Scored],
        last: dict[str, StoredScore],
    ) -> None:
        """Log what was answered where it differs from what was answered before."""
        changed = [row for row in scored if _differs(row, last.get(row.customer_id), champion.version)]
        if not changed:
            return
        try:
            with self._database.engine() as engine:
                self._log_changed(engine, model, champion, as_of, changed)
        except AwayError:
            return

    def _log_changed(
        self, engine: Engine, model: ModelName, champion: Registered, as_of: datetime, changed: Sequence[Scored]
    ) -> None:
        try:
            log_answers(engine, model, champion.version, as_of, self._clock.now(), changed)
        except IntegrityError:
            # Another request answered the same at the same moment and has logged it.
            get_logger("serving").info("answer already logged", model=model)

    def _stale(
        self, model: ModelName, champion: Registered, customer_ids: Sequence[str], language: Language
    ) -> dict[str, FlatAnswer]:
        features = self._champions.schema(model).features
        with self._database.engine() as engine:
            stored = {customer_id: last_answer(engine, model, customer_id) for customer_id in customer_ids}
        return {
            customer_id: stale_answer(answer, champion, features, language)
            for customer_id, answer in stored.items()
            if answer is not None
        }


def _differs(row: Scored, last: StoredScore | None, version: str) -> bool:
    return last is None or (last.version, last.probability, last.hot) != (version, row.probability, row.hot)
