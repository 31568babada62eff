"""The registry in the workspace, also after a process was killed while MLflow made its tables."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.settings import load_settings
from core.storage import Workspace
from scoring.registry import CHAMPION, Registry

CONFIGURATION = """
home: {home}
sources:
  - {{name: s, system: crm, path: none.csv, people: {{id: id}}}}
"""
# Ends the process without a warning when so many of the statements that make the tables were executed.
KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event
from core.settings import load_settings
from core.storage import Workspace
from scoring.registry import Registry, CHAMPION

statements = 0

@event.listens_for(Engine, "after_cursor_execute")
def count(*arguments):
    global statements
    statements += arguments[2].lstrip().upper().startswith(("CREATE", "ALTER", "DROP", "INSERT"))
    if statements == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

settings = load_settings(Path(sys.argv[1]))
Registry(settings, Workspace(settings.home)).find("lead", CHAMPION)
"""


@pytest.mark.parametrize("statements", [40, 150])
def test_a_registry_whose_making_was_killed_is_made_again(tmp_path: Path, statements: int) -> None:
    config = tmp_path / "company.yaml"
    config.write_text(CONFIGURATION.format(home=tmp_path / "home"), encoding="utf-8")
    killed = subprocess.run([sys.executable, "-W", "ignore", "-c", KILLED, str(config), str(statements)], check=False)
    assert killed.returncode == -9
    settings = load_settings(config)
    registry = Registry(settings, Workspace(settings.home))
    assert registry.find("lead", CHAMPION) is None
