"""Seconds, processor time and memory of a piece of work, in a process of its own."""

import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def measured(work: Callable[[Path], dict[str, Any]], folder: Path) -> dict[str, Any]:
    """What the work says, with its seconds, its seconds of processor time and its peak of memory in GB.

    Raises:
        ChildProcessError: the process ended before it said anything, killed for its memory for example.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(work, folder, there))
    process.start()
    there.close()
    began = time.perf_counter()
    try:
        found: dict[str, Any] = here.recv()
    except EOFError as error:
        process.join()
        seconds = time.perf_counter() - began
        raise ChildProcessError(f"ended by itself after {seconds:.0f} s with code {process.exitcode}") from error
    process.join()
    return found


def _measure(work: Callable[[Path], dict[str, Any]], folder: Path, answer: Any) -> None:
    began, used = time.perf_counter(), _processor_seconds()
    said = work(folder)
    seconds = said.pop("seconds", time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    answer.send({**said, "seconds": seconds, "processor": _processor_seconds() - used, "peak_gb": peak})


def _processor_seconds() -> float:
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime
