"""One tree of errors; each says what was found, what was expected and what to do next."""

from collections.abc import Sequence
from dataclasses import dataclass


class KizashiError(Exception):
    """Root of all errors that a person using the project can meet.

    Args:
        found: what was there, in plain words.
        expected: what should have been there.
        next_step: what the reader can do about it.
    """

    exit_code = 1
    http_status = 500

    def __init__(self, found: str, expected: str = "", next_step: str = "") -> None:
        self.found = found.rstrip(".")
        self.expected = expected.rstrip(".")
        self.next_step = next_step.rstrip(".")
        super().__init__(self.sentence)

    @property
    def sentence(self) -> str:
        """The error in one plain sentence.

        >>> ConfigurationError("unknown key 'horizn'", "horizon_days", "correct conf/demo.yaml").sentence
        "unknown key 'horizn'; expected horizon_days; correct conf/demo.yaml."
        """
        parts = [self.found]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.next_step:
            parts.append(self.next_step)
        return "; ".join(parts) + "."

    def _render_traceback_(self) -> list[str]:
        """What IPython prints instead of a traceback: whoever works in a notebook needs the sentence alone."""
        return [f"{type(self).__name__}: {self.sentence}"]


class ConfigurationError(KizashiError):
    """The configuration, the environment or the command's arguments are wrong."""

    exit_code = 2
    http_status = 400


class SourceError(KizashiError):
    """An export cannot be read as it was declared (missing, empty, other encoding, other columns)."""

    exit_code = 2
    http_status = 422


class TableError(KizashiError):
    """A unified table does not have the shape that was agreed on."""


class MissingStageError(KizashiError):
    """A stage was asked for before the one that it needs has run."""

    exit_code = 2
    http_status = 409


class NotFoundError(KizashiError):
    """A person, model or version that does not exist was asked for."""

    exit_code = 2
    http_status = 404


class ContractError(KizashiError):
    """A model and the features offered to it do not belong together."""

    http_status = 409


class FeatureQualityError(KizashiError):
    """Freshly built features hold impossible values, or differ from the former ones as only a broken source does."""

    http_status = 409


class EvidenceError(KizashiError):
    """There is too little evidence to do what was asked, for example to train a model."""

    http_status = 409


class BusyError(KizashiError):
    """Another run is working on the same workspace."""

    http_status = 409


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, at one place in a configuration or a file."""

    place: str
    message: str


def raise_faults(kind: type[KizashiError], subject: str, faults: Sequence[Fault], next_step: str) -> None:
    """Raise all faults at once as one error; do nothing when there are none.

    >>> raise_faults(ConfigurationError, "conf/demo.yaml", [], "")
    >>> raise_faults(ConfigurationError, "a.yaml", [Fault("hot.enter", "0.2 is below leave")], "correct it")
    Traceback (most recent call last):
    ...
    core.errors.ConfigurationError: a.yaml has 1 fault: hot.enter: 0.2 is below leave; correct it.
    """
    if not faults:
        return
    noun = "fault" if len(faults) == 1 else "faults"
    listed = " | ".join(f"{fault.place}: {fault.message}" for fault in faults)
    raise kind(f"{subject} has {len(faults)} {noun}: {listed}", "", next_step)
