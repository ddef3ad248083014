"""A small gate behind the gRPC edge: real directory, book, access rules, views and engine.

In the place of the pipeline stand the rules a test needs, in order; everything else is real.
"""

import asyncio
import hashlib
import hmac
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.rpc.status_pb2 import Status

from gateway.auth.authenticator import Authenticator
from gateway.auth.material import KeyMaterial
from gateway.decision_id import DecisionIds
from gateway.dialects.native.desk import Desk
from gateway.directory import Directory
from gateway.edges.grpc_orders import GrpcOrderEdge
from gateway.engine.embedded import EmbeddedEngine
from gateway.engine.port import CancelCommand, PlaceCommand, ReplaceCommand
from gateway.outcome import Outcome, Reply
from gateway.stub.exchange import MatchingExchange
from gateway.turns import PATIENT, Turns
from gateway.views import Views
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from gateway.wire.ordergate.v1.order_entry_pb2_grpc import OrderEntryStub
from rules.access.authentication import Authentication
from rules.access.recv_window import RecvWindow
from rules.book import Book, KeyFacts, SymbolFacts
from rules.decisions import ACCEPTED, NOTED_DECISION, REFUSED, Breach, Decision
from rules.events import (
    Cancel,
    CancelAll,
    CommandResult,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Event,
    Place,
    RefusedRequest,
    Replace,
    Request,
)
from rules.filters.price_filter import PriceFilter
from rules.rule import Rule
from rules.rulebook import parse_rulebook
from rules.values import (
    BUY,
    DEFINE_ASSET,
    E8,
    FLAG_TEST,
    GTC,
    LIMIT,
    PERMIT_READ,
    PERMIT_TRADE,
    SYMBOL_TRADING,
)

KEY = "K" * 64
OTHER_KEY = "O" * 64
SECRET = b"the secret of the test key"
PATH = "/ordergate.v1.OrderEntry/"
SECONDS = 20.0
_SIGNED = (
    "order_place",
    "order_test",
    "order_cancel",
    "open_orders_cancel",
    "order_cancel_replace",
    "order_query",
    "session_logon",
)
RULEBOOK = """
name = "test"
[rules.authentication]
mode = "enforce"
[rules.recv_window]
mode = "enforce"
[rules.price_filter]
mode = "enforce"
[instruments.default]
min_price = "0.01"
max_price = "1000000"
tick_size = "0.01"
""" + "".join(f'[endpoints.{name}]\nsecurity = "signed"\n' for name in _SIGNED)


class Rules:
    """The rules in force, by name."""

    def __init__(self, rules: list[Rule]) -> None:
        self.rules = rules

    def rule(self, name: str) -> Rule | None:
        """Return a rule by its name."""
        return next((rule for rule in self.rules if rule.name == name), None)


class Core:
    """Decides with a few rules, keeps the record in a list, sends to an embedded engine."""

    def __init__(self) -> None:
        self.rulebook = parse_rulebook("test", {"test": RULEBOOK})
        kinds = (Authentication, RecvWindow, PriceFilter)
        self.pipeline = Rules([kind(self.rulebook) for kind in kinds])
        self.book = Book()
        self.directory = Directory(self.submit)
        self.record: list[tuple[Event, Decision]] = []
        self.engine = EmbeddedEngine(MatchingExchange(), time.time_ns)
        self.views = Views(self, self.engine, seed_history=False)
        self.held = False
        """Whether results of the engine are held back until `release`."""
        self._late: list[CommandResult] = []
        self._queue: deque[tuple[Event, Reply | None]] = deque()
        self._draining = False
        self._waiting: dict[int, tuple[Outcome, Reply | None]] = {}
        self._orders: dict[int, tuple[int, int, str]] = {}
        self._next_order_id = 1

    def now_ns(self) -> int:
        """Return the time."""
        return time.time_ns()

    def submit(self, event: Event, reply: Reply | None = None) -> None:
        """Decide an event, one wholly after the other."""
        self._queue.append((event, reply))
        if self._draining:
            return
        self._draining = True
        while self._queue:
            self._decide(*self._queue.popleft())
        self._draining = False

    def _decide(self, event: Event, reply: Reply | None) -> None:
        now_ns, seq = self.now_ns(), len(self.record) + 1
        decision = self._decision(event, now_ns)
        self.record.append((event, decision))
        self.directory.on_event(event)
        self._define(event)
        self.views.on_record(seq, now_ns, event, decision)
        outcome = Outcome(seq, now_ns, event, decision)
        if isinstance(event, CommandResult):
            waiting, waiting_reply = self._waiting.pop(event.command_id)
            if waiting_reply is not None:
                waiting_reply(
                    Outcome(
                        waiting.seq, waiting.now_ns, waiting.event, waiting.decision, event, now_ns
                    )
                )
        elif decision.verdict == ACCEPTED and (command := self._command(seq, event, decision)):
            self._waiting[seq] = outcome, reply
            self.engine.send(command)
        elif reply is not None:
            reply(outcome)

    def _decision(self, event: Event, now_ns: int) -> Decision:
        if not isinstance(event, Request):
            return NOTED_DECISION
        key = self.directory.keys_by_number.get(event.key)
        account = key.account if key is not None else 0
        for rule in self.pipeline.rules:
            if isinstance(event, rule.wants):
                breach = rule.check(event, self.book, now_ns)
                if isinstance(breach, Breach):
                    return Decision(REFUSED, (breach,), account=account)
        if isinstance(event, RefusedRequest):
            return Decision(REFUSED, (Breach("request", event.reason, 0, 0),), account=account)
        if isinstance(event, (Place, Replace)) and not event.flags & FLAG_TEST:
            self._next_order_id += 1
            name = event.client_order_id or f"made-{self._next_order_id}"
            self._orders[self._next_order_id] = account, event.symbol, name
            return Decision(
                ACCEPTED, order_id=self._next_order_id, account=account, client_order_id=name
            )
        if isinstance(event, Cancel):
            return Decision(ACCEPTED, order_id=self._find(account, event), account=account)
        return Decision(ACCEPTED, account=account)

    def _find(self, account: int, event: Any) -> int:
        if event.order_id:
            return int(event.order_id)
        for order_id, (owner, _, name) in self._orders.items():
            if (owner, name) == (account, event.orig_client_order_id):
                return order_id
        return 999

    def _define(self, event: Event) -> None:
        if isinstance(event, DefineSymbol):
            filters = self.rulebook.filters(event.name)
            self.book.symbols[event.symbol] = SymbolFacts(
                event.symbol, event.name, event.base_asset, event.quote_asset, filters
            )
        elif isinstance(event, DefineKey):
            self.book.keys[event.key] = KeyFacts(
                event.key, event.name, event.account, event.permissions, frozenset(), 0, True
            )

    def _command(self, seq: int, event: Event, decision: Decision) -> Any:
        if isinstance(event, (Place, Replace)):
            if event.flags & FLAG_TEST:
                return None
            place = PlaceCommand(
                seq,
                decision.order_id,
                decision.account,
                event.symbol,
                event.side,
                event.order_type,
                event.time_in_force,
                event.price_e8,
                event.quantity_e8,
                event.quote_quantity_e8,
                0,
                event.stp_mode or 1,
                decision.client_order_id,
            )
            if isinstance(event, Replace):
                cancelled = self._find(decision.account, event)
                return ReplaceCommand(seq, cancelled, place, event.allow_failure)
            return place
        if isinstance(event, Cancel):
            return CancelCommand(seq, (decision.order_id,), 1)
        if isinstance(event, CancelAll):
            open_ids = [
                order.order_id
                for order in self.engine.exchange.open_orders()
                if order.account == decision.account and event.symbol in (0, order.symbol)
            ]
            return CancelCommand(seq, tuple(open_ids), 1) if open_ids else None
        return None

    def from_engine(self, event: Event) -> None:
        """Take what the engine says."""
        if self.held and isinstance(event, CommandResult):
            self._late.append(event)
        else:
            self.submit(event)

    def answer_unknown(self) -> None:
        """Tell every waiting client that its command had no answer in time."""
        waiting, self._waiting = self._waiting, {}
        for seq, (outcome, reply) in waiting.items():
            if reply is not None:
                event, decision = outcome.event, outcome.decision
                result = CommandResult(seq, decision.order_id, False, None, 0, 0, unknown=True)
                reply(Outcome(seq, outcome.now_ns, event, decision, result))

    def release(self) -> None:
        """Let held results come."""
        self.held = False
        late, self._late = self._late, []
        for result in late:
            self.submit(result)


class World:
    """One edge on a core, with two keys of two funded accounts."""

    def __init__(self) -> None:
        self.core = core = Core()
        core.engine.start(core.from_engine, core.views.market)
        base, quote = (core.directory.number(DEFINE_ASSET, name) for name in ("BTC", "USDT"))
        core.submit(DefineSymbol(1, "BTCUSDT", base, quote, SYMBOL_TRADING, 100 * E8, 1000, 2000))
        core.engine.define_symbol(core.directory.symbols["BTCUSDT"])
        for account, name, key in ((1, "alice", KEY), (2, "bob", OTHER_KEY)):
            core.submit(DefineAccount(account, name, account, "", 0))
            core.submit(DefineKey(account, key, account, PERMIT_READ | PERMIT_TRADE, (), 0))
            core.engine.define_account(core.directory.accounts[name])
            for asset in (base, quote):
                core.engine.deposit(account, asset, 10_000 * E8, "")
        self.materials = {name: KeyMaterial("hmac", SECRET) for name in (KEY, OTHER_KEY)}
        self.ids = DecisionIds(b"ids of the grpc world")
        self.desk = Desk(core, core.views.orders, self.ids)
        self.defined = len(core.record)

    def requests(self) -> list[tuple[Any, Decision]]:
        """Return what clients asked since the world was made, with what was decided."""
        return [pair for pair in self.core.record[self.defined :] if isinstance(pair[0], Request)]

    def events(self, kind: type[Event]) -> list[Any]:
        """Return the events of a kind."""
        return [event for event, _ in self.core.record if isinstance(event, kind)]

    @asynccontextmanager
    async def serve(
        self,
        credentials: grpc.ServerCredentials | None = None,
        port: int = 0,
        shutdown_seconds: float = 5,
        **bounds: Any,
    ) -> AsyncIterator[str]:
        """Serve on a port, a free one for 0; yield the address."""
        authenticator = Authenticator(self.materials.get, self.core.directory)
        bounds.setdefault("turns", Turns(PATIENT))
        edge = GrpcOrderEdge(
            self.core,
            self.desk,
            authenticator,
            time.time_ns,
            credentials=credentials,
            shutdown_seconds=shutdown_seconds,
            **bounds,
        )
        port = await edge.start("127.0.0.1", port)
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await edge.close()

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[grpc.aio.Channel]:
        """Serve, and open a channel to it."""
        async with self.serve() as address, grpc.aio.insecure_channel(address) as channel:
            yield channel


def sign(payload: bytes, secret: bytes = SECRET) -> str:
    """Return an HMAC signature."""
    return hmac.new(secret, payload, hashlib.sha256).hexdigest()


def metadata(
    method: str,
    message: bytes,
    key: str = KEY,
    timestamp: str | None = None,
    recv_window: str | None = None,
) -> list[tuple[str, str]]:
    """Return the signed metadata of a unary call, as docs/grpc.md describes it."""
    if timestamp is None:
        timestamp = str(time.time_ns() // 1_000)
    payload = f"{PATH}{method}\n{timestamp}\n{recv_window or ''}\n".encode() + message
    found = [
        ("x-ordergate-key", key),
        ("x-ordergate-timestamp", timestamp),
        ("x-ordergate-signature", sign(payload)),
    ]
    if recv_window is not None:
        found.append(("x-ordergate-recv-window", recv_window))
    return found


def logon(key: str = KEY, **fields: Any) -> wire.Logon:
    """Return a signed logon, as docs/grpc.md describes it."""
    message = wire.Logon(api_key=key, timestamp_us=time.time_ns() // 1_000)
    for name, value in fields.items():
        setattr(message, name, value)
    text = f"{PATH}Session\n{message.timestamp_us}\n{message.recv_window_us}\n{message.api_key}"
    if not message.signature:
        message.signature = sign(text.encode())
    return message


def limit_order(price: int = 100, quantity: int = 1, **fields: Any) -> wire.PlaceRequest:
    """Return a limit buy of whole coins."""
    values: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": BUY,
        "order_type": LIMIT,
        "time_in_force": GTC,
        "price_e8": price * E8,
        "quantity_e8": quantity * E8,
    }
    return wire.PlaceRequest(**(values | fields))


def run(test: Callable[[World], Awaitable[None]]) -> World:
    """Run a test with a new world and return that world."""

    async def timed() -> World:
        world = World()
        async with asyncio.timeout(SECONDS):
            await test(world)
        return world

    return asyncio.run(timed())


async def call(channel: grpc.aio.Channel, method: str, message: Any, key: str = KEY) -> Any:
    """Make a signed unary call and return the response."""
    stub = getattr(OrderEntryStub(channel), method)
    return await stub(message, metadata=metadata(method, message.SerializeToString(), key))


async def refused(channel: grpc.aio.Channel, path: str, raw: bytes, sent: Any) -> Any:
    """Make a raw call that is refused; return (status code, refusal, trailing metadata)."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await channel.unary_unary(path)(raw, metadata=sent)
    return told(failure.value)


def told(error: grpc.aio.AioRpcError) -> tuple[grpc.StatusCode, wire.Refusal, dict[str, Any]]:
    """Return what a refusal tells: code, details, metadata."""
    trailing = dict(error.trailing_metadata() or ())
    status = Status.FromString(trailing["grpc-status-details-bin"])
    refusal = wire.Refusal()
    assert status.details[0].Unpack(refusal)
    assert (status.code, status.message) == (error.code().value[0], error.details())
    assert trailing["x-ordergate-decision"] == refusal.decision_id
    return error.code(), refusal, trailing
