"""Whose record is this: one record that no export holds yet, looked up among all people between two runs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from core.errors import ConfigurationError, MissingStageError
from core.settings import Settings
from core.storage import Workspace, connect_duckdb
from core.tables import PERSON_FIELDS
from customers.cache import STAGE
from customers.cleansing.address_fields import ADDRESS_FIELDS, cleanse_address
from customers.cleansing.address_fields import READ_FIELDS as ADDRESS_PARTS
from customers.cleansing.email import is_role_mailbox
from customers.cleansing.name import NAME_FIELDS, PersonName, name_from_parts, names_agree
from customers.connectors.raw import literal
from customers.linking import KEY_SYSTEMS
from customers.matching import Knowledge, MatchIndex
from customers.matching.index import LEAST_KEPT
from customers.profiles import UNREADABLE, cleanse_field
from customers.record_states import state_of
from customers.similar import COMPARED_COLUMNS, LEAST_VALUES, Holders, current_index
from customers.suppression import Key

_MOST_FOUND = 5
_MOST_COMPARED = 20


@dataclass(frozen=True)
class Found:
    """A person whose record it may be.

    `rule` is the key that they share (`email`, `login`, `cookie`) with `probability` 1, or `similar`. `joins` says
    whether the next run would take the record for theirs: a key whose names contradict, and a likeness that is not sure
    enough, do not.
    """

    customer_id: str
    rule: str
    probability: float
    joins: bool
    records: tuple[Key, ...]


class PersonFinder:
    """Looks records up in the unified tables in force; what was learned is read once.

    Args:
        settings: how sure a likeness has to be.
        workspace: holds the tables.

    Raises:
        MissingStageError: nothing was unified yet, or by another version of this program.
    """

    def __init__(self, settings: Settings, workspace: Workspace) -> None:
        self._least = settings.identity.similar.least_probability
        self._connection = connect_duckdb()
        workspace.tables(self._connection)
        self._index: MatchIndex | None = None
        self._knowledge: Knowledge | None = None
        index = current_index(workspace) if settings.identity.similar.enabled else None
        if index is not None:
            self._holders = workspace.current(STAGE) / Holders.FILE if workspace.manifest(STAGE) else None
            self._knowledge = Knowledge.load(index.folder)
            if self._knowledge is None or self._holders is None or not self._holders.exists():
                raise MissingStageError(
                    f"{workspace.home} holds nothing to compare records with, or what an earlier version made",
                    "the tables of a run of this version",
                    "run `kizashi run` once, then ask again",
                )
            self._index = index
            self._rows = index.next_row()

    def find(self, record: Mapping[str, str]) -> list[Found]:
        """The people whose record it may be, the surest first.

        Args:
            record: what it says, by field (`email`, `last_name`, `company`, …) as a system would hold it.

        Raises:
            ConfigurationError: a field is unknown, or a value cannot be read.
        """
        told = _cleansed(record)
        found = {one.customer_id: one for one in self._similar(told)}
        # What a key says comes before what a likeness says.
        found |= {one.customer_id: one for one in self._by_keys(told)}
        ordered = sorted(found.values(), key=lambda one: (not one.joins, -one.probability, one.customer_id))
        return ordered[:_MOST_FOUND]

    def _by_keys(self, told: Mapping[str, str]) -> list[Found]:
        name = _name(told)
        found = []
        for system in KEY_SYSTEMS:
            key = told.get(system)
            if key is None or (system == "email" and is_role_mailbox(key)):
                continue
            rows = self._connection.execute(
                "SELECT customer_id FROM identities WHERE system = ? AND source_id = ? AND ended_at IS NULL",
                [system, key],
            ).fetchall()
            for (customer_id,) in rows:
                joins = not self._contradicts(customer_id, name)
                found.append(Found(customer_id, system, 1.0, joins, (Key(system, key),)))
        return found

    def _contradicts(self, customer_id: str, name: PersonName) -> bool:
        """Whether some name of the person speaks against it, and none for it."""
        picked = ", ".join(f"max(value) FILTER (field = {literal(field)})" for field in NAME_FIELDS)
        rows = self._connection.execute(
            f"SELECT {picked} FROM attributes WHERE customer_id = ? AND value IS NOT NULL GROUP BY system, source_id",
            [customer_id],
        ).fetchall()
        names = [name_from_parts(dict(zip(NAME_FIELDS, row, strict=True))) for row in rows]
        said = [names_agree(name, other) for other in names]
        return False in said and True not in said

    def _similar(self, told: Mapping[str, str]) -> list[Found]:
        state = state_of(told)
        if self._index is None or self._knowledge is None:
            return []
        if sum(state[name] is not None for name in COMPARED_COLUMNS) < LEAST_VALUES:
            return []
        row = pa.table({name: pa.array([state[name]], pa.string()) for name in COMPARED_COLUMNS})
        with connect_duckdb() as apart:
            near = self._index.nearest(apart, row, self._rows, self._knowledge)
        likely = np.flatnonzero(near.probability >= LEAST_KEPT)
        likely = likely[np.argsort(-near.probability[likely], kind="stable")][:_MOST_COMPARED]
        # The new row's number is above all others.
        numbers = np.minimum(near.numbers[near.left[likely]], near.numbers[near.right[likely]])
        best: dict[str, Found] = {}
        for number, probability in zip(numbers.tolist(), near.probability[likely].tolist(), strict=True):
            holders = self._connection.execute(
                f"""SELECT i.customer_id, h.system, h.source_id
                FROM (FROM read_parquet({literal(self._holders)}) WHERE row = {number}) h
                JOIN identities i ON i.system = h.system AND i.source_id = h.source_id AND i.ended_at IS NULL"""
            ).fetchall()
            for customer_id, system, source_id in holders:
                known = best.get(customer_id)
                records = (*(known.records if known else ()), Key(system, source_id))
                sure = max(probability, known.probability if known else 0.0)
                best[customer_id] = Found(customer_id, "similar", sure, sure >= self._least, records)
        return list(best.values())


def _name(told: Mapping[str, str]) -> PersonName:
    return name_from_parts({field: told.get(field) for field in NAME_FIELDS})


def _cleansed(record: Mapping[str, str]) -> dict[str, str]:
    known = (*PERSON_FIELDS, "login", "cookie")
    if unknown := sorted(set(record) - set(known)):
        raise ConfigurationError(
            f"{', '.join(unknown)} is no field of a person",
            f"some of {', '.join(dict.fromkeys(known))}",
            "correct the field's name",
        )
    told: dict[str, str] = {}
    for field, value in record.items():
        if not value.strip() or field in ADDRESS_PARTS:
            continue
        forms = cleanse_field(field, value)
        if unreadable := next((name for name in forms if name.endswith(UNREADABLE)), None):
            raise ConfigurationError(
                f"{unreadable.removesuffix(UNREADABLE)} cannot be read",
                "a value in its usual form",
                "correct the value, or leave the field out",
            )
        told |= {name: form for name, form in forms.items() if name == field}
    address = cleanse_address({name: record.get(name) for name in ADDRESS_PARTS})
    return told | {name: part for name in ADDRESS_FIELDS if (part := address[name]) is not None}
