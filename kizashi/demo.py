"""The first two minutes with the product: a made-up company's exports, and the main job on them."""

import json
import shutil
from pathlib import Path
from typing import Literal

from core.clock import SystemClock
from core.errors import ConfigurationError
from core.progress import Progress
from core.settings import Settings
from core.storage import Workspace, write_json
from kizashi.console import Console
from kizashi.pipeline import StageSeconds, run_pipeline
from kizashi.texts import text
from simulator import SimulationSummary, simulate_company


def simulate_exports(
    directory: Path, customers: int, months: int, seed: int, locale: Literal["ja", "en"], progress: Progress
) -> SimulationSummary:
    """Write the exports of a made-up company.

    Raises:
        ConfigurationError: the directory already holds something else.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigurationError(f"{directory} is not empty", "a new or empty directory", "name another one")
    with progress.task(text("step_simulate", locale)):
        return simulate_company(directory, customers=customers, months=months, seed=seed, locale=locale)


def run_demo(settings: Settings, workspace: Workspace, console: Console) -> None:
    """Simulate the exports unless they are already there, run the main job, and show what came out.

    Raises:
        ConfigurationError: the configuration has no `simulate` part.
    """
    simulation = settings.simulate
    if simulation is None:
        raise ConfigurationError(
            f"the configuration {settings.name} has no `simulate` part",
            "a made-up company",
            "use `kizashi run` for real data",
        )
    exports, marker = workspace.path("exports"), workspace.path("exports.json")
    seconds = StageSeconds()
    with console.progress as progress:
        with seconds.measure("simulate"), workspace.lock():
            wanted = simulation.model_dump()
            if not exports.exists() or not marker.exists() or json.loads(marker.read_text(encoding="utf-8")) != wanted:
                if exports.exists() and not marker.exists():
                    raise ConfigurationError(
                        f"{exports} exists and was not written by this command",
                        "room for the made-up company's exports",
                        "set KIZASHI_HOME to another folder, or use `kizashi run` for your own exports",
                    )
                # The marker goes last when removing and comes first when writing: what carries it is ours.
                shutil.rmtree(exports, ignore_errors=True)
                write_json(marker, {"unfinished": True})
                simulate_exports(exports, progress=progress, **wanted)
                write_json(marker, wanted)
        result = run_pipeline(settings, workspace, clock=SystemClock(), progress=progress, seconds=seconds)
    console.show_run(settings, workspace, result)
