"""`make soak`: runs are killed at random moments of their whole length; nothing may be lost, doubled or left behind.

Three workspaces are run: a fresh one, and two that hold a finished older run, once with a new champion and once with
the old one kept (only then do crossings raise alerts). Each is also run undisturbed elsewhere, and in the end both must
hold the same. The moments of a workspace's kills go on through the timeline of the undisturbed run, from kill to kill,
since what a killed run has finished is kept by the next one.
"""

import argparse
import os
import random
import shutil
import sys
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.soak_checks import count_alerts, differences, last_good_state, leftovers, listed_people
from benchmarks.soak_company import cut_exports, write_configuration
from benchmarks.soak_runs import Kill, Timeline, kill_run, run_to_the_end, start, timeline_of
from kizashi.launch import QUIET_ENVIRONMENT
from simulator import simulate_company

_OLDER_BY = timedelta(days=30)


@dataclass(frozen=True)
class Company:
    """What happens in one pair of workspaces.

    Attributes:
        older: a run over fewer events was finished before.
        keeps_champion: the newer data's model is refused, so that the older one goes on answering.
    """

    name: str
    kills: int
    older: bool
    keeps_champion: bool = False


@dataclass
class Findings:
    """What was done and what was found wrong."""

    kills: list[tuple[str, Kill, list[str]]] = field(default_factory=list)
    checks: list[tuple[str, str, list[str]]] = field(default_factory=list)

    def add_kill(self, workspace: str, kill: Kill, found: list[str]) -> None:
        """Note a kill and tell of it at once."""
        self.kills.append((workspace, kill, found))
        print(f"{workspace}: killed in {kill.phase} after {kill.seconds:.1f} s: {_told(found)}", file=sys.stderr)

    def add_check(self, workspace: str, check: str, found: list[str]) -> None:
        """Note a check and tell of it at once."""
        self.checks.append((workspace, check, found))
        print(f"{workspace}: {check}: {_told(found)}", file=sys.stderr)

    @property
    def faults(self) -> int:
        """How many lines of both tables tell of a fault."""
        return sum(bool(found) for *_, found in (*self.kills, *self.checks))


def _told(found: list[str]) -> str:
    return "; ".join(found) or "good"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--customers", type=int, default=800, help="people in the simulated company")
    parser.add_argument("--kills", type=int, default=20, help="half in a fresh workspace, half over an older run")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--out", type=Path, default=Path("data/soak"), help="emptied first; workspaces lie here")
    arguments = parser.parse_args()
    _quiet_environment()
    out = arguments.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    simulate_company(out / "exports", customers=arguments.customers, months=24, seed=5)

    fresh = _workspace(out / "undisturbed")
    _offer(fresh, out / "exports")
    timeline = timeline_of(fresh)
    until = datetime.fromisoformat(str(timeline.answer["as_of"])) - _OLDER_BY
    cut_exports(out / "exports", out / "older-exports", until)
    findings = Findings()
    draw = random.Random(arguments.seed)  # noqa: S311 - any moments will do, the same each time
    half = arguments.kills // 2
    quarter = (arguments.kills - half) // 2
    companies = [
        Company("fresh", half, older=False),
        Company("older", arguments.kills - half - quarter, older=True),
        Company("older, champion stays", quarter, older=True, keeps_champion=True),
    ]
    for company in companies:
        reference = _reference(company, out, until) if company.older else fresh
        home = _prepared(company, out / f"killed-{companies.index(company)}", out, until)
        _disturb(company, home, timeline, draw, findings)
        run_to_the_end(home)
        for check, found in differences(home, reference):
            findings.add_check(company.name, check, found)
        findings.add_check(company.name, "nothing left behind", leftovers(home))
        if company.keeps_champion:
            none = [] if count_alerts(reference) else ["none; take another seed or more people"]
            findings.add_check(company.name, "there were alerts to lose", none)
    hit = {kill.phase for _, kill, _ in findings.kills}
    findings.add_check("all", "every stage was hit", sorted(set(timeline.phases) - hit))
    findings.add_check("two at once", "one works, one says so", _two_at_once(out, fresh))
    _print(findings)
    return 1 if findings.faults else 0


def _disturb(company: Company, home: Path, timeline: Timeline, draw: random.Random, findings: Findings) -> None:
    """Kill one run after the other, and read what was there before each time."""
    former = listed_people(home) if company.older else frozenset()
    for moment in timeline.moments(draw, company.kills):
        kill = kill_run(home, moment, timeline)
        found = last_good_state(home, former) if company.older else []
        findings.add_kill(company.name, kill, [*found, *(["the run had ended before"] if kill.missed else [])])


def _quiet_environment() -> None:
    for name in [name for name in os.environ if name.startswith("KIZASHI_")]:
        del os.environ[name]
    os.environ.update(QUIET_ENVIRONMENT)


def _workspace(home: Path) -> Path:
    (home / "system-tmp").mkdir(parents=True)
    return home


def _offer(home: Path, exports: Path, *, as_of: datetime | None = None, keeps_champion: bool = False) -> None:
    """Put exports into place, with the configuration to read them."""
    link = home / "exports"
    link.unlink(missing_ok=True)
    link.symlink_to(exports)
    write_configuration(home, as_of=as_of, keeps_champion=keeps_champion)


def _prepared(company: Company, home: Path, out: Path, until: datetime) -> Path:
    """A workspace before the newest exports are run: fresh, or with the older run finished."""
    _workspace(home)
    if company.older:
        _offer(home, out / "older-exports", as_of=until)
        run_to_the_end(home)
    _offer(home, out / "exports", keeps_champion=company.keeps_champion)
    return home


def _reference(company: Company, out: Path, until: datetime) -> Path:
    home = _prepared(company, out / f"undisturbed-{'kept' if company.keeps_champion else 'new'}", out, until)
    run_to_the_end(home)
    return home


def _two_at_once(out: Path, fresh: Path) -> list[str]:
    home = _workspace(out / "two-at-once")
    _offer(home, out / "exports")
    runs = [start(home, piped=True) for _ in range(2)]
    told = [process.communicate() for process in runs]
    codes = sorted(process.returncode for process in runs)
    if codes != [0, 1]:
        return [f"the exit codes are {codes}"]
    (said,) = [error for process, (_, error) in zip(runs, told, strict=True) if process.returncode == 1]
    found = [] if said.count("\n") == 1 and "another command is working in" in said else [f"it said {said!r}"]
    return found + [fault for _, faults in differences(home, fresh) for fault in faults]


def _print(findings: Findings) -> None:
    console = Console(width=150)
    kills = Table("workspace", "killed in", "after s", "drawn", "afterwards", title="kill -9")
    for name, kill, found in findings.kills:
        kills.add_row(name, kill.phase, f"{kill.seconds:.1f}", str(kill.drawn), _told(found))
    checks = Table("workspace", "check", "found", title="after the last run")
    for name, check, found in findings.checks:
        checks.add_row(name, check, _told(found))
    console.print(kills, checks)
    console.print(f"{len(findings.kills)} kills, {len(findings.checks)} checks, {findings.faults} with faults")


if __name__ == "__main__":
    sys.exit(main())
