"""The counting that CRM suites ship as predictive lead scoring, as a baseline: naive Bayes over field values.

In the manner of Odoo's `crm`: each value of each field counts how many leads with it were won and lost, a tenth is
added to both, and the shares are multiplied. Known faults of the original are not copied: priors carried over from one
team to the next, probabilities computed before the counts are brought up to date, and values counted as at the closing,
which lets the outcome in. What belongs to the method stays: no numbers, no decay, no interactions, no calibration.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
_ADDED = 0.1
_LEAST, _MOST = 0.0001, 0.9999


@dataclass(frozen=True)
class Counting:
    """Won and lost counts of every value of every field, and of all leads.

    >>> table = pa.table({"source": ["fair", "fair", "web", "web"]})
    >>> counting = count_values(table, np.array([True, True, False, False]), ["source"])
    >>> counting.probability(table).round(2).tolist()
    [0.95, 0.95, 0.05, 0.05]
    """

    won: float
    lost: float
    fields: dict[str, dict[str, tuple[float, float]]]

    def probability(self, table: pa.Table) -> Floats:
        """The chance that the method gives to each row, between 0.01 % and 99.99 %."""
        whole = self.won + self.lost
        win = np.full(table.num_rows, np.log(self.won / whole))
        loss = np.full(table.num_rows, np.log(self.lost / whole))
        for name, counts in self.fields.items():
            won, lost = (sum(pair[side] for pair in counts.values()) for side in (0, 1))
            if not won or not lost:
                continue
            encoded = table[name].combine_chunks().dictionary_encode()
            values: list[str] = encoded.dictionary.to_pylist()
            # A value that was never counted says nothing.
            share = np.array([[counts[v][0] / won, counts[v][1] / lost] if v in counts else [1.0, 1.0] for v in values])
            place = encoded.indices.fill_null(len(values)).to_numpy()
            said = np.log(np.vstack([share.reshape(-1, 2), [1.0, 1.0]]))[place]
            win += said[:, 0]
            loss += said[:, 1]
        chance: Floats = np.clip(1 / (1 + np.exp(np.clip(loss - win, -500, 500))), _LEAST, _MOST)
        return chance


def count_values(table: pa.Table, label: Labels, names: Sequence[str]) -> Counting:
    """Count the values of the fields `names` (texts; blanks do not count) among won and lost rows."""
    fields = {}
    for name in names:
        encoded = table[name].combine_chunks().dictionary_encode()
        known = encoded.indices.is_valid().to_numpy(zero_copy_only=False)
        place = encoded.indices.fill_null(0).to_numpy()[known]
        size = len(encoded.dictionary)
        won = np.bincount(place, weights=label[known], minlength=size) + _ADDED
        lost = np.bincount(place, weights=~label[known], minlength=size) + _ADDED
        pairs = zip(won.tolist(), lost.tolist(), strict=True)
        fields[name] = dict(zip(encoded.dictionary.to_pylist(), pairs, strict=True))
    wins = float(label.sum())
    return Counting(wins + _ADDED, len(label) - wins + _ADDED, fields)
