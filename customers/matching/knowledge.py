"""What was learned from one set of records: it judges their pairs, and those of records that come later."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from core.storage import write_json, write_parquet
from customers.matching.candidates import Commonness
from customers.matching.comparisons import LEVELS, Comparer, GramCounts, Levels
from customers.matching.fields import Codes, Prepared
from customers.matching.model import MatchModel, Rarity, Shares

Floats = npt.NDArray[np.float64]
# Far below what decides anything: how processors round must not make two runs differ.
_DECIMALS = 9
_PAIRS_AT_ONCE = 1_000_000
_FORM = 1


@dataclass(frozen=True)
class Evidence:
    """Why pairs are as likely one person as they are: one row a pair, one column for each of `fields`.

    `levels` says how well the two agree (0: equal, the field's `last_level`: different, `BLANK`: either is blank),
    `bits` what that says for one person and against strangers; `related` is the chance that the two are a couple,
    relatives or colleagues.
    """

    fields: tuple[str, ...]
    last_level: tuple[int, ...]
    levels: Levels
    bits: Floats
    related: Floats


class Judge:
    """Says for pairs of the records it was given how likely they are one person, and why."""

    def __init__(self, fields: Sequence[Prepared], comparer: Comparer, rarity: Rarity, model: MatchModel) -> None:
        self._fields = fields
        self._comparer = comparer
        self._rarity = rarity
        self._model = model

    def probability(self, left: Codes, right: Codes, levels: Levels | None = None) -> Floats:
        """The chance of each pair to be one person; `levels` where they are known already."""
        found = np.empty(len(left))
        # By parts: what is computed on the way takes a hundred times the space of its result.
        for start in range(0, len(left), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            a, b = left[part], right[part]
            known = self._comparer.levels(a, b) if levels is None else levels[part]
            found[part] = self._model.probability(known, self._rarity.of(a, b, known)).round(_DECIMALS)
        return found

    def explain(self, left: Codes, right: Codes) -> Evidence:
        """What each field says about each pair."""
        levels = self._comparer.levels(left, right)
        rarity = self._rarity.of(left, right, levels)
        return Evidence(
            tuple(field.name for field in self._fields),
            tuple(LEVELS[field.kind] - 1 for field in self._fields),
            levels,
            self._model.weights(levels, rarity),
            self._model.related(levels, rarity),
        )


@dataclass(frozen=True)
class Knowledge:
    """The weights of agreement, how common values, trigrams and keys were, and from how many records that is known.

    `threshold` is the average probability that united groups reach.
    """

    model: MatchModel
    shares: dict[tuple[int, int], Shares]
    grams: dict[tuple[int, int], GramCounts]
    commonness: Commonness
    threshold: float
    records: int

    def judge(self, fields: Sequence[Prepared]) -> Judge:
        """Whoever judges pairs of other records on the same fields."""
        return Judge(fields, Comparer(fields, self.grams), Rarity(fields, self.shares), self.model)

    def save(self, folder: Path) -> None:
        """Write it as tables and one JSON file; values that only one person bears are not in it."""
        model = self.model
        write_json(
            folder / "model.json",
            {
                "form": _FORM,
                "records": self.records,
                "threshold": self.threshold,
                "same": [share.tolist() for share in model.same],
                "strangers": [share.tolist() for share in model.strangers],
                "shared": model.shared.tolist(),
                "prior_same": model.prior_same,
                "prior_related": model.prior_related.tolist(),
                "alone": [[*place, share.alone] for place, share in self.shares.items()],
                "texts": [[*place, gram.values] for place, gram in self.grams.items()],
            },
        )
        write_parquet(
            folder / "shares.parquet",
            _stacked({place: share.logs for place, share in self.shares.items()}, pa.uint64(), pa.float64()),
        )
        write_parquet(
            folder / "grams.parquet",
            _stacked({place: gram.counts for place, gram in self.grams.items()}, pa.string(), pa.int64()),
        )
        for name in ("keys", "twos", "threes"):
            write_parquet(folder / f"common_{name}.parquet", getattr(self.commonness, name))

    @classmethod
    def load(cls, folder: Path) -> "Knowledge | None":
        """What was saved, or None where nothing was, or in a form of another version."""
        path = folder / "model.json"
        told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if told.get("form") != _FORM:
            return None
        logs, counts = (_unstacked(pq.read_table(folder / f"{name}.parquet")) for name in ("shares", "grams"))
        return cls(
            model=MatchModel(
                tuple(np.array(share) for share in told["same"]),
                tuple(np.array(share) for share in told["strangers"]),
                np.array(told["shared"]),
                told["prior_same"],
                np.array(told["prior_related"]),
            ),
            shares={(a, b): Shares(logs.get((a, b), {}), alone) for a, b, alone in told["alone"]},
            grams={(a, b): GramCounts(counts.get((a, b), {}), values) for a, b, values in told["texts"]},
            commonness=Commonness(
                *(pq.read_table(folder / f"common_{name}.parquet") for name in ("keys", "twos", "threes"))
            ),
            threshold=told["threshold"],
            records=told["records"],
        )


def _stacked(
    tables: Mapping[tuple[int, int], Mapping[Any, Any]], name_type: pa.DataType, value_type: pa.DataType
) -> pa.Table:
    rows = [(*place, name, value) for place, table in tables.items() for name, value in table.items()]
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
    types = (pa.uint8(), pa.uint8(), name_type, value_type)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return pa.table(arrays, names=["field", "form", "name", "value"])


def _unstacked(table: pa.Table) -> dict[tuple[int, int], dict[Any, Any]]:
    found: dict[tuple[int, int], dict[Any, Any]] = {}
    for field, form, name, value in zip(*(table[column].to_pylist() for column in table.column_names), strict=True):
        found.setdefault((field, form), {})[name] = value
    return found
