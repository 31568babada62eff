"""The options that all commands share, and what they open."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

if TYPE_CHECKING:
    from core.model_settings import ModelName
    from core.settings import Settings
    from core.storage import Workspace
    from kizashi.console import Console

Config = Annotated[Path, typer.Option("--config", "-c", help="The configuration to use (YAML).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on one line on stdout.")]
Language = Annotated[str | None, typer.Option(help="ja or en; default: the configuration's locale.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
ModelArgument = Annotated[str, typer.Argument(help="The model, for example lead.")]
DEFAULT_CONFIG = Path("conf/demo.yaml")


@dataclass(frozen=True)
class Job:
    """What a command works with."""

    settings: "Settings"
    workspace: "Workspace"
    console: "Console"

    def model(self, name: str) -> "ModelName":
        """The configured model of that name.

        Raises:
            ConfigurationError: the configuration has no such model.
        """
        return configured_model(self.settings, name)

    def language(self, lang: str | None) -> Literal["ja", "en"]:
        """The wanted language; without a wish the configuration's locale.

        Raises:
            ConfigurationError: it is neither Japanese nor English.
        """
        from core.errors import ConfigurationError

        if lang not in (None, "ja", "en"):
            raise ConfigurationError(f"the language {lang!r}", "ja or en", "choose one of them")
        return cast("Literal['ja', 'en']", lang or self.settings.locale)


def configured_model(settings: "Settings", name: str) -> "ModelName":
    """The configured model of that name.

    Raises:
        ConfigurationError: the configuration has no such model.
    """
    from core.errors import ConfigurationError

    model = settings.models.find(name)
    if model is None:
        known = ", ".join(settings.models.names)
        raise ConfigurationError(f"the model {name!r} is not configured", f"one of {known}", "name one of them")
    return model


def open_job(config: Path, json: bool) -> Job:
    """Read the configuration and set up logs and console.

    Raises:
        ConfigurationError: the configuration has faults.
    """
    from core.logs import configure_logs
    from core.settings import load_settings
    from core.storage import Workspace
    from kizashi.console import Console

    configure_logs()
    settings = load_settings(config)
    options = "" if config == DEFAULT_CONFIG else f" --config {config}"
    return Job(settings, Workspace(settings.home), Console(settings.locale, json=json, options=options))
