"""Frozen settings, read from one YAML file and the environment; every fault is reported at once."""

import glob
import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from core.activation_settings import ActivationSettings
from core.errors import ConfigurationError, Fault, raise_faults
from core.event_settings import EventSettings
from core.feature_settings import FeatureSettings
from core.lifecycle_settings import LifecycleSettings
from core.model_settings import GradeSettings, HotSettings, LeadSettings, ModelsSettings
from core.online_settings import OnlineStoreSettings
from core.segment_settings import SegmentSettings
from core.settings_faults import did_you_mean, explain_fault
from core.source_settings import Frozen, SourceSettings, require_offset, require_zone

# Read elsewhere: by the service, the suppression list and the tests.
_OTHER_VARIABLES = ("config", "online_store_url", "suppression_key", "test_postgres", "test_redis")
PRESET_DIRECTORY = Path(__file__).parent.parent / "customers" / "presets"


class SimulationSettings(Frozen):
    """The made-up company whose exports the demo reads."""

    customers: int = Field(5000, ge=50)
    months: int = Field(24, ge=12)
    seed: int = Field(7, ge=0)
    locale: Literal["ja", "en"] = "ja"


class ProofSettings(Frozen):
    """Events that say whether a value is right. A refuted value wins over none; among the others systems decide."""

    verified_by: tuple[str, ...] = Field((), description="Types of events that confirm it, for example `email_click`.")
    refuted_by: tuple[str, ...] = Field((), description="Types of events that refute it, for example `email_bounced`.")
    before_systems: bool = Field(
        False, description="A verified value wins over those of better systems; else only over others of its system."
    )


class SurvivorshipSettings(Frozen):
    """Which system wins a field: the order of systems, best first; within a system the newest value wins."""

    default: tuple[str, ...] = ()
    fields: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    proofs: dict[str, ProofSettings] = Field(
        default_factory=dict, description="By field: which events verify or refute its values."
    )


class SimilarSettings(Frozen):
    """Records that share no key but are so alike that they are taken for one person, without examples to learn from."""

    enabled: bool = True
    least_probability: float = Field(
        0.95, ge=0.5, le=1, description="How sure each link has to be; a higher value finds fewer and errs less."
    )
    least_records: int = Field(
        100, ge=2, description="Below this many different records there is too little to learn from: keys alone decide."
    )


class IdentitySettings(Frozen):
    """Which records are one person, beyond shared keys and what the systems say themselves."""

    similar: SimilarSettings = SimilarSettings()


class ReasonSettings(Frozen):
    """What is told of a score, beyond the score."""

    hidden: tuple[str, ...] = Field(
        (),
        description="Features, subjects or fields of which no reason is ever made, as patterns: what is sensitive, or "
        "not the business of whoever reads it. They still count in the score.",
    )


class ConsentSettings(Frozen):
    """What is allowed while a person has said nothing."""

    profiling: bool = True
    marketing: bool = False
    transfer: bool = False


class Settings(BaseSettings):
    """Everything that a run depends on.

    Environment variables `KIZASHI_<KEY>` (nested keys joined by two underscores) win over the file;
    `KIZASHI_HOME` is the workspace.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="KIZASHI_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", description="Given by the file's name unless written.")
    home: Path = Field(description="The workspace; `data/<name>` unless written.")
    locale: Literal["ja", "en"] = Field("ja", description="Language of reasons, summaries and pages.")
    timezone: str = Field("Asia/Tokyo", description="The business time zone: decides what a day and a month are.")
    as_of: datetime | None = Field(None, description="The moment to score for; default: just after the newest fact.")
    real_data: Path = Field(Path("../shared/data"), description="Folder of real data sets, {real_data} in paths.")
    database_url: str | None = Field(None, description="SQLAlchemy URL; default: SQLite in the workspace.", repr=False)
    tracking_uri: str | None = Field(None, description="MLflow server; default: SQLite in the workspace.", repr=False)
    simulate: SimulationSettings | None = None
    sources: tuple[SourceSettings, ...]
    survivorship: SurvivorshipSettings = SurvivorshipSettings()
    identity: IdentitySettings = IdentitySettings()
    consent: ConsentSettings = ConsentSettings()
    lifecycle: LifecycleSettings = LifecycleSettings()
    events: EventSettings = EventSettings()
    features: FeatureSettings = FeatureSettings()
    online_store: OnlineStoreSettings = OnlineStoreSettings()
    # Not a plain default: that would be laid under whatever the file names, and every company would get a lead model.
    models: ModelsSettings = Field(default_factory=lambda: ModelsSettings(lead=LeadSettings()))
    grades: GradeSettings = GradeSettings()
    hot: HotSettings = HotSettings()
    reasons: ReasonSettings = ReasonSettings()
    activation: ActivationSettings = ActivationSettings()
    segments: dict[Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")], SegmentSettings] = Field(
        default_factory=dict, description="Lists of people for campaigns, by name."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then what the file said."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @model_validator(mode="after")
    def _segments_of_known_models(self) -> Self:
        for name, segment in self.segments.items():
            if self.models.find(segment.model) is None:
                raise ValueError(f"segments.{name} needs the model {segment.model}; add models.{segment.model}")
        return self

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        return require_zone(zone)

    @field_validator("as_of")
    @classmethod
    def _aware(cls, as_of: datetime | None) -> datetime | None:
        return require_offset(as_of)

    @field_validator("sources")
    @classmethod
    def _names_once(cls, sources: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
        names = [source.name for source in sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"source names must be unique; twice: {', '.join(twice)}")
        if not names:
            raise ValueError("name at least one source")
        logged = {source.system for source in sources if source.history}
        for source in sources:
            if source.people and source.people.relies_on_history() and source.system not in logged:
                raise ValueError(
                    f"{source.name} declares known_at: history, but no source of the system {source.system} has a "
                    "history section; add the change log, or declare people.known_at: export"
                )
        return sources

    def source_files(self, source: SourceSettings) -> list[Path]:
        """The files that a source's path or pattern stands for at this moment, in order; `**` goes through folders."""
        pattern = str(self.resolve_path(source.path or ""))
        return sorted(Path(found) for found in glob.glob(pattern, recursive=True))  # noqa: PTH207 - Path.glob refuses absolute patterns

    def resolve_path(self, pattern: str) -> Path:
        """Fill in `{home}` and `{real_data}` of a source's path."""
        return Path(pattern.replace("{home}", str(self.home)).replace("{real_data}", str(self.real_data)))


def load_settings(path: Path, preset_directory: Path = PRESET_DIRECTORY) -> Settings:
    """Read a configuration.

    Args:
        path: YAML file, which may lie over another one (`extends: other.yaml`); its stem names the configuration and,
            unless `home` is given, the workspace `data/<stem>`.
        preset_directory: where the shipped source mappings lie.

    Raises:
        ConfigurationError: the file is missing, no YAML, or has faults; all of them are listed.
    """
    raw = _read_with_base(path)
    raw.setdefault("name", path.stem)
    raw.setdefault("home", str(Path("data") / str(raw["name"])))
    faults: list[Fault] = []
    if isinstance(raw.get("sources"), list):
        raw["sources"] = [
            _lay_over_preset(entry, preset_directory, f"sources.{index}", faults)
            for index, entry in enumerate(raw["sources"])
        ]
    faults += _unknown_variables(path)
    settings: Settings | None = None
    try:
        settings = Settings(**raw)
    except ValidationError as error:
        faults += [explain_fault(fault, Settings) for fault in error.errors()]
    except SettingsError as error:
        faults.append(Fault("environment", f"{error}; write nested keys as KIZASHI_A__B, lists and maps as JSON"))
    raise_faults(
        ConfigurationError, f"the configuration {path}", faults, "correct the file or the environment variable"
    )
    assert settings is not None
    return settings


def _unknown_variables(path: Path) -> list[Fault]:
    """Variables of ours that nothing reads: a mistyped one would be ignored without a word.

    Variables that the configuration names itself, for secrets, are its own business.
    """
    named = path.read_text(encoding="utf-8")
    known = {*Settings.model_fields, *_OTHER_VARIABLES}
    faults = []
    for variable in sorted(os.environ):
        key = variable.removeprefix("KIZASHI_").lower().split("__")[0]
        if variable.startswith("KIZASHI_") and key not in known and variable not in named:
            hint = did_you_mean(variable, (f"KIZASHI_{name.upper()}" for name in known))
            faults.append(Fault("environment", f"unknown variable {variable}{hint}"))
        elif variable == "KIZASHI_HOME" and not os.environ[variable]:
            faults.append(Fault("environment", "KIZASHI_HOME is empty"))
    return faults


def _read_with_base(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The file's keys laid over those of the file that it `extends` (a path relative to it), if any."""
    if path.resolve() in seen:
        raise ConfigurationError(f"the configuration {path} extends itself", "a chain with an end", "remove extends")
    raw = _read_yaml(path, f"the configuration {path}")
    base = raw.pop("extends", None)
    if base is None:
        return raw
    return _merge(_read_with_base(path.parent / str(base), (*seen, path.resolve())), raw)


def _read_yaml(path: Path, what: str) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigurationError(f"{what} does not exist", "", f"looked from {Path.cwd()}; check the path") from error
    except (IsADirectoryError, PermissionError) as error:
        raise ConfigurationError(f"{what} cannot be read", "a readable file", "check the path") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{what} is not UTF-8", "a UTF-8 file", "save it as UTF-8") from error
    try:
        raw = yaml.safe_load(text)
    except RecursionError as error:
        raise ConfigurationError(f"{what} is nested too deeply", "a configuration", "see conf/demo.yaml") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise ConfigurationError(f"{what} is no valid YAML{place} ({problem})", "", "correct the line") from error
    if raw is None:
        raise ConfigurationError(f"{what} is empty", "at least `sources`", "see conf/demo.yaml")
    if not isinstance(raw, dict):
        raise ConfigurationError(f"{what} holds {type(raw).__name__}", "keys with values", "see conf/demo.yaml")
    odd = [key for key in raw if not isinstance(key, str)]
    if odd:
        raise ConfigurationError(f"{what} has the key {odd[0]!r}", "keys that are text", "correct it")
    return raw


def _lay_over_preset(entry: Any, directory: Path, place: str, faults: list[Fault]) -> Any:
    """The preset's mapping with the configuration's own keys laid over it; sections are merged key by key."""
    if not isinstance(entry, dict) or not isinstance(entry.get("preset"), str):
        return entry
    known = sorted(file.stem for file in directory.glob("*.yaml"))
    if entry["preset"] not in known:
        unknown = f"{entry['preset']!r} is unknown{did_you_mean(entry['preset'], known)}; there are {', '.join(known)}"
        faults.append(Fault(f"{place}.preset", unknown))
        return entry
    preset = _read_yaml(directory / f"{entry['preset']}.yaml", f"the preset {entry['preset']}")
    return _merge(preset, entry)


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged
