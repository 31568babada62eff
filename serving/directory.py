"""Who stands behind (system, id): published to the database and to the online store, so that either may be away."""

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
from sqlalchemy import delete, insert, select, tuple_
from sqlalchemy.orm import Session

from core.database import open_database
from core.progress import Progress, SilentProgress
from core.serving_tables import PersonRecord
from core.settings import Settings
from core.storage import Workspace, connect_duckdb
from features.record_lookup import publish_records, record_key
from scoring.lineage import merged_into
from scoring.score import SCORES_FILE
from serving.availability import AwayError, Database
from serving.online import OnlineStore

# The system of the product's own customer ids; `customer` means the same unless a source is called so.
OWN_SYSTEM = "kizashi"
OWN_ALIAS = "customer"
_PART = 300

_PEOPLE = """
WITH states AS (
    SELECT c.customer_id,
        CASE WHEN NOT c.consent_profiling THEN 'excluded' WHEN c.kind = 'anonymous' THEN 'anonymous' ELSE 'known' END
            AS state,
        coalesce(s.models, '') AS models
    FROM customers c
    LEFT JOIN (
        SELECT customer_id, string_agg(model, ' ' ORDER BY model) AS models FROM scored GROUP BY customer_id
    ) s USING (customer_id)
), records AS (
    SELECT system, source_id, customer_id FROM identities WHERE ended_at IS NULL
    UNION ALL SELECT $own, customer_id, customer_id FROM customers
    UNION ALL SELECT $own, old_id, new_id FROM merged WHERE old_id NOT IN (SELECT customer_id FROM customers)
)
SELECT system, source_id, min(customer_id) AS customer_id, min_by(state, customer_id) AS state,
    min_by(models, customer_id) AS models
FROM records JOIN states USING (customer_id)
GROUP BY system, source_id
ORDER BY system, source_id
"""


class Reference(NamedTuple):
    """A record as a caller names it."""

    system: str
    id: str


@dataclass(frozen=True)
class Person:
    """Who stands behind a record.

    Attributes:
        state: `known`, `anonymous`, or `excluded` for those who refused profiling.
        models: those that score the person.
    """

    customer_id: str
    state: str
    models: tuple[str, ...]

    def refusal(self, model: str, has_champion: bool) -> str | None:
        """The status of somebody who has no score of their own, or None.

        Whoever refused profiling, or is no candidate for this model (won already, for the lead model), is `excluded`;
        somebody whose name nobody knows yet has too little evidence for a model that asks for names, and so has
        everybody while no model was ever promoted.
        """
        if self.state == "excluded":
            return "excluded"
        if not has_champion:
            return "insufficient"
        if model in self.models:
            return None
        return "insufficient" if self.state == "anonymous" else "excluded"


@dataclass(frozen=True)
class DirectorySummary:
    """How many records were published, and how many people stand behind them."""

    records: int
    people: int


def publish_directory(settings: Settings, workspace: Workspace, progress: Progress | None = None) -> DirectorySummary:
    """Publish today's answer to "who is this record", after unifying, materialising and scoring.

    Every id ever given to a person resolves, but for people who were forgotten. Whom a model scores is read from its
    list of scores.

    Args:
        settings: the configuration.
        workspace: holds the unified tables, the scores and both stores.
        progress: shows the records.

    Raises:
        MissingStageError: nothing was unified, or the feature definitions were not applied.
    """
    table = _people(settings, workspace)
    people = [
        json.dumps([customer_id, state, models], ensure_ascii=False, separators=(",", ":"))
        for customer_id, state, models in zip(
            *(table[name].to_pylist() for name in ("customer_id", "state", "models")), strict=True
        )
    ]
    keys = [
        record_key(system, source_id)
        for system, source_id in zip(table["system"].to_pylist(), table["source_id"].to_pylist(), strict=True)
    ]
    online = pa.table({"record": pa.array(keys, pa.string()), "person": pa.array(people, pa.string())})
    publish_records(settings, workspace, online, workspace.as_of(), progress)
    _publish_database(settings, workspace, table, progress or SilentProgress())
    return DirectorySummary(table.num_rows, len(set(table["customer_id"].to_pylist())))


class Directory:
    """Finds people by record, in the database or, while it is away, in the online store."""

    def __init__(self, database: Database, online: OnlineStore) -> None:
        self._database = database
        self._online = online

    def find(self, references: Sequence[Reference]) -> dict[Reference, Person]:
        """The people behind those references that stand for somebody.

        Raises:
            AwayError: neither store can be read.
        """
        wanted = {reference: candidates(reference) for reference in references}
        records = sorted({candidate for listed in wanted.values() for candidate in listed})
        try:
            known = self._in_database(records)
        except AwayError:
            known = self._online_records(records)
        found = {}
        for reference, listed in wanted.items():
            person = next((known[candidate] for candidate in listed if candidate in known), None)
            if person is not None:
                found[reference] = person
        return found

    def _in_database(self, records: Sequence[Reference]) -> dict[Reference, Person]:
        found = {}
        with self._database.engine() as engine, Session(engine) as session:
            for first in range(0, len(records), _PART):
                part = [tuple(record) for record in records[first : first + _PART]]
                query = select(PersonRecord).where(tuple_(PersonRecord.system, PersonRecord.source_id).in_(part))
                for row in session.scalars(query):
                    person = Person(row.customer_id, row.state, tuple(row.models.split()))
                    found[Reference(row.system, row.source_id)] = person
        return found

    def _online_records(self, records: Sequence[Reference]) -> dict[Reference, Person]:
        told = self._online.records([record_key(*record) for record in records])
        found = {}
        for record in records:
            text = told.get(record_key(*record))
            if text is not None:
                customer_id, state, models = json.loads(text)
                found[record] = Person(customer_id, state, tuple(models.split()))
        return found


def candidates(reference: Reference) -> tuple[Reference, ...]:
    """The records that a caller's reference may mean, the likeliest first.

    E-mail addresses are written as the unified tables hold them: in lower case, without a `+tag`.

    >>> candidates(Reference("email", " Taro+news@Example.JP "))
    (Reference(system='email', id='taro@example.jp'),)
    >>> candidates(Reference("customer", "c_1"))
    (Reference(system='customer', id='c_1'), Reference(system='kizashi', id='c_1'))
    """
    system, given = reference
    if system == "email":
        return (Reference(system, _mailbox(given)),)
    plain = Reference(system, given.strip())
    return (plain, Reference(OWN_SYSTEM, plain.id)) if system == OWN_ALIAS else (plain,)


def _mailbox(given: str) -> str:
    text = unicodedata.normalize("NFKC", given).replace(" ", "").casefold().removeprefix("mailto:")
    local, at, domain = text.rpartition("@")
    return f"{local.split('+', 1)[0]}{at}{domain}" if at else text


def _people(settings: Settings, workspace: Workspace) -> pa.Table:
    connection = connect_duckdb()
    workspace.tables(connection)
    merged = merged_into(workspace)
    connection.register(
        "merged",
        pa.table({"old_id": pa.array(merged.keys(), pa.string()), "new_id": pa.array(merged.values(), pa.string())}),
    )
    connection.execute("CREATE TABLE scored (customer_id VARCHAR, model VARCHAR)")
    for model in settings.models.names:
        if workspace.manifest(f"scores/{model}") is not None:
            path = workspace.current(f"scores/{model}") / SCORES_FILE
            connection.execute("INSERT INTO scored SELECT customer_id, model FROM read_parquet($1)", [str(path)])
    return connection.sql(_PEOPLE, params={"own": OWN_SYSTEM}).to_arrow_table()


def _publish_database(settings: Settings, workspace: Workspace, table: pa.Table, progress: Progress) -> None:
    engine = open_database(settings, workspace)
    try:
        with progress.task("records", table.num_rows) as advance, Session(engine) as session, session.begin():
            session.execute(delete(PersonRecord))
            for batch in table.to_batches(max_chunksize=5_000):
                session.execute(insert(PersonRecord), batch.to_pylist())
                advance(batch.num_rows)
    finally:
        engine.dispose()
