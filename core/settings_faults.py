"""What is wrong with a configuration, in our own words: what was found and what was expected."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel

from core.errors import Fault

# By pydantic's names of its errors; in braces what the error carries along.
_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "date_from_datetime_parsing": "a day such as 2026-10-01",
    "datetime_from_date_parsing": "a moment such as 2026-10-01T00:00:00+09:00",
    "datetime_parsing": "a moment such as 2026-10-01T00:00:00+09:00",
    "datetime_type": "a moment such as 2026-10-01T00:00:00+09:00",
    "dict_type": "keys with values",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "list_type": "a list",
    "literal_error": "{expected}",
    "model_attributes_type": "keys with values",
    "model_type": "keys with values",
    "path_type": "a path",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_too_long": "text of at most {max_length} characters",
    "string_too_short": "text of at least {min_length} characters",
    "string_type": "text (in quotation marks, if it looks like something else)",
    "too_long": "at most {max_length} entries",
    "too_short": "at least {min_length} entries",
    "tuple_type": "a list",
    "union_tag_invalid": "{expected_tags}",
    "union_tag_not_found": "the key {discriminator}",
}


def explain_fault(error: Any, model: type[BaseModel]) -> Fault:
    """Turn one of pydantic's errors into a sentence, with a suggestion for a mistyped key.

    Args:
        error: an entry of `ValidationError.errors()`.
        model: the settings, whose keys are suggested.

    >>> from pydantic import ValidationError
    >>> class Small(BaseModel):
    ...     days: int
    >>> try:
    ...     Small(days="soon")
    ... except ValidationError as refused:
    ...     explain_fault(refused.errors()[0], Small)
    Fault(place='days', message="found 'soon', expected a whole number")
    """
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        wrong = str(error["loc"][-1])
        return Fault(place, f"unknown key {wrong!r}{did_you_mean(wrong, _all_keys(model))}")
    if error["type"] == "missing":
        return Fault(place, "is missing")
    expected = _EXPECTED.get(error["type"])
    if expected is not None:
        return Fault(place, f"found {_shown(error['input'])}, expected {expected.format(**error.get('ctx', {}))}")
    message = str(error["msg"]).removeprefix("Value error, ")
    shown = error["input"]
    return Fault(place, message + (f" (found {shown!r})" if isinstance(shown, str | int | float) else ""))


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """A suggestion to put behind a fault; empty where nothing is alike.

    >>> did_you_mean("markto_leads", ["marketo_leads", "salesforce_lead"]), did_you_mean("x", ["marketo_leads"])
    (", did you mean 'marketo_leads'?", '')
    """
    close = get_close_matches(wrong, sorted(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def _shown(found: Any) -> str:
    if found is None:
        return "nothing"
    if isinstance(found, dict):
        return "keys with values"
    return "a list" if isinstance(found, list | tuple) else repr(found)


def _all_keys(model: type[BaseModel], seen: set[type[BaseModel]] | None = None) -> set[str]:
    """Every key that a configuration may hold, at any depth."""
    seen = seen if seen is not None else set()
    if model in seen:
        return set()
    seen.add(model)
    keys = set(model.model_fields)
    for field in model.model_fields.values():
        stack: list[Any] = [field.annotation]
        while stack:
            annotation = stack.pop()
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                keys |= _all_keys(annotation, seen)
            stack.extend(getattr(annotation, "__args__", ()))
    return keys
