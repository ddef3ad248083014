"""All conduct rules at once, in random flow with numbers from the least to the largest there are.

No rule may fail, every decision must fit into a record, and a pipeline that was stored and put back
at any moment must go on deciding as the one that never stopped.
"""

import random
from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest

from rules.decisions import ACCEPTED, Decision
from rules.endpoints import Endpoint
from rules.events import (
    ActOnCase,
    Amend,
    CancelAll,
    CommandResult,
    Ended,
    EngineSession,
    Event,
    Fill,
    LinkOwners,
    MarketOrder,
    MarketTrade,
    Place,
    Reference,
    TradeBust,
)
from rules.pipeline import Pipeline
from rules.values import (
    BUY,
    CANCELED,
    CHANNEL_APP,
    E8,
    EXPIRED,
    FILLED,
    FOK,
    GTC,
    INT63_MAX,
    IOC,
    LIMIT,
    LIMIT_MAKER,
    MARKET,
    NEW,
    NS_PER_DAY,
    NS_PER_SECOND,
    PARTIALLY_FILLED,
    SELL,
)
from tests.rules.conduct.conduct_world import (
    OWNERS,
    SYMBOLS,
    Market,
    conduct_rulebook,
    through_msgpack,
)

STEPS: Final = 300
NUMBERS: Final = (1, 2, 99, E8 - 1, E8, E8 + 1, 60_000 * E8, 10**17, 2**62, INT63_MAX)
WAITS_NS: Final = (
    *(0, 0, 0, 0, 0, 1, 10**6, 10**7, 10**8),
    *(NS_PER_SECOND, 59 * NS_PER_SECOND, 600 * NS_PER_SECOND, NS_PER_DAY),
)
EAGER: Final[dict[str, dict[str, Any]]] = {
    "conduct_standing": {"decay": "1m", "spread_symbols": 2, "highest": "slow"},
    "owner_self_trade": {"same_account": True},
    "tape_painting": {
        "orders": 1, "minutes": 1, "trade_share": "0", "small_share": "0", "net": "1",
        "alternation": "0",
    },
    "fictitious_bids": {"flights": 1, "lures": 1, "imbalance": "0", "distance": "0"},
    "matched_trades": {"pairs": 1, "own_share": "0"},
    "target_ramp": {
        "raising_buys": 1, "rise": "0", "uptick_share": "0", "buy_share": "0", "target": "0",
        "target_share": "0", "cycles": 1,
    },
    "layering": {"levels": 1, "episodes": 1, "depth_share": "0"},
    "quote_stuffing": {"per_second": 1, "cancelled": "0"},
    "momentum_ignition": {"orders": 1, "move": "0", "minutes_least": 1},
    "reset_marking": {"orders": 1, "move": "0", "share": "0"},
    "split_orders": {"orders": 1},
    "concentration": {
        "orders_least": 1, "trades_least": 1, "orders": "0", "changes": "0", "executions": "0",
        "moves": "0", "burst_orders": "0",
    },
    "scattered_bids": {"orders": 1, "symbols": 1, "distance": "0", "cancelled": "0"},
    "clusters": {"owners": 2, "together": 1, "share": "0", "by_chance": 1},
    "order_to_trade": {
        "max_number": "5", "max_volume": "3", "minimum_orders": 3, "floor_trades": 0,
        "rolling": "5m", "rolling_step": "30s", "rolling_max_number": "1",
    },
    "unfilled_ratio": {"minimum_orders": 1},
    "invalid_cancel_ratio": {"minimum_orders": 1},
    "expired_ratio": {"minimum_orders": 1},
    "dust_ratio": {"minimum_orders": 1},
    "owner_class": {"one_instrument": "0.00001", "all_instruments": "0.00002"},
    "age_cost": {},
    "resting_time": {"policy": "DEFER", "minimum": "1ms"},
}  # fmt: skip
"""Every rule tells and refuses as early as its parameters permit."""
RULES: Final = {name: {"mode": "enforce", **clause} for name, clause in EAGER.items()}


class Storm:
    """A market in which anything happens; `twin` was put back from what was stored on the way."""

    def __init__(
        self,
        seed: int,
        rules: dict[str, dict[str, Any]] = RULES,
        tariffs: dict[str, Any] | None = None,
    ) -> None:
        self.any = random.Random(seed)
        self.rules, self.tariffs = rules, tariffs
        self.market = Market(rules, tariffs, price=self.any.choice((1, 1_000, 9 * 10**9)))
        self.twin: Pipeline | None = None
        self.epoch = 1
        self.acts: tuple[Callable[[], None], ...] = (
            self.place, self.place, self.place, self.place, self.cancel, self.cancel,
            self.cancel_all, self.amend, self.outside_order, self.outside_trade, self.refer,
            self.operate, self.bust, self.new_epoch, self.restart,
        )  # fmt: skip

    def step(self) -> None:
        """Let some time pass, and something happen."""
        self.market.wait(ns=self.any.choice(WAITS_NS))
        self.any.choice(self.acts)()

    def send(self, event: Event) -> Decision:
        """Apply an event to both, and hold their decisions equal."""
        decision = self.market.send(event)
        msgspec.msgpack.encode(decision)
        if self.twin is not None:
            assert self.twin.apply(event, self.market.now_ns) == decision
        return decision

    def number(self) -> int:
        return self.any.choice((*NUMBERS, self.any.randrange(1, 2_000) * E8))

    def symbol(self) -> int:
        return self.any.choice(SYMBOLS)

    def owner(self) -> int:
        return self.any.randrange(1, OWNERS + 1)

    def place(self) -> None:
        """Place an order of any kind; the engine makes of it what it likes."""
        kind = self.any.choice((LIMIT, LIMIT, LIMIT_MAKER, MARKET))
        event = self.market.order(
            self.owner(), self.any.choice((BUY, SELL)), 0,
            symbol=self.symbol(), order_type=kind,
            time_in_force=self.any.choice((GTC, GTC, IOC, FOK)) if kind == LIMIT else 0,
            price_e8=0 if kind == MARKET else self.number(), quantity_e8=self.number(),
        )  # fmt: skip
        decision = self.send(event)
        if decision.verdict == ACCEPTED:
            self.answer(event, decision.order_id)

    def answer(self, event: Place, order_id: int) -> None:
        """Rest an order, or execute it with whoever stands opposite, or let it expire."""
        rests = event.order_type != MARKET and event.time_in_force not in (IOC, FOK)
        status = self.any.choice(
            (NEW, NEW, PARTIALLY_FILLED, FILLED) if rests else (FILLED, EXPIRED)
        )
        fills: tuple[Fill, ...] = ()
        if status in (FILLED, PARTIALLY_FILLED) and event.quantity_e8 > 1:
            price_e8 = min(event.price_e8 or E8, 10**12)
            part_e8 = event.quantity_e8 if status == FILLED else event.quantity_e8 // 2
            quote_e8 = min(price_e8 * part_e8 // E8, INT63_MAX)
            opposite = [
                one.order_id
                for one in self.market.book.orders.values()
                if (one.symbol, one.live) == (event.symbol, True) and one.side != event.side
            ]
            met = self.any.choice((0, *opposite))
            fills = (Fill(order_id, price_e8, part_e8, quote_e8, 0, 0, False, met),)
        command = self.market.book.current_seq
        now_ns = self.market.now_ns
        self.send(CommandResult(command, order_id, True, None, status, now_ns, fills))

    def standing(self) -> int:
        """Return any order that stands, 0 when none does."""
        return self.any.choice((0, *self.market.book.orders))

    def ended(self, order_ids: tuple[int, ...], named: int) -> None:
        """Let the engine carry out a cancel."""
        orders = self.market.book.orders
        ended = tuple(Ended(one, CANCELED, orders[one].filled_e8) for one in order_ids)
        command, now_ns = self.market.book.current_seq, self.market.now_ns
        self.send(CommandResult(command, named, True, None, CANCELED, now_ns, (), ended))

    def cancel(self) -> None:
        order_id = self.standing()
        if order_id:
            account = self.market.book.orders[order_id].account
            if self.send(self.market.cancel_request(account, order_id)).verdict == ACCEPTED:
                self.ended((order_id,), order_id)

    def cancel_all(self) -> None:
        head = self.market._head(Endpoint.OPEN_ORDERS_CANCEL, self.owner())
        decision = self.send(CancelAll(*head, self.symbol()))
        if decision.cancels:
            self.ended(decision.cancels, 0)

    def amend(self) -> None:
        order = self.market.book.orders.get(self.standing())
        if order is not None:
            head = self.market._head(Endpoint.ORDER_AMEND, order.account)
            event = Amend(*head, order.symbol, order.order_id, "", self.number(), 0)
            if self.send(event).verdict == ACCEPTED:
                command, now_ns = self.market.book.current_seq, self.market.now_ns
                self.send(CommandResult(command, order.order_id, True, None, NEW, now_ns))

    def outside_order(self) -> None:
        status = self.any.choice((NEW, PARTIALLY_FILLED, FILLED, CANCELED, EXPIRED))
        side, kind = self.any.choice((BUY, SELL)), self.any.choice((LIMIT, MARKET))
        price_e8, filled_e8 = (self.any.choice((0, self.number())) for _ in range(2))
        self.send(
            MarketOrder(
                *self.market.begin(), self.symbol(), self.any.randrange(1, 8), 0, self.owner(),
                CHANNEL_APP, side, kind, status, price_e8, self.number(), filled_e8,
            )
        )  # fmt: skip

    def outside_trade(self) -> None:
        buyer, seller = (self.any.choice((0, self.owner())) for _ in range(2))
        channels = self.any.choice(((CHANNEL_APP, 0), (0, CHANNEL_APP), (CHANNEL_APP, CHANNEL_APP)))
        orders = self.any.randrange(1, 8), self.any.randrange(1, 8)
        self.send(
            MarketTrade(
                *self.market.begin(), self.symbol(), 1, self.number(), self.number(), *orders,
                buyer, seller, *channels, self.any.random() < 0.5,
            )
        )  # fmt: skip

    def refer(self) -> None:
        bid_e8 = self.any.choice((0, min(self.number(), 2**62)))
        now_ns = self.market.now_ns
        self.send(Reference(self.symbol(), now_ns, self.number(), now_ns, bid_e8, 1, bid_e8 + 1, 1))

    def operate(self) -> None:
        """Link owners, or act on a case."""
        cases = self.market.book.conduct.cases
        if cases and self.any.random() < 0.5:
            self.send(ActOnCase(self.any.choice(list(cases)), self.any.randrange(1, 6), "n", "op"))
        else:
            self.send(LinkOwners(self.owner(), self.any.randrange(3)))

    def bust(self) -> None:
        made_ns = self.any.choice((0, self.market.now_ns, self.market.now_ns - NS_PER_DAY))
        self.send(
            TradeBust(
                *self.market.begin(), 1, self.symbol(), self.number(), self.number(), 0, 0,
                self.owner(), self.owner(), made_ns,
            )
        )  # fmt: skip

    def new_epoch(self) -> None:
        self.epoch += self.any.randrange(2)
        self.send(EngineSession(connected=True, epoch=self.epoch, engine_seq=0))

    def restart(self) -> None:
        """Put what is stored now into a new pipeline, which goes on beside the old one."""
        self.twin = Pipeline(conduct_rulebook(self.rules, self.tariffs))
        self.twin.restore(through_msgpack(self.market.pipeline.state()))


@pytest.mark.parametrize("seed", range(8))
def test_conduct_rules_in_a_storm(seed: int) -> None:
    """Thousands of events, days and epochs apart, with a restart every few of them."""
    storm = Storm(seed)
    for _ in range(STEPS):
        storm.step()
    assert storm.market.alerts
    assert storm.twin is not None
