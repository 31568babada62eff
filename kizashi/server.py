"""`kizashi serve`: the HTTP service as a child process, and the delivery of alerts beside it."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from activation.deliver import Worker
from core.clock import Clock
from core.settings import Settings
from core.storage import Workspace
from serving.champions import Champions

_ROOT = Path(__file__).parent.parent


def serve(settings: Settings, workspace: Workspace, config: Path, *, host: str, port: int, clock: Clock) -> int:
    """Serve until stopped by SIGINT or SIGTERM; returns the service's exit code.

    Raises:
        ContractError: a champion does not belong to the features that are configured.
        ConfigurationError: a channel of `activation` lacks its environment variable.
    """
    Champions(settings, workspace).load()
    environment = {
        **os.environ,
        "KIZASHI_CONFIG": str(config.resolve()),
        "KIZASHI_HOME": str(workspace.home.resolve()),
    }
    program = str(Path(sys.executable).with_name("bentoml"))
    command = [program, "serve", "serving.service:Kizashi", "--host", host, "--port", str(port)]
    with Worker(settings, workspace, clock=clock, models=settings.models.names):
        # In a session of its own: Ctrl-C reaches the service once, through us, and not twice.
        service = subprocess.Popen(command, env=environment, cwd=_ROOT, start_new_session=True)  # noqa: S603 - own program

        def pass_on(number: int, frame: FrameType | None) -> None:
            del frame
            service.send_signal(number)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, pass_on)
        code = service.wait()
    # Stopped by the signal that we passed on is the way it is meant to end.
    return 0 if code in (0, -signal.SIGINT, -signal.SIGTERM) else 1
