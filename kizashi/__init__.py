"""The roof: command line and composition of the parts."""

__version__ = "0.1.0"
__all__ = ["__version__"]
