"""The reference of the configuration, written from the settings themselves so that it cannot rot.

`python -m kizashi.reference` rewrites docs/configuration.md; a test compares.
"""

import types
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from core.settings import Settings
from core.storage import write_atomically

PAGE = Path(__file__).parent.parent / "docs" / "configuration.md"
_HEAD = """# Configuration

One YAML file describes a company. Unknown keys are refused, and all faults are reported at once. Every key can be set
by an environment variable too: `KIZASHI_` and the key, nested keys joined by two underscores
(`KIZASHI_HOT__ENTER=0.3`); the environment wins. A file may lie over another one with `extends: other.yaml`, and a
source over a shipped mapping with `preset: name` ([the presets](presets.md)). This page is written from the
code by `python -m kizashi.reference`.
"""


def configuration_page() -> str:
    """The whole page as Markdown."""
    return _HEAD + "".join(_section(model, key) for key, model in _models())


def _models() -> list[tuple[str, type[BaseModel]]]:
    """Every settings model once, under the key where it is first met, outermost first."""
    found: list[tuple[str, type[BaseModel]]] = [("the file", Settings)]
    for key, model in found:
        prefix = "" if model is Settings else f"{key}."
        for name, field in model.model_fields.items():
            for inner, many in _inner(field.annotation):
                if all(inner is not known for _, known in found):
                    found.append((f"{prefix}{name}{many}", inner))
    return found


def _inner(annotation: Any, many: str = "") -> list[tuple[type[BaseModel], str]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [(annotation, many)]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    mark = "[]" if origin is tuple else ".<name>" if origin is dict else ""
    return [pair for argument in arguments for pair in _inner(argument, many + mark)]


def _section(model: type[BaseModel], key: str) -> str:
    intro = " ".join((model.__doc__ or "").split("\n\n")[0].split())
    lines = [f"\n## `{key}`\n" if model is not Settings else "\n## The file\n", f"\n{intro}\n", "\n"]
    lines += ["| key | value | default | meaning |\n", "|---|---|---|---|\n"]
    for name, field in model.model_fields.items():
        described = " ".join((field.description or "").split())
        lines.append(f"| `{name}` | {_type(field.annotation)} | {_default(field)} | {_cell(described)} |\n")
    return "".join(lines)


def _type(annotation: Any) -> str:
    if annotation is type(None):
        return "blank"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.__name__
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin is typing.Literal:
        return " \\| ".join(f"`{argument}`" for argument in arguments)
    if origin in (typing.Union, types.UnionType):
        return " \\| ".join(_type(argument) for argument in arguments if argument is not type(None))
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"map of {_type(arguments[1])}"
    return {
        "str": "text",
        "int": "whole number",
        "float": "number",
        "bool": "true \\| false",
        "datetime": "time with offset",
        "Path": "path",
    }.get(getattr(annotation, "__name__", ""), str(annotation))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**needed**"
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None or default is PydanticUndefined or default in ((), {}, ""):
        return ""
    if isinstance(default, BaseModel | dict):
        return "see below"
    if isinstance(default, tuple):
        return _cell(f"`[{', '.join(str(getattr(item, 'name', item)) for item in default)}]`")
    return _cell(f"`{str(default).lower() if isinstance(default, bool) else default}`")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    write_atomically(PAGE, configuration_page().encode())
