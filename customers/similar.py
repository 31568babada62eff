"""Records that share no key and are one person all the same: proposals with a probability, each since its own time."""

from collections.abc import Iterator

import duckdb
import numpy as np
import pyarrow as pa

from core.settings import SimilarSettings
from customers.cleansing.company import company_key
from customers.cleansing.email import is_role_mailbox
from customers.cleansing.name import NAME_FIELDS, name_from_parts
from customers.connectors.raw import literal
from customers.matching import Evidence, Field, link_records

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
_COLUMNS = tuple(column for field in COMPARED for column in field.columns or (field.name,))
# The fields of a record that are read for it.
READ_FIELDS = (*NAME_FIELDS, "email", "phone", "company", "address", "building", "city", "postal_code")
# Fewer values than these tell nobody from another.
_LEAST_VALUES = 3
# Pairs that are not likely enough are shown to people who may know better: the likeliest, down to one in twenty.
_LEAST_DOUBTFUL = 0.05
_MOST_DOUBTFUL = 200_000
# Values that so many records have in common say nothing about any two of them.
MOST_HOLDERS = 50
Values = tuple[str | None, ...]


def propose_similar(connection: duckdb.DuckDBPyConnection, settings: SimilarSettings) -> None:
    """Make `similar_links`: pairs of records, since when the values that make them alike were known, and how likely.

    A record is compared as it was first known and as it is known last; a pair counts since both records' compared
    values were known, at the earliest. Whether a pair is proposed follows from its own values and from the learned
    weights alone, so a later record or value takes no earlier link away.

    Makes `identity_pairs` too: these pairs and the likeliest of the others, with what each field says.
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
    versions = list(_versions(connection))
    rows = sorted({values for *_, values in versions}, key=_sortable)
    if len(rows) < settings.least_records:
        return
    number = {values: place for place, values in enumerate(rows)}
    columns = dict(zip(_COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
    linkage = link_records(pa.table({name: pa.array(texts, pa.string()) for name, texts in columns.items()}), COMPARED)
    # Rows that several records hold: as likely one person as any two rows with just these values.
    held = np.bincount([number[values] for *_, values in versions], minlength=len(rows))
    alone = np.flatnonzero(held > 1).astype(np.int32)
    left, right = np.concatenate([linkage.left, alone]), np.concatenate([linkage.right, alone])
    probability = np.concatenate([linkage.probability, linkage.score(alone, alone)])
    mailbox = np.array([text or "" for text in columns["email"]])
    # Where the mailbox is the same there is a key already.
    keyless = (mailbox[left] != mailbox[right]) | (mailbox[left] == "")
    taken = keyless & (probability >= settings.least_probability)
    pairs = pa.table({"a": left[taken], "b": right[taken], "probability": probability[taken]})
    few = held[left] * held[right] <= MOST_HOLDERS
    doubtful = np.flatnonzero(keyless & ~taken & few & (probability >= _LEAST_DOUBTFUL))
    likeliest = doubtful[np.lexsort((right[doubtful], left[doubtful], -probability[doubtful]))][:_MOST_DOUBTFUL]
    shown = np.concatenate([np.flatnonzero(taken & few), likeliest])
    evidence = linkage.explain(left[shown], right[shown])
    holders = pa.table(
        {
            "system": [system for system, *_ in versions],
            "source_id": [source_id for _, source_id, *_ in versions],
            "known_at": pa.array([known_at for _, _, known_at, _ in versions], pa.timestamp("us", "UTC")),
            "row": pa.array([number[values] for *_, values in versions], pa.int32()),
        }
    )
    connection.register("similar_pairs", pairs)
    connection.register("similar_holders", holders)
    connection.execute(
        """INSERT INTO similar_links
        SELECT l.system, l.source_id, r.system, r.source_id, greatest(l.known_at, r.known_at) AS linked_at,
               p.probability
        FROM similar_pairs p JOIN similar_holders l ON l.row = p.a JOIN similar_holders r ON r.row = p.b
        WHERE (l.system, l.source_id) <> (r.system, r.source_id)
          AND (p.a <> p.b OR (l.system, l.source_id) < (r.system, r.source_id))
        QUALIFY row_number() OVER (
            PARTITION BY l.system, l.source_id, r.system, r.source_id ORDER BY linked_at, p.probability DESC) = 1"""
    )
    shown_pairs = pa.table({"a": left[shown], "b": right[shown], "probability": probability[shown]})
    _publish_pairs(connection, shown_pairs, evidence)
    connection.unregister("similar_pairs")
    connection.unregister("similar_holders")


def _publish_pairs(connection: duckdb.DuckDBPyConnection, pairs: pa.Table, evidence: Evidence) -> None:
    """Fill `identity_pairs`: each two records once, by those of their versions that are most alike."""
    told = []
    for place, (field, last) in enumerate(zip(evidence.fields, evidence.last_level, strict=True)):
        pairs = pairs.append_column(f"level_{place}", pa.array(evidence.levels[:, place]))
        pairs = pairs.append_column(f"bits_{place}", pa.array(evidence.bits[:, place].round(2)))
        words = (
            f"CASE level_{place} WHEN 0 THEN 'equal' WHEN {last} THEN 'different' WHEN 1 THEN 'close' ELSE 'alike' END"
        )
        told.append(
            f"CASE WHEN level_{place} >= 0 THEN json_object("
            f"'field', {literal(field)}, 'agreement', {words}, 'bits', bits_{place}) END"
        )
    connection.register("shown_pairs", pairs.append_column("related", pa.array(evidence.related)))
    connection.execute(
        f"""INSERT INTO identity_pairs
        WITH met AS (
            SELECT least((l.system, l.source_id), (r.system, r.source_id)) AS one,
                   greatest((l.system, l.source_id), (r.system, r.source_id)) AS other,
                   greatest(l.known_at, r.known_at) AS known_at, p.*
            FROM shown_pairs p JOIN similar_holders l ON l.row = p.a JOIN similar_holders r ON r.row = p.b
        )
        SELECT one[1], one[2], other[1], other[2], probability, related, known_at,
               to_json(list_filter([{", ".join(told)}], lambda said: said IS NOT NULL))::VARCHAR
        FROM met WHERE one <> other
        QUALIFY row_number() OVER (PARTITION BY one, other ORDER BY probability DESC, known_at) = 1"""
    )
    connection.unregister("shown_pairs")


def _versions(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str, int, Values]]:
    """Each record as it was first known and as it is known last: system, id, since when (microseconds), values."""
    listed = ", ".join(literal(name) for name in READ_FIELDS)
    picked = ", ".join(f"max(value) FILTER (field = {literal(name)})" for name in READ_FIELDS)
    told = connection.execute(
        f"""SELECT p.system, p.source_id, epoch_us(p.recorded_at) AS time, {picked}
        FROM profile_rows p SEMI JOIN staged.records USING (system, source_id)
        WHERE p.field IN ({listed}) AND p.value IS NOT NULL
        GROUP BY ALL ORDER BY p.system, p.source_id, time"""
    ).fetchall()
    record, parts = ("", ""), dict.fromkeys(READ_FIELDS)
    first: tuple[int, Values] | None = None
    last: tuple[int, Values] | None = None
    for system, source_id, time, *values in [*told, (None, None, 0)]:
        if (system, source_id) != record:
            yield from ((*record, *version) for version in dict.fromkeys((first, last)) if version is not None)
            record, parts, first, last = (system, source_id), dict.fromkeys(READ_FIELDS), None, None
        parts |= {name: value for name, value in zip(READ_FIELDS, values, strict=False) if value is not None}
        compared = _compared(parts)
        if sum(value is not None for value in compared) < _LEAST_VALUES:
            continue
        first = first or (time, compared)
        if last is None or compared != last[1]:
            last = (time, compared)


def _compared(parts: dict[str, str | None]) -> Values:
    name = name_from_parts(parts)
    email, company = parts["email"], parts["company"]
    return (
        name.first,
        name.first_sound,
        name.last,
        name.last_sound,
        None if email is None or is_role_mailbox(email) else email,
        parts["phone"],
        company_key(company) if company else None,
        # Two flats of one house are two addresses.
        " ".join(part for part in (parts["address"], parts["building"]) if part) or None,
        parts["city"],
        parts["postal_code"],
    )


def _sortable(values: Values) -> tuple[str, ...]:
    return tuple(value or "" for value in values)
