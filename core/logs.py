"""Structured logs on stderr, one JSON object a line; personal data never belongs in them."""

import logging
import sys

import structlog

# Values under these keys are personal; they are not printed even when someone passes them by mistake.
PERSONAL_KEYS = frozenset({"email", "phone", "name", "last_name", "first_name", "address", "raw", "value"})


def _hide_personal(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key in PERSONAL_KEYS & event.keys():
        event[key] = "[hidden]"
    return event


def configure_logs(level: str = "WARNING") -> None:
    """Send the project's logs to stderr as JSON lines from `level` (a standard level name) upwards."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _hide_personal,
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        # Looked up at each write: a test or a progress bar may have replaced sys.stderr since.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def get_logger(component: str) -> structlog.typing.FilteringBoundLogger:
    """A logger that marks each line with the component that wrote it."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(component=component)
    return logger
