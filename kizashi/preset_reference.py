"""The reference of the presets, written from the presets themselves so that it cannot rot.

`python -m kizashi.preset_reference` rewrites docs/presets.md; a test compares.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from core.settings import PRESET_DIRECTORY
from core.storage import write_atomically

PAGE = Path(__file__).parent.parent / "docs" / "presets.md"
LABELS = ("Source", "Times", "Recorded", "Declare")
_HEAD = """# Presets

A preset is a shipped mapping of one file that a vendor's product exports. A source names it, gives the path, and lays
its own keys over it: `- {name: leads, preset: marketo_leads, path: exports/leads.csv}`. Whatever a preset says can be
said otherwise there, key by key: another column (`people: {fields: {email: メール}}`), `timezone`, `encoding`,
`format`, `time_format: null`.

A file must have the columns below, but for those marked *if there*. Columns that no preset and no source maps are
listed after each run, and by `--json` as `unused_columns`. Object storage: mount or copy the files first; a path is a
local path.

*Times* says how times are read, *Recorded* since when a row counts as known, *Declare* what only you can know. This
page is written from the presets by `python -m kizashi.preset_reference`.
"""


def presets_page() -> str:
    """The whole page as Markdown."""
    presets = {path.stem: path.read_text(encoding="utf-8") for path in sorted(PRESET_DIRECTORY.glob("*.yaml"))}
    index = ["\n| preset | reads | fills |\n", "|---|---|---|\n"]
    for name, text in presets.items():
        sections = ", ".join(f"`{section}`" for section in _sections(yaml.safe_load(text)))
        index.append(f"| [`{name}`](#{name}) | {preset_notes(text)[''].split('(')[0].strip(' .,')} | {sections} |\n")
    return _HEAD + "".join(index) + "".join(_preset(name, text) for name, text in presets.items())


def preset_notes(text: str) -> dict[str, str]:
    """The comment at the head of a preset by its labels; under the empty label what stands before the first."""
    lines = (line.removeprefix("#").strip() for line in text.splitlines()[: _head_lines(text)])
    notes, label = {"": ""}, ""
    for line in lines:
        if match := re.match(rf"({'|'.join(LABELS)}): ", line):
            label, line = match[1], line[match.end() :]
            notes[label] = ""
        notes[label] = f"{notes[label]} {line}".strip()
    return notes


def _head_lines(text: str) -> int:
    lines = text.splitlines()
    return next((place for place, line in enumerate(lines) if not line.startswith("#")), len(lines))


def _sections(preset: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {key: value for key, value in preset.items() if isinstance(value, dict)}


def _preset(name: str, text: str) -> str:
    preset, notes = yaml.safe_load(text), preset_notes(text)
    lines = [f"\n## {name}\n\n{notes.pop('')}\n\n"]
    lines += [f"* **{label}**: {note}\n" for label, note in notes.items()]
    given = ", ".join(f"`{key}: {value}`" for key, value in preset.items() if not isinstance(value, dict))
    lines += [f"* **Sets**: {given}\n\n", "| section | unified | from |\n", "|---|---|---|\n"]
    for section, mapping in _sections(preset).items():
        lines += [f"| `{section}` | {unified} | {_cell(origin)} |\n" for unified, origin in _origins(mapping)]
    return "".join(lines)


def _origins(mapping: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in mapping.items():
        if key == "where":
            yield "*only where*", _condition(value)
        elif key in ("fields", "custom", "properties"):
            prefix = {"fields": "", "custom": "custom: ", "properties": "property: "}[key]
            yield from ((f"{prefix}`{name}`", _origin(column)) for name, column in value.items())
        elif key == "keys":
            yield from ((f"key: {column['kind']}", _origin(column)) for column in value)
        elif key == "outcomes":
            yield "`outcome`", ", ".join(f"{stage} → {outcome}" for stage, outcome in value.items())
        elif key in ("known_at", "rule"):
            yield key, str(value)
        else:
            parts = value if isinstance(value, list) else [value]
            yield f"`{key}`", ", else ".join(_origin(part) for part in parts)


def _condition(where: dict[str, list[str]]) -> str:
    said = (f"`{column}` is {' or '.join(repr(one) for one in values)}" for column, values in where.items())
    return " and ".join(said).replace("is '*'", "is not blank").replace("''", "blank")


def _origin(value: Any) -> str:
    """Where a value comes from, in words."""
    if not isinstance(value, dict):
        return f"`{value}`"
    if "constant" in value:
        return f"always {str(value['constant']).lower()}"
    if isinstance(value["column"], dict):
        said = _origin(value["column"])
    else:
        keys = value.get("json_key", [])
        said = f"`{value['column']}`" + (f" [{keys if isinstance(keys, str) else ' or '.join(keys)}]" if keys else "")
    if value.get("map"):
        said += ": " + ", ".join(f"{old} → {new}" for old, new in value["map"].items())
    if "otherwise" in value:
        said += f", else {value['otherwise']}"
    marks = [
        "*if there*" if value.get("optional") else "",
        f"several, between `{value['separator']}`" if "separator" in value else "",
        f"known_at: {value['known_at']}" if "known_at" in value else "",
        f"holder of the {value['key']}" if "key" in value else "",
        f"of {value['system']}" if "system" in value else "",
        f"where {_condition(value['where'])}" if "where" in value else "",
    ]
    said += f" ({', '.join(mark for mark in marks if mark)})" if any(marks) else ""
    return said


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    write_atomically(PAGE, presets_page().encode())
