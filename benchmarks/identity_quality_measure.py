"""How good a grouping is: precision, recall and F1 over pairs."""

import numpy as np
import numpy.typing as npt

Clusters = npt.NDArray[np.int64]


def pairwise(found: Clusters, truth: Clusters) -> tuple[float, float, float]:
    """Precision, recall and F1 over pairs of records; 1 where there is nothing to be wrong about."""
    both, mine, true = (_pairs(key) for key in (found * (truth.max() + 1) + truth, found, truth))
    precision, recall = both / mine if mine else 1.0, both / true if true else 1.0
    return precision, recall, 2 * both / (mine + true) if mine + true else 1.0


def _pairs(labels: Clusters) -> int:
    sizes = np.unique(labels, return_counts=True)[1].astype(np.int64)
    return int((sizes * (sizes - 1) // 2).sum())
