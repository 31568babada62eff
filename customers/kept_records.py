"""Records of which nothing is new: what a former run made of them is taken from what it published and kept."""

from pathlib import Path

import duckdb

from core.marks import mark_sql
from core.storage import PARQUET, Workspace
from customers.connectors.raw import literal

_MARKS = "record_marks.parquet"
_KEYS = "record_keys.parquet"
_ACCOUNTS = "record_accounts.parquet"
_STATES = "record_states.parquet"
_VERSIONS = "record_versions.parquet"
# The one field whose rows do not come from the records alone; records' own are kept apart.
_ACCOUNT = "account_id"
_ROW = "system, source_id, field, value, occurred_at, recorded_at, recorded_assumed"


class KeptRecords:
    """What a former run made of records, by a mark of all that its sources said of each.

    Args:
        workspace: whose table `attributes` holds what was published.
        folder: where the run that published it kept marks and keys; None for none.
    """

    def __init__(self, workspace: Workspace, folder: Path | None) -> None:
        self._folder = folder
        # Whatever decides, beside its mark, what is made of a record.
        self.meaning = ""
        if folder is not None:
            self._attributes = workspace.table_path("attributes")

    def find_new(self, connection: duckdb.DuckDBPyConnection, meaning: object) -> None:
        """Make `record_marks`, `new_records`, those that are not as a former run found them, and `gone_records`.

        A mark stands for all values and changes of a record, for what dates them (the export's time only where it
        does), and for `meaning`, whatever else decides what is made of them.
        """
        connection.execute(
            f"""CREATE TABLE record_marks AS
            WITH log_start AS (
                SELECT system, min(occurred_at) AS logged_from FROM staged.field_changes GROUP BY system
            ), said AS (
                SELECT system, source_id,
                       hash('value', source, field, value, is_key, kind, known_at, occurred_at, recorded_at,
                            recorded_assumed,
                            CASE WHEN known_at = 'history' THEN coalesce(logged_from, exported_at) END,
                            CASE WHEN recorded_at IS NULL OR known_at = 'history' AND l.system IS NOT NULL
                                      AND value IS DISTINCT FROM l.new_value THEN exported_at END) AS fact
                FROM staged.field_values v JOIN exports USING (source) LEFT JOIN log_start USING (system)
                LEFT JOIN (SELECT system, source_id, field, new_value FROM ordered_changes WHERE is_last) l
                    USING (system, source_id, field)
                UNION ALL
                SELECT system, source_id, hash('change', field, old_value, new_value, occurred_at, recorded_at,
                                               recorded_assumed) FROM staged.field_changes
                UNION ALL
                SELECT system, source_id, hash('record', created_at) FROM staged.records
            )
            SELECT system, source_id, {mark_sql("fact")} AS mark, count(*) AS facts
            FROM said GROUP BY system, source_id"""
        )
        # Which fields a system has at all decides which changes count.
        ((fields,),) = connection.execute(
            """SELECT coalesce(sum(hash(system, field, is_key, kind, source)::HUGEINT), 0)::VARCHAR
            FROM (SELECT DISTINCT system, field, is_key, kind, source FROM staged.field_values)"""
        ).fetchall()
        self.meaning = f"{fields} {meaning}"
        if self._folder is None:
            connection.execute("CREATE TABLE new_records AS SELECT system, source_id FROM record_marks")
            connection.execute("CREATE TABLE gone_records AS FROM new_records LIMIT 0")
            return
        known = f"read_parquet({literal(self._folder / _MARKS)})"
        connection.execute(
            f"""CREATE TABLE new_records AS
            SELECT system, source_id FROM record_marks
            ANTI JOIN (FROM {known} WHERE meaning = ?) USING (system, source_id, mark, facts)""",
            [self.meaning],
        )
        connection.execute(
            f"""CREATE TABLE gone_records AS
            SELECT system, source_id FROM {known} ANTI JOIN record_marks USING (system, source_id)"""
        )

    def add_known(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Add to `key_rows` what a former run found for all other records, `known_records`; make `account_facts`.

        `account_facts` are the rows of all records that tell an account; others are only read when they are asked for.
        """
        connection.execute(f"CREATE TABLE own_accounts AS SELECT {_ROW} FROM record_rows WHERE field = '{_ACCOUNT}'")
        connection.execute(
            "CREATE TABLE known_records AS SELECT system, source_id FROM record_marks "
            "ANTI JOIN new_records USING (system, source_id)"
        )
        if self._folder is not None:
            for table, file in (("own_accounts", _ACCOUNTS), ("key_rows", _KEYS)):
                connection.execute(
                    f"""INSERT INTO {table} BY NAME FROM read_parquet({literal(self._folder / file)})
                    SEMI JOIN known_records USING (system, source_id)"""
                )
        telling = ", ".join(map(literal, (_ACCOUNT, "mail_kind", "mail_domain", "company")))
        connection.execute(f"CREATE TABLE account_facts AS FROM {self.told_rows()} WHERE field IN ({telling})")

    def told_rows(self, among: str | None = None) -> str:
        """SQL of what all records said (the columns of `record_rows`), or those of a table of system and source_id."""
        wanted, known = "", "known_records"
        if among:
            wanted = f"SEMI JOIN {among} USING (system, source_id)"
            known = f"(FROM known_records {wanted})"
        told = f"SELECT {_ROW} FROM record_rows {wanted}"
        if self._folder is not None:
            told += f"""
                UNION ALL SELECT {_ROW} FROM own_accounts SEMI JOIN {known} USING (system, source_id)
                UNION ALL SELECT {_ROW} FROM read_parquet({literal(self._attributes)})
                SEMI JOIN {known} USING (system, source_id) WHERE field <> '{_ACCOUNT}'"""
        return f"({told})"

    def add_known_states(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Add to `record_states` what a former run found for all other records."""
        if self._folder is not None:
            connection.execute(
                f"""INSERT INTO record_states BY NAME FROM read_parquet({literal(self._folder / _STATES)})
                SEMI JOIN known_records USING (system, source_id)"""
            )

    def states_to_compare(self) -> str:
        """SQL of those `record_states` whose versions no former run told."""
        return "record_states SEMI JOIN new_records USING (system, source_id)" if self._versions else "record_states"

    def add_known_versions(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Add to `versions` what a former run found for all other records."""
        if self._versions:
            connection.execute(
                f"""INSERT INTO versions BY NAME FROM read_parquet({literal(self._versions)})
                SEMI JOIN known_records USING (system, source_id)"""
            )

    @property
    def _versions(self) -> Path | None:
        """Where a former run kept versions; one that compared nothing did not."""
        path = self._folder / _VERSIONS if self._folder else None
        return path if path is not None and path.exists() else None

    def kept(self, connection: duckdb.DuckDBPyConnection) -> "KeepingRecords":
        """What the next run can use."""
        return KeepingRecords(connection, self.meaning)


class KeepingRecords:
    """Marks and keys of all records, for the next run."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, meaning: str) -> None:
        self._connection = connection
        self._told = f"{literal(meaning)} AS meaning"

    def save(self, folder: Path) -> None:
        """Write them; the records' rows themselves are in the published table `attributes`."""
        queries = {
            _MARKS: f"SELECT *, {self._told} FROM record_marks",
            _KEYS: "FROM key_rows",
            _ACCOUNTS: "FROM own_accounts",
            _STATES: "FROM record_states",
        }
        compared = "SELECT 1 FROM duckdb_tables() WHERE table_name = 'versions'"
        if self._connection.execute(compared).fetchall():
            queries[_VERSIONS] = "FROM versions"
        for name, query in queries.items():
            target = literal(folder / name)
            self._connection.execute(f"COPY ({query}) TO {target} ({PARQUET})")
