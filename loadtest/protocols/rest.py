"""REST over HTTP/1.1 with keep-alive: orders and cancels of the Binance dialect.

Each connection carries one request at a time. A general HTTP client costs the tester more, hides
when a request really went out, and sends some again behind one's back when a connection ends. So
requests are bytes made beforehand, written to the transport as they are, and `httptools` finds
the answers' ends.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

import httptools

from loadtest.control import RECV_WINDOW_MS, signed_query
from loadtest.market import Market
from loadtest.protocols.protocol import Protocol
from loadtest.protocols.senders import Connection, Rendered, Senders, Ways
from loadtest.samples import DECISION_HEADER, ERROR, RULE_HEADER, classify
from loadtest.target import Target
from loadtest.units import NS_PER_MS
from loadtest.workload import Intent, Placement

ORDER_PATH: Final = "/api/v3/order"
BODY_KEPT_MAX: Final = 4_096
"""Bytes of an answer's body that are looked at."""


def order_parameters(intent: Intent, epoch_ns: int) -> dict[str, str]:
    """Return the parameters of an order or cancel in the Binance dialect, without a signature.

    `epoch_ns` is the target's clock at the start of the run.
    """
    if isinstance(intent, Placement):
        parameters = {
            "symbol": intent.symbol,
            "side": "BUY" if intent.buys else "SELL",
            "type": "LIMIT",
            "timeInForce": "IOC" if intent.crosses else "GTC",
            "quantity": intent.quantity,
            "price": intent.price,
            "newClientOrderId": intent.client_order_id,
            "newOrderRespType": "ACK",
        }
    else:
        placed = intent.placement
        parameters = {"symbol": placed.symbol, "origClientOrderId": placed.client_order_id}
    parameters["recvWindow"] = str(RECV_WINDOW_MS)
    parameters["timestamp"] = str((epoch_ns + intent.at_ns) // NS_PER_MS)
    return parameters


def rendered_request(target: Target, method: str, path: str, key_name: str) -> bytes:
    """Return a request as it goes over the wire."""
    return (
        f"{method} {path} HTTP/1.1\r\n"
        f"Host: {target.host_header}\r\n"
        f"X-MBX-APIKEY: {key_name}\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode("ascii")


class RestProtocol(Protocol):
    """Order entry over REST."""

    name = "REST"

    def rendered(self, intents: Iterable[Intent], epoch_ns: int) -> Rendered:
        """Return each request with its signature, ready to be written."""
        return Rendered([self._wire(intent, epoch_ns) for intent in intents])

    def senders(self, ways: Ways, markets: Sequence[Market]) -> Senders:
        """Return connections that are yet to be opened."""
        return RestSenders(self.target, ways)

    def _wire(self, intent: Intent, epoch_ns: int) -> bytes:
        query = signed_query(intent.key, order_parameters(intent, epoch_ns))
        method = "POST" if isinstance(intent, Placement) else "DELETE"
        return rendered_request(self.target, method, f"{ORDER_PATH}?{query}", intent.key.name)


class RestSenders(Senders):
    """Connections that carry a request at a time."""

    def make(self, number: int) -> Connection:
        """Return a connection that is yet to be opened."""
        return _Connection(self, number)


class _Connection(Connection):
    """One connection: a request at a time, and its answer."""

    def __init__(self, senders: Senders, number: int) -> None:
        super().__init__(senders, number)
        self._index = -1
        """The request that waits for its answer, -1 for none."""
        self._last = -1
        """The request that was answered last."""
        self._reset()

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers_done = self._framed = False
        self._stays_open = True
        self._body = b""
        self._decision_id = self._rule = ""

    @property
    def has_room(self) -> bool:
        """A request at a time."""
        return self._index < 0 and self.transport is not None and not self.transport.is_closing()

    def send(self, first: int, count: int, wire: bytes, now_ns: int) -> None:
        """Write a request; the connection must be free."""
        assert self._index < 0
        assert count == 1
        assert self.transport is not None
        self._index = first
        self.senders.samples.sent_ns[first] = now_ns
        self.transport.write(wire)

    def give_up_before(self, latest_ns: int, now_ns: int) -> None:
        """End a request that was sent before a time, and with it the connection."""
        if self._index >= 0 and self.senders.samples.sent_ns[self._index] < latest_ns:
            self._fail("no answer in time", now_ns)

    def _fail(self, label: str, now_ns: int) -> None:
        if self._index >= 0:
            self.senders.samples.end(self._index, now_ns, ERROR, label)
            self._index = -1
        self.abort()

    # --- asyncio.Protocol ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start afresh."""
        super().connection_made(transport)
        self._reset()
        self.senders.freed(self, self.senders.now_ns())

    def data_received(self, data: bytes) -> None:
        """Read an answer, or a part of it."""
        if self._index < 0:
            # Nothing was asked: nobody knows what a further answer would belong to.
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail("malformed answer", self.senders.now_ns())
            return
        if self._index >= 0:
            return
        # Only now, with all that came taken in, is the connection free for another request.
        if self._stays_open:
            self.senders.freed(self, self.senders.samples.answered_ns[self._last])
        else:
            self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """End the request that was under way, and connect again."""
        self.transport = None
        if self._index >= 0:
            if error is None and self._headers_done and not self._framed:
                self._finish()
            else:
                self._fail("connection lost", self.senders.now_ns())
        super().connection_lost(error)

    # --- httptools ----------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """An answer begins; where nothing was asked it is nobody's, and the connection ends."""
        if self._index < 0:
            self._stays_open = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the headers that are needed."""
        lower = name.lower()
        if lower == DECISION_HEADER:
            self._decision_id = value.decode("latin-1")
        elif lower == RULE_HEADER:
            self._rule = value.decode("latin-1")
        elif lower in (b"content-length", b"transfer-encoding"):
            self._framed = True

    def on_headers_complete(self) -> None:
        """Note that the status is known."""
        self._headers_done = self._parser.get_status_code() >= 200

    def on_body(self, body: bytes) -> None:
        """Keep the beginning of the body."""
        if len(self._body) < BODY_KEPT_MAX:
            self._body += body[: BODY_KEPT_MAX - len(self._body)]

    def on_message_complete(self) -> None:
        """The answer is whole; an interim one (1xx) is not the answer."""
        if self._parser.get_status_code() < 200:
            return
        if self._index < 0:
            self._stays_open = False
            return
        self._stays_open = self._parser.should_keep_alive()
        self._finish()

    def _finish(self) -> None:
        """Note the answer."""
        now_ns = self.senders.now_ns()
        samples, index = self.senders.samples, self._index
        outcome, label = classify(self._parser.get_status_code(), self._body, self._rule)
        samples.end(index, now_ns, outcome, label)
        samples.decision_ids[index] = self._decision_id
        self._last, self._index = index, -1
        self._headers_done = self._framed = False
        self._body = b""
        self._decision_id = self._rule = ""
