"""Metrics: plain counters that OpenTelemetry reads when somebody collects them.

Nothing here runs on the decide step. Telemetry is told of events after they were recorded and adds
to counts; edges measure their own answers. Prometheus scrapes `exposition`, and
OTLP export is on when an endpoint is configured and its exporter is installed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, Final, TypeAlias

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from gateway.latencies import Histograms, Latencies, ShowingPeriodicReader, ShowingPrometheusReader
from gateway.listeners import Listener, Listeners
from gateway.stages import Stages
from rules.decisions import NOTED, REFUSED, VERDICT_NAMES, Decision
from rules.endpoints import Endpoint
from rules.events import CommandResult, Event, RefusedAggregate, Request
from rules.reasons import Reason

EXPOSITION_TYPE: Final = CONTENT_TYPE_LATEST
"""Content type of `Telemetry.exposition`."""

_OTLP_PERIOD_MS: Final = 10_000

Shares: TypeAlias = Callable[[], Iterable[tuple[tuple[str, ...], float]]]
"""Reads shares of a whole with the values of their labels."""


class TelemetryError(ValueError):
    """Telemetry can't be set up as configured."""


class Telemetry:
    """The counters of one gate and the meter provider that publishes them.

    `otlp_endpoint` is the URL metrics are pushed to over OTLP/HTTP, empty for none. `stages` are
    published too, unless None. Raises TelemetryError when an endpoint is given and the exporter is
    not installed.
    """

    def __init__(self, otlp_endpoint: str = "", stages: Stages | None = None) -> None:
        self._asked: dict[tuple[int, int], int] = {}
        """Requests by endpoint and verdict."""
        self._noted = 0
        """Decisions on what was no request."""
        self._accepted = 0
        """Commands that the engine accepted."""
        self.refusals: Counter[tuple[str, str]] = Counter()
        """Breaches of refused requests by rule and reason: the one told to the client."""
        self.shadows: Counter[tuple[str, str]] = Counter()
        """Breaches of rules in shadow, by rule and reason."""
        self.answers: Counter[tuple[int, int]] = Counter()
        """Answers by endpoint and HTTP status."""
        self._refused: Counter[str] = Counter()
        """Commands that the engine did not accept: unknown, or the reason of the refusal."""
        self.latencies = Latencies()
        """Times to the answer by endpoint."""
        self._registry = CollectorRegistry()
        histograms = Histograms(self.latencies, stages)
        readers: list[MetricReader] = [ShowingPrometheusReader(histograms, self._registry)]
        if otlp_endpoint:
            readers.append(_otlp_reader(otlp_endpoint, histograms))
        self._provider = MeterProvider(
            metric_readers=readers,
            resource=Resource.create({"service.name": "ordergate"}),
            shutdown_on_exit=False,
        )
        self._meter = self._provider.get_meter("ordergate")
        self._instruments()

    def gauge(self, name: str, description: str, read: Callable[[], int]) -> None:
        """Publish what `read` returns as `ordergate_<name>`."""

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            yield Observation(read())

        self._meter.create_observable_gauge(
            f"ordergate_{name}", callbacks=[observe], description=description
        )

    def shares(self, name: str, description: str, labels: tuple[str, ...], read: Shares) -> None:
        """Publish what `read` returns, numbers by the values of `labels`, as `ordergate_<name>`."""

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            for values, share in read():
                yield Observation(share, dict(zip(labels, values, strict=True)))

        self._meter.create_observable_gauge(
            f"ordergate_{name}", callbacks=[observe], description=description
        )

    def counter(
        self,
        name: str,
        description: str,
        counts: Callable[[], Mapping[Any, int]],
        labels: tuple[str, ...],
    ) -> None:
        """Publish what `counts` returns by the values of `labels` as `ordergate_<name>_total`."""

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            # A copy in one step: a push reader collects in a thread of its own.
            for key, count in list(counts().items()):
                values = key if isinstance(key, tuple) else (key,)
                yield Observation(
                    count,
                    {
                        label: _label(label, value)
                        for label, value in zip(labels, values, strict=True)
                    },
                )

        self._meter.create_observable_counter(
            f"ordergate_{name}", callbacks=[observe], description=description
        )

    # --- What is counted ----------------------------------------------------------------------

    def listen_to(self, listeners: Listeners) -> None:
        """Have everything told that is counted."""
        for kind in tuple(listeners.by_kind):
            listeners.add(self._listener(kind), kind)

    def _listener(self, kind: type[Event]) -> Listener:
        """Return what counts events of one type."""
        if issubclass(kind, Request):
            return self._request
        if kind is CommandResult:
            return self._result
        return self._aggregate if kind is RefusedAggregate else self._other

    def _request(self, seq: int, now_ns: int, event: Any, decision: Decision) -> None:
        asked, key = self._asked, (event.endpoint, decision.verdict)
        asked[key] = asked.get(key, 0) + 1
        if decision.verdict == REFUSED and decision.breaches:
            breach = decision.breaches[0]
            self.refusals[breach.rule, breach.reason.name] += 1
        for shadow in decision.shadows:
            self.shadows[shadow.rule, shadow.reason.name] += 1

    def _result(self, seq: int, now_ns: int, event: Any, decision: Decision) -> None:
        self._noted += 1
        if event.accepted and not event.unknown:
            self._accepted += 1
        else:
            self._refused[_refusal_name(event)] += 1

    def _aggregate(self, seq: int, now_ns: int, event: Any, decision: Decision) -> None:
        self._noted += 1
        self.refusals["", event.reason.name] += event.count

    def _other(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        self._noted += 1

    def decisions(self) -> dict[str, int]:
        """Return the number of decisions by verdict."""
        found = Counter({VERDICT_NAMES[NOTED]: self._noted} if self._noted else {})
        for (_, verdict), count in list(self._asked.items()):
            found[VERDICT_NAMES[verdict]] += count
        return found

    def requests(self) -> dict[int, int]:
        """Return the number of requests by endpoint."""
        found: Counter[int] = Counter()
        for (endpoint, _), count in list(self._asked.items()):
            found[endpoint] += count
        return found

    def engine_results(self) -> dict[str, int]:
        """Return the number of results of commands: accepted, unknown, or why they were refused."""
        found = {"ACCEPTED": self._accepted} if self._accepted else {}
        return found | dict(self._refused)

    def answered(self, endpoint: int, status: int, latency_ns: int) -> None:
        """Count one answered request."""
        self.answers[endpoint, status] += 1
        self.latencies.add(endpoint, latency_ns)

    def answered_elsewhere(
        self,
        answers: tuple[tuple[int, int, int], ...],
        latencies: tuple[tuple[int, tuple[int, ...], int, int, int], ...],
    ) -> None:
        """Add what another process has counted: answers, and latencies as `Latencies.merge`."""
        for endpoint, status, number in answers:
            self.answers[endpoint, status] += number
        for series in latencies:
            self.latencies.merge(*series)

    # --- Publishing ---------------------------------------------------------------------------

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format, of type `EXPOSITION_TYPE`."""
        return generate_latest(self._registry)

    def close(self) -> None:
        """Push what is left and end all readers."""
        self._provider.shutdown()

    def _instruments(self) -> None:
        self.counter("decisions", "Decisions by verdict.", self.decisions, ("verdict",))
        self.counter("refusals", "Refused requests.", lambda: self.refusals, ("rule", "reason"))
        self.counter(
            "shadow_refusals",
            "Requests that rules in shadow would have refused.",
            lambda: self.shadows,
            ("rule", "reason"),
        )
        self.counter("requests", "Requests by endpoint.", self.requests, ("endpoint",))
        self.counter("answers", "HTTP answers.", lambda: self.answers, ("endpoint", "status"))
        self.counter("engine_results", "Results of commands.", self.engine_results, ("result",))


_ENDPOINT_NAMES: Final = {int(member): member.name.lower() for member in Endpoint}


def _label(label: str, value: object) -> str:
    if label == "endpoint" and isinstance(value, int):
        return _ENDPOINT_NAMES.get(value, str(value))
    return str(value)


def _refusal_name(result: CommandResult) -> str:
    if result.unknown:
        return "UNKNOWN"
    return Reason(result.reason).name if result.reason is not None else "REFUSED"


def _otlp_reader(endpoint: str, histograms: Histograms) -> MetricReader:
    try:
        exporters = import_module("opentelemetry.exporter.otlp.proto.http.metric_exporter")
    except ImportError:
        raise TelemetryError(
            f"metrics can't be pushed to {endpoint}: install opentelemetry-exporter-otlp-proto-http"
        ) from None
    exporter = exporters.OTLPMetricExporter(endpoint=endpoint)
    return ShowingPeriodicReader(histograms, exporter, _OTLP_PERIOD_MS)
