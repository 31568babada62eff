"""Documents that speak of code and configuration are compared with them."""

import re
import tomllib
from pathlib import Path

import yaml


def test_every_dependency_is_argued_for() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = Path("docs/dependencies.md").read_text(encoding="utf-8")
    names = [re.split(r"[\[<>=]", line)[0] for line in project["dependencies"]]
    assert len(names) > 20
    assert [name for name in names if not re.search(rf"\b{re.escape(name)}\b", page)] == []
    assert [extra for extra in project["optional-dependencies"] if f"| `{extra}` |" not in page] == []


def test_every_command_in_the_readme_exists() -> None:
    from typer.main import get_command

    from kizashi.cli import app

    commands = get_command(app).commands  # type: ignore[attr-defined] # a group, which typer's return type hides
    for page in ("README.md", "README.ja.md"):
        named = set(re.findall(r"\.venv/bin/kizashi (\w+)", Path(page).read_text(encoding="utf-8")))
        assert named
        assert named <= set(commands), page


def test_every_task_in_the_documents_exists() -> None:
    tasks = set(re.findall(r"^([a-z]+):", Path("Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in ("README.md", "README.ja.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"`?make ([a-z]+)", Path(page).read_text(encoding="utf-8")))
        assert named <= tasks, page


def test_the_stages_on_the_page_are_those_without_a_configuration() -> None:
    from core.lifecycle_settings import LifecycleSettings, default_stages

    def blocks(page: str) -> list[LifecycleSettings]:
        found = re.findall(r"```yaml\n(.*?)```", Path(page).read_text(encoding="utf-8"), re.DOTALL)
        return [LifecycleSettings.model_validate(yaml.safe_load(block)["lifecycle"]) for block in found]

    stages, exports = blocks("docs/lifecycle.md")
    assert stages.stages == default_stages()
    assert blocks("docs/lifecycle.ja.md") == [exports]


def test_links_lead_somewhere() -> None:
    for page in [*Path().glob("*.md"), *Path("docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page} links to {target}"
