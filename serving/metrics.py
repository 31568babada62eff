"""Counts for Prometheus, without anything that names a person."""

from collections.abc import Iterable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    Metric,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
_PREFIX = "kizashi_"
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """Requests and answers of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "kizashi_http_requests", "Requests by route and status", ("method", "route", "status"),
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "kizashi_http_request_seconds", "Time to answer by route", ("route",), buckets=_SECONDS,
            registry=self._registry,
        )  # fmt: skip
        self._answers = Counter(
            "kizashi_answers", "Scores answered by model and status", ("model", "status"), registry=self._registry
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        known = method if method in ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS") else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def answered(self, model: str, status: str) -> None:
        """Count one answer."""
        self._answers.labels(model, status).inc()

    def exposition(self) -> bytes:
        """All counts in Prometheus' text format; with several workers, of all of them together."""
        # Decided by the library when it was first imported: whether counts are shared through files.
        if values.ValueClass is values.MutexValue:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        together.register(_OwnCounts())
        return generate_latest(together)


class _OwnCounts(Collector):
    """The product's own counts of all workers; libraries leave theirs in the same folder."""

    def collect(self) -> Iterable[Metric]:
        """Add up what the workers counted."""
        everything = MultiProcessCollector(CollectorRegistry()).collect()  # type: ignore[no-untyped-call]  # the library has no annotations here
        return [family for family in everything if family.name.startswith(_PREFIX)]
