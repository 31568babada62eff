"""Work on many rows by parts, on all cores: what NumPy does at length it does without holding others up."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def by_parts(rows: int, most: int, work: Callable[[slice], T]) -> list[T]:
    """What `work` says of each part of so many rows, in their order; a part has `most` rows at most.

    >>> by_parts(5, 2, lambda part: part.stop - part.start)
    [2, 2, 1]
    """
    parts = [slice(start, min(start + most, rows)) for start in range(0, rows, most)]
    if len(parts) < 2:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, parts))
