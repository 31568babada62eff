"""Keeps the list of what was planted to mislead, as the parts of the export are written."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from simulator.population import Ints


@dataclass
class TrapList:
    """Planted traps; each row names a file, a column or a row of it, and when the fact became known."""

    epoch: int
    parts: list[pd.DataFrame] = field(default_factory=list)

    def add(
        self,
        kind: str,
        file: str,
        *,
        column: str = "",
        row_id: pa.Array | list[str] | None = None,
        person: Ints | None = None,
        occurred: Ints | None = None,
        known: Ints | None = None,
    ) -> None:
        """Adds rows of one kind; seconds count from the start of the history."""
        ids = [""] if row_id is None else row_id.to_pylist() if isinstance(row_id, pa.Array) else row_id
        length = len(ids)
        self.parts.append(
            pd.DataFrame(
                {
                    "kind": np.repeat(kind, length),
                    "file": np.repeat(file, length),
                    "column": np.repeat(column, length),
                    "row_id": np.asarray(ids, dtype=object),
                    "person_id": pd.array(np.full(length, -1) if person is None else person, dtype="int64"),
                    "occurred_at": self._moment(occurred, length),
                    "known_at": self._moment(known, length),
                }
            )
        )

    def _moment(self, seconds: Ints | None, length: int) -> pd.Series:
        if seconds is None:
            return pd.Series(pd.NaT, index=range(length), dtype="datetime64[us, UTC]")
        return pd.Series(pd.to_datetime((seconds + self.epoch) * 1_000_000, unit="us", utc=True)).astype(
            "datetime64[us, UTC]"
        )

    def frame(self) -> pd.DataFrame:
        """All traps, in the order in which they were planted."""
        return pd.concat(self.parts, ignore_index=True)
