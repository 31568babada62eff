"""The thresholds of the promotion gate: `mlflow/gates.yaml`, with what the configuration says laid over it."""

from functools import cache
from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from core.errors import ConfigurationError
from core.model_settings import ModelName, PromotionSettings
from core.settings import Settings
from core.source_settings import Frozen

GATES_FILE = Path(__file__).parent.parent / "mlflow" / "gates.yaml"


class _GatesFile(Frozen):
    default: PromotionSettings = PromotionSettings()
    models: dict[ModelName, PromotionSettings] = Field(default_factory=dict)


def gate_rules(settings: Settings, model: ModelName, file: Path = GATES_FILE) -> PromotionSettings:
    """What a model must show: the configuration's word first, then the file's for the model, then the file's default.

    Raises:
        ConfigurationError: the file is no YAML or has unknown keys or values.
    """
    gates = _read(file)
    said = [gates.default, gates.models.get(model), settings.models[model].promotion]
    laid = {key: value for rules in said if rules for key, value in rules.model_dump(exclude_unset=True).items()}
    return PromotionSettings(**laid)


@cache
def _read(file: Path) -> _GatesFile:
    # Installed without the folder of notes beside it, the built-in thresholds hold, which are the same.
    if not file.exists():
        return _GatesFile()
    try:
        return _GatesFile.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    except (yaml.YAMLError, ValidationError) as error:
        problem = str(error).replace("\n", " ")
        raise ConfigurationError(f"{file} cannot be read: {problem}", "`default` and `models`", "correct it") from error
