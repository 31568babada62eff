"""A second day: 5 % new records beside a million, and one record that looks for its person among them.

One company goes through it twice:

* `records`: one record in twenty is new, in whatever system, and with it all that happened to it: new people, and new
  records of people who are known;
* `rows`: one row of every export in twenty is new, whosever it is, so that something is new of most people. It is not
  what the bar speaks of, and the hardest second day that there is.

All rows at once are unified in a workspace of their own ("everything"); then for each way the rows of the first
day, and all rows after them in the same workspace; then, as "anew", the same once more with nothing kept but what was
learned on the first day. A second day is held against 15 % of everything, and its people against those of the run
anew, which must be the same, and against those of everything, whose weights were learned from other rows.
"""

import argparse
import csv
import json
import statistics
import time
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import measured
from benchmarks.unify_scale import CUSTOMERS, MONTHS, ROOT
from core.settings import Settings, load_settings
from core.storage import Workspace
from customers.cache import erase_cache
from customers.finding import PersonFinder
from customers.similar import erase_compared
from customers.unify import unify_customers
from simulator import simulate_company

NEW = 20  # One record or row in so many.
LIMIT = 0.15
LOOKUP_LIMIT = 0.5
WAYS = ("records", "rows")
_LOOKUPS = 40
_DAYS = ("first", "second")
# The columns of each export that tell whose record a row is about; the first one that is filled. Rows of other exports
# stand for themselves.
_WHOSE = {
    "leads": ("id",),
    "activities": ("leadId",),
    "Lead": ("Id",),
    "Contact": ("Id",),
    "Task": ("WhoId",),
    "CampaignMember": ("LeadId", "ContactId"),
    "OpportunityContactRole": ("ContactId",),
    "visits": ("cookie",),
    "usage": ("login",),
    "contracts": ("contact_email",),
    "consents": ("email",),
    "pos": ("会員番号",),
}


def everything(folder: Path) -> dict[str, Any]:
    """All rows at once."""
    return _unify(folder, "records", "everything", _DAYS)


def first_day(folder: Path, way: str) -> dict[str, Any]:
    """The rows of the first day."""
    return _unify(folder, way, f"daily_{way}", _DAYS[:1])


def second_day(folder: Path, way: str) -> dict[str, Any]:
    """All rows, after the first day."""
    return _unify(folder, way, f"daily_{way}", _DAYS)


def anew(folder: Path, way: str) -> dict[str, Any]:
    """All rows, with nothing kept but what was learned."""
    _, workspace = _company(folder, way, f"daily_{way}", _DAYS)
    _keep_people(workspace, folder / f"second_{way}.parquet")
    erase_cache(workspace)
    erase_compared(workspace)
    return _unify(folder, way, f"daily_{way}", _DAYS)


def lookups(folder: Path) -> dict[str, Any]:
    """Records of people who are known, with another mailbox and a slip in the name: each looks for its person."""
    settings, workspace = _company(folder, "records", "daily_records", _DAYS)
    began = time.perf_counter()
    finder = PersonFinder(settings, workspace)
    opened = time.perf_counter() - began
    rows = workspace.read_table("customers", ["customer_id", "last_name", "first_name", "company", "phone", "email"])
    people = rows.filter(~rows["phone"].is_null().to_numpy(zero_copy_only=False)).to_pylist()
    random = np.random.default_rng(1)
    seconds, right = [], 0
    for place in random.choice(len(people), min(_LOOKUPS, len(people)), replace=False):
        person = people[place]
        customer_id = person.pop("customer_id")
        record = {name: value for name, value in person.items() if value} | {"email": f"somebody{place}@example.org"}
        began = time.perf_counter()
        found = finder.find(record)
        seconds.append(time.perf_counter() - began)
        right += bool(found) and found[0].customer_id == customer_id
    return {
        "opened": opened,
        "lookup": statistics.median(seconds),
        "slowest": max(seconds),
        "right": right / len(seconds),
    }


def split_exports(source: Path, target: Path, way: str) -> None:
    """Write each export as two files, of the first day's rows and of the second's."""
    for path in sorted(source.rglob("*")):
        if not path.is_file():
            continue
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix != ".csv":
            # A workbook is sent whole.
            place.with_stem(f"{path.stem}_first").write_bytes(path.read_bytes())
            continue
        with (
            path.open("rb") as lines,
            place.with_stem(f"{path.stem}_first").open("wb") as first,
            place.with_stem(f"{path.stem}_second").open("wb") as second,
        ):
            header = next(lines)
            first.write(header)
            second.write(header)
            whose = _whose(path.stem, header) if way == "records" else bytes
            for line in lines:
                (first if zlib.crc32(whose(line)) % NEW else second).write(line)


def _whose(export: str, header: bytes) -> Callable[[bytes], bytes]:
    """What tells the record of a line; the whole line in exports that are not about people."""
    encoding = "cp932" if export == "pos" else "utf-8-sig"
    (names,) = csv.reader([header.decode(encoding)])
    places = [names.index(name) for name in _WHOSE.get(export, ())]

    def record(line: bytes) -> bytes:
        # The records' names are in ASCII in every encoding.
        (cells,) = csv.reader([line.decode("latin-1")])
        return next((cells[place].encode("latin-1") for place in places if cells[place]), line)

    return record if places else bytes


def _company(folder: Path, way: str, name: str, days: tuple[str, ...]) -> tuple[Settings, Workspace]:
    """A workspace with the files of some days."""
    home = folder / name
    for day in days:
        for path in (folder / "days" / way).rglob(f"*_{day}.*"):
            link = home / "exports" / path.relative_to(folder / "days" / way)
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.hardlink_to(path)
    text = (ROOT / "conf" / "demo.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    for source in content["sources"]:
        path = Path(source["path"])
        source["path"] = str(path.with_name(f"{path.stem}_*{path.suffix}"))
    config = folder / f"{name}.yaml"
    config.write_text(yaml.safe_dump({**content, "home": str(home)}, allow_unicode=True), encoding="utf-8")
    settings = load_settings(config)
    return settings, Workspace(settings.home)


def _unify(folder: Path, way: str, name: str, days: tuple[str, ...]) -> dict[str, Any]:
    settings, workspace = _company(folder, way, name, days)
    began = time.perf_counter()
    summary = unify_customers(settings, workspace, run=f"bench {len(days)}")
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "records": summary.source_records,
        "events": summary.events,
        "people": summary.customers,
    }


def _keep_people(workspace: Workspace, target: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (SELECT system, source_id, customer_id FROM read_parquet('{workspace.table_path("identities")}')
            WHERE ended_at IS NULL) TO '{target}' (FORMAT parquet)"""
        )


def _pairs_apart(one: Path, other: Path) -> tuple[int, int, int]:
    """Pairs of records and keys that are one person in both, in the one only, and in the other only."""
    with duckdb.connect() as connection:
        ((both, only_one, only_other),) = connection.execute(
            f"""WITH cells AS (
                SELECT a.customer_id AS a, b.customer_id AS b, count(*) AS n
                FROM read_parquet('{one}') a JOIN read_parquet('{other}') b USING (system, source_id) GROUP BY ALL
            ), sums AS (
                SELECT (SELECT sum(n * (n - 1) / 2) FROM cells) AS shared,
                       (SELECT sum(n * (n - 1) / 2) FROM (SELECT sum(n) AS n FROM cells GROUP BY a)) AS first,
                       (SELECT sum(n * (n - 1) / 2) FROM (SELECT sum(n) AS n FROM cells GROUP BY b)) AS second
            )
            SELECT shared::BIGINT, (first - shared)::BIGINT, (second - shared)::BIGINT FROM sums"""
        ).fetchall()
    return both, only_one, only_other


def run(customers: int, out: Path, console: Console | None = None, *, also_anew: bool = True) -> None:
    """Measure all runs on one company and print them with what is allowed."""
    console = console or Console(width=100)
    folder = out / f"again_{customers}"
    exports = out / f"scale_{customers}" / "exports"
    if not exports.exists():
        simulate_company(exports, customers=customers, months=MONTHS, seed=3)
    for way in WAYS:
        if not (folder / "days" / way).exists():
            split_exports(exports, folder / "days" / way, way)
    days = (first_day, second_day, *([anew] if also_anew else []))
    figures = {"everything": measured(everything, folder)}
    for way in WAYS:
        for day in days:
            figures[f"{day.__name__} {way}"] = measured(partial(day, way=way), folder)
            # Before the run anew takes the place of what the second day kept.
            if day is second_day and way == "records":
                figures["lookups"] = measured(lookups, folder)
    full = figures["everything"]
    columns = ("run", "seconds", "processor s", "peak GB", "records", "people")
    printed = Table(*columns, title=f"5 % new, {full['events']:,} events", title_justify="left")
    for name, found in figures.items():
        if name != "lookups":
            cells = (f"{found['seconds']:.1f}", f"{found['processor']:.1f}", f"{found['peak_gb']:.1f}")
            printed.add_row(name.replace("_", " "), *cells, f"{found['records']:,}", f"{found['people']:,}")
    console.print(printed)
    _, everything_there = _company(folder, "records", "everything", _DAYS)
    _keep_people(everything_there, folder / "everything.parquet")
    for way in WAYS:
        again = figures[f"second_day {way}"]
        ratios = (again[kind] / full[kind] for kind in ("seconds", "processor"))
        console.print(
            "second day of {} / everything: {:.1%} by seconds, {:.1%} by processor seconds".format(way, *ratios)
            + (f" (allowed {LIMIT:.0%})" if way == "records" else " (no bar)")
        )
        _, there = _company(folder, way, f"daily_{way}", _DAYS)
        now = folder / f"now_{way}.parquet"
        _keep_people(there, now)
        if also_anew:
            both, lost, gained = _pairs_apart(folder / f"second_{way}.parquet", now)
            console.print(f"  against anew: {both:,} pairs the same, {lost:,} only then, {gained:,} only anew")
        both, lost, gained = _pairs_apart(now, folder / "everything.parquet")
        console.print(f"  against everything at once: {both:,} pairs the same, {lost:,} and {gained:,} only in one")
    found = figures["lookups"]
    console.print(
        f"one record among {full['records']:,}: median {found['lookup']:.3f} s, slowest {found['slowest']:.3f} s "
        f"(allowed {LOOKUP_LIMIT} s), opened in {found['opened']:.2f} s; {found['right']:.0%} found theirs first"
    )
    (folder / "figures.json").write_text(json.dumps(figures))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.unify_again", description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--out", type=Path, default=Path("data/bench"))
    parser.add_argument("--not-anew", action="store_true", help="leave out the run anew")
    arguments = parser.parse_args()
    run(arguments.customers, arguments.out, also_anew=not arguments.not_anew)
