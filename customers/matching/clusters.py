"""From pairs to people: average linkage, so that no chain of single likenesses unites strangers."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from customers.matching.fields import Codes

Floats = npt.NDArray[np.float64]
LARGEST_GROUP = 200
_CHUNK_PAIRS = 2_000_000


def cluster_pairs(
    records: int,
    left: Codes,
    right: Codes,
    probability: Floats,
    threshold: float,
    score: Callable[[Codes, Codes], Floats],
) -> Codes:
    """For each record the number of its cluster.

    Two groups become one while the average probability over *all* pairs between them reaches the threshold; pairs that
    were no candidates are scored too.
    """
    labels = np.arange(records, dtype=np.int32)
    groups = _groups(records, left, right, probability, threshold)
    batch: list[Codes] = []
    size = 0
    for group in groups:
        batch.append(group)
        size += len(group) * (len(group) - 1) // 2
        if size >= _CHUNK_PAIRS:
            _label(batch, score, threshold, labels)
            batch, size = [], 0
    _label(batch, score, threshold, labels)
    return labels


def _groups(records: int, left: Codes, right: Codes, probability: Floats, threshold: float) -> list[Codes]:
    """Connected records; what hangs together too widely is cut where it is weakest."""
    done: list[Codes] = []
    members = np.arange(records, dtype=np.int32)
    cut = threshold
    while len(left):
        kept = probability >= cut
        left, right, probability = left[kept], right[kept], probability[kept]
        if not len(left):
            break
        graph = coo_matrix((np.ones(len(left), np.int8), (left, right)), shape=(records, records))
        _, label = connected_components(graph, directed=False)
        sizes = np.bincount(label, minlength=records)
        small = (sizes > 1) & ((sizes <= LARGEST_GROUP) | (cut > 1 - 1e-9))
        chosen = members[small[label]]
        order = chosen[np.argsort(label[chosen], kind="stable")]
        done += np.split(order, np.flatnonzero(np.diff(label[order])) + 1) if len(order) else []
        wide = sizes[label[left]] > LARGEST_GROUP
        left, right, probability = left[wide], right[wide], probability[wide]
        cut = 1 - (1 - cut) / 4
        if cut > 1 - 1e-9:
            break
    return done


def _label(groups: list[Codes], score: Callable[[Codes, Codes], Floats], threshold: float, labels: Codes) -> None:
    if not groups:
        return
    # Two records are one person if the link between them suffices, which is why they are a group.
    for group in groups:
        if len(group) == 2:
            labels[group] = group.min()
    groups = [group for group in groups if len(group) > 2]
    if not groups:
        return
    triangles = [np.triu_indices(len(group), 1) for group in groups]
    first = np.concatenate([group[rows] for group, (rows, _) in zip(groups, triangles, strict=True)])
    second = np.concatenate([group[columns] for group, (_, columns) in zip(groups, triangles, strict=True)])
    distance = 1 - score(first, second)
    start = 0
    for group, (rows, _) in zip(groups, triangles, strict=True):
        inner = distance[start : start + len(rows)]
        start += len(rows)
        # Most groups are of one mind; then there is no order of merging to find.
        if inner.max() <= 1 - threshold:
            labels[group] = group.min()
            continue
        found = fcluster(linkage(inner, "average"), 1 - threshold, "distance")
        for number in np.unique(found):
            inside = group[found == number]
            labels[inside] = inside.min()
