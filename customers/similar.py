"""Records that share no key and are one person all the same: proposals with a probability, each since its own time."""

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb

from core.settings import SimilarSettings
from core.storage import Workspace, fingerprint
from customers.connectors.raw import literal
from customers.kept_records import KeptRecords
from customers.matching import Field, Knowledge, MatchIndex

COMPARED = (
    Field("given_name", "given_name", ("first", "first_sound")),
    Field("family_name", "family_name", ("last", "last_sound")),
    Field("email", "email"),
    Field("phone", "phone"),
    Field("company", "company"),
    Field("address", "address"),
    Field("city", "place"),
    Field("postal_code", "code"),
)
STAGE = "matching"
COMPARED_COLUMNS = tuple(column for field in COMPARED for column in field.columns or (field.name,))
# Fewer values than these tell nobody from another.
LEAST_VALUES = 3
# Of the pairs that are not likely enough so many are shown to people who may know better, the likeliest first.
_MOST_DOUBTFUL = 200_000
# Values that so many records have in common say nothing about any two of them.
MOST_HOLDERS = 50
# What was learned holds until there are so many times the rows that it was learned from.
_LEARN_AGAIN_AT = 1.25


def propose_similar(
    connection: duckdb.DuckDBPyConnection,
    settings: SimilarSettings,
    workspace: Workspace,
    records: KeptRecords,
    *,
    prune: bool = False,
) -> None:
    """Make `similar_links`: pairs of records, since when the values that make them alike were known, and how likely.

    A record is compared as it was first known and as it is known last; a pair counts since both records' compared
    values were known, at the earliest. Whether a pair is proposed follows from its own values and from the learned
    weights alone, so a later record or value takes no earlier link away.

    Makes `identity_pairs` too: these pairs and the likeliest of the others, with what each field says.

    The compared rows are kept in the workspace; a later run compares only rows that it has not seen before. With
    `prune` none is kept that no record holds any more.
    """
    connection.execute(
        "CREATE TABLE similar_links (left_system VARCHAR, left_id VARCHAR, right_system VARCHAR, right_id VARCHAR, "
        "linked_at TIMESTAMPTZ, probability DOUBLE)"
    )
    connection.execute(
        "CREATE TABLE identity_pairs (left_system VARCHAR, left_id VARCHAR, right_system VARCHAR, right_id VARCHAR, "
        "probability DOUBLE, related DOUBLE, known_at TIMESTAMPTZ, evidence VARCHAR)"
    )
    if not settings.enabled:
        return
    _collect_versions(connection, records)
    ((rows,),) = connection.execute("SELECT count(*) FROM compared_rows").fetchall()
    if rows < settings.least_records:
        return
    _find_pairs(connection, _indexed(connection, workspace, rows, prune))
    connection.execute(
        f"""INSERT INTO similar_links
        WITH met AS (
            SELECT least((l.system, l.source_id), (r.system, r.source_id)) AS one,
                   greatest((l.system, l.source_id), (r.system, r.source_id)) AS other,
                   greatest(l.known_at, r.known_at) AS linked_at, p.probability
            FROM similar_pairs p JOIN holders l ON l.row = p.left_row JOIN holders r ON r.row = p.right_row
            WHERE p.probability >= {settings.least_probability}
        )
        SELECT one[1], one[2], other[1], other[2], linked_at, probability FROM met WHERE one <> other
        QUALIFY row_number() OVER (PARTITION BY one, other ORDER BY linked_at, probability DESC) = 1"""
    )
    _publish_pairs(connection, settings)


def current_index(workspace: Workspace) -> MatchIndex | None:
    """The rows that were compared so far, or None where none were."""
    if workspace.manifest(STAGE) is None:
        return None
    return _index(workspace.current(STAGE))


def erase_compared(workspace: Workspace) -> None:
    """Delete the rows that were compared; what was learned from all of them together stays."""
    index = current_index(workspace)
    knowledge = Knowledge.load(index.folder) if index else None
    if knowledge is None:
        shutil.rmtree(workspace.path(STAGE), ignore_errors=True)
        return
    with workspace.publish(STAGE, "knowledge", {"rows": 0}) as folder:
        knowledge.save(folder)


class Holders:
    """Which records hold which compared rows today, kept for whoever looks a record up between two runs."""

    FILE = "holders.parquet"

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def save(self, folder: Path) -> None:
        """Write them in the order of rows."""
        made = "SELECT 1 FROM duckdb_tables() WHERE table_name = 'holders'"
        if self._connection.execute(made).fetchall():
            query = "SELECT DISTINCT row, system, source_id FROM holders ORDER BY ALL"
            self._connection.execute(f"COPY ({query}) TO {literal(folder / self.FILE)} (FORMAT parquet)")


def _index(folder: Path) -> MatchIndex:
    return MatchIndex(folder, COMPARED, joined_by="email")


def _collect_versions(connection: duckdb.DuckDBPyConnection, records: KeptRecords) -> None:
    """Make `versions`, each record as it was first known and as it is known last, and `compared_rows`, their values."""
    told = " + ".join(f"({name} IS NOT NULL)::INTEGER" for name in COMPARED_COLUMNS)
    # A blank is told from an empty text by its own sign.
    content = " || chr(31) || ".join(f"coalesce({name}, chr(30))" for name in COMPARED_COLUMNS)
    connection.execute(
        f"""CREATE TABLE versions AS
        WITH enough AS (
            SELECT *, md5_number_lower({content}) AS mark
            FROM {records.states_to_compare()} SEMI JOIN staged.records USING (system, source_id)
            WHERE {told} >= {LEAST_VALUES}
        ), changed AS (
            FROM enough
            QUALIFY mark IS DISTINCT FROM lag(mark) OVER (PARTITION BY system, source_id ORDER BY time)
        )
        SELECT system, source_id, time AS known_at, mark, {", ".join(COMPARED_COLUMNS)} FROM changed
        QUALIFY row_number() OVER (PARTITION BY system, source_id ORDER BY time) = 1
             OR row_number() OVER (PARTITION BY system, source_id ORDER BY time DESC) = 1"""
    )
    records.add_known_versions(connection)
    connection.execute(
        f"CREATE TABLE compared_rows AS SELECT DISTINCT mark, {', '.join(COMPARED_COLUMNS)} FROM versions"
    )


def _indexed(connection: duckdb.DuckDBPyConnection, workspace: Workspace, rows: int, prune: bool) -> MatchIndex:
    """The index in the workspace, with all `compared_rows` in it; published as a generation of its own.

    Unless it is pruned it may hold rows that no record has any more: what was compared once need not be compared again.
    """
    former = current_index(workspace)
    knowledge = Knowledge.load(former.folder) if former else None
    everything = f"SELECT mark, {', '.join(COMPARED_COLUMNS)} FROM compared_rows"
    if former is None or knowledge is None or rows > _LEARN_AGAIN_AT * knowledge.records:
        return _published(workspace, rows, lambda index: index.build(connection.sql(everything).to_arrow_table()))
    if not former.next_row() or former.full_of_parts():
        again = connection.sql(everything).to_arrow_table()
        return _published(workspace, rows, lambda index: index.build(again, knowledge))
    new = f"{everything} ANTI JOIN {former.sql('rows')} USING (mark)"
    dead = f"FROM {former.sql('rows')} ANTI JOIN compared_rows USING (mark)"
    ((fresh, gone),) = connection.execute(
        f"SELECT (SELECT count(*) FROM ({new})), (SELECT count(*) FROM ({dead}))"
    ).fetchall()
    prune = prune and gone > 0
    if not fresh and not prune:
        return former
    alive = connection.sql("SELECT mark FROM compared_rows").to_arrow_table() if prune else None
    added = connection.sql(f"{new} ORDER BY ALL").to_arrow_table()
    return _published(workspace, rows, lambda index: index.extend(former, knowledge, added, alive))


def _published(workspace: Workspace, rows: int, fill: Callable[[MatchIndex], None]) -> MatchIndex:
    with workspace.publish(STAGE, fingerprint(workspace.manifest(STAGE), rows), {"rows": rows}) as folder:
        fill(_index(folder))
    return _index(workspace.current(STAGE))


def _find_pairs(connection: duckdb.DuckDBPyConnection, index: MatchIndex) -> None:
    """Make `holders`, each version of a record with its row, and `similar_pairs` of rows that records hold today."""
    connection.execute(
        f"""CREATE TABLE holders AS
        SELECT v.system, v.source_id, v.known_at, i.row
        FROM versions v JOIN (SELECT mark, row FROM {index.sql("rows")}) i USING (mark)"""
    )
    connection.execute("CREATE TABLE held_rows AS SELECT row, count(*) AS held FROM holders GROUP BY row")
    told = []
    for place, (field, last) in enumerate(index.told()):
        words = (
            f"CASE level_{place} WHEN 0 THEN 'equal' WHEN {last} THEN 'different' WHEN 1 THEN 'close' ELSE 'alike' END"
        )
        told.append(
            f"CASE WHEN level_{place} >= 0 THEN json_object("
            f"'field', {literal(field)}, 'agreement', {words}, 'bits', bits_{place}) END"
        )
    # Rows that several records hold are as likely one person as any two records with just these values.
    connection.execute(
        f"""CREATE VIEW similar_pairs AS
        SELECT p.left_row, p.right_row, p.probability, p.related,
               l.held * r.held <= {MOST_HOLDERS} AS few,
               to_json(list_filter([{", ".join(told)}], lambda said: said IS NOT NULL))::VARCHAR AS evidence
        FROM {index.sql("pairs")} p JOIN held_rows l ON l.row = p.left_row JOIN held_rows r ON r.row = p.right_row
        WHERE p.left_row <> p.right_row OR l.held > 1"""
    )


def _publish_pairs(connection: duckdb.DuckDBPyConnection, settings: SimilarSettings) -> None:
    """Fill `identity_pairs`: each two records once, by those of their versions that are most alike."""
    connection.execute(
        f"""INSERT INTO identity_pairs
        WITH shown AS (
            FROM similar_pairs WHERE few AND probability >= {settings.least_probability}
            UNION ALL
            (FROM similar_pairs WHERE few AND probability < {settings.least_probability}
             ORDER BY probability DESC, left_row, right_row LIMIT {_MOST_DOUBTFUL})
        ), met AS (
            SELECT least((l.system, l.source_id), (r.system, r.source_id)) AS one,
                   greatest((l.system, l.source_id), (r.system, r.source_id)) AS other,
                   greatest(l.known_at, r.known_at) AS known_at, p.*
            FROM shown p JOIN holders l ON l.row = p.left_row JOIN holders r ON r.row = p.right_row
        )
        SELECT one[1], one[2], other[1], other[2], probability, related, known_at, evidence
        FROM met WHERE one <> other
        QUALIFY row_number() OVER (PARTITION BY one, other ORDER BY probability DESC, known_at) = 1"""
    )
