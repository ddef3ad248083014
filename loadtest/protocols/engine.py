"""Order entry straight into an engine process, over the link a gate has with it.

What the gate costs is what a run through it takes longer than this one. The tester takes the
gate's place: a link ends the one there was, and begins a new epoch, in which no order is open.
"""

import hashlib
import time
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import product
from typing import Final, Self

from google.protobuf.message import DecodeError

from gateway.wire.ordergate.v1 import engine_pb2 as wire
from gateway.wire.ordergate.v1 import values_pb2 as codes
from loadtest.clock import utc_minus_stopwatch_ns
from loadtest.control import RECV_WINDOW_MS, Control, RestControl
from loadtest.market import Market
from loadtest.protocols.grpc_session import in_batches
from loadtest.protocols.grpc_stream import StreamConnection
from loadtest.protocols.grpc_wire import e8, prefixed, reason_name
from loadtest.protocols.protocol import Protocol
from loadtest.protocols.senders import Rendered, Senders, Ways
from loadtest.samples import ACCEPTED, REFUSED
from loadtest.signing import Key
from loadtest.target import Target
from loadtest.units import NS_PER_MS, LoadTestError
from loadtest.workload import Intent, Placement

LINK_PATH: Final = "/ordergate.v1.Engine/Link"
MARKET: Final = Market(
    symbol="BTCUSDT",
    tick=Decimal("0.01"),
    step=Decimal("0.00001"),
    quantity_min=Decimal("0.00001"),
    notional_min=Decimal(5),
    bid=Decimal("64999.99"),
    ask=Decimal("65000.01"),
    base="BTC",
    quote="USDT",
)
"""What is traded where no REST API tells: the first instrument of `load prepare`."""
ACKNOWLEDGE_EVERY: Final = 256
"""Order events after which the engine is told that it need not keep them."""
_FUNDS_E8: Final = 10**9 * 10**8
"""Of each asset, for each account."""
_COMMISSION_PPM: Final = 1_000


class EngineProtocol(Protocol):
    """Commands to an engine. It talks to one gate at a time, so there is one connection."""

    name = "engine"

    def __init__(self, target: Target, keys: Sequence[Key], connections: int) -> None:
        super().__init__(target, keys, min(connections, 1))
        self.batch = target.batch

    def control(self) -> Control:
        """Return the market that is traded, and the engine's clock, which is this machine's."""
        return EngineControl(self.target)

    def rendered(self, intents: Iterable[Intent], epoch_ns: int) -> Rendered:
        """Return each message of commands, with the numbers of requests as command and order ids."""
        wires = []
        for batch in in_batches(intents, self.batch):
            items = [_command(intent, epoch_ns) for intent in batch]
            wires.append(prefixed(wire.GateMessage(items=items).SerializeToString()))
        return Rendered(wires, self.batch)

    def senders(self, ways: Ways, markets: Sequence[Market]) -> Senders:
        """Return the one connection, yet to be opened."""
        accounts = [_account(key) for key in self.keys]
        return EngineSenders(self.target, ways, _definitions(accounts, markets))


def _account(key: Key) -> str:
    return key.account or key.name


def _command(intent: Intent, epoch_ns: int) -> wire.GateItem:
    """Return a command as a gate sends it; each link begins an epoch, so ids may begin anew."""
    command_id = intent.number + 1
    if not isinstance(intent, Placement):
        cancel = wire.CancelOrders(
            command_id=command_id,
            order_ids=[intent.placement.number + 1],
            cause=codes.CAUSE_CLIENT,
        )
        return wire.GateItem(cancel=cancel)
    place = wire.PlaceOrder(
        command_id=command_id,
        order_id=command_id,
        account=_account(intent.key),
        symbol=intent.symbol,
        side=codes.SIDE_BUY if intent.buys else codes.SIDE_SELL,
        order_type=codes.ORDER_TYPE_LIMIT,
        time_in_force=codes.TIME_IN_FORCE_IOC if intent.crosses else codes.TIME_IN_FORCE_GTC,
        price_e8=e8(intent.price),
        quantity_e8=e8(intent.quantity),
        stp_mode=codes.STP_MODE_NONE,
        client_order_id=intent.client_order_id,
        valid_until_ns=epoch_ns + intent.at_ns + RECV_WINDOW_MS * NS_PER_MS,
    )
    return wire.GateItem(place=place)


def _definitions(accounts: Iterable[str], markets: Iterable[Market]) -> list[wire.GateItem]:
    """Return what an engine must know before it can match.

    A deposit has the same number each time, so an engine that has booked it does so no more.
    """
    items: list[wire.GateItem] = []
    assets: dict[str, None] = {}
    for market in markets:
        base, quote = market.base or f"{market.symbol}-base", market.quote or "quote"
        assets |= {base: None, quote: None}
        symbol = wire.SymbolDefinition(
            name=market.symbol,
            base_asset=base,
            quote_asset=quote,
            state=codes.SYMBOL_TRADING_STATE_TRADING,
            previous_close_e8=e8(str(market.bid)),
            maker_commission_ppm=_COMMISSION_PPM,
            taker_commission_ppm=_COMMISSION_PPM,
            lot_step_e8=e8(str(market.step)),
        )
        items.append(wire.GateItem(define_symbol=symbol))
    names = dict.fromkeys(accounts)
    for name in names:
        account = wire.AccountDefinition(name=name, owner=name, enabled=True)
        items.append(wire.GateItem(define_account=account))
    for name, asset in product(names, assets):
        deposit = wire.Deposit(
            account=name,
            asset=asset,
            amount_e8=_FUNDS_E8,
            note="load test",
            deposit_id=_deposit_id(name, asset),
        )
        items.append(wire.GateItem(deposit=deposit))
    return items


def _deposit_id(account: str, asset: str) -> int:
    digest = hashlib.sha256(f"load test/{account}/{asset}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1


class EngineControl(Control):
    """An engine tells its market to a gate alone: a REST API does, or the default is taken."""

    def __init__(self, target: Target) -> None:
        self._rest = RestControl(target.control) if target.control else None

    async def __aenter__(self) -> Self:
        if self._rest is not None:
            await self._rest.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._rest is not None:
            await self._rest.__aexit__()

    async def markets(self, wanted: Sequence[str]) -> list[Market]:
        """Return what is traded; raises LoadTestError."""
        if self._rest is not None:
            return await self._rest.markets(wanted)
        if set(wanted) <= {MARKET.symbol}:
            return [MARKET]
        raise LoadTestError(
            f"an engine tells no market: without --control there is {MARKET.symbol} only"
        )

    async def server_time_ms(self) -> int:
        """Return the clock of this machine."""
        return (time.perf_counter_ns() + utc_minus_stopwatch_ns()) // NS_PER_MS

    async def server_minus_stopwatch_ns(self) -> int:
        """Return what to add to `time.perf_counter_ns` to get that clock."""
        return utc_minus_stopwatch_ns()

    async def cancel_all(self, keys: Sequence[Key], symbols: Sequence[str]) -> None:
        """Do nothing: the next link begins an epoch without orders."""


class EngineSenders(Senders):
    """The link with one engine."""

    def __init__(self, target: Target, ways: Ways, definitions: list[wire.GateItem]) -> None:
        super().__init__(target, ways)
        self._definitions = definitions

    def make(self, number: int) -> "EngineConnection":
        """Return a connection that is yet to be opened."""
        return EngineConnection(self, number, self._definitions)


class EngineConnection(StreamConnection):
    """A link: hello, definitions and deposits, then commands."""

    path = LINK_PATH

    def __init__(self, senders: Senders, number: int, definitions: list[wire.GateItem]) -> None:
        super().__init__(senders, number)
        self._definitions = definitions
        self._deposits: set[int] = set()
        """Those the engine has not booked yet."""
        self._acknowledged = 0

    def first_message(self) -> bytes:
        """Return the hello, and all that an engine must know before it can match."""
        self._acknowledged = 0
        self._deposits = {
            item.deposit.deposit_id for item in self._definitions if item.HasField("deposit")
        }
        hello = wire.GateItem(hello=wire.GateHello(gate="ordergate-load"))
        return wire.GateMessage(items=[hello, *self._definitions]).SerializeToString()

    def on_message(self, message: bytes) -> None:
        """Take results; the last deposit that is booked opens the link."""
        now_ns = self.senders.now_ns()
        try:
            told = wire.EngineMessage.FromString(message)
        except DecodeError:
            raise ValueError("not an EngineMessage") from None
        last_seq = 0
        for item in told.items:
            kind = item.WhichOneof("item")
            if kind == "result":
                result = item.result
                reason = reason_name(result.reason) if result.reason else "OK"
                outcome = ACCEPTED if result.accepted else REFUSED
                self.answered(result.command_id - 1, now_ns, outcome, reason)
            elif kind == "event":
                last_seq = item.event.engine_seq
                if self._deposits and item.event.HasField("balance"):
                    self._booked(item.event.balance.deposit_id)
        if last_seq - self._acknowledged >= ACKNOWLEDGE_EVERY:
            self._acknowledged = last_seq
            safe = wire.GateItem(acknowledge=wire.Acknowledgement(last_seq=last_seq))
            self.say(wire.GateMessage(items=[safe]).SerializeToString())

    def _booked(self, deposit_id: int) -> None:
        self._deposits.discard(deposit_id)
        if not self._deposits:
            self.begin_trading()
