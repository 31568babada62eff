"""The roof: command line, notebook front door, and composition of the parts.

import kizashi as kz
ws = kz.open("conf/demo.yaml")
"""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kizashi.notebook import open_workspace as open  # noqa: A004 - `kz.open` is what people type

__version__ = "0.1.0"
__all__ = ["__version__", "open"]


def __getattr__(name: str) -> Any:
    """Import the front door when it is first asked for: its libraries take seconds, and `--help` must not wait."""
    if name == "open":
        with warnings.catch_warnings():
            # Said in every notebook without widgets by a library that draws no bar here.
            warnings.filterwarnings("ignore", "IProgress not found")
            return import_module("kizashi.notebook").open_workspace
    raise AttributeError(f"module 'kizashi' has no attribute {name!r}")
