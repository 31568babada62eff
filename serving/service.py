"""The BentoML service: `bentoml serve serving.service:Kizashi`.

KIZASHI_CONFIG names the configuration (default: conf/demo.yaml beside the code), KIZASHI_HOME the workspace.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")

import bentoml
from starlette.types import ASGIApp, Receive, Scope, Send

from core.clock import SystemClock
from core.errors import KizashiError
from core.logs import configure_logs
from core.settings import Settings, load_settings
from core.storage import Workspace
from serving.app import create_app, guarded
from serving.champions import Champions
from serving.problems import problem
from serving.runtime import Runtime

ROOT = Path(__file__).parent.parent


def configured() -> tuple[Settings, Workspace]:
    """The settings and workspace that the environment names."""
    settings = load_settings(Path(os.environ.get("KIZASHI_CONFIG") or ROOT / "conf" / "demo.yaml"))
    return settings, Workspace(settings.home)


class _Mounted:
    """What BentoML mounts before the workspace is opened: not a Starlette application, so that all paths come here."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.app or problem(503, "the service is starting")
        await app(scope, receive, send)


_mounted = _Mounted()


class _LineBreaks:
    """BentoML's router matches no path with a line break and answers in its own form; the application answers it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = _mounted if "\n" in scope.get("path", "") else self._app
        await app(scope, receive, send)


@bentoml.service(
    name="kizashi",
    workers=1,
    traffic={"timeout": 30},
    # BentoML's own counts and access log lines carry the path, and with it ids and addresses; ours carry the route.
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
@bentoml.asgi_app(_mounted, path="/", name="http")
class Kizashi:
    """Answers scores, shows sales the hot leads."""

    @bentoml.on_deployment  # type: ignore[untyped-decorator]  # BentoML ships no types
    @staticmethod
    def refuse_what_does_not_fit() -> None:
        """Before any worker starts: a champion that does not fit ends the process in one sentence."""
        configure_logs()
        try:
            settings, workspace = configured()
            Champions(settings, workspace).load()
        except KizashiError as error:
            sys.stderr.write(f"{error.sentence}\n")
            sys.exit(error.exit_code)

    def __init__(self) -> None:
        configure_logs()
        settings, workspace = configured()
        self._runtime = Runtime.open(settings, workspace, SystemClock())
        self._runtime.start()
        _mounted.app = guarded(create_app(), self._runtime)

    def __is_ready__(self) -> bool:
        """Whether lookups can be answered."""
        return self._runtime.is_ready

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]  # BentoML ships no types
    def close(self) -> None:
        """Give all connections back."""
        self._runtime.close()


Kizashi.add_asgi_middleware(_LineBreaks)  # type: ignore[attr-defined]  # the decorator returns a service of BentoML
