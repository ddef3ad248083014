"""Latency histograms as plain integers, shown to OpenTelemetry when somebody collects them.

Its own histogram instrument costs more than parsing an order, and it has no observable one. So
counts are kept here, and each reader is handed them as the histogram they are.
"""

from bisect import bisect_left
from dataclasses import replace
from typing import Any, Final

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricsData,
    PeriodicExportingMetricReader,
)
from prometheus_client import CollectorRegistry

from gateway.stages import STAGE_NAMES, Stages, longest_ns
from rules.endpoints import Endpoint
from rules.values import NS_PER_SECOND

NAME: Final = "ordergate_request_latency"
DESCRIPTION: Final = "Time from a request's headers to its answer, by endpoint."
BOUNDS_NS: Final = (
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
    5_000_000_000,
)
"""Upper bounds of the buckets, inclusive; one more holds what is above."""
STAGE_NAME: Final = "ordergate_stage_latency"
STAGE_DESCRIPTION: Final = "Time of a REST request in each stage, by endpoint."
STAGE_BOUNDS_NS: Final = tuple(1 << exponent for exponent in range(9, 31))
"""From half a microsecond to a second: the stages are counted in parts of powers of two."""
_STAGE_BOUNDS_SECONDS: Final = tuple(bound / NS_PER_SECOND for bound in STAGE_BOUNDS_NS)
_BOUNDS_SECONDS: Final = tuple(bound / NS_PER_SECOND for bound in BOUNDS_NS)


class _Series:
    """The latencies of one endpoint."""

    __slots__ = ("counts", "least_ns", "most_ns", "total_ns")

    def __init__(self, first_ns: int) -> None:
        self.counts = [0] * (len(BOUNDS_NS) + 1)
        self.total_ns = 0
        self.least_ns = self.most_ns = first_ns


class Latencies:
    """Counts latencies by endpoint."""

    def __init__(self) -> None:
        self._series: dict[int, _Series] = {}

    def add(self, endpoint: int, latency_ns: int) -> None:
        """Count one latency."""
        series = self._series.get(endpoint)
        if series is None:
            series = self._series[endpoint] = _Series(latency_ns)
        series.counts[bisect_left(BOUNDS_NS, latency_ns)] += 1
        series.total_ns += latency_ns
        if latency_ns > series.most_ns:
            series.most_ns = latency_ns
        elif latency_ns < series.least_ns:
            series.least_ns = latency_ns

    def merge(
        self, endpoint: int, counts: tuple[int, ...], total_ns: int, least_ns: int, most_ns: int
    ) -> None:
        """Add latencies counted elsewhere, by the same buckets."""
        series = self._series.get(endpoint)
        if series is None:
            series = self._series[endpoint] = _Series(least_ns)
        series.counts = [own + other for own, other in zip(series.counts, counts, strict=True)]
        series.total_ns += total_ns
        series.least_ns = min(series.least_ns, least_ns)
        series.most_ns = max(series.most_ns, most_ns)

    def metric(self, start_ns: int, now_ns: int) -> Metric:
        """Return all that was counted, in the form in which metrics are exported."""
        points = []
        # A copy in one step: a push reader collects in a thread of its own.
        for endpoint, series in list(self._series.items()):
            counts = list(series.counts)
            points.append(
                HistogramDataPoint(
                    attributes={"endpoint": Endpoint(endpoint).name.lower()},
                    start_time_unix_nano=start_ns,
                    time_unix_nano=now_ns,
                    count=sum(counts),
                    sum=series.total_ns / NS_PER_SECOND,
                    bucket_counts=counts,
                    explicit_bounds=_BOUNDS_SECONDS,
                    min=series.least_ns / NS_PER_SECOND,
                    max=series.most_ns / NS_PER_SECOND,
                )
            )
        data = Histogram(points, AggregationTemporality.CUMULATIVE)
        return Metric(name=NAME, description=DESCRIPTION, unit="s", data=data)


class Histograms:
    """What is kept as plain integers, as the histograms it is."""

    def __init__(self, latencies: Latencies, stages: Stages | None = None) -> None:
        self._latencies = latencies
        self._stages = stages

    def metrics(self, start_ns: int, now_ns: int) -> list[Metric]:
        """Return all of them, in the form in which metrics are exported."""
        found = [self._latencies.metric(start_ns, now_ns)]
        if self._stages is not None:
            found.append(stage_metric(self._stages, start_ns, now_ns))
        return found


def stage_metric(stages: Stages, start_ns: int, now_ns: int) -> Metric:
    """Return the times of all stages, in the form in which metrics are exported."""
    points = []
    # A copy in one step: a push reader collects in a thread of its own.
    for endpoint, spreads in list(stages.spreads.items()):
        for stage, spread in zip(STAGE_NAMES, spreads, strict=False):
            counts = spread.not_above(STAGE_BOUNDS_NS)
            points.append(
                HistogramDataPoint(
                    attributes={
                        "endpoint": Endpoint(endpoint).name.lower(),
                        "stage": stage.replace(" ", "_"),
                    },
                    start_time_unix_nano=start_ns,
                    time_unix_nano=now_ns,
                    count=sum(counts),
                    sum=spread.total_ns / NS_PER_SECOND,
                    bucket_counts=counts,
                    explicit_bounds=_STAGE_BOUNDS_SECONDS,
                    min=0.0,
                    max=longest_ns(max(dict(spread.counts), default=0)) / NS_PER_SECOND,
                )
            )
    data = Histogram(points, AggregationTemporality.CUMULATIVE)
    return Metric(name=STAGE_NAME, description=STAGE_DESCRIPTION, unit="s", data=data)


class ShowingPrometheusReader(PrometheusMetricReader):
    """What Prometheus scrapes: what instruments have measured, and the histograms."""

    def __init__(self, histograms: Histograms, registry: CollectorRegistry) -> None:
        self._histograms = histograms
        super().__init__(disable_target_info=True, scope_info_enabled=False, registry=registry)

    def _receive_metrics(self, metrics_data: MetricsData, *rest: Any, **options: Any) -> None:
        super()._receive_metrics(with_histograms(metrics_data, self._histograms), *rest, **options)


class ShowingPeriodicReader(PeriodicExportingMetricReader):
    """What is pushed from time to time: what instruments have measured, and the histograms."""

    def __init__(self, histograms: Histograms, exporter: MetricExporter, period_ms: int) -> None:
        self._histograms = histograms
        super().__init__(exporter, export_interval_millis=period_ms)

    def _receive_metrics(self, metrics_data: MetricsData, *rest: Any, **options: Any) -> None:
        super()._receive_metrics(with_histograms(metrics_data, self._histograms), *rest, **options)


def with_histograms(found: MetricsData, histograms: Histograms) -> MetricsData:
    """Return collected metrics with the histograms among them.

    They take their times from what was collected with them; where there is nothing, nobody has
    been answered yet.
    """
    first, *others = found.resource_metrics
    for scope in first.scope_metrics:
        for metric in scope.metrics:
            for point in metric.data.data_points:
                start_ns = getattr(point, "start_time_unix_nano", None)
                end_ns = point.time_unix_nano
                shown = replace(scope, metrics=histograms.metrics(start_ns or end_ns, end_ns))
                more = replace(first, scope_metrics=[*first.scope_metrics, shown])
                return MetricsData([more, *others])
    return found
