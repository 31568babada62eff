"""Building windowed features beside hand-written SQL on the same file of events, and how time grows with the events.

Ours does what the others leave out: identities in time, both times of a fact, machines and doubles as they were
known, business days, a whole generation of files, and marks by which the next build counts only what has changed. Every
cell is compared.
"""

import argparse
import json
import shutil
import statistics
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from benchmarks.feature_limits import RECENT, WINDOWS, direct, packed
from benchmarks.feature_workload import CHANGED, TYPES, make_workload, publish_workload
from benchmarks.measuring import measured
from core.settings import Settings
from core.source_settings import Label
from core.storage import Workspace
from features.build import build_features
from features.catalog import Feature, Measure

EVENTS = 10_000_000
LIMIT = 1.5
_ROUNDS = 5
MEMORY_GB = 8.0
_NONE = Label(ja="", en="")


def kizashi(folder: Path) -> dict[str, Any]:
    """The same 60 features, by the engine."""
    settings = workload_settings(folder)
    moments = pq.read_table(folder / "spine.parquet")
    build = build_features(settings, Workspace(folder), moments, features=compared_features())
    return {"rows": build.moments, "features": len(build.views["engagement"]), "kept": build.kept}


def catalogue(folder: Path) -> dict[str, Any]:
    """Whatever the catalogue makes of such a configuration: momentum, habits, rates, kinds and topics as well."""
    settings = workload_settings(folder)
    build = build_features(settings, Workspace(folder), pq.read_table(folder / "spine.parquet"))
    return {"rows": build.moments, "features": sum(map(len, build.views.values()))}


def workload_settings(folder: Path) -> Settings:
    """A signal for each type of event."""
    signals = {name: {"label": {"ja": name, "en": name}, "type": [name]} for name in TYPES}
    return Settings.model_validate(
        {
            "name": "bench",
            "home": folder,
            "timezone": "UTC",
            "sources": [{"name": "crm", "system": "crm", "path": "x.csv", "people": {"id": "id"}}],
            "features": {"windows_days": WINDOWS, "signals": signals},
            "models": {"lookalike": {}},
        }
    )


def compared_features() -> tuple[Feature, ...]:
    """The features that the hand-written SQL makes, under its names."""
    features = [_feature(f"n_{name}_{days}d", "count", days, name) for name in TYPES for days in WINDOWS]
    features += [_feature(f"days_since_{name}", "days_since", None, name) for name in RECENT]
    features += [_feature(f"amount_{days}d", "amount", days) for days in WINDOWS]
    features += [_feature(f"active_days_{days}d", "active_days", days) for days in WINDOWS]
    return tuple(features)


def _feature(name: str, measure: Measure, days: int | None, signal: str | None = None) -> Feature:
    kind = "int" if measure in ("count", "active_days") else "float"
    return Feature(name, "engagement", kind, measure, name, _NONE, "engagement", _NONE, _NONE, days, signal=signal)


def cells_that_differ(folder: Path) -> int:
    """Cells in which the engine's features differ from the packed plan's.

    The plan looks back 180 days for the last event, the engine two years; no amount is blank there and zero here.
    """
    ours = Workspace(folder).current("features") / "engagement.parquet"
    differ = []
    for feature in compared_features():
        here, there = f"a.{feature.name}", f"b.{feature.name}"
        if feature.measure == "days_since":
            here = f"CASE WHEN {here} <= {WINDOWS[-1]} THEN {here} END"
        elif feature.measure == "amount":
            there = f"coalesce({there}, 0)"
        same = f"{here} IS NOT DISTINCT FROM {there} OR abs({here} - {there}) <= 1e-9 * abs({here})"
        differ.append(f"count(*) FILTER (NOT coalesce({same}, false))")
    with duckdb.connect() as connection:
        ((rows, *cells),) = connection.execute(
            f"""SELECT count(*), {", ".join(differ)}
            FROM '{ours}' a JOIN '{folder}/packed.parquet' b USING (customer_id, as_of)"""
        ).fetchall()
    if rows != pq.read_metadata(folder / "packed.parquet").num_rows:
        raise AssertionError(f"only {rows} rows are in both")
    return int(sum(cells))


def run(events: int, out: Path, console: Console | None = None) -> None:
    """Measure a tenth of the events and all of them, a customer for every ten events."""
    console = console or Console(width=100)
    few, many = (_measure(count, out / f"features_{count}", console) for count in (events // 10, events))
    ratio = many["kizashi"]["processor"] / few["kizashi"]["processor"]
    console.print(f"ten times the events take {ratio:.1f} times the processor time (allowed 10)")


def _measure(count: int, folder: Path, console: Console) -> dict[str, Any]:
    make_workload(folder, count // 10, count)
    publish_workload(folder, changed=False)
    shutil.rmtree(folder / "features", ignore_errors=True)
    found = {work.__name__: measured(work, folder) for work in (packed, catalogue)}
    # In turns, since machines have moods; the middle one of each counts.
    rounds: dict[str, list[dict[str, Any]]] = {"direct": [], "kizashi": []}
    for _ in range(_ROUNDS):
        for work in (direct, kizashi):
            shutil.rmtree(folder / "features", ignore_errors=True)
            rounds[work.__name__].append(measured(work, folder))
    for name, figures in rounds.items():
        middle = {key: statistics.median(one[key] for one in figures) for key in ("seconds", "processor", "peak_gb")}
        found[name] = {**figures[0], **middle}
    differing = cells_that_differ(folder)
    publish_workload(folder, changed=True)
    found["again"] = measured(kizashi, folder)
    measured(packed, folder)
    differing_again = cells_that_differ(folder)
    title = f"{count:,} events, {found['kizashi']['rows']:,} rows"
    printed = Table("plan", "features", "seconds", "processor seconds", "peak GB", title=title)
    for name, figure in found.items():
        numbers = (f"{figure[key]:.1f}" for key in ("seconds", "processor", "peak_gb"))
        printed.add_row(name, str(figure["features"]), *numbers)
    console.print(printed)
    for one, other in (("kizashi", "direct"), ("kizashi", "packed"), ("catalogue", "direct"), ("again", "kizashi")):
        seconds, processor = (found[one][key] / found[other][key] for key in ("seconds", "processor"))
        console.print(f"{one} / {other}: {seconds:.2f} by seconds, {processor:.2f} by processor time")
    console.print(f"allowed for kizashi / direct: {LIMIT}, and {MEMORY_GB:.0f} GB")
    console.print(f"cells that differ from packed: {differing}, and {differing_again} in the second build")
    console.print(f"the second build kept {found['again']['kept']:,} rows, one customer in {CHANGED} being changed")
    (folder / "figures.json").write_text(json.dumps(found))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feature_build", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--out", type=Path, default=Path("data/bench"))
    arguments = parser.parse_args()
    run(arguments.events, arguments.out)
