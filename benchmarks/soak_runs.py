"""Runs of the main job as processes: to the end, or killed at a drawn moment of a stage that is known to be running."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.soak_company import configuration_of

_COMMAND = str(Path(sys.executable).with_name("kizashi"))
_START = "start-up"
_LOOK_SECONDS = 0.005


@dataclass(frozen=True)
class Moment:
    """A moment of a run: so far (0 to 1) into one of its phases."""

    phase: str
    share: float

    def __str__(self) -> str:
        return f"{self.phase} {100 * self.share:.0f} %"


@dataclass(frozen=True)
class Kill:
    """What a kill really hit.

    Attributes:
        phase: the stage whose work was going on, or `start-up`.
        seconds: from the start of the process.
        drawn: what was aimed at.
        missed: the run had ended by itself.
    """

    phase: str
    seconds: float
    drawn: Moment
    missed: bool


@dataclass(frozen=True)
class Timeline:
    """How long the phases of an undisturbed run took, in seconds and in their order, and what the run answered."""

    seconds: Mapping[str, float]
    answer: Mapping[str, Any]

    @property
    def phases(self) -> tuple[str, ...]:
        """The start-up and all stages."""
        return tuple(self.seconds)

    @property
    def stages(self) -> tuple[str, ...]:
        """What leaves a record in the workspace when it is finished."""
        return self.phases[1:]

    def moments(self, draw: random.Random, count: int) -> list[Moment]:
        """One moment in each phase as far as `count` goes, the others anywhere in the run; from the earliest on."""
        drawn = [Moment(phase, draw.random()) for phase in draw.sample(self.phases, min(count, len(self.phases)))]
        while len(drawn) < count:
            (phase,) = draw.choices(list(self.seconds), list(self.seconds.values()))
            drawn.append(Moment(phase, draw.random()))
        return sorted(drawn, key=lambda moment: (self.phases.index(moment.phase), moment.share))


def start(home: Path, *, piped: bool = False) -> subprocess.Popen[str]:
    """`kizashi run` in a process group of its own; temporary files go where they can be found again."""
    pipe = subprocess.PIPE if piped else subprocess.DEVNULL
    return subprocess.Popen(
        [_COMMAND, "run", "--json", "--config", str(configuration_of(home))],
        env={**os.environ, "TMPDIR": str(home / "system-tmp")},
        stdout=pipe,
        stderr=pipe,
        text=True,
        start_new_session=True,
    )


def run_to_the_end(home: Path) -> dict[str, Any]:
    """The answer of an undisturbed run; the soak ends here when it fails."""
    process = start(home, piped=True)
    out, error = process.communicate()
    if process.returncode:
        raise SystemExit(f"a run in {home} that nobody disturbed ended with {process.returncode}: {error[-2000:]}")
    answer: dict[str, Any] = json.loads(out)
    return answer


def timeline_of(home: Path) -> Timeline:
    """Run once undisturbed in a fresh workspace and measure."""
    begun = time.time()
    answer = run_to_the_end(home)
    finished = sorted((record.stat().st_mtime, record.stem) for record in (home / "runs").glob("*.json"))
    unify = float(answer["seconds"]["unify"])
    seconds = {_START: finished[0][0] - begun - unify, finished[0][1]: unify}
    for (before, _), (after, stage) in itertools.pairwise(finished):
        seconds[stage] = after - before
    return Timeline(seconds, answer)


def kill_run(home: Path, moment: Moment, timeline: Timeline) -> Kill:
    """Start a run, let it come to the moment, and kill its whole process group without a warning.

    The moment is measured from the beginning of its stage as it is seen from outside: the workspace's lock is held and
    the records of the stages before are written. A stage that an earlier run has finished is passed over for the next.
    """
    before = (home / "soak-begun").stat().st_mtime_ns if (home / "soak-begun").exists() else _mark(home)
    begun = time.monotonic()
    process = start(home)
    entered: float | None = None
    while process.poll() is None:
        now = time.monotonic()
        if entered is None and _has_entered(home, process.pid, moment.phase, timeline.stages, before):
            entered = now
        if entered is not None and now - entered >= moment.share * timeline.seconds[moment.phase]:
            break
        time.sleep(_LOOK_SECONDS)
    missed = process.poll() is not None
    # Stopped first, so that what is looked at is what is killed.
    if not missed:
        os.killpg(process.pid, signal.SIGSTOP)
    phase = _phase(home, process.pid, timeline.stages, before)
    seconds = time.monotonic() - begun
    if not missed:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return Kill(phase, seconds, moment, missed)


def _mark(home: Path) -> int:
    """Stages recorded before this moment are those of an older run."""
    mark = home / "soak-begun"
    mark.touch()
    return mark.stat().st_mtime_ns


def _finished(home: Path, before: int) -> set[str]:
    return {record.stem for record in (home / "runs").glob("*.json") if record.stat().st_mtime_ns > before}


def _has_entered(home: Path, process_id: int, phase: str, stages: tuple[str, ...], before: int) -> bool:
    if phase == _START:
        return True
    earlier = set(stages[: stages.index(phase)])
    return _holds_lock(home, process_id) and earlier <= _finished(home, before)


def _phase(home: Path, process_id: int, stages: tuple[str, ...], before: int) -> str:
    """The first stage that is not finished; nothing of it has begun while the workspace's lock is not held."""
    if not _holds_lock(home, process_id):
        return _START
    finished = _finished(home, before)
    return next((stage for stage in stages if stage not in finished), stages[-1])


def _holds_lock(home: Path, process_id: int) -> bool:
    """Whether the process has the lock file open: it is opened to be locked, and closed when it is released."""
    lock = str(home / ".lock")
    try:
        return any(os.path.realpath(opened) == lock for opened in Path(f"/proc/{process_id}/fd").iterdir())
    except (FileNotFoundError, PermissionError):
        # The process has ended in the meantime.
        return False
