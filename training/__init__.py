"""Learning: labels, eligibility, spine, splits, the estimator, evaluation, and the gate before promotion."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.estimator import LeadScorer

__all__ = ["LeadScorer"]


def __getattr__(name: str) -> Any:
    """Import the estimator when it is first asked for: its libraries take seconds, and `--help` must not wait."""
    if name == "LeadScorer":
        return import_module("training.estimator").LeadScorer
    raise AttributeError(f"module 'training' has no attribute {name!r}")
