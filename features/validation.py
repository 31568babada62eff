"""A build of features is examined before it is published: impossible values, vanished ones, distributions that jumped.

A source that stopped, a column that changed its meaning or a broken join shows in the features first. What is found
keeps the build from being published, so the former one stays in force, offline and online.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.errors import Fault, FeatureQualityError, raise_faults
from core.logs import get_logger
from core.patterns import matches
from core.settings import Settings
from core.storage import Workspace
from features.catalog import Feature, ViewName, service_schema, used_services

_LARGEST = float(np.finfo(np.float64).max)
_SHARES = ("share", "working_hours_share", "weekend_share")
# Opens and clicks are counted each time: several may follow one mail, so their rates may exceed one.
_NEVER_NEGATIVE = ("days_since", "momentum", "heat", "ratio", "open_rate", "click_rate")
# Deciles of the former build; a blank is a group of its own.
_BINS = 10
# Rarer categories are one group: what a handful of people have comes and goes.
_LEAST_SHARE = 0.01
_NEXT_STEP = (
    "look at the sources of these features and run again; the former features stay in force. If the change is right, "
    "list them in features.validation.exempt or set features.validation.on_fault to warn"
)


@dataclass(frozen=True)
class BuildCheck:
    """What was examined, as it is stored beside the build.

    Attributes:
        compared_with: the generation whose rows of its own scoring moment were compared, or None.
        rows: how many rows of the new scoring moment there are.
        drift: the population stability index of the features that moved most, at most ten.
        faults: what was found though the configuration lets it pass.
    """

    compared_with: str | None
    rows: int
    drift: dict[str, float]
    faults: tuple[str, ...]


def check_build(
    settings: Settings,
    workspace: Workspace,
    folder: Path,
    views: Mapping[ViewName, tuple[Feature, ...]],
    manifest: Mapping[str, Any],
) -> dict[str, Any]:
    """Examine the written, not yet published views.

    Every row must hold possible values. The rows of the moment that is scored are then compared with those that the
    build in force had for *its* moment: scored people with scored people, so that more training rows change nothing.

    Args:
        settings: `features.validation` says what is allowed.
        workspace: holds the build that is still in force.
        folder: one Parquet file for each view.
        views: the features by view.
        manifest: of the new build: `as_of`, and the fingerprints of its `services`.

    Returns:
        `BuildCheck` as a dictionary, for the manifest.

    Raises:
        FeatureQualityError: something was found, and the configuration does not say to go on.
    """
    rules = settings.features.validation
    chosen = {view: [f for f in own if not matches(f.name, rules.exempt)] for view, own in views.items()}
    faults = list(_impossible_values(folder, chosen))
    former = workspace.manifest("features")
    drift: dict[str, float] = {}
    rows = 0
    compared = None
    if former is not None and _comparable(former, manifest, rules.compare_within_days):
        compared = str(former["generation"])
        same = _same_meaning(settings, former)
        passed = _moment(manifest) - _moment(former)
        for view, own in chosen.items():
            names = [feature for feature in own if feature.name in same]
            path = workspace.path("features", compared, f"{view}.parquet")
            if not names or not path.exists():
                continue
            before = _rows_at(path, _moment(former), names)
            after = _rows_at(folder / f"{view}.parquet", _moment(manifest), names)
            rows = after.num_rows
            if min(before.num_rows, after.num_rows) < rules.least_rows:
                continue
            for feature in names:
                old, new = before[feature.name], after[feature.name]
                drift[feature.name] = _drift(feature, old, new, passed)
                faults += _moved(feature, old, new, drift[feature.name], rules.max_drift, rules.max_null_rise)
    if rules.on_fault == "refuse":
        raise_faults(FeatureQualityError, "the build of features", faults, _NEXT_STEP)
    told = tuple(f"{fault.place}: {fault.message}" for fault in faults)
    if told:
        get_logger("features").warning("features_published_with_faults", faults=told)
    most = sorted(drift, key=lambda name: -drift[name])[:10]
    return asdict(BuildCheck(compared, rows, {name: round(drift[name], 4) for name in most}, told))


def limits(feature: Feature) -> tuple[float | None, float | None]:
    """The lowest and highest possible value of a number that we calculate ourselves; None: any finite one.

    What a source states (a turnover, an amount, a custom number) may be whatever the source holds.

    >>> from core.source_settings import Label
    >>> label = Label(ja="x", en="x")
    >>> limits(Feature("x", "warmth", "float", "share", "x", label, "engagement", label))
    (0.0, 1.0)
    """
    if feature.measure in _SHARES:
        return 0.0, 1.0
    counted = feature.type == "int" or feature.measure in _NEVER_NEGATIVE
    passed = feature.unit.en == "days" and feature.view != "custom"
    return (0.0, None) if counted or passed else (None, None)


def _impossible_values(folder: Path, views: Mapping[ViewName, list[Feature]]) -> Iterator[Fault]:
    with duckdb.connect(":memory:") as connection:
        for view, features in views.items():
            numbers = [feature for feature in features if feature.type != "category"]
            if not numbers:
                continue
            connection.read_parquet(str(folder / f"{view}.parquet")).create_view("built", replace=True)
            # DuckDB takes NaN for larger than any number, so the extremes tell of everything impossible.
            asked = ", ".join(f"min({feature.name}), max({feature.name})" for feature in numbers)
            (extremes,) = connection.execute(f"SELECT {asked} FROM built").fetchall()
            for feature, least, most in zip(numbers, extremes[::2], extremes[1::2], strict=True):
                low, high = limits(feature)
                low, high = (-_LARGEST if low is None else low), (_LARGEST if high is None else high)
                if least is None or (low <= least and most <= high):
                    continue
                wrong = f"NOT {feature.name} BETWEEN {low} AND {high}"
                ((count, example),) = connection.execute(
                    f"SELECT count(*), any_value({feature.name}) FROM built WHERE {wrong}"
                ).fetchall()
                upper = "" if high == _LARGEST else f" to {high:g}"
                expected = "finite" if low == -_LARGEST else f"from {low:g}{upper}"
                yield Fault(feature.name, f"{count:,} rows hold values such as {example}, which must be {expected}")


def _comparable(former: Mapping[str, Any], manifest: Mapping[str, Any], within_days: int) -> bool:
    """Whether the two moments lie so near that people may be expected to look the same as a whole."""
    return abs(_moment(manifest) - _moment(former)) <= timedelta(days=within_days)


def _moment(manifest: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(str(manifest["as_of"]))


def _same_meaning(settings: Settings, former: Mapping[str, Any]) -> set[str]:
    """The features of the services whose contract is the former build's, too."""
    schemas = [service_schema(settings, service) for service in used_services(settings)]
    kept = [schema for schema in schemas if former.get("services", {}).get(schema.service) == schema.fingerprint]
    return {name for schema in kept for name in schema.names}


def _rows_at(path: Path, as_of: datetime, features: list[Feature]) -> pa.Table:
    return pq.read_table(path, columns=[feature.name for feature in features], filters=[("as_of", "=", as_of)])


def _drift(feature: Feature, old: pa.ChunkedArray, new: pa.ChunkedArray, passed: timedelta) -> float:
    """The stability index; what is an age, or a time still to go, may have moved with the clock alone."""
    apart = [stability_index(old, new)]
    if feature.unit.en == "days" and feature.type == "float":
        days = passed / timedelta(days=1)
        apart += [stability_index(old, pc.add(new, shift)) for shift in (-days, days)]
    return min(apart)


def _moved(
    feature: Feature, old: pa.ChunkedArray, new: pa.ChunkedArray, drift: float, max_drift: float, max_null_rise: float
) -> Iterator[Fault]:
    blank_before, blank_now = old.null_count / len(old), new.null_count / len(new)
    if blank_now - blank_before > max_null_rise:
        yield Fault(
            feature.name,
            f"{blank_now:.0%} of the people to be scored have no value, where the build before had {blank_before:.0%} "
            f"(allowed: {max_null_rise:.0%} more)",
        )
    elif drift > max_drift:
        yield Fault(
            feature.name,
            f"its values are spread otherwise than in the build before (population stability index {drift:.2f}, "
            f"allowed {max_drift:.2f})",
        )


def stability_index(old: pa.ChunkedArray, new: pa.ChunkedArray) -> float:
    """How far two columns are apart: the population stability index, sum((p - q) * ln(p / q)) over groups of values.

    Numbers are grouped by the old column's deciles, categories by value; blanks are a group. Half a row is added to
    each group, so that an empty one weighs no more than the number of rows allows. Below 0.1 is calm, above 0.25 a
    change that deserves a look (Siddiqi, Credit Risk Scorecards, 2006).

    >>> import pyarrow as pa
    >>> calm = pa.chunked_array([[1.0, 2.0, 3.0, None] * 100])
    >>> stability_index(calm, calm), round(stability_index(calm, pa.chunked_array([[None] * 400], pa.float64())), 1)
    (0.0, 5.0)
    """
    grouped = _category_counts(old, new) if pa.types.is_string(old.type) else _number_counts(old, new)
    before, after = ((counts + 0.5) / (counts + 0.5).sum() for counts in grouped)
    return float(np.sum((after - before) * np.log(after / before)))


def _number_counts(old: pa.ChunkedArray, new: pa.ChunkedArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    left, right = (column.drop_null().cast(pa.float64()).to_numpy() for column in (old, new))
    edges = np.unique(np.quantile(left, np.arange(1, _BINS) / _BINS)) if len(left) else np.empty(0)

    def counts(values: NDArray[np.float64], blanks: int) -> NDArray[np.float64]:
        # A group ends with its edge: zeros, which most counts are, stay apart from the ones above them.
        groups = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
        return np.append(groups, blanks).astype(np.float64)

    return counts(left, old.null_count), counts(right, new.null_count)


def _category_counts(old: pa.ChunkedArray, new: pa.ChunkedArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    left, right = (
        {pair["values"]: pair["counts"] for pair in column.value_counts().to_pylist()} for column in (old, new)
    )
    shares = {value: max(left.get(value, 0) / len(old), right.get(value, 0) / len(new)) for value in {**left, **right}}
    frequent = [value for value, share in shares.items() if share >= _LEAST_SHARE]

    def counts(column: dict[Any, int], rows: int) -> NDArray[np.float64]:
        named = [column.get(value, 0) for value in frequent]
        return np.array([*named, rows - sum(named)], dtype=np.float64)

    return counts(left, len(old)), counts(right, len(new))
