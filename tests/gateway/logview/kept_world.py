"""A data directory of two real runs, of the second of which only a part is kept."""

import asyncio
from pathlib import Path

from gateway.config import RecordConfig
from gateway.journal import Run, read_run, runs
from gateway.journal.retention import RetentionPlan, apply_retention
from gateway.replica import Replica
from gateway.snapshots import write_snapshot
from rules.values import NS_PER_DAY
from tests.gateway.gate_world import Client, config, running

SEGMENT_BYTES = 4_096


def trade(data: Path, rounds: int) -> None:
    """Let a gate serve for a while: orders that rest, trade, are cancelled and refused."""
    record = RecordConfig(
        data=data, segment_bytes=SEGMENT_BYTES, durability="process", snapshots=False
    )

    async def scenario() -> None:
        async with running(config(data, record=record)) as gate:
            alice, bob = Client(gate), Client(gate, "bob")
            for number in range(rounds):
                await alice.place(50_000 + number, newClientOrderId=f"rests-{number}")
                await alice.place(60_000, side="SELL", newClientOrderId=f"makes-{number}")
                await bob.place(60_000, newClientOrderId=f"takes-{number}")
                await bob.place(0, newClientOrderId=f"refused-{number}")

    asyncio.run(scenario())


def two_runs(data: Path) -> tuple[Run, Run]:
    """Return two runs, the second continuing the first, with snapshots at ends of segments."""
    trade(data, 3)
    trade(data, 30)
    first, second = runs(data)
    replica = Replica.at_start(second)
    ends = {segment.last_seq for segment in second.manifest.segments[2:5]}
    for record in read_run(second.path):
        replica.take(record)
        if record.seq in ends:
            write_snapshot(second.path, replica.snapshot(second.manifest.run_id))
    return first, second


def retain_nothing_old(data: Path) -> RetentionPlan:
    """Delete everything that no start needs."""
    later_ns = runs(data)[-1].manifest.ended_ns + NS_PER_DAY
    return apply_retention(data, "1h", later_ns, "test")
