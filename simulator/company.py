"""The job: lets the made-up company live for some months and writes what its systems would export, and the truth."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Literal

from simulator.export_cards import write_cards
from simulator.export_consents import write_consents
from simulator.export_marketo import write_leads
from simulator.export_marketo_activities import write_activities
from simulator.export_product import write_billing, write_product
from simulator.export_salesforce import write_salesforce
from simulator.export_shop import write_shop
from simulator.export_web import page_views, write_web
from simulator.traps import TrapList
from simulator.truth import write_truth
from simulator.world import live

MARKER: Final = "README.md"
_MARKER_TITLE: Final = "# Exports of a company that never existed"
_ABOUT: Final = {
    "marketo/leads.csv": ("UTF-8", "bulk lead extract, UTC"),
    "marketo/activities.csv": ("UTF-8", "bulk activity extract, UTC, attributes as JSON"),
    "web/visits.csv": ("UTF-8", "first-party web log by cookie, UTC"),
    "shop/pos.csv": ("Shift_JIS (cp932)", "till of the shop, half-width kana, Tokyo wall-clock time without a zone"),
    "product/usage.csv": ("UTF-8", "trial and product usage, +09:00"),
    "billing/contracts.csv": ("UTF-8", "running and ended contracts"),
    "consents/consents.csv": ("UTF-8", "permissions and refusals, +09:00"),
    "tradefair/cards.xlsx": ("Excel", "business cards, typed in days or weeks after they were received"),
}


class OccupiedDirectoryError(ValueError):
    """The target holds something that this simulator did not write."""


@dataclass(frozen=True)
class SimulationSummary:
    """What was written.

    Attributes:
        people: people known at the export.
        events: rows of the event files: activities, visits, usage, purchases, calls.
        deals: opportunities; won: those that were won.
        files: rows by file, relative to the directory.
    """

    people: int
    events: int
    deals: int
    won: int
    files: dict[str, int]


def simulate_company(
    directory: Path,
    *,
    customers: int = 5000,
    months: int = 24,
    seed: int = 7,
    locale: Literal["ja", "en"] = "ja",
    until: date = date(2026, 9, 30),
    progress: Callable[[str, float], None] | None = None,
) -> SimulationSummary:
    """Writes the export files of every system, and the truth, under a directory.

    The files appear together or not at all: they are written beside the directory and moved into place at the end. An
    earlier simulation in the same place is replaced.

    Args:
        directory: where to write; must be empty, absent, or an earlier simulation.
        customers: people who are known by the end.
        months: calendar months of history.
        seed: the same seed gives the same files.
        locale: language of names and values.
        until: last day of the history in Tokyo; the export is taken at the following midnight.
        progress: called with the name of a step and the share of work done.

    Raises:
        OccupiedDirectoryError: the directory holds other files.
        ValueError: a number out of range.
    """
    _check(directory, customers, months, locale)
    tell = progress or (lambda step, share: None)
    directory.parent.mkdir(parents=True, exist_ok=True)
    beside = directory.with_name(f".{directory.name}.writing")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        summary = _write(beside, customers, months, seed, locale, until, tell)
        if directory.exists():
            shutil.rmtree(directory)
        beside.rename(directory)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    tell("done", 1.0)
    return summary


def _check(directory: Path, customers: int, months: int, locale: str) -> None:
    if customers < 20:
        raise ValueError(f"customers is {customers}; a company needs at least 20 people. Ask for more customers.")
    if not 6 <= months <= 120:
        raise ValueError(f"months is {months}; expected 6 to 120. Choose a history within that range.")
    if locale not in ("ja", "en"):
        raise ValueError(f"locale is {locale!r}; expected 'ja' or 'en'.")
    if directory.exists():
        marker = directory / MARKER
        ours = marker.is_file() and marker.read_text(encoding="utf-8").startswith(_MARKER_TITLE)
        if not directory.is_dir() or (any(directory.iterdir()) and not ours):
            raise OccupiedDirectoryError(
                f"{directory} already holds other files; expected an empty or absent directory, or an earlier "
                "simulation. Choose another directory or empty this one."
            )


def _write(
    directory: Path,
    customers: int,
    months: int,
    seed: int,
    locale: str,
    until: date,
    tell: Callable[[str, float], None],
) -> SimulationSummary:
    world = live(customers=customers, months=months, seed=seed, locale=locale, until=until, progress=tell)
    traps = TrapList(world.epoch)
    views = page_views(world)
    files = write_leads(world, directory, traps)
    files |= write_web(world, views, directory, traps)
    tell("web log", 0.5)
    files |= write_activities(world, views, directory, traps)
    tell("marketo", 0.8)
    files |= write_salesforce(world, directory, traps)
    tell("salesforce", 0.9)
    files |= write_shop(world, directory)
    files |= write_product(world, directory, traps)
    files |= write_billing(world, directory)
    files |= write_consents(world, directory)
    files |= write_cards(world, directory, traps)
    tell("truth", 0.95)
    files |= write_truth(world, directory, traps)
    _write_readme(directory, files, world.start, until, seed)
    events = ("marketo/activities.csv", "web/visits.csv", "product/usage.csv", "shop/pos.csv", "salesforce/Task.csv")
    return SimulationSummary(
        people=customers,
        events=sum(files[name] for name in events),
        deals=len(world.deals.unit),
        won=int((world.deals.last_stage == 3).sum()),
        files=files,
    )


def _write_readme(directory: Path, files: dict[str, int], start: date, until: date, seed: int) -> None:
    lines = [
        _MARKER_TITLE,
        "",
        f"{start.isoformat()} to {until.isoformat()} (Asia/Tokyo), seed {seed}. "
        "People, companies and figures are made up.",
        "",
        "| file | encoding | rows | what it is |",
        "|---|---|---|---|",
    ]
    for name, rows in files.items():
        if name.startswith("salesforce/"):
            encoding, about = "UTF-8 with BOM", "Data Loader export, API field names"
        elif name.startswith("truth/"):
            encoding, about = "Parquet", "what is really so; for tests and benchmarks only"
        else:
            encoding, about = _ABOUT[name]
        lines.append(f"| {name} | {encoding} | {rows} | {about} |")
    (directory / MARKER).write_text("\n".join(lines) + "\n", encoding="utf-8")
