"""Makes `import feast` quick: imported before Feast is, by the package's `__init__`."""

from collections.abc import Callable
from typing import Any

import typeguard

_typechecked: Callable[..., Any] = typeguard.typechecked


def _typechecked_unless_feast(target: Any = None, **options: Any) -> Any:
    """Typeguard's decorator, which leaves Feast's classes as they are.

    Typeguard parses and rewrites the source of every class that it checks, anew in every process: two thirds of the
    time of `import feast`, and then a share of each lookup. What it would find in our calls, mypy finds before.
    """
    if getattr(target, "__module__", "").startswith("feast."):
        return target
    return _typechecked(target, **options) if target is not None else _typechecked(**options)


typeguard.typechecked = _typechecked_unless_feast
