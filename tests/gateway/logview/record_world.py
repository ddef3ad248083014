"""A small record with everything in it: two owners who trade, refusals, a kill, free texts."""

from pathlib import Path
from typing import Any

from gateway.journal import JournalWriter, start_run
from gateway.logview.sources import DECISION_KEY_NAME
from rules import values
from rules.decisions import (
    ACCEPTED,
    DEFERRED,
    NOTED_DECISION,
    REFUSED,
    Breach,
    Charge,
    Decision,
)
from rules.events import (
    Amend,
    BalanceAdjusted,
    BulkCancel,
    Cancel,
    ClearBan,
    CommandResult,
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Ended,
    Event,
    Fill,
    MarketTrade,
    OrderEnded,
    OrderTrade,
    Place,
    Query,
    RecordRead,
    Reference,
    RefusedAggregate,
    RefusedRequest,
    RunBegan,
    SetState,
    SetSymbolState,
    TradeBust,
)
from rules.reasons import Reason
from rules.rulebook import parse_rulebook

START_NS = 1_760_000_000_123_456_789
STEP_NS = 1_000_001
KEY = bytes(range(32))
E8 = values.E8
BIG = 10**30
"""A limit that does not fit 63 bits."""
PRICE_E8 = 2_712_345_678_901
RULEBOOK = parse_rulebook("plain", {"plain": ""})

NAMES = {
    "owner": ("owner-quillfeather", "owner-brackenmoor"),
    "account": ("account-zephyrine", "account-wolframite"),
    "key": ("key-7f3a9c1d55e2", "key-b8d04e6612fa"),
    "address": ("203.0.113.77", "2001:db8:77:1::/64"),
    "client_order_id": ("cid-marmalade-1", "cid-tangerine-2", "cid-refused-3"),
    "agent": ("agent-hummingbird/4.2",),
    "algo": ("algo-kingfisher",),
    "actor": ("operator-nightjar",),
    "text": ("note-about-sandpiper", "query-about-lapwing"),
}
"""Everything in the record that could name somebody, by what it is masked as."""
OWNER, OTHER = NAMES["owner"]
ACCOUNT, OTHER_ACCOUNT = NAMES["account"]
CLIENT_IDS = NAMES["client_order_id"]

DEFINITIONS: tuple[Event, ...] = (
    Define(values.DEFINE_ADDRESS, 1, NAMES["address"][0]),
    Define(values.DEFINE_ADDRESS, 2, NAMES["address"][1]),
    Define(values.DEFINE_OWNER, 1, OWNER),
    Define(values.DEFINE_OWNER, 2, OTHER),
    Define(values.DEFINE_ASSET, 1, "BTC"),
    Define(values.DEFINE_ASSET, 2, "USDT"),
    Define(values.DEFINE_AGENT, 1, NAMES["agent"][0]),
    Define(values.DEFINE_ALGO, 1, NAMES["algo"][0]),
    DefineSymbol(1, "BTCUSDT", 1, 2, values.SYMBOL_TRADING, 0),
    DefineAccount(1, ACCOUNT, 1, "regular", 0),
    DefineAccount(2, OTHER_ACCOUNT, 2, "regular", 0),
    DefineKey(1, NAMES["key"][0], 1, 3, (1,), 0),
    DefineKey(2, NAMES["key"][1], 2, 3, (), 0),
    RunBegan("", 1),
)


class World:
    """Writes records one after the other; `seq` and `now_ns` are those of the last one."""

    def __init__(self, data: Path, started_ns: int = START_NS, segment_bytes: int = 4096) -> None:
        self.data = data
        self.now_ns = started_ns
        self.writer: JournalWriter = start_run(data, RULEBOOK, started_ns, segment_bytes)
        self.seq = self.writer.recorded_seq
        (data / DECISION_KEY_NAME).write_bytes(KEY)

    def write(self, event: Event, decision: Decision = NOTED_DECISION) -> int:
        """Append one record and return its number."""
        self.seq += 1
        self.now_ns += STEP_NS
        self.writer.append(self.seq, self.now_ns, event, decision)
        return self.seq

    def head(self, endpoint: int, whose: int) -> tuple[Any, ...]:
        """Return the beginning of a request of the first or second owner's key."""
        now_ns = self.now_ns + STEP_NS
        rest = (values.AUTH_OK, now_ns, now_ns - 5, 5_000_000_000, 0, values.CHANNEL_REST, 0, 1)
        return endpoint, whose, whose, *rest

    def place(self, whose: int, order_id: int, client_order_id: str, side: int = values.BUY) -> int:
        """Place a limit order of 0.5 that is accepted."""
        terms = (1, side, values.LIMIT, values.GTC, PRICE_E8, E8 // 2, 0, client_order_id)
        event = Place(*self.head(40, whose), *terms, algo=1)
        charge = Charge("maker_fee", "tariff", 12_345)
        decision = Decision(
            ACCEPTED,
            order_id=order_id,
            account=whose,
            owner=whose,
            bid_e8=PRICE_E8 - 1,
            ask_e8=PRICE_E8 + 1,
            charges=(charge,),
        )
        return self.write(event, decision)

    def result(self, seq: int, order_id: int, status: int = values.NEW, **more: Any) -> int:
        """Write the engine's acceptance of a command."""
        return self.write(CommandResult(seq, order_id, True, None, status, self.now_ns, **more))

    def refuse(self, whose: int, client_order_id: str) -> int:
        """Place an order that two rules refuse and one would."""
        terms = (1, values.SELL, values.LIMIT, values.GTC, 2**63 - 1, 5, 0, client_order_id)
        breaches = (
            Breach("order_size", Reason.ORDER_SIZE, 10, str(BIG), scope=4, subject=whose),
            Breach("order_value", Reason.ORDER_VALUE, 10, 20, self.now_ns + 7, 3, whose),
        )
        shadow = Breach("price_collar", Reason.PRICE_COLLAR, 1, 2, detail=NAMES["text"][0])
        decision = Decision(REFUSED, breaches, (shadow,), account=whose, owner=whose)
        return self.write(Place(*self.head(40, whose), *terms), decision)


def record(data: Path) -> World:
    """Write a whole run and return its world, the run closed."""
    world = World(data)
    for event in DEFINITIONS:
        world.write(event)
    first = world.place(1, 1, CLIENT_IDS[0])
    world.result(first, 1)
    world.write(reference(world))
    fill = Fill(9, PRICE_E8, E8 // 4, 678_086_419_725, 1_234, 1, False, 1, 1)
    second = world.place(2, 2, CLIENT_IDS[1], values.SELL)
    world.result(second, 2, values.PARTIALLY_FILLED, fills=(fill,))
    maker = Fill(9, PRICE_E8, E8 // 4, 678_086_419_725, 99, 1, True, 2, 2)
    world.write(OrderTrade(1, world.now_ns, 1, maker, values.PARTIALLY_FILLED))
    world.refuse(1, CLIENT_IDS[2])
    amend = world.write(
        Amend(*world.head(44, 1), 1, 1, CLIENT_IDS[0], E8 // 3),
        Decision(ACCEPTED, order_id=1, account=1, owner=1),
    )
    world.result(amend, 1, values.PARTIALLY_FILLED)
    world.write(
        Cancel(*world.head(42, 1), 1, 1, CLIENT_IDS[0]),
        Decision(DEFERRED, order_id=1, account=1, owner=1, until_ns=world.now_ns + 500_000_000),
    )
    kill = world.write(
        SetState(values.SCOPE_OWNER, 1, values.STATE_KILLED, NAMES["text"][0], NAMES["actor"][0])
    )
    bulk = world.write(
        BulkCancel(values.SCOPE_OWNER, 1, 0, values.CAUSE_KILL, kill),
        Decision(1, cancels=(1,)),
    )
    world.result(bulk, 0, values.CANCELED, ended=(Ended(1, values.CANCELED, E8 // 4),))
    world.write(OrderEnded(2, world.now_ns, 2, values.EXPIRED, values.CAUSE_ENGINE, E8 // 4))
    open_order = world.place(2, 3, "")
    world.result(open_order, 3)
    others(world)
    world.writer.close()
    return world


def reference(world: World) -> Reference:
    """Return a state of the market with levels."""
    bids, asks = ((PRICE_E8 - 1, E8), (PRICE_E8 - 3, 3 * E8)), ((PRICE_E8 + 1, 2 * E8),)
    quote = (PRICE_E8 - 1, E8, PRICE_E8 + 1, 2 * E8)
    return Reference(1, world.now_ns, PRICE_E8, world.now_ns, *quote, bids, asks)


def others(world: World) -> None:
    """Write one of each of the other events."""
    now_ns = world.now_ns
    world.write(Query(*world.head(1, 1), 1, 0, CLIENT_IDS[0], NAMES["text"][1]), Decision(ACCEPTED))
    refused = Breach("request", Reason.INVALID_PARAMETER, "a number", NAMES["text"][0])
    world.write(
        RefusedRequest(
            *world.head(40, 1), Reason.INVALID_PARAMETER, NAMES["text"][0], 1, CLIENT_IDS[0]
        ),
        Decision(REFUSED, (refused,), account=1, owner=1),
    )
    world.write(BalanceAdjusted(3, now_ns, 2, 2, -5 * E8 - 1, NAMES["text"][0]))
    world.write(TradeBust(4, now_ns, 9, 1, PRICE_E8, E8 // 4, 1, 2, 1, 2))
    world.write(MarketTrade(5, now_ns, 1, 10, PRICE_E8, E8, 0, 3, 2, 1, 6, 7, True))
    world.write(RefusedAggregate(2, Reason.MISSING_PARAMETER, 17, now_ns - 1, now_ns))
    world.write(SetSymbolState(1, values.SYMBOL_HALT, NAMES["text"][0], NAMES["actor"][0]))
    world.write(ClearBan(1, 0, NAMES["actor"][0]))
    world.write(RecordRead(NAMES["actor"][0], NAMES["text"][1]))
