"""A million records and ten million events made into people, beside raw Splink on the same records and blocks.

Three processes, one after the other, each with its own peak of memory:

* files: DuckDB reads every export and writes it as Parquet, which anybody has to do;
* Kizashi: the stage `unify`, from the exports to the published tables;
* Splink: trained as its tutorial does, over exactly the pairs that our blocking proposes, clustered at 0.95. Once it
  has taken twice what the limit needs it is stopped, and what it took so far is told as that (`--whole` lets it end).
"""

import argparse
import json
import logging
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import splink.comparison_library as cl
import yaml
from pyarrow.csv import ReadOptions, read_csv
from rich.console import Console
from rich.table import Table
from splink import DuckDBAPI, Linker, SettingsCreator, block_on
from splink.internals.exceptions import SplinkException

from benchmarks.measuring import measured
from core.settings import load_settings
from core.storage import Workspace, connect_duckdb
from customers.matching.candidates import add_blocks
from customers.matching.fields import prepare_fields
from customers.similar import COMPARED
from customers.unify import unify_customers
from simulator import simulate_company

ROOT = Path(__file__).parents[1]
# Half a million people leave a million records and ten million events in ten months.
CUSTOMERS = 500_000
MONTHS = 10
LIMIT = 2.0
MEMORY_GB = 12.0
_SPLINK_THRESHOLD = 0.95
# Splink is let run so long in any case.
_LEAST_SECONDS = 600


def files(folder: Path) -> dict[str, Any]:
    """Read every export and write it again."""
    out, rows = folder / "copied", 0
    out.mkdir(exist_ok=True)
    with connect_duckdb() as connection:
        for path in sorted((folder / "exports").glob("*/*.csv")):
            # The shop's till writes Shift_JIS, which DuckDB alone does not read.
            if path.parent.name == "shop":
                connection.register("till", read_csv(path, ReadOptions(encoding="cp932")))
                reader = "till"
            else:
                reader = f"read_csv('{path}', all_varchar = true)"
            target = out / f"{path.parent.name}_{path.stem}.parquet"
            ((count,),) = connection.execute(f"COPY (FROM {reader}) TO '{target}' (FORMAT parquet)").fetchall()
            rows += count
    shutil.rmtree(out)
    return {"rows": rows}


def kizashi(folder: Path) -> dict[str, Any]:
    """The stage `unify` with the demo's configuration."""
    settings, workspace = _workspace(folder)
    summary = unify_customers(settings, workspace, run="bench")
    return {"records": summary.source_records, "events": summary.events, "people": summary.customers}


def splink(folder: Path, at_most: float | None = None) -> dict[str, Any]:
    """Train, predict and cluster, for so many seconds; making the table of records and their blocks is not counted."""
    _, workspace = _workspace(folder)
    records = _records(workspace)
    prepared = prepare_fields(records, COMPARED)
    with connect_duckdb() as connection:
        add_blocks(connection, prepared, records.num_rows)
        blocks = connection.sql("SELECT record, list(DISTINCT block::VARCHAR) AS blocks FROM blocks GROUP BY record")
        connection.register("records", records)
        table = connection.sql(
            "SELECT r.*, coalesce(b.blocks, []) AS blocks FROM records r "
            f"LEFT JOIN ({blocks.sql_query()}) b ON b.record = r.unique_id"
        ).to_arrow_table()
    del prepared, records
    began = time.perf_counter()
    peer = duckdb.connect()
    peer.execute(f"SET temp_directory = '{folder / 'spilled'}'")
    # What is allowed to us; at a million records it else takes 22 GB, and the machine kills it.
    peer.execute(f"SET memory_limit = '{MEMORY_GB:.0f}GB'")
    people = None
    with _interrupted(peer, at_most):
        people = _link(peer, table)
    return {"records": table.num_rows, "people": people, "seconds": time.perf_counter() - began}


@contextmanager
def _interrupted(connection: duckdb.DuckDBPyConnection, at_most: float | None) -> Iterator[None]:
    """Interrupt what runs on a connection after so many seconds; the work then ends there, and nothing is raised."""
    done, fired = threading.Event(), threading.Event()

    def watch() -> None:
        if not done.wait(at_most):
            fired.set()
            # Between two statements there is nothing to interrupt.
            while not done.wait(1):
                connection.interrupt()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except (duckdb.InterruptException, SplinkException):
        if not fired.is_set():
            raise
    finally:
        done.set()
        watcher.join()


def _link(connection: duckdb.DuckDBPyConnection, table: pa.Table) -> int:
    """Splink, from untrained to clusters: how many people it finds."""
    names = [name for name in table.column_names if name not in ("unique_id", "blocks")]
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[_comparison(name) for name in names],
        blocking_rules_to_generate_predictions=[block_on("blocks", arrays_to_explode=["blocks"])],
    )
    logging.getLogger("splink").setLevel(logging.ERROR)
    linker = Linker(DuckDBAPI(connection).register(table, dataset_display_name="records"), settings)
    linker.training.estimate_probability_two_random_records_match(
        [block_on("email"), block_on("last", "first", "phone")], recall=0.7
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=1_000_000, seed=1)
    for rule in (block_on("email"), block_on("last", "first")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    predictions = linker.inference.predict(threshold_match_probability=0.01)
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
        predictions, threshold_match_probability=_SPLINK_THRESHOLD
    )
    return len(set(clusters.as_pandas_dataframe()["cluster_id"]))


def _comparison(name: str) -> object:
    if name in ("first", "last", "first_sound", "last_sound"):
        return cl.NameComparison(name).configure(term_frequency_adjustments=True)
    if name == "email":
        return cl.EmailComparison(name)
    if name in ("phone", "postal_code"):
        return cl.LevenshteinAtThresholds(name, [1, 2])
    return cl.JaroWinklerAtThresholds(name, [0.92, 0.8]).configure(term_frequency_adjustments=True)


def _records(workspace: Workspace) -> pa.Table:
    """One row a record: the newest value of each compared field, under the names of the columns compared."""
    read = {"first": "first_name", "last": "last_name", "email": "email", "phone": "phone", "company": "company",
            "address": "address", "city": "city", "postal_code": "postal_code",
            "first_sound": "first_name_kana", "last_sound": "last_name_kana"}  # fmt: skip
    picked = ", ".join(
        f"arg_max(value, occurred_at) FILTER (field = '{field}') AS {name}" for name, field in read.items()
    )
    listed = ", ".join(f"'{field}'" for field in read.values())
    with connect_duckdb() as connection:
        workspace.tables(connection)
        return connection.sql(
            f"""SELECT (row_number() OVER (ORDER BY system, source_id) - 1)::INTEGER AS unique_id, * EXCLUDE
                (system, source_id) FROM (SELECT system, source_id, {picked} FROM attributes
                WHERE field IN ({listed}) GROUP BY ALL) ORDER BY unique_id"""
        ).to_arrow_table()


def _workspace(folder: Path) -> tuple[Any, Workspace]:
    content = yaml.safe_load((ROOT / "conf" / "demo.yaml").read_text(encoding="utf-8"))
    config = folder / "scale.yaml"
    config.write_text(yaml.safe_dump({**content, "home": str(folder)}, allow_unicode=True), encoding="utf-8")
    settings = load_settings(config)
    return settings, Workspace(settings.home)


def run(customers: int, out: Path, console: Console | None = None, *, whole: bool = False) -> None:
    """Measure all three on one company and print them with what is allowed."""
    folder = out / f"scale_{customers}"
    if not (folder / "exports").exists():
        simulate_company(folder / "exports", customers=customers, months=MONTHS, seed=3)
    figures = {work.__name__: measured(work, folder) for work in (files, kizashi)}
    needed = figures["kizashi"]["seconds"] / LIMIT - figures["files"]["seconds"]
    at_most = None if whole else max(_LEAST_SECONDS, 2 * needed)
    console = console or Console(width=100)
    try:
        figures["splink"] = measured(partial(splink, at_most=at_most), folder)
    except ChildProcessError as died:
        console.print(f"Splink {died}; what is allowed to Kizashi is not known.")
    title = f"{figures['kizashi']['records']:,} records, {figures['kizashi']['events']:,} events"
    printed = Table("work", "seconds", "peak GB", "people", title=title, title_justify="left")
    for name, found in figures.items():
        people = f"{found['people']:,}" if found.get("people") else ""
        more = "more than " if name == "splink" and not people else ""
        printed.add_row(name, f"{more}{found['seconds']:.0f}", f"{found['peak_gb']:.1f}", people)
    if "splink" in figures:
        more = "" if figures["splink"]["people"] else "more than "
        allowed = LIMIT * (figures["files"]["seconds"] + figures["splink"]["seconds"])
        printed.add_section()
        printed.add_row("allowed to Kizashi", f"{more}{allowed:.0f}", f"{MEMORY_GB:.0f}")
    console.print(printed)
    (folder / "figures.json").write_text(json.dumps(figures))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.unify_scale", description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--out", type=Path, default=Path("data/bench"))
    parser.add_argument("--whole", action="store_true", help="let Splink come to its end")
    arguments = parser.parse_args()
    run(arguments.customers, arguments.out, whole=arguments.whole)
