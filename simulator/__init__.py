"""A seeded company that never existed: writes the export files of its systems and, apart from them, the truth.

It imports nothing else of this project: it is a witness.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.company import OccupiedDirectoryError, SimulationSummary, simulate_company

__all__ = ["OccupiedDirectoryError", "SimulationSummary", "simulate_company"]


def __getattr__(name: str) -> Any:
    # Loaded on first use: the command line imports this package for its help text too, and numpy would slow that down.
    if name in __all__:
        from simulator import company

        return getattr(company, name)
    raise AttributeError(f"module 'simulator' has no attribute {name!r}")
