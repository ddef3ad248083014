"""What the gate shows of itself as gauges: how much is open, waiting, lost or at fault."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from gateway.clock import Clock
from gateway.core import Core
from gateway.recording import Recording
from gateway.telemetry import Telemetry
from gateway.turnover import (
    API_TURNOVER,
    API_TURNOVER_LABELS,
    API_TURNOVER_TEXT,
    api_turnovers,
)
from gateway.turns import Turns

Read: TypeAlias = Callable[[], int]


class Gauge(NamedTuple):
    """One number that can be read at any time."""

    name: str
    description: str
    read: Read


def open_gauges(
    telemetry: Telemetry, core: Core, clock: Clock, recording: Recording, others: Iterable[Gauge]
) -> None:
    """Add the gauges of core, clock and record, and others; they are read with the metrics."""
    own = (
        Gauge("open_orders", "orders in flight, live or unknown", lambda: len(core.book.orders)),
        Gauge(
            "unanswered_commands",
            "commands the engine has not answered",
            lambda: core.outbox.unanswered,
        ),
        Gauge(
            "held_cancels",
            "cancels that are held until their order is old enough",
            lambda: len(core.book.deferred),
        ),
        Gauge(
            "record_lost",
            "1 when the record is lost, else 0",
            lambda: int(bool(core.record_fault)),
        ),
        Gauge(
            "record_lag",
            "events decided and not recorded",
            lambda: core.seq - recording.recorded_seq,
        ),
        Gauge(
            "contained_faults",
            "faults of answers and of views that were contained",
            lambda: core.listener_faults + core.outbox.faults,
        ),
        Gauge(
            "counted_refusals",
            "refusals that were counted and not recorded one by one",
            lambda: core.refusals.counted,
        ),
        Gauge(
            "rule_faults",
            "rules that raised and refused the request",
            lambda: core.pipeline.faults,
        ),
        Gauge(
            "clock_step_ns",
            "how far the system clock has stepped away from core time",
            lambda: clock.step_ns,
        ),
    )
    for gauge in (*own, *others):
        telemetry.gauge(gauge.name, gauge.description, gauge.read)
    telemetry.shares(
        API_TURNOVER, API_TURNOVER_TEXT, API_TURNOVER_LABELS, lambda: api_turnovers(core)
    )


def gate_gauges(
    fees: Read, free_bytes: Read, space: Read, faults_beside: Read, full_collections: Read
) -> tuple[Gauge, ...]:
    """Return the gauges of what works beside the core."""
    return (
        Gauge("fees_to_post", "owners whose fees wait to be posted", fees),
        Gauge("record_free_bytes", "room on the disk of the record", free_bytes),
        Gauge("record_space", "0 ample, 1 queries are shed, 2 new orders too", space),
        Gauge(
            "faults_beside",
            "snapshots and upkeep of the record that failed or found a difference",
            faults_beside,
        ),
        Gauge(
            "full_collections",
            "full collections of garbage since the start, each in a quiet moment",
            full_collections,
        ),
    )


def publish_turns(telemetry: Telemetry, turns: Turns) -> None:
    """Publish how many requests wait in each lane, for how long, and how many were shed."""
    telemetry.counter(
        "shed",
        "Requests refused because they had waited for too long.",
        lambda: turns.shed,
        ("class",),
    )
    telemetry.shares(
        "waiting_requests",
        "requests that wait for their turn",
        ("class",),
        lambda: (((state.name,), state.requests) for state in turns.states()),
    )
    telemetry.shares(
        "waiting_oldest_ns",
        "how long the one of them that waits longest has waited",
        ("class",),
        lambda: (((state.name,), state.oldest_ns) for state in turns.states()),
    )
