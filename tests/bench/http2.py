"""What HTTP/2 costs the load tester: `python -m tests.bench.http2 --help`.

The same unary calls and answers pass through the tester's own half of HTTP/2 (hyperframe and
hpack with little around them) and through `h2`, without sockets. The figure is processor time a
call, the median of some rounds; a ratio of one run may be compared, figures of two may not.
"""

import argparse
import asyncio
import statistics
import sys
import time
from array import array
from collections.abc import Callable
from typing import Any, Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived
from hpack import Encoder
from rich.console import Console
from rich.table import Table

from loadtest.protocols.grpc_calls import CallsSenders
from loadtest.protocols.grpc_wire import call_headers, prefixed
from loadtest.protocols.http2 import FRAME_MAX, headers_frame
from loadtest.protocols.senders import Rendered, Ways
from loadtest.samples import ACCEPTED, Samples
from loadtest.target import parse_target
from loadtest.units import NS_PER_SECOND, NS_PER_US

IN_FLIGHT: Final = 16
_TARGET: Final = parse_target("grpc://127.0.0.1:1", "unary", 1, "http://127.0.0.1:1")
_SIGNED: Final = (
    ("x-ordergate-key", "k" * 64),
    ("x-ordergate-timestamp", "1795230673000000"),
    ("x-ordergate-recv-window", "60000000"),
    ("x-ordergate-signature", "a" * 64),
)
_HEADERS: Final = [*call_headers(_TARGET, "/ordergate.v1.OrderEntry/Place"), *_SIGNED]
_MESSAGE: Final = prefixed(b"m" * 64)
_SETTINGS: Final = bytes.fromhex("0000000400000000000000040800000000003fffffff")
# As gRPC's own servers write them: literals, no Huffman code.
_STATUS: Final = Encoder().encode(
    [(":status", "200"), ("content-type", "application/grpc", True)], huffman=False
)
_TRAILERS: Final = Encoder().encode(
    [("grpc-status", "0", True), ("x-ordergate-decision", "d" * 26, True)], huffman=False
)


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return a frame of HTTP/2."""
    assert len(payload) <= FRAME_MAX
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def answers(calls: int) -> list[bytes]:
    """Return an answer to each call."""
    return [
        frame(1, 4, stream, _STATUS)
        + frame(0, 0, stream, _MESSAGE)
        + frame(1, 5, stream, _TRAILERS)
        for stream in range(1, 2 * calls, 2)
    ]


class Nowhere(asyncio.Transport):
    """Takes what is written."""

    def write(self, data: Any) -> None:
        """Forget it."""

    def is_closing(self) -> bool:
        """It never is."""
        return False


def own(calls: int, said: list[bytes]) -> int:
    """Return what the calls cost the tester's own half, in ns."""
    wire = headers_frame(_HEADERS) + _MESSAGE
    senders = CallsSenders(_TARGET, Ways(1, NS_PER_SECOND))
    senders.samples = Samples(array("q", [0]) * calls)
    senders._rendered = Rendered([wire] * calls)
    connection = senders.make(0)
    connection.connection_made(Nowhere())
    connection.data_received(_SETTINGS)
    before_ns = time.process_time_ns()
    for number in range(calls + IN_FLIGHT):
        if number < calls:
            connection.send(number, 1, wire, senders.now_ns())
        if number >= IN_FLIGHT:
            connection.data_received(said[number - IN_FLIGHT])
    used_ns = time.process_time_ns() - before_ns
    assert senders.samples.counts[ACCEPTED] == calls
    return used_ns


def with_h2(calls: int, said: list[bytes]) -> int:
    """Return what the calls cost `h2`, with its checks of headers turned off, in ns."""
    config = H2Configuration(
        client_side=True,
        header_encoding=None,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
        validate_inbound_headers=False,
        normalize_inbound_headers=False,
    )
    connection = H2Connection(config)
    connection.initiate_connection()
    connection.receive_data(_SETTINGS)
    connection.data_to_send()
    before_ns = time.process_time_ns()
    for number in range(calls + IN_FLIGHT):
        if number < calls:
            connection.send_headers(2 * number + 1, _HEADERS)
            connection.send_data(2 * number + 1, _MESSAGE, end_stream=True)
            connection.data_to_send()
        if number >= IN_FLIGHT:
            for event in connection.receive_data(said[number - IN_FLIGHT]):
                if isinstance(event, DataReceived):
                    assert event.flow_controlled_length is not None
                    connection.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
            connection.data_to_send()
    return time.process_time_ns() - before_ns


def median_us(kind: Callable[[int, list[bytes]], int], calls: int, rounds: int) -> float:
    """Return the median cost of a call in µs."""
    said = answers(calls)
    return statistics.median(kind(calls, said) for _ in range(rounds)) / calls / NS_PER_US


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.http2", description=__doc__)
    parser.add_argument("--calls", type=int, default=3_000, help="calls a round")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    table = Table(title="a unary call over HTTP/2, processor time of the client")
    for heading in ("by", "µs a call", "of h2"):
        table.add_column(heading, justify="right")
    reference_us = median_us(with_h2, chosen.calls, chosen.rounds)
    for name, used_us in (
        ("h2", reference_us),
        ("load tester", median_us(own, chosen.calls, chosen.rounds)),
    ):
        table.add_row(name, f"{used_us:.0f}", f"{used_us / reference_us:.2f}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
