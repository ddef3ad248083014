"""Order entry through gRPC sessions: a signed logon, then requests in batches."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from google.protobuf.message import DecodeError

from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from loadtest.control import RECV_WINDOW_MS
from loadtest.market import Market
from loadtest.protocols.grpc_calls import SERVICE
from loadtest.protocols.grpc_stream import StreamConnection
from loadtest.protocols.grpc_wire import (
    cancel_request,
    classify_refusal,
    place_request,
    prefixed,
)
from loadtest.protocols.protocol import Protocol
from loadtest.protocols.senders import Rendered, Senders, Ways
from loadtest.samples import ACCEPTED
from loadtest.signing import Key
from loadtest.target import Target
from loadtest.units import NS_PER_US
from loadtest.workload import Intent, Placement

SESSION_PATH: Final = f"{SERVICE}Session"
_RECV_WINDOW_US: Final = RECV_WINDOW_MS * 1_000


def in_batches(intents: Iterable[Intent], size: int) -> Iterator[list[Intent]]:
    """Return requests in groups of one size, the last one maybe smaller."""
    rest = iter(intents)
    while batch := list(islice(rest, size)):
        yield batch


class SessionProtocol(Protocol):
    """Order entry in sessions: each connection is one, and belongs to one key."""

    name = "gRPC session"

    def __init__(self, target: Target, keys: Sequence[Key], connections: int) -> None:
        # A session is one key's: of more keys than connections only the first ones trade.
        super().__init__(target, keys[:connections], connections)
        self.batch = target.batch

    def rendered(self, intents: Iterable[Intent], epoch_ns: int) -> Rendered:
        """Return each message; its requests are all of one key."""
        lanes = {key.name: lane for lane, key in enumerate(self.keys)}
        wires, chosen = [], array("q")
        for batch in in_batches(intents, self.batch):
            message = wire.SessionRequest(
                timestamp_us=(epoch_ns + batch[0].at_ns) // NS_PER_US,
                recv_window_us=_RECV_WINDOW_US,
                entries=[_entry(intent) for intent in batch],
            )
            assert all(intent.key == batch[0].key for intent in batch)
            wires.append(prefixed(message.SerializeToString()))
            chosen.append(lanes[batch[0].key.name])
        return Rendered(wires, self.batch, chosen)

    def senders(self, ways: Ways, markets: Sequence[Market]) -> Senders:
        """Return connections that are yet to be opened."""
        return SessionSenders(self.target, ways, self.keys)


def _entry(intent: Intent) -> wire.SessionEntry:
    sequence = intent.number + 1
    if isinstance(intent, Placement):
        return wire.SessionEntry(sequence=sequence, place=place_request(intent))
    return wire.SessionEntry(sequence=sequence, cancel=cancel_request(intent.placement))


class SessionSenders(Senders):
    """Sessions of some keys in turn."""

    def __init__(self, target: Target, ways: Ways, keys: tuple[Key, ...]) -> None:
        super().__init__(target, ways, lanes=len(keys))
        self._keys = keys

    def make(self, number: int) -> "SessionConnection":
        """Return a connection that is yet to be opened."""
        lane = number % len(self._keys)
        connection = SessionConnection(self, number, self._keys[lane])
        connection.lane = lane
        return connection


class SessionConnection(StreamConnection):
    """One session."""

    path = SESSION_PATH

    def __init__(self, senders: Senders, number: int, key: Key) -> None:
        super().__init__(senders, number)
        self._key = key

    def first_message(self) -> bytes:
        """Return the logon, signed for this moment."""
        timestamp_us = self.senders.server_now_ns() // NS_PER_US
        payload = f"{SESSION_PATH}\n{timestamp_us}\n{_RECV_WINDOW_US}\n{self._key.name}"
        logon = wire.Logon(
            api_key=self._key.name,
            timestamp_us=timestamp_us,
            recv_window_us=_RECV_WINDOW_US,
            signature=self._key.signature(payload.encode()),
            agent="ordergate-load",
        )
        return wire.SessionRequest(logon=logon).SerializeToString()

    def on_message(self, message: bytes) -> None:
        """Take answers; the first one opens the session."""
        now_ns = self.senders.now_ns()
        try:
            response = wire.SessionResponse.FromString(message)
        except DecodeError:
            raise ValueError("not a SessionResponse") from None
        if response.HasField("logon"):
            self.begin_trading()
        for answer in response.answers:
            field = answer.WhichOneof("answer")
            if field is None:
                raise ValueError(f"the answer to {answer.sequence} says nothing")
            told = getattr(answer, field)
            outcome, label = classify_refusal(told) if field == "refused" else (ACCEPTED, "OK")
            self.answered(answer.sequence - 1, now_ns, outcome, label, told.decision_id)
