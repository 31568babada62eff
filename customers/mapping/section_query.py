"""The query that turns raw text columns into one section's rows, and says for each row what is wrong with it."""

from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from core.source_settings import Column, PersonRef, Section, SourceSettings, Where
from customers.connectors.raw import RawRows, literal, where_target
from customers.mapping.moments import date_only_sql, fault_sql, moment_sql, tidy_sql

ANY_VALUE = ("*",)
NO_TEXT = "NULL::VARCHAR"
# Why a fact from the future stands in quarantine, behind the name of its time.
AFTER_EXPORT = "lies after the export"
NO_MOMENT = "NULL::TIMESTAMPTZ"
_BLANKS = "' \u3000\t\r\n\u00a0'"
_TRUE = ("true", "1", "yes", "y", "t", "on", "はい", "有", "同意", "許可")
_FALSE = ("false", "0", "no", "n", "f", "off", "いいえ", "無", "拒否", "不可")
_NORMAL_KEY = {"email": "normal_email", "login": "normal_login", "cookie": ""}


@dataclass
class SectionQuery:
    """Collects the columns that a section needs, then writes one table of typed rows with a `fault` column.

    Three layers: `t_…` are the mapped texts, `m_…` the moments, numbers and flags read from them, and on top the
    section's own columns.
    """

    raw: RawRows
    source: SourceSettings
    section: Section
    exported_at: datetime | None
    texts: dict[str, str] = field(default_factory=dict)
    typed: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def text(self, label: str, column: Column | None, required: bool = False) -> str:
        """SQL for a text; blank is NULL."""
        if column is None:
            return NO_TEXT
        self.texts[f"t_{label}"] = self._mapped(column)
        if required:
            self.faults.append(f"CASE WHEN t_{label} IS NULL THEN {literal(label + ' is blank')} END")
        return f"t_{label}"

    def number(self, label: str, column: Column | None) -> str:
        """SQL for a number; thousands separators and currency signs are tolerated, other text is a fault."""
        if column is None:
            return "NULL::DOUBLE"
        text = self.text(label, column)
        self.typed[f"m_{label}"] = f"read_number({text})"
        self.faults.append(
            f"CASE WHEN {text} IS NOT NULL AND m_{label} IS NULL THEN {literal(label + ': not a number')} END"
        )
        return f"m_{label}"

    def flag(self, label: str, column: Column | None, default: str = "NULL::BOOLEAN") -> str:
        """SQL for yes or no."""
        if column is None:
            return default
        text = self.text(label, column)
        yes, no = (", ".join(literal(word) for word in words) for words in (_TRUE, _FALSE))
        self.typed[f"m_{label}"] = (
            f"CASE WHEN lower({text}) IN ({yes}) THEN true WHEN lower({text}) IN ({no}) THEN false END"
        )
        self.faults.append(
            f"CASE WHEN {text} IS NOT NULL AND m_{label} IS NULL THEN {literal(label + ': neither yes nor no')} END"
        )
        return f"coalesce(m_{label}, {default})"

    def moment(self, label: str, column: Column | None, required: bool = False, fact: bool = True) -> str:
        """SQL for a moment; a `fact` cannot lie after the export, but by the source's clock skew."""
        if column is None:
            return NO_MOMENT
        self.texts[f"t_{label}"] = tidy_sql(self._mapped(column), self.source)
        moment = moment_sql(f"t_{label}", self.source)
        limit = None
        if fact and self.exported_at is not None:
            limit = f"TIMESTAMPTZ {literal(self.exported_at.isoformat())}"
            if skew := self.source.clock_skew_seconds:
                latest = f"{limit} + INTERVAL {round(skew * 1_000_000)} MICROSECONDS"
                moment = f"CASE WHEN ({moment}) BETWEEN {limit} AND {latest} THEN {limit} ELSE {moment} END"
        self.typed[f"m_{label}"] = moment
        if required:
            self.faults.append(f"CASE WHEN t_{label} IS NULL THEN {literal(label + ' is blank')} END")
        self.faults.append(fault_sql(f"t_{label}", f"m_{label}", self.source, label))
        if limit is not None:
            self.faults.append(f"CASE WHEN m_{label} > {limit} THEN {literal(f'{label} {AFTER_EXPORT}')} END")
        return f"m_{label}"

    def known(self, label: str, column: Column | None, occurred: str = NO_MOMENT) -> tuple[str, str]:
        """SQL for when a fact was known, and for whether that is assumed.

        A recorded day without a time of day is known at that day's end: earlier would be a guess that leaks. Without
        a recorded time the fact was known the source's delay after it occurred, and never before it occurred.
        """
        text = occurred.replace("m_", "t_", 1)
        whole_day = f"CASE WHEN {date_only_sql(text, self.source)} THEN INTERVAL 1 DAY ELSE INTERVAL 0 DAY END"
        delay = f"to_microseconds({round(self.source.delay_hours * 3_600_000_000)})"
        assumed = NO_MOMENT if occurred == NO_MOMENT else f"({occurred} + {whole_day} + {delay})"
        if column is None:
            return assumed, "true"
        self.moment(label, column)
        recorded = self._end_of_day(label)
        return f"greatest(coalesce({recorded}, {assumed}), {occurred})", f"(m_{label} IS NULL)"

    def _end_of_day(self, label: str) -> str:
        return (
            f"(m_{label} + CASE WHEN {date_only_sql(f't_{label}', self.source)} "
            "THEN INTERVAL 1 DAY ELSE INTERVAL 0 DAY END)"
        )

    def person(self, label: str, references: tuple[PersonRef, ...], required: bool = True) -> tuple[str, str]:
        """SQL for the system and the id of the node that a row is about: the first reference that is not blank."""
        systems, ids = [], []
        for position, reference in enumerate(references):
            text = f"t_{label}_{position}"
            mapped = self._mapped(reference.column)
            if reference.where:
                mapped = f"CASE WHEN {self._condition(reference.where)} THEN {mapped} END"
            if reference.key is None:
                self.texts[text] = mapped
            else:
                normal = _NORMAL_KEY[reference.key]
                self.texts[text] = f"{normal}({mapped})" if normal else mapped
            system = reference.key or reference.system or self.source.system
            systems.append(f"WHEN {text} IS NOT NULL THEN {literal(system)}")
            ids.append(text)
        if required:
            nobody = " AND ".join(f"{text} IS NULL" for text in ids)
            self.faults.append(f"CASE WHEN {nobody} THEN {literal(label + ': nobody is named')} END")
        return f"CASE {' '.join(systems)} END", f"coalesce({', '.join([*ids, NO_TEXT])})"

    def write(self, connection: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str]) -> None:
        """Write the section's rows with `file`, `line`, the columns and `fault`."""
        texts = "".join(f", {sql} AS {name}" for name, sql in self.texts.items())
        typed = "".join(f", {sql} AS {name}" for name, sql in self.typed.items())
        given = "".join(f", {sql} AS {name}" for name, sql in columns.items())
        fault = f"coalesce({', '.join([*self.faults, NO_TEXT])})"
        rows = f"SELECT file, line{texts} FROM {self.raw.table} WHERE {self._condition(self.section.where)}"
        connection.execute(
            f"""CREATE OR REPLACE TABLE {table} AS
            SELECT file, line{given}, {fault} AS fault FROM (
                SELECT *{typed} FROM ({rows}))"""
        )

    def _condition(self, where: Where) -> str:
        conditions = []
        for name, values in where.items():
            column, key = where_target(name)
            sql = _json_value(self._raw(column), (key,)) if key else self._raw(column)
            text = f"coalesce(trim({sql}, {_BLANKS}), '')"
            listed = ", ".join(literal(value) for value in values)
            conditions.append(f"{text} <> ''" if values == ANY_VALUE else f"{text} IN ({listed})")
        return " AND ".join(conditions) or "true"

    def _raw(self, name: str) -> str:
        """SQL for a column as it was read; of an optional one that the file lacks, NULL."""
        if name not in self.raw.columns:
            return NO_TEXT
        column = self.raw.columns[name]
        for text in self.source.blank:
            column = f"nullif({column}, {literal(text)})"
        return column

    def has(self, column: Column | None) -> bool:
        """Whether a value is mapped and not read from an optional column that the file lacks."""
        return column is not None and (column.constant is not None or column.column in self.raw.columns)

    def _mapped(self, column: Column) -> str:
        if column.constant is not None:
            constant = column.constant
            return literal(str(constant).lower() if isinstance(constant, bool) else constant)
        sql = self._raw(str(column.column))
        if column.json_key is not None:
            sql = _json_value(sql, (column.json_key,) if isinstance(column.json_key, str) else column.json_key)
        sql = f"nullif(trim({sql}, {_BLANKS}), '')"
        if column.map:
            cases = " ".join(f"WHEN {literal(old)} THEN {literal(new)}" for old, new in column.map.items())
            rest = sql if column.otherwise is None else literal(column.otherwise)
            sql = f"nullif(CASE {sql} {cases} ELSE {rest} END, '')"
        return sql


def _json_value(column: str, keys: tuple[str, ...]) -> str:
    """SQL for the first of the keys that a JSON object has; text that is no JSON has none."""
    paths = ('$."' + key.replace('"', '\\"') + '"' for key in keys)
    extracted = [f"TRY(json_extract_string({column}, {literal(path)}))" for path in paths]
    return extracted[0] if len(extracted) == 1 else f"coalesce({', '.join(extracted)})"
