"""The boosted rung: LightGBM's parameters, its data, and several forests joined into one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from scoring.encoding import FeatureColumn, Matrix
from scoring.trees import Trees

Labels = NDArray[np.bool_]


@dataclass(frozen=True)
class Shape:
    """What tuning chooses; the meaning is LightGBM's."""

    learning_rate: float = 0.05
    num_leaves: int = 15
    max_depth: int = 6
    min_data_in_leaf: int = 40
    feature_fraction: float = 0.7
    bagging_fraction: float = 1.0
    lambda_l2: float = 5.0
    cat_smooth: float = 20.0
    min_data_per_group: int = 100


def parameters(shape: Shape, seed: int, threads: int, monotone: Sequence[int]) -> dict[str, Any]:
    """LightGBM's parameters for a shape."""
    chosen = {
        "objective": "binary",
        "metric": "binary_logloss",
        **asdict(shape),
        "cat_l2": shape.cat_smooth,
        "max_cat_threshold": 16,
        "bagging_freq": int(shape.bagging_fraction < 1),
        "seed": seed,
        # Sums are taken in a fixed order, so that equal data give equal trees whatever the number of threads.
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        "verbose": -1,
    }
    if any(monotone):
        chosen["monotone_constraints"] = list(monotone)
    return chosen


def dataset(matrix: Matrix, label: Labels, columns: Sequence[FeatureColumn], reference: Any = None) -> Any:
    """The rows in LightGBM's form, shared by all trials (which differ in the rows that a leaf needs)."""
    return lightgbm.Dataset(
        matrix,
        label,
        reference=reference,
        feature_name=[f"f{n}" for n in range(len(columns))],
        categorical_feature=[n for n, column in enumerate(columns) if column.is_category],
        params={"verbose": -1, "feature_pre_filter": False},
        free_raw_data=False,
    )


def grow(data: Any, shape: Shape, rounds: int, seed: int, threads: int, monotone: Sequence[int]) -> Any:
    """So many trees, and no watching."""
    return lightgbm.train(parameters(shape, seed, threads, monotone), data, num_boost_round=rounds)


def join(forests: Sequence[tuple[Any, float]]) -> Trees:
    """One forest whose margin is the weighted sum of the margins of several: their trees, leaf values scaled."""
    texts = [(booster.model_to_string().partition("\nparameters:")[0], weight) for booster, weight in forests]
    head = texts[0][0].partition("Tree=0\n")[0]
    trees: list[str] = []
    for text, weight in texts:
        body = text.partition("\nend of trees")[0].split("Tree=")[1:]
        trees += [_scaled(tree, len(trees) + n, weight) for n, tree in enumerate(body)]
    sizes = "tree_sizes=" + " ".join(str(len(tree)) for tree in trees)
    lines = [sizes if line.startswith("tree_sizes=") else line for line in head.split("\n")]
    tail = texts[0][0].partition("end of trees")[2]
    return Trees("\n".join(lines) + "".join(trees) + "end of trees" + tail)


def _scaled(tree: str, number: int, weight: float) -> str:
    """A tree's text under another number, with all values times `weight`."""
    lines = tree.rstrip("\n").split("\n")
    lines[0] = f"Tree={number}"
    if weight != 1.0:
        for place, line in enumerate(lines):
            name, _, values = line.partition("=")
            if name in ("leaf_value", "internal_value"):
                lines[place] = name + "=" + " ".join(f"{weight * float(value):.17g}" for value in values.split())
    return "\n".join(lines) + "\n\n\n"
