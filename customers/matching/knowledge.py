"""What was learned from one set of records: it judges their pairs, and those of records that come later."""

import json
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.storage import source_mark, write_json, write_parquet
from customers.matching.candidates import Commonness
from customers.matching.comparisons import LEVELS, Comparer, Glance, GramCounts, Levels
from customers.matching.fields import NAMES, Codes, Kind, Prepared
from customers.matching.model import MatchModel, Rarity, Shares, known_logs
from customers.matching.parts import by_parts

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
# Far below what decides anything: how processors round must not make two runs differ.
_DECIMALS = 9
_PAIRS_AT_ONCE = 500_000


@cache
def _program() -> str:
    return source_mark(Path(__file__).parent)


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

        def judged(part: slice) -> Floats:
            a, b = left[part], right[part]
            known = self._comparer.levels(a, b) if levels is None else levels[part]
            return self._model.probability(known, self._rarity.of(a, b, known)).round(_DECIMALS)

        # By parts: what is computed on the way takes a hundred times the space of its result.
        return np.concatenate([np.empty(0), *by_parts(len(left), _PAIRS_AT_ONCE, judged)])

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
        return Judge(fields, Comparer(fields, self.grams), Rarity(fields, known_logs(fields, self.shares)), self.model)

    def hopeful(
        self, fields: Sequence[Prepared], left: Codes, right: Codes, least: float, kinds: Container[Kind]
    ) -> Places:
        """The places of those pairs that can reach a chance of `least`, by a look at some fields, a glance at others.

        Of the many pairs that meet few come near; the others need no closer look.

        Args:
            fields: the compared fields of the records.
            left: one side of the pairs.
            right: the other side.
            least: the chance.
            kinds: the fields that are compared, names among them.
        """
        looked_at = [place for place, field in enumerate(fields) if field.kind in kinds]
        glanced_at = [place for place, field in enumerate(fields) if field.kind not in kinds]
        names = [place for place, field in enumerate(fields) if field.kind in NAMES]
        shares = {
            (at, number): self.shares[place, number]
            for at, place in enumerate(names)
            for number, _ in enumerate(fields[place].forms)
        }
        named = [fields[place] for place in names]
        rarities = Rarity(named, known_logs(named, shares))
        # Of other values that are equal it is not asked how common they are.
        rarest = np.array(
            [
                min(self.shares[place, number].alone for number, _ in enumerate(field.forms))
                for place, field in enumerate(fields)
            ]
        )
        comparer = Comparer([fields[place] for place in looked_at], {})
        glance = Glance([fields[place] for place in glanced_at])

        def reaching(part: slice) -> Places:
            a, b = left[part], right[part]
            levels, rarity = np.empty((len(a), len(fields)), np.int8), np.tile(rarest, (len(a), 1))
            levels[:, looked_at], levels[:, glanced_at] = comparer.levels(a, b), glance.levels(a, b)
            rarity[:, names] = rarities.of(a, b, levels[:, names])
            return np.flatnonzero(self.model.ceiling(levels, rarity, looked_at) >= least) + int(part.start)

        return np.concatenate([np.empty(0, np.int64), *by_parts(len(left), _PAIRS_AT_ONCE, reaching)])

    def save(self, folder: Path) -> None:
        """Write it as tables and one JSON file; values that only one person bears are not in it."""
        model = self.model
        write_json(
            folder / "model.json",
            {
                "program": _program(),
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
            _stacked(
                {place: (share.marks, share.logs) for place, share in self.shares.items()}, pa.uint64(), pa.float64()
            ),
        )
        grams = {place: (list(gram.counts), list(gram.counts.values())) for place, gram in self.grams.items()}
        write_parquet(folder / "grams.parquet", _stacked(grams, pa.string(), pa.int64()))
        for name in ("keys", "twos", "threes"):
            write_parquet(folder / f"common_{name}.parquet", getattr(self.commonness, name))

    @classmethod
    def load(cls, folder: Path) -> "Knowledge | None":
        """What was saved, or None where nothing was, or by another version of this folder's code."""
        path = folder / "model.json"
        told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if told.get("program") != _program():
            return None
        shares, grams = (_unstacked(pq.read_table(folder / f"{name}.parquet")) for name in ("shares", "grams"))
        return cls(
            model=MatchModel(
                tuple(np.array(share) for share in told["same"]),
                tuple(np.array(share) for share in told["strangers"]),
                np.array(told["shared"]),
                told["prior_same"],
                np.array(told["prior_related"]),
            ),
            shares={
                (a, b): Shares(
                    shares[a, b]["name"].to_numpy().astype(np.uint64),
                    shares[a, b]["value"].to_numpy().astype(np.float64),
                    alone,
                )
                for a, b, alone in told["alone"]
            },
            grams={
                (a, b): GramCounts(
                    dict(zip(grams[a, b]["name"].to_pylist(), grams[a, b]["value"].to_pylist(), strict=True)), values
                )
                for a, b, values in told["texts"]
            },
            commonness=Commonness(
                *(pq.read_table(folder / f"common_{name}.parquet") for name in ("keys", "twos", "threes"))
            ),
            threshold=told["threshold"],
            records=told["records"],
        )


def _stacked(
    tables: Mapping[tuple[int, int], tuple[Any, Any]], name_type: pa.DataType, value_type: pa.DataType
) -> pa.Table:
    """One table of names and values for all forms."""
    return pa.concat_tables(
        pa.table(
            {
                "field": pa.array(np.full(len(names), place, np.uint8)),
                "form": pa.array(np.full(len(names), number, np.uint8)),
                "name": pa.array(names, name_type),
                "value": pa.array(values, value_type),
            }
        )
        for (place, number), (names, values) in tables.items()
    )


def _unstacked(table: pa.Table) -> dict[tuple[int, int], pa.Table]:
    """The names and values of each form."""
    forms = pc.add(pc.multiply(table["field"].cast(pa.int32()), 256), table["form"].cast(pa.int32()))
    found: dict[tuple[int, int], pa.Table] = defaultdict(lambda: table.slice(0, 0))
    found |= {divmod(form, 256): table.filter(pc.equal(forms, form)) for form in pc.unique(forms).to_pylist()}
    return found
