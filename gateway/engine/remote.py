"""The matching engine in another process, over one bidirectional gRPC stream.

Everything runs on the gate's event loop: what the engine tells is handed to the core there, in
the engine's order, and nothing is ever decided in another thread.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import grpc

from gateway.directory import Directory
from gateway.engine.command_codec import account_message, command_message, symbol_message
from gateway.engine.names import GateNames
from gateway.engine.port import (
    OPENING_BALANCE,
    CancelCommand,
    Command,
    DepthSnapshot,
    EventSink,
    MarketDataListener,
    ReplaceCommand,
)
from gateway.engine.reconciliation import (
    Reconciled,
    Reconciliation,
    add_balances,
    statement,
)
from gateway.engine.report_codec import (
    read_depth,
    read_event,
    read_reference,
    read_result,
    read_trade,
)
from gateway.wire.ordergate.v1 import engine_pb2 as wire
from gateway.wire.ordergate.v1 import engine_pb2_grpc
from rules.book import Book
from rules.decisions import Decision
from rules.events import (
    CommandResult,
    DefineAccount,
    DefineSymbol,
    EngineSession,
    Event,
    Report,
)
from rules.reasons import Reason

BACKOFF_SECONDS: Final = 0.05
BACKOFF_SECONDS_MAX: Final = 2.0
HELLO_SECONDS: Final = 5.0
"""How long the engine may take to answer a hello."""
ACKNOWLEDGE_EVERY: Final = 256
"""Order events after which the engine is told that they have been taken."""
ITEMS_PER_MESSAGE: Final = 1_000
CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 64 * 1_048_576),
    ("grpc.max_send_message_length", 64 * 1_048_576),
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # Else a new channel would wait for the back-off of the one before.
    ("grpc.use_local_subchannel_pool", 1),
)

_logger = logging.getLogger(__name__)


class Resume(NamedTuple):
    """Where a gate that was restarted takes up its engine again."""

    epoch: int = 0
    last_seq: int = 0
    unanswered: tuple[int, ...] = ()


class LinkError(Exception):
    """The engine broke the protocol of the link; the link is taken up anew."""


class RemoteEngine:
    """An `EnginePort` on an engine process at `target` (`host:port`).

    `balances` gives (account, asset, total) of everything the gate's book holds, for an engine
    that does not know; `lot_step_e8` gives, by symbol name, what orders by quote amount are
    rounded down to. `clock_now` times refusals made here. While the link is down, orders are
    refused with ENGINE_UNAVAILABLE, for they certainly were not sent; cancels wait and are sent
    as soon as the link is back.
    """

    def __init__(
        self,
        target: str,
        directory: Directory,
        clock_now: Callable[[], int],
        balances: Callable[[], Iterable[tuple[int, int, int]]] = tuple,
        lot_step_e8: Callable[[str], int] = lambda _name: 1,
        resume: Resume = Resume(),  # noqa: B008 (a NamedTuple never changes)
        gate: str = "ordergate",
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        self.target = target
        self.connected = False
        self.epoch = resume.epoch
        self.last_seq = resume.last_seq
        self._names = GateNames(directory)
        self._clock_now = clock_now
        self._balances = balances
        self._lot_step_e8 = lot_step_e8
        self._gate = gate
        self._credentials = credentials
        self._sink: EventSink = _nowhere
        self._market_data: MarketDataListener | None = None
        self._recovered = frozenset(resume.unanswered)
        """Commands an earlier run of the gate sent; what they were is not known here."""
        self._unanswered: dict[int, Command] = {}
        self._greeted: list[int] = []
        """Unanswered commands the engine was told of in the last hello."""
        self._definitions: dict[tuple[str, str], wire.GateItem] = {}
        self._deposits: dict[int, wire.GateItem] = {}
        self._next_deposit_id = 0
        self._items: list[wire.GateItem] = []
        self._ready = asyncio.Event()
        self._up = asyncio.Event()
        self._acknowledged = 0
        self._reconciles = False
        self._reconciliation: Reconciliation | None = None
        self._depths: dict[int, DepthSnapshot] = {}
        self._task: asyncio.Task[None] | None = None

    # --- The port -----------------------------------------------------------------------------

    def start(self, sink: EventSink, market_data: MarketDataListener) -> None:
        """Begin to link up; must be called on the event loop, where `sink` is called too."""
        self._sink = sink
        self._market_data = market_data
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(_ended)
        sink(EngineSession(False, self.epoch, self.last_seq))

    async def wait_connected(self, seconds: float) -> None:
        """Return once the link is up; raises TimeoutError when it does not come up in time."""
        async with asyncio.timeout(seconds):
            await self._up.wait()

    async def reconcile(self, book: Callable[[], Book | None]) -> Reconciled:
        """Have the engine end and tell what the book sees differently; once, before serving.

        `book` returns None as long as it waits for an answer of the engine.
        """
        if not self._reconciles:
            _logger.warning("engine %s can't compare orders and balances", self.target)
            return Reconciled()
        self._reconciliation = Reconciliation(lambda: self._statement(book()), self._tell)
        try:
            return await self._reconciliation.run()
        finally:
            self._reconciliation = None

    def on_record(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        """Tell the engine now and then which reports are safe, so that it need not keep them.

        Called with each record that may leave.
        """
        if isinstance(event, Report) and event.engine_seq - self._acknowledged >= ACKNOWLEDGE_EVERY:
            self._acknowledged = event.engine_seq
            acknowledgement = wire.Acknowledgement(last_seq=event.engine_seq)
            self._tell(wire.GateItem(acknowledge=acknowledgement))

    def define_symbol(self, symbol: DefineSymbol) -> None:
        """Make an instrument known, or change its commissions and lot step from here on."""
        lot_step_e8 = symbol.lot_step_e8 or self._lot_step_e8(symbol.name)
        self._define("symbol", symbol.name, symbol_message(self._names, symbol, lot_step_e8))

    def define_account(self, account: DefineAccount) -> None:
        """Make an account known."""
        self._define("account", account.name, account_message(self._names, account))

    def deposit(self, account: int, asset: int, amount_e8: int, note: str) -> None:
        """Have an account credited (or, below zero, debited): one BalanceAdjusted.

        While the link is down it waits, and it is booked once however often the link breaks.
        """
        self._next_deposit_id = max(self._next_deposit_id + 1, self._clock_now())
        deposit_id = self._next_deposit_id
        if note == OPENING_BALANCE:
            # The same at every attempt: a start may have died after the engine booked it.
            deposit_id = _opening_id(
                self._names.account_name(account), self._names.asset_name(asset)
            )
        item = wire.GateItem(
            deposit=wire.Deposit(
                account=self._names.account_name(account),
                asset=self._names.asset_name(asset),
                amount_e8=amount_e8,
                note=note,
                deposit_id=deposit_id,
            )
        )
        self._deposits[deposit_id] = item
        self._tell(item)

    def set_symbol_state(self, symbol: int, state: int) -> None:
        """Open, halt or restrict matching in a symbol."""
        name = self._names.symbol_name(symbol)
        message: Any = wire.SymbolState(symbol=name)
        message.state = state
        self._define("state", name, wire.GateItem(symbol_state=message))

    def send(self, command: Command) -> None:
        """Hand over one command; its CommandResult comes to the sink."""
        if self.connected:
            self._unanswered[command.command_id] = command
            self._tell(command_message(self._names, command))
        elif isinstance(command, CancelCommand):
            self._unanswered[command.command_id] = command
        else:
            self._sink(self._refused(command.command_id, command, Reason.ENGINE_UNAVAILABLE))

    def depth(self, symbol: int, levels: int) -> DepthSnapshot:
        """Return the newest depth the engine has told, empty before the first."""
        depth = self._depths.get(symbol)
        if depth is None:
            return DepthSnapshot(symbol, 0, 0, (), ())
        return DepthSnapshot(
            symbol, depth.update_id, depth.engine_ns, depth.bids[:levels], depth.asks[:levels]
        )

    def close(self) -> None:
        """End the session; nothing is handed on afterwards."""
        self._sink = _nowhere
        self._market_data = None
        self.connected = False
        if self._task is not None:
            self._task.cancel()

    async def wait_closed(self) -> None:
        """Return once the link's task has ended, after `close`."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    # --- The link -----------------------------------------------------------------------------

    async def _run(self) -> None:
        """Link up, and again whenever the link breaks."""
        wait_seconds = BACKOFF_SECONDS
        while True:
            try:
                await self._link()
                reason = "the engine ended it"
            except (grpc.aio.AioRpcError, LinkError, TimeoutError) as error:
                reason = _reason(error)
            if self.connected:
                _logger.warning("link to engine %s is lost: %s", self.target, reason)
                wait_seconds = BACKOFF_SECONDS
                self._lost()
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(2 * wait_seconds, BACKOFF_SECONDS_MAX)

    def _channel(self) -> grpc.aio.Channel:
        if self._credentials is None:
            return grpc.aio.insecure_channel(self.target, options=CHANNEL_OPTIONS)
        return grpc.aio.secure_channel(self.target, self._credentials, options=CHANNEL_OPTIONS)

    async def _link(self) -> None:
        """Serve one link until it breaks."""
        async with self._channel() as channel:
            call = engine_pb2_grpc.EngineStub(channel).Link()  # type: ignore[no-untyped-call]
            writer: asyncio.Task[None] | None = None
            try:
                async with asyncio.timeout(HELLO_SECONDS):
                    await call.write(wire.GateMessage(items=[self._hello()]))
                    message = await call.read()
                if message is grpc.aio.EOF:
                    raise LinkError("the engine ended the link before its hello")
                if not message.items or message.items[0].WhichOneof("item") != "hello":
                    raise LinkError("the engine did not begin with a hello")
                self._begin(message.items[0].hello)
                writer = asyncio.create_task(self._write_to(call))
                self._take(message.items[1:])
                while (message := await call.read()) is not grpc.aio.EOF:
                    self._take(message.items)
            finally:
                if writer is not None:
                    writer.cancel()
                call.cancel()

    def _hello(self) -> wire.GateItem:
        self._greeted = sorted(self._recovered | self._unanswered.keys())
        hello = wire.GateHello(
            gate=self._gate,
            epoch=self.epoch,
            last_seq=self.last_seq,
            unanswered=self._greeted,
        )
        add_balances(hello, self._names, self._balances())
        return wire.GateItem(hello=hello)

    def _begin(self, hello: wire.EngineHello) -> None:
        """Take up the old epoch or begin a new one.

        Commands the engine never got, or lost with its epoch, are answered first, while the link
        still counts as down. Cancels it has not got are sent (again), whenever they were asked
        for: they can be sent as often as need be, orders can't.
        """
        received: frozenset[int] = frozenset()
        if hello.resumed:
            received = frozenset(self._greeted).difference(hello.not_received)
        reason = Reason.ENGINE_UNAVAILABLE if hello.resumed else Reason.ENGINE_LOST
        for command_id in self._greeted:
            command = self._unanswered.get(command_id)
            repeatable = hello.resumed and isinstance(command, CancelCommand)
            if command_id not in received and not repeatable:
                self._unanswered.pop(command_id, None)
                self._sink(self._refused(command_id, command, reason))
        if not hello.resumed:
            self.epoch, self.last_seq = hello.epoch, hello.last_seq
        again = [
            command_message(self._names, command)
            for command_id, command in self._unanswered.items()
            if command_id not in received
        ]
        self._recovered = frozenset()
        self._reconciles = hello.reconciles
        self._acknowledged = min(self._acknowledged, self.last_seq)
        self._items = [*self._definitions.values(), *self._deposits.values(), *again]
        self._ready.set()
        self.connected = True
        self._up.set()
        self._sink(EngineSession(True, self.epoch, self.last_seq))

    def _lost(self) -> None:
        self.connected = False
        self._up.clear()
        self._items.clear()
        if self._reconciliation is not None:
            self._reconciliation.told(None)
        self._sink(EngineSession(False, self.epoch, self.last_seq))

    async def _write_to(self, call: Any) -> None:
        """Send everything as it comes, several items in one message, until the link breaks."""
        # Whoever reads sees the end of the link too, and says so.
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            while True:
                await self._ready.wait()
                self._ready.clear()
                while self._items:
                    batch = self._items[:ITEMS_PER_MESSAGE]
                    del self._items[:ITEMS_PER_MESSAGE]
                    await call.write(wire.GateMessage(items=batch))

    def _statement(self, book: Book | None) -> wire.Reconcile | None:
        if book is None or self._unanswered or self._deposits or not self.connected:
            return None
        return statement(book, self._names, self._balances())

    def _tell(self, item: wire.GateItem) -> bool:
        if self.connected:
            self._items.append(item)
            self._ready.set()
        return self.connected

    def _define(self, kind: str, name: str, item: wire.GateItem) -> None:
        self._definitions[kind, name] = item
        self._tell(item)

    # --- What the engine tells ----------------------------------------------------------------

    def _take(self, items: Iterable[wire.EngineItem]) -> None:
        """Hand on everything, in order; raises LinkError on what does not follow."""
        names = self._names
        for item in items:
            kind = item.WhichOneof("item")
            if kind == "result":
                self._take_result(item.result)
            elif kind == "event":
                self._take_event(item.event)
            elif kind == "reference":
                self._sink(read_reference(names, item.reference))
            elif kind == "depth":
                depth = read_depth(names, item.depth)
                self._depths[depth.symbol] = depth
                if self._market_data is not None:
                    self._market_data.on_depth(depth)
            elif kind == "reconciled" and self._reconciliation is not None:
                self._reconciliation.told(item.reconciled)
            elif kind == "trade" and self._market_data is not None:
                self._market_data.on_trade(read_trade(names, item.trade))

    def _take_result(self, message: wire.CommandResult) -> None:
        self._unanswered.pop(message.command_id, None)
        try:
            result = read_result(self._names, message)
        except ValueError as error:
            raise LinkError(f"result of command {message.command_id}: {error}") from None
        self._sink(result)

    def _take_event(self, message: wire.OrderEvent) -> None:
        if message.engine_seq <= self.last_seq:
            return
        if message.engine_seq != self.last_seq + 1:
            raise LinkError(f"order event {message.engine_seq} follows {self.last_seq}")
        try:
            report = read_event(self._names, message)
        except ValueError as error:
            raise LinkError(str(error)) from None
        self.last_seq = message.engine_seq
        if message.balance.deposit_id:
            self._deposits.pop(message.balance.deposit_id, None)
        self._sink(report)

    def _refused(self, command_id: int, command: Command | None, reason: Reason) -> CommandResult:
        """Return the result of a command the engine has not got or has lost."""
        order_id = 0
        if isinstance(command, CancelCommand):
            order_id = command.order_ids[0] if len(command.order_ids) == 1 else 0
        elif isinstance(command, ReplaceCommand):
            order_id = command.place.order_id
        elif command is not None:
            order_id = command.order_id
        return CommandResult(command_id, order_id, False, reason, 0, self._clock_now())


def _reason(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    return str(error) or "the engine did not answer"


def _ended(task: "asyncio.Task[None]") -> None:
    """Say so when the link ended by a fault of the gate: it would never come up again."""
    if not task.cancelled() and task.exception() is not None:
        _logger.critical("link to the engine ended by a fault", exc_info=task.exception())


def _opening_id(account: str, asset: str) -> int:
    """Return the number of an account's opening balance, above all that follow the clock."""
    digest = hashlib.sha256(f"{account}\0{asset}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 2 | 1 << 62


def _nowhere(event: Event) -> None:
    """Drop what an engine says outside of a session."""
