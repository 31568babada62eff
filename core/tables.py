"""The unified tables: the interface between folders, checked at every boundary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from core.errors import TableError

TEXT = pa.string()
NUMBER = pa.float64()
WHOLE = pa.int64()
FLAG = pa.bool_()
# Microseconds: Spark refuses nanoseconds. UTC with time zone: naive times break point-in-time joins quietly.
MOMENT = pa.timestamp("us", tz="UTC")
DAY = pa.date32()
_SQL_TYPES = {
    TEXT: "VARCHAR", NUMBER: "DOUBLE", WHOLE: "BIGINT", FLAG: "BOOLEAN", MOMENT: "TIMESTAMPTZ", DAY: "DATE",
}  # fmt: skip


@dataclass(frozen=True)
class ColumnSpec:
    """One column: its type, whether it may be blank, whether it is a key, and which values it may hold."""

    type: pa.DataType
    nullable: bool = False
    unique: bool = False
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableSpec:
    """One unified table; `order` are the columns its rows are sorted by, so that equal input gives equal files."""

    name: str
    row_is: str
    columns: Mapping[str, ColumnSpec]
    order: tuple[str, ...]
    # A column that is the sum of others, in every row.
    total: tuple[str, tuple[str, ...]] | None = None

    @property
    def arrow_schema(self) -> pa.Schema:
        """The Parquet schema of the table."""
        return pa.schema([pa.field(name, spec.type, nullable=spec.nullable) for name, spec in self.columns.items()])

    def empty(self) -> pa.Table:
        """The table without rows."""
        return self.arrow_schema.empty_table()

    def check(self, table: pa.Table) -> pa.Table:
        """Return the table with exactly the agreed columns, types and values, sorted.

        Raises:
            TableError: columns are missing or superfluous, or values break the schema; all faults are listed,
                without the values themselves, since those may be personal.
        """
        missing = [name for name in self.columns if name not in table.column_names]
        extra = [name for name in table.column_names if name not in self.columns]
        if missing or extra:
            raise TableError(
                f"table {self.name} lacks {missing or 'nothing'} and has {extra or 'nothing'} too many",
                f"the columns {list(self.columns)}",
                "correct the step that writes it",
            )
        try:
            # Nullability is checked below, with a better message than the cast gives.
            lenient = pa.schema([pa.field(name, spec.type) for name, spec in self.columns.items()])
            typed = table.select(list(self.columns)).cast(lenient)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise TableError(f"table {self.name} has a column of another type ({error})", "", "") from error
        with duckdb.connect(":memory:") as connection:
            connection.register("given", typed)
            self.check_rows(connection, "given")
        if self.order:
            typed = typed.sort_by([(name, "ascending") for name in self.order])
        return typed.cast(self.arrow_schema)

    def check_rows(self, connection: duckdb.DuckDBPyConnection, rows: str) -> int:
        """Check what a DuckDB connection reads under `rows`, which has the agreed columns; give the number of rows.

        Raises:
            TableError: values break the schema; all faults are listed, without the values.
        """
        asked: dict[str, str] = {}
        unique: list[str] = []
        for name, spec in self.columns.items():
            if not spec.nullable:
                asked[f"{name}: not_nullable"] = f"count(*) FILTER ({name} IS NULL)"
            if spec.allowed:
                listed = ", ".join(f"'{value}'" for value in spec.allowed)
                asked[f"{name}: isin"] = f"count(*) FILTER ({name} NOT IN ({listed}))"
            if spec.unique:
                # Counting hashes is cheaper, and where they are all different so are the values.
                asked[f"{name}: field_uniqueness"] = f"count({name}) - count(DISTINCT hash({name}))"
                unique.append(name)
        if self.total:
            total, parts = self.total
            asked[f"{total} = {' + '.join(parts)}"] = f"count(*) FILTER ({total} <> {' + '.join(parts)})"
        ((count, *failures),) = connection.execute(
            f"SELECT {', '.join(['count(*)', *asked.values()])} FROM {rows}"
        ).fetchall()
        if any(failures) and unique:
            exact = ", ".join(f"count({name}) - count(DISTINCT {name})" for name in unique)
            (repeated,) = connection.execute(f"SELECT {exact} FROM {rows}").fetchall()
            for name, number in zip(unique, repeated, strict=True):
                failures[list(asked).index(f"{name}: field_uniqueness")] = number
        faults = [f"{told} fails in {number} rows" for told, number in zip(asked, failures, strict=True) if number]
        if faults:
            raise TableError(f"table {self.name} breaks its schema ({', '.join(faults)})", "", "")
        return int(count)

    def query(self, rows: str, order: Sequence[str] = ()) -> str:
        """SQL of rows as this table is stored: its columns in their types, sorted.

        Args:
            rows: what DuckDB reads them from.
            order: columns of `rows` that sort them as the table's own order does, and are cheaper to compare.
        """
        typed = ", ".join(f"{name}::{_SQL_TYPES[spec.type]} AS {name}" for name, spec in self.columns.items())
        if order:
            return f"SELECT {typed} FROM {rows} ORDER BY {', '.join(order)}"
        ordered = f" ORDER BY {', '.join(self.order)}" if self.order else ""
        return f"SELECT * FROM (SELECT {typed} FROM {rows}){ordered}"


def _text(unique: bool = False) -> ColumnSpec:
    return ColumnSpec(TEXT, unique=unique)


_OPTIONAL_TEXT = ColumnSpec(TEXT, nullable=True)
_OPTIONAL_NUMBER = ColumnSpec(NUMBER, nullable=True)
_MOMENT = ColumnSpec(MOMENT)
_OPTIONAL_MOMENT = ColumnSpec(MOMENT, nullable=True)
_FLAG = ColumnSpec(FLAG)
OUTCOMES = ("open", "won", "lost")
PURPOSES = ("marketing", "profiling", "transfer")
# A fact hangs on the record that told it, not only on today's person: as-of queries join (system, source_id) with
# `identities` as they were known then. `customer_id` beside it is today's answer, for people who look.
_RECORD = {"customer_id": _text(), "system": _text(), "source_id": _text()}

PERSON_FIELDS = (
    "email",
    "login",
    "last_name",
    "first_name",
    "full_name",
    "last_name_kana",
    "first_name_kana",
    "full_name_kana",
    "company",
    "title",
    "department",
    "rank",
    "industry",
    "employees",
    "annual_revenue",
    "phone",
    "postal_code",
    "prefecture",
    "city",
    "town",
    "address",
    "building",
    "country",
    "lead_source",
    "lead_status",
)

CUSTOMERS = TableSpec(
    "customers",
    "a person, known or anonymous",
    {
        "customer_id": _text(unique=True),
        "kind": ColumnSpec(TEXT, allowed=("known", "anonymous")),
        **dict.fromkeys(PERSON_FIELDS, _OPTIONAL_TEXT),
        "mail_domain": _OPTIONAL_TEXT,
        "mail_kind": ColumnSpec(TEXT, nullable=True, allowed=("business", "free", "shared")),
        "account_id": _OPTIONAL_TEXT,
        "consent_marketing": _FLAG,
        "consent_profiling": _FLAG,
        "consent_transfer": _FLAG,
        "records": ColumnSpec(WHOLE),
        "first_seen_at": _MOMENT,
    },
    ("customer_id",),
)
IDENTITIES = TableSpec(
    "identities",
    "a link of a source record, login or cookie to a person, from linked_at until ended_at (blank: still)",
    {
        "system": _text(),
        "source_id": _text(),
        "customer_id": _text(),
        "rule": _text(),
        "probability": ColumnSpec(NUMBER),
        "linked_at": _MOMENT,
        "ended_at": _OPTIONAL_MOMENT,
        "run": _text(),
    },
    ("system", "source_id", "linked_at"),
)
IDENTITY_CHANGES = TableSpec(
    "identity_changes",
    "a merge or split of people",
    {
        "old_id": _text(),
        "new_id": _text(),
        "changed_at": _MOMENT,
        "kind": ColumnSpec(TEXT, allowed=("merge", "split")),
        "reason": _text(),
        "run": _text(),
    },
    ("changed_at", "old_id", "new_id"),
)
# How a link fared: it united two people; both were one already; names, or somebody's decision, speak against it.
LINK_STATES = ("joined", "further", "names", "decision")
_PAIR = {"left_system": _text(), "left_id": _text(), "right_system": _text(), "right_id": _text()}
IDENTITY_LINKS = TableSpec(
    "identity_links",
    "a reason why two records or keys are one person, known since linked_at, and whether it holds today",
    {
        **_PAIR,
        "rule": _text(),
        "probability": ColumnSpec(NUMBER),
        "linked_at": _MOMENT,
        "state": ColumnSpec(TEXT, allowed=LINK_STATES),
    },
    ("left_system", "left_id", "right_system", "right_id", "rule"),
)
IDENTITY_PAIRS = TableSpec(
    "identity_pairs",
    "two records that are alike, taken for one person or nearly so, with what each field says (JSON, in bits)",
    {
        **_PAIR,
        "probability": ColumnSpec(NUMBER),
        "related": ColumnSpec(NUMBER),
        "known_at": _MOMENT,
        "evidence": _text(),
    },
    ("left_system", "left_id", "right_system", "right_id"),
)
ATTRIBUTES = TableSpec(
    "attributes",
    "a value that a field took",
    {
        **_RECORD,
        "field": _text(),
        "value": _OPTIONAL_TEXT,
        "occurred_at": _MOMENT,
        "recorded_at": _MOMENT,
        "recorded_assumed": _FLAG,
    },
    ("system", "source_id", "field", "occurred_at", "recorded_at", "value"),
)
PROOFS = TableSpec(
    "proofs",
    "since recorded_at a value of a field is verified or refuted, by an event of this record; until the next row",
    {
        **_RECORD,
        "field": _text(),
        "value": _text(),
        "verified": _FLAG,
        "occurred_at": _MOMENT,
        "recorded_at": _MOMENT,
    },
    ("field", "value", "recorded_at"),
)
ACCOUNTS = TableSpec(
    "accounts",
    "a company",
    {
        "account_id": _text(unique=True),
        "name": _text(),
        "normalised_name": _text(),
        "domain": _OPTIONAL_TEXT,
        "industry": _OPTIONAL_TEXT,
        "employees": _OPTIONAL_NUMBER,
    },
    ("account_id",),
)
BOT_RULES = ("told", "agent", "honeypot", "burst", "unopened", "undelayed")
EVENTS = TableSpec(
    "events",
    "something a person did, or that was done to them",
    {
        "event_id": _text(unique=True),
        **_RECORD,
        "channel": _text(),
        "type": _text(),
        "occurred_at": _MOMENT,
        "recorded_at": _MOMENT,
        "recorded_assumed": _FLAG,
        "amount": _OPTIONAL_NUMBER,
        "url": _OPTIONAL_TEXT,
        "properties": _OPTIONAL_TEXT,
        # Known to be no person's, since when and by which rule.
        "is_bot": _FLAG,
        "bot_since": _OPTIONAL_MOMENT,
        "bot_rule": ColumnSpec(TEXT, nullable=True, allowed=BOT_RULES),
        # Another system told it first; it counts for whoever does not own that event too.
        "duplicate_of": _OPTIONAL_TEXT,
    },
    ("occurred_at", "event_id"),
)
DEALS = TableSpec(
    "deals",
    "an opportunity as it stands today",
    {
        "deal_id": _text(unique=True),
        "system": _text(),
        "account_id": _OPTIONAL_TEXT,
        "owner_id": _OPTIONAL_TEXT,
        "campaign_id": _OPTIONAL_TEXT,
        "outcome": ColumnSpec(TEXT, allowed=OUTCOMES),
        "opened_at": _MOMENT,
        "closed_at": _OPTIONAL_MOMENT,
        "recorded_at": _MOMENT,
        "amount": _OPTIONAL_NUMBER,
        "lost_reason": _OPTIONAL_TEXT,
    },
    ("deal_id",),
)
DEAL_STAGES = TableSpec(
    "deal_stages",
    "a stage that a deal entered; the last one of a closed deal carries its outcome",
    {
        "deal_id": _text(),
        "stage": _text(),
        "outcome": ColumnSpec(TEXT, allowed=OUTCOMES),
        "entered_at": _MOMENT,
        "recorded_at": _MOMENT,
        "amount": _OPTIONAL_NUMBER,
    },
    ("deal_id", "entered_at", "recorded_at", "stage"),
)
DEAL_PEOPLE = TableSpec(
    "deal_people",
    "a person's part in a deal",
    {"deal_id": _text(), **_RECORD, "role": _OPTIONAL_TEXT, "recorded_at": _MOMENT},
    ("deal_id", "system", "source_id"),
)
CONTRACTS = TableSpec(
    "contracts",
    "an agreement: running until it is cancelled or its fixed term ends; its terms may be known later than itself",
    {
        "contract_id": _text(unique=True),
        "customer_id": _OPTIONAL_TEXT,
        "system": _OPTIONAL_TEXT,
        "source_id": _OPTIONAL_TEXT,
        "account_id": _OPTIONAL_TEXT,
        "plan": _OPTIONAL_TEXT,
        "started_at": _MOMENT,
        "ends_at": _OPTIONAL_MOMENT,
        "renews_at": _OPTIONAL_MOMENT,
        "cancelled_at": _OPTIONAL_MOMENT,
        "recurring_amount": _OPTIONAL_NUMBER,
        "recorded_at": _MOMENT,
        "terms_recorded_at": _MOMENT,
    },
    ("contract_id",),
)
CAMPAIGNS = TableSpec(
    "campaigns",
    "a campaign or source",
    {
        "campaign_id": _text(unique=True),
        "name": _text(),
        "channel": _OPTIONAL_TEXT,
        "cost": _OPTIONAL_NUMBER,
        "started_at": _OPTIONAL_MOMENT,
        "ended_at": _OPTIONAL_MOMENT,
    },
    ("campaign_id",),
)
STAFF = TableSpec(
    "staff",
    "a salesperson",
    {
        "staff_id": _text(unique=True),
        "name": _text(),
        "email": _OPTIONAL_TEXT,
        "team": _OPTIONAL_TEXT,
        "daily_capacity": _OPTIONAL_NUMBER,
    },
    ("staff_id",),
)
CONSENTS = TableSpec(
    "consents",
    "a permission given or withdrawn",
    {
        **_RECORD,
        "purpose": ColumnSpec(TEXT, allowed=PURPOSES),
        "granted": _FLAG,
        "decided_at": _MOMENT,
        "recorded_at": _MOMENT,
    },
    ("system", "source_id", "purpose", "decided_at", "recorded_at", "granted"),
)
LIFECYCLE = TableSpec(
    "lifecycle",
    "a person's n-th stay in a stage, from entered_at until left_at (blank: still), each with the time of its record",
    {
        "customer_id": _text(),
        "visit": ColumnSpec(WHOLE),
        "stage": _text(),
        "entered_at": _MOMENT,
        "left_at": _OPTIONAL_MOMENT,
        "recorded_at": _MOMENT,
        "left_recorded_at": _OPTIONAL_MOMENT,
        "rule": _text(),
        "deal_id": _OPTIONAL_TEXT,
    },
    ("customer_id", "visit"),
)
QUARANTINE = TableSpec(
    "quarantine",
    "a rejected source row",
    {
        "source": _text(),
        "file": _text(),
        "line": ColumnSpec(WHOLE),
        "section": _text(),
        "reason": _text(),
        "raw": _text(),
    },
    ("source", "file", "line", "section"),
)
SOURCES = TableSpec(
    "sources",
    "a file or SQL table that was read: rows = published + quarantined + forgotten",
    {
        "source": _text(),
        "file": _text(),
        "rows": ColumnSpec(WHOLE),
        "published": ColumnSpec(WHOLE),
        "quarantined": ColumnSpec(WHOLE),
        "forgotten": ColumnSpec(WHOLE),
        "unused_columns": _OPTIONAL_TEXT,
        "fingerprint": _text(),
    },
    ("source", "file"),
    total=("rows", ("published", "quarantined", "forgotten")),
)
SOURCE_DAYS = TableSpec(
    "source_days",
    "what a section of a source told of a business day: facts as read, and of events those that repeat another one's "
    "id and those recorded before they occurred",
    {
        "source": _text(),
        "section": _text(),
        "day": ColumnSpec(DAY),
        "facts": ColumnSpec(WHOLE),
        "repeated": ColumnSpec(WHOLE),
        "early": ColumnSpec(WHOLE),
    },
    ("source", "section", "day"),
)

TABLES: dict[str, TableSpec] = {
    spec.name: spec
    for spec in (
        CUSTOMERS,
        IDENTITIES,
        IDENTITY_CHANGES,
        IDENTITY_LINKS,
        IDENTITY_PAIRS,
        ATTRIBUTES,
        PROOFS,
        ACCOUNTS,
        EVENTS,
        DEALS,
        DEAL_STAGES,
        DEAL_PEOPLE,
        CONTRACTS,
        CAMPAIGNS,
        STAFF,
        CONSENTS,
        LIFECYCLE,
        QUARANTINE,
        SOURCES,
        SOURCE_DAYS,
    )
}
