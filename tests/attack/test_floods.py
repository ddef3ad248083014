"""Floods of strangers against a running gate: trading goes on, and the record stays in bounds."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.refusals import RECORDED_ALL, RECORDED_ALL_LOW
from rules.events import Cancel, Place, Query, RecordSpace, Request
from rules.values import AUTH_OK, NS_PER_SECOND, SPACE_AMPLE, SPACE_LOW, SPACE_SCARCE
from tests.attack.small_gate import set_room
from tests.attack.trader import ADDRESS, ADDRESS_GRPC, Trader
from tests.attack.venue import write_config
from tests.fuzz.accounting import Accounting
from tests.fuzz.gate_process import ROOT, GateProcess, running_gate

SOAK: Final = bool(os.environ.get("ORDERGATE_SOAK"))
SECONDS: Final = 300.0 if SOAK else 6.0
SECONDS_LOW: Final = 120.0 if SOAK else 4.0
MIB: Final = 1 << 20
SEGMENT_BYTES: Final = MIB // 4
UNSIGNED_QUERIES: Final = 2_000
"""Unsigned queries that the default rulebook has answered each second."""
BYTES_PER_RECORD: Final = 400
"""On average, of what strangers send; at most a few thousand for one."""
MEMORY_KIB: Final = 60_000
"""What a flood may add: buffers of its connections, its addresses, counts of the second."""


@contextmanager
def flood(gate: GateProcess, seconds: float) -> Iterator["subprocess.Popen[str]"]:
    """Run a flood in a process of its own."""
    target = (str(gate.rest_port), gate.ready["grpc"], str(seconds))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.attack.strangers", *target],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def trade_during(process: "subprocess.Popen[str]", trader: Trader) -> dict[str, dict[str, int]]:
    """Trade until a flood is over; return how it was answered."""
    while process.poll() is None:
        trader.place_and_cancel()
    assert process.stdout is not None
    told = process.stdout.read()
    assert process.returncode == 0
    answers: dict[str, dict[str, int]] = json.loads(told)
    return answers


def recorded_bytes(gate: GateProcess) -> int:
    """Return the length of a stopped gate's record."""
    return sum(path.stat().st_size for path in gate.run.glob("*.seg*"))


def fastest_second(accounting: Accounting, kind: type[Request]) -> int:
    """Return the most requests of strangers of some type that were recorded in one second."""
    seconds: Counter[int] = Counter()
    for record in accounting.requests.values():
        event: Any = record.event
        if isinstance(event, kind) and event.auth != AUTH_OK:
            seconds[record.now_ns // NS_PER_SECOND] += 1
    return max(seconds.values(), default=0)


def assert_client_unharmed(gate: GateProcess, trader: Trader) -> None:
    """Hold every request of the client to being answered, recorded, and charged as its own only."""
    assert trader.answered == trader.sent
    assert trader.weight == 0, "orders and cancels weigh nothing when they are accepted"
    accounting = Accounting(gate)
    numbers = {accounting.numbers[ADDRESS], accounting.numbers[ADDRESS_GRPC]}
    requests: list[Any] = [record.event for record in accounting.requests.values()]
    own = [event for event in requests if event.ip in numbers]
    assert len(own) == trader.sent
    assert {event.auth for event in own} == {AUTH_OK}
    assert {type(event) for event in own} <= {Place, Cancel}
    print(
        f"client: {trader.sent} requests, slowest {max(trader.latencies_ms):.0f} ms, "
        f"median {sorted(trader.latencies_ms)[len(trader.latencies_ms) // 2]:.1f} ms"
    )


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("edges", ["0", "2"] if SOAK else ["0"])
def test_a_flood_stops_nobody_from_trading(tmp_path: Path, edges: str) -> None:
    """Whatever strangers send from wherever, a client with a key is served as without them."""
    config = write_config(tmp_path, SEGMENT_BYTES)
    command = ("-m", "gateway", "serve", "-c", str(config), "--edges", edges)
    with running_gate(tmp_path, command=command) as gate:
        trader = Trader(gate)
        trader.place_and_cancel()
        with flood(gate, SECONDS) as process:
            began, early_kib = time.monotonic(), 0
            while time.monotonic() < began + SECONDS / 3:
                trader.place_and_cancel()
            early_kib = gate.memory_kib()
            answers = trade_during(process, trader)
            grown_kib = gate.memory_kib() - early_kib
            seconds = time.monotonic() - began
        trader.close()
        print(json.dumps(answers, indent=1))
        assert grown_kib < MEMORY_KIB
        gate.assert_unharmed()
        bytes_per_second = recorded_bytes(gate) / seconds
        print(f"record: {bytes_per_second:.0f} bytes a second, memory: {grown_kib} KiB more")
        assert bytes_per_second < (UNSIGNED_QUERIES + RECORDED_ALL) * BYTES_PER_RECORD
        assert_client_unharmed(gate, trader)
        assert fastest_second(Accounting(gate), Query) <= UNSIGNED_QUERIES + RECORDED_ALL
        for kind, statuses in answers.items():
            assert sum(statuses.values()) > 0, f"{kind} did nothing"
        assert answers["banned"]["418"] > 0
        assert answers["unsigned"]["401"] > 0


@pytest.mark.timeout(3_600)
def test_little_room_sheds_queries_then_orders_and_never_cancels(tmp_path: Path) -> None:
    """A flood that brings the disk to little room gets no further; the client trades on."""
    room = tmp_path / "room"
    low_bytes = 8 * SEGMENT_BYTES
    set_room(room, 1_000 * SEGMENT_BYTES)
    config = write_config(tmp_path, SEGMENT_BYTES, low_bytes)
    command = ("-m", "tests.attack.small_gate", str(config), str(room))
    with running_gate(tmp_path, command=command) as gate:
        trader = Trader(gate)
        resting = [trader.place() for _ in range(2)]
        set_room(room, used_bytes(gate) + low_bytes + SEGMENT_BYTES)
        with flood(gate, SECONDS_LOW + 60) as process:
            until_space(gate, "LOW", trader)
            before = used_bytes(gate)
            ends = time.monotonic() + SECONDS_LOW
            while time.monotonic() < ends:
                trader.place_and_cancel()
            assert gate.admin("/admin/v1/status")["record_space"] == "LOW"
            grown = used_bytes(gate) - before
            process.kill()
        order = ("symbol=BTCUSDT", "side=BUY", "type=LIMIT", "timeInForce=GTC", "quantity=0.001")
        assert trader.refused("GET", "symbol=BTCUSDT", "orderId=1") == -1008
        set_room(room, used_bytes(gate) + low_bytes // 2 - 1)
        until_space(gate, "SCARCE")
        assert trader.refused("POST", *order, "price=50000") == -1008
        trader.cancel(resting[0])
        set_room(room, 1_000 * SEGMENT_BYTES)
        until_space(gate, "AMPLE")
        trader.place_and_cancel()
        trader.cancel(resting[1])
        trader.close()
        assert gate.alive()
        assert gate.stop() == 0
        complaints = gate.errors().splitlines()
        told = ("room on the record's disk", "overloaded; ", "overloaded: ")
        unasked = [line for line in complaints if not any(text in line for text in told)]
        assert unasked == []
        gate.assert_record_holds()
        print(f"grown by {grown} bytes in {SECONDS_LOW} s with little room")
    _assert_few_records_while_low(gate)


def used_bytes(gate: GateProcess) -> int:
    """Return how much the record takes on the disk, zeros that wait to be written included."""
    return sum(path.stat().st_size for path in gate.data.rglob("*") if path.is_file())


def until_space(gate: GateProcess, space: str, trader: Trader | None = None) -> None:
    """Wait until the gate has found so much room; the client trades meanwhile."""
    ends = time.monotonic() + 60
    while gate.admin("/admin/v1/status")["record_space"] != space:
        assert time.monotonic() < ends, f"the room is never {space}"
        if trader is not None:
            trader.place_and_cancel()
        else:
            time.sleep(0.05)


def _assert_few_records_while_low(gate: GateProcess) -> None:
    """Hold the record to what strangers may add to it while there is little room."""
    spaces = [SPACE_AMPLE]
    seconds: Counter[int] = Counter()
    for record in gate.records():
        event: Any = record.event
        if isinstance(event, RecordSpace):
            spaces.append(event.space)
        elif spaces[-1] != SPACE_AMPLE and isinstance(event, Request) and event.auth != AUTH_OK:
            seconds[record.now_ns // NS_PER_SECOND] += 1
    assert spaces == [SPACE_AMPLE, SPACE_LOW, SPACE_SCARCE, SPACE_AMPLE]
    assert seconds.total() > 0, "nothing was sent while there was little room"
    # Refusals by a rate limit are each recorded; of what is not shed they take thousands each.
    assert max(seconds.values()) <= RECORDED_ALL_LOW
