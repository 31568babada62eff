"""Learning: labels, eligibility, spine, splits, the estimator, evaluation, and the gate before promotion."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.estimator import LeadScorer
    from training.leakage import LeakReport, find_leaks

__all__ = ["LeadScorer", "LeakReport", "find_leaks"]
_HOMES = {"LeadScorer": "estimator", "LeakReport": "leakage", "find_leaks": "leakage"}


def __getattr__(name: str) -> Any:
    """Import what is public when it is first asked for: the libraries take seconds, and `--help` must not wait."""
    if name in _HOMES:
        return getattr(import_module(f"training.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'training' has no attribute {name!r}")
