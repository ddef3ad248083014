"""Counters and their Prometheus exposition."""

from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    HistogramDataPoint,
    MetricExporter,
    MetricExportResult,
    MetricsData,
)

from gateway.latencies import Histograms, Latencies, ShowingPeriodicReader
from gateway.listeners import Listeners
from gateway.telemetry import Telemetry, TelemetryError
from rules.decisions import ACCEPTED, NOTED_DECISION, REFUSED, Breach, Decision
from rules.endpoints import Endpoint
from rules.events import CommandResult, Event, Query
from rules.reasons import Reason

QUERY = Query(Endpoint.DEPTH, 1, 0, 1, 1, 0, 0, 100, 1, 0, 0)


def lines(telemetry: Telemetry) -> set[str]:
    """Return the samples of the exposition."""
    return set(telemetry.exposition().decode().splitlines())


def tell(telemetry: Telemetry, event: Event, decision: Decision) -> None:
    """Tell of one event as a core tells those who look on."""
    listeners = Listeners()
    telemetry.listen_to(listeners)
    for listener in listeners.by_kind[type(event)]:
        listener(1, 1, event, decision)


def test_record_is_counted() -> None:
    """Decisions, requests, refusals, shadow refusals and engine results have their counters."""
    telemetry = Telemetry()
    try:
        breach = Breach("request_weight", Reason.REQUEST_WEIGHT_LIMIT, 1, 2)
        shadow = Breach("raw_requests", Reason.RAW_REQUEST_LIMIT, 1, 2)
        tell(telemetry, QUERY, Decision(ACCEPTED))
        tell(telemetry, QUERY, Decision(REFUSED, (breach,), (shadow,)))
        taken = CommandResult(1, 1, True, None, 1, 1)
        tell(telemetry, taken, NOTED_DECISION)
        refused = CommandResult(2, 1, False, Reason.ENGINE_WOULD_TAKE, 0, 1)
        tell(telemetry, refused, NOTED_DECISION)
        tell(telemetry, CommandResult(3, 1, False, None, 0, 1, unknown=True), NOTED_DECISION)
        found = lines(telemetry)
    finally:
        telemetry.close()
    assert 'ordergate_decisions_total{verdict="ACCEPTED"} 1.0' in found
    assert 'ordergate_decisions_total{verdict="NOTED"} 3.0' in found
    assert 'ordergate_requests_total{endpoint="depth"} 2.0' in found
    assert (
        'ordergate_refusals_total{reason="REQUEST_WEIGHT_LIMIT",rule="request_weight"} 1.0' in found
    )
    assert (
        'ordergate_shadow_refusals_total{reason="RAW_REQUEST_LIMIT",rule="raw_requests"} 1.0'
        in found
    )
    for result in ("ACCEPTED", "ENGINE_WOULD_TAKE", "UNKNOWN"):
        assert f'ordergate_engine_results_total{{result="{result}"}} 1.0' in found


def test_answers_have_a_latency_histogram() -> None:
    """A latency lies in the bucket of its bound and in all above; bounds are inclusive."""
    telemetry = Telemetry()
    try:
        telemetry.answered(Endpoint.PING, 200, 1_000_000)
        telemetry.answered(Endpoint.PING, 429, 1_000_001)
        found = lines(telemetry)
    finally:
        telemetry.close()
    name = "ordergate_request_latency_seconds"
    assert f'{name}_bucket{{endpoint="ping",le="0.001"}} 1.0' in found
    assert f'{name}_bucket{{endpoint="ping",le="0.002"}} 2.0' in found
    assert f'{name}_bucket{{endpoint="ping",le="+Inf"}} 2.0' in found
    assert f'{name}_count{{endpoint="ping"}} 2.0' in found
    assert f'{name}_sum{{endpoint="ping"}} 0.002000001' in found
    assert not any(f'{name}_bucket{{endpoint="depth"' in line for line in found)
    assert 'ordergate_answers_total{endpoint="ping",status="429"} 1.0' in found


def test_pushed_metrics_have_the_latencies() -> None:
    """What is pushed holds the same histogram, beside what the instruments have measured."""
    exported: list[MetricsData] = []

    class Keeping(MetricExporter):
        def export(self, metrics_data: MetricsData, *rest: Any, **options: Any) -> Any:
            exported.append(metrics_data)
            return MetricExportResult.SUCCESS

        def shutdown(self, *rest: Any, **options: Any) -> None:
            pass

        def force_flush(self, *rest: Any, **options: Any) -> bool:
            return True

    latencies = Latencies()
    for latency_ns in (100_000, 100_001, 6_000_000_000):
        latencies.add(Endpoint.ORDER_PLACE, latency_ns)
    provider = MeterProvider([ShowingPeriodicReader(Histograms(latencies), Keeping(), 3_600_000)])
    provider.get_meter("test").create_counter("beside").add(1)
    provider.shutdown()
    (metrics_data,) = exported
    (resource,) = metrics_data.resource_metrics
    found = {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}
    assert "beside" in found
    (point,) = found["ordergate_request_latency"].data.data_points
    assert isinstance(point, HistogramDataPoint)
    assert point.attributes == {"endpoint": "order_place"}
    assert point.bucket_counts == [1, 1, *[0] * 12, 1]
    assert (point.count, point.sum, point.min, point.max) == (3, 6.000200001, 0.0001, 6.0)
    assert point.start_time_unix_nano <= point.time_unix_nano


def test_gauges_are_read_when_scraped() -> None:
    """A gauge shows what it is at the time of the scrape."""
    telemetry = Telemetry()
    try:
        orders = [1]
        telemetry.gauge("open_orders", "Open orders.", lambda: len(orders))
        assert "ordergate_open_orders 1.0" in lines(telemetry)
        orders.append(2)
        assert "ordergate_open_orders 2.0" in lines(telemetry)
    finally:
        telemetry.close()


def test_two_gates_in_one_process_do_not_mix() -> None:
    """Each gate has a registry of its own."""
    first, second = Telemetry(), Telemetry()
    try:
        tell(first, QUERY, Decision(ACCEPTED))
        assert 'ordergate_requests_total{endpoint="depth"} 1.0' in lines(first)
        assert 'ordergate_requests_total{endpoint="depth"} 1.0' not in lines(second)
    finally:
        first.close()
        second.close()


def test_push_without_its_exporter_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configured push that can't work is an error at the start, not silence."""

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("gateway.telemetry.import_module", missing)
    with pytest.raises(TelemetryError, match="opentelemetry-exporter-otlp-proto-http"):
        Telemetry("http://127.0.0.1:4318/v1/metrics")
