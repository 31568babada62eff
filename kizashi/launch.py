"""Start of the command line: quiet libraries, and errors as one plain sentence with an exit code."""

import os
import sys
import warnings
from collections.abc import Sequence

import typer

from core.errors import KizashiError

# Libraries that would otherwise report home, look for a network, or be rude to whatever else the machine does: threads
# that wait for each other in a busy loop make training several times slower as soon as another process needs a core.
QUIET_ENVIRONMENT = {
    "BENTOML_DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "FEAST_USAGE": "False",
    "DO_NOT_TRACK": "true",
    "OMP_WAIT_POLICY": "passive",
}


def run_guarded(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run a command and return its exit code: 0 done, 1 failed, 2 wrong use or configuration.

    With `--debug` among the arguments the traceback is shown instead of the sentence alone.
    """
    for name, value in QUIET_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    debug = "--debug" in arguments
    if not debug:
        # A library's deprecation notice is no news for the person at the terminal; the tests turn them into errors.
        warnings.filterwarnings("ignore")
    try:
        app(args=list(arguments))
    except KizashiError as error:
        if debug:
            raise
        print(f"kizashi: {error.sentence}", file=sys.stderr)  # noqa: T201 - this is the command line's own voice
        return error.exit_code
    except BrokenPipeError:
        # Whoever reads our output (head, less) has had enough; nothing is wrong.
        sys.stderr.close()
        return 0
    except OSError as error:
        # A folder that cannot be made, a full disk: the system's own words are the plainest.
        if debug:
            raise
        place = f"{error.filename}: " if error.filename else ""
        print(f"kizashi: {place}{error.strerror or error}; check the path, its rights and the disk.", file=sys.stderr)  # noqa: T201 - as above
        return 1
    except SystemExit as end:
        # Wrong use was already reported by the parser, which also names the commands and options that exist.
        return end.code if isinstance(end.code, int) else 0
    return 0
