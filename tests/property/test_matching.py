"""Properties of the matching engine, against a slow book that only knows lists."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.engine.port import AmendCommand, CancelCommand, PlaceCommand, ReplaceCommand
from gateway.stub.exchange import MatchingExchange
from rules.events import DefineSymbol, OrderTrade
from rules.values import (
    BUY,
    CAUSE_CLIENT,
    DECREMENT,
    E8,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    FOK,
    GTC,
    IOC,
    LIMIT,
    LIMIT_MAKER,
    MARKET,
    SELL,
    STP_NONE,
    SYMBOL_TRADING,
    TRANSFER,
)

BASE, QUOTE = 1, 2
SYMBOL = 1
ACCOUNTS = (1, 2, 3)
STEP_E8 = 1000

sides = st.sampled_from((BUY, SELL))
# A few prices with awkward last places, so that orders meet and roundings show.
prices = st.integers(95, 105).map(lambda ticks: ticks * 1_000_003)
quantities = st.integers(1, 400).map(lambda lots: lots * 777_777)


@st.composite
def places(draw, number: int) -> PlaceCommand:
    """Draw a new order of any supported kind."""
    kind = draw(st.sampled_from((LIMIT, LIMIT, LIMIT, LIMIT, LIMIT_MAKER, MARKET, MARKET)))
    by_amount = kind == MARKET and draw(st.booleans())
    return PlaceCommand(
        number,
        number,
        draw(st.sampled_from(ACCOUNTS)),
        SYMBOL,
        draw(sides),
        kind,
        draw(st.sampled_from((GTC, GTC, GTC, IOC, FOK))) if kind == LIMIT else 0,
        0 if kind == MARKET else draw(prices),
        0 if by_amount else draw(quantities),
        draw(st.integers(1, 5 * E8)) if by_amount else 0,
        draw(prices) if draw(st.integers(0, 3)) == 0 else 0,
        draw(
            st.sampled_from(
                (STP_NONE, EXPIRE_TAKER, EXPIRE_MAKER, EXPIRE_BOTH, DECREMENT, TRANSFER)
            )
        ),
        "",
        draw(st.sampled_from((0, 0, 9))),
    )


@st.composite
def command_lists(draw):
    """Draw a list of commands; ids are mostly of orders that exist."""
    commands = []
    for number in range(1, draw(st.integers(1, 60)) + 1):
        kind = draw(st.integers(0, 9))
        other = draw(st.integers(1, max(number, 1)))
        if kind == 0:
            more = draw(st.lists(st.integers(1, number), max_size=3))
            commands.append(
                CancelCommand(number, (other, *more), CAUSE_CLIENT, draw(st.integers(0, 2)))
            )
        elif kind == 1:
            commands.append(
                AmendCommand(
                    number,
                    other,
                    draw(st.one_of(st.just(0), quantities)),
                    draw(st.one_of(st.just(0), prices)),
                )
            )
        elif kind == 2:
            commands.append(
                ReplaceCommand(number, other, draw(places(number)), draw(st.booleans()))
            )
        else:
            commands.append(draw(places(number)))
    return commands


def new_exchange(funds_e8: int = 20 * E8) -> MatchingExchange:
    """Return an exchange whose accounts soon run out of money."""
    exchange = MatchingExchange()
    exchange.define_symbol(
        DefineSymbol(SYMBOL, "BTCUSDT", BASE, QUOTE, SYMBOL_TRADING, 0, 1_000, 2_500), STEP_E8
    )
    for account in ACCOUNTS:
        for asset in (BASE, QUOTE):
            exchange.deposit(account, asset, funds_e8, "", 0)
    return exchange


def check_books(exchange: MatchingExchange) -> None:
    """Hold that money is conserved, locks fit, the book is not crossed and levels add up."""
    ledger = exchange.ledger
    for asset in (BASE, QUOTE):
        assert ledger.total_e8(asset) == ledger.supply_e8(asset)
    locked = {}
    levels = ({}, {})
    for order in exchange.open_orders():
        open_e8 = order.quantity_e8 - order.filled_e8
        assert open_e8 > 0
        buys = order.side == BUY
        need_e8 = -(-order.price_e8 * open_e8 // E8) if buys else open_e8
        assert order.locked_e8 == need_e8
        held = (order.account, QUOTE if buys else BASE)
        locked[held] = locked.get(held, 0) + need_e8
        side = levels[0 if buys else 1]
        side[order.price_e8] = side.get(order.price_e8, 0) + open_e8
    for account, asset, free_e8, locked_e8 in ledger.all_holdings():
        assert free_e8 >= 0
        assert locked_e8 == locked.get((account, asset), 0)
    depth = exchange.depth(SYMBOL, 1000, 0)
    assert depth.bids == tuple(sorted(levels[0].items(), reverse=True))
    assert depth.asks == tuple(sorted(levels[1].items()))
    if depth.bids and depth.asks:
        assert depth.bids[0][0] < depth.asks[0][0]


@given(command_lists())
@settings(max_examples=150, deadline=None)
def test_money_books_and_sequence(commands):
    """After any commands: one result each, reports without gap, money conserved, no crossed book."""
    exchange = new_exchange()
    seq = exchange.engine_seq
    for now_ns, command in enumerate(commands, 1):
        result, reports = exchange.execute(command, now_ns)
        assert (result.command_id, result.engine_ns) == (command.command_id, now_ns)
        for report in reports:
            seq += 1
            assert (report.engine_seq, report.engine_ns) == (seq, now_ns)
        makers = [report.fill for report in reports if isinstance(report, OrderTrade)]
        assert [fill.trade_id for fill in makers] == [fill.trade_id for fill in result.fills]
        place = command.place if isinstance(command, ReplaceCommand) else command
        if isinstance(place, PlaceCommand):
            check_fills(place, result)
        check_books(exchange)
    assert exchange.engine_seq == seq


def check_fills(place: PlaceCommand, result) -> None:
    """Hold that an order never got more, or a worse price, than it asked for."""
    quantity_e8 = sum(fill.quantity_e8 for fill in result.fills)
    if place.quantity_e8:
        assert quantity_e8 + result.prevented_e8 <= place.quantity_e8
    else:
        assert sum(fill.quote_e8 for fill in result.fills) <= place.quote_quantity_e8
    if place.time_in_force == FOK:
        assert quantity_e8 in (0, place.quantity_e8)
    for fill in result.fills:
        for limit_e8 in (place.price_e8, place.price_limit_e8):
            if limit_e8 and place.side == BUY:
                assert fill.price_e8 <= limit_e8
            elif limit_e8:
                assert fill.price_e8 >= limit_e8


@given(command_lists())
@settings(max_examples=50, deadline=None)
def test_driven_again_it_says_the_same(commands):
    """The same commands at the same times give byte-identical results, reports and trades."""
    said = []
    for _ in range(2):
        exchange = new_exchange()
        said.append(
            [
                msgspec.msgpack.encode(exchange.execute(command, now_ns))
                for now_ns, command in enumerate(commands)
            ]
            + [msgspec.msgpack.encode(exchange.trades_since(0))]
        )
    assert said[0] == said[1]


class SlowBook:
    """The oracle: resting orders in one list, searched in full for every step."""

    def __init__(self) -> None:
        self.resting = []  # [arrival, order_id, account, group, side, price, open]
        self.arrivals = 0

    def best(self, side: int, limit_e8: int):
        """Return the order that `side` meets first at `limit_e8` or better (0: any), else None."""
        others = [
            order
            for order in self.resting
            if order[4] != side
            and (not limit_e8 or (order[5] <= limit_e8 if side == BUY else order[5] >= limit_e8))
        ]
        sign = 1 if side == BUY else -1
        return min(others, key=lambda order: (sign * order[5], order[0]), default=None)

    def place(self, command: PlaceCommand) -> list[tuple[int, int, int]]:
        """Match and rest one order; return its fills as (counter order, price, quantity)."""
        bounds = [bound for bound in (command.price_e8, command.price_limit_e8) if bound]
        limit_e8 = (min if command.side == BUY else max)(bounds, default=0)
        if command.order_type == LIMIT_MAKER and self.best(command.side, command.price_e8):
            return []
        if command.time_in_force == FOK:
            copy = [list(order) for order in self.resting]
            filled, left_e8 = self.match(command, limit_e8)
            if sum(fill[2] for fill in filled) < command.quantity_e8:
                self.resting = copy
                return []
            return filled
        filled, left_e8 = self.match(command, limit_e8)
        rests = command.order_type == LIMIT_MAKER or command.time_in_force == GTC
        if left_e8 and rests and command.order_type != MARKET and limit_e8 == command.price_e8:
            self.rest(command.order_id, command, command.price_e8, left_e8)
        return filled

    def rest(self, order_id, command, price_e8, open_e8) -> None:
        """Put an order at the end of the list."""
        self.arrivals += 1
        self.resting.append(
            [
                self.arrivals,
                order_id,
                command.account,
                command.stp_group,
                command.side,
                price_e8,
                open_e8,
            ]
        )

    def match(self, command, limit_e8):
        """Return (fills, open quantity) of an order by quantity; open is 0 if prevention ended it."""
        fills = []
        left_e8 = command.quantity_e8
        mode = command.stp_mode
        while left_e8 and (maker := self.best(command.side, limit_e8)):
            own = maker[2] == command.account or (
                command.stp_group and maker[3] == command.stp_group
            )
            if own and mode != STP_NONE:
                if mode in (EXPIRE_MAKER, EXPIRE_BOTH):
                    self.resting.remove(maker)
                if mode in (EXPIRE_TAKER, EXPIRE_BOTH):
                    return fills, 0
                if mode == EXPIRE_MAKER:
                    continue
            size_e8 = min(left_e8, maker[6])
            left_e8 -= size_e8
            maker[6] -= size_e8
            if not maker[6]:
                self.resting.remove(maker)
            if not own or mode == STP_NONE:
                fills.append((maker[1], maker[5], size_e8))
        return fills, left_e8

    def cancel(self, order_id: int) -> None:
        """Take an order out, if it rests."""
        self.resting = [order for order in self.resting if order[1] != order_id]

    def levels(self, side: int) -> tuple[tuple[int, int], ...]:
        """Return the levels of a side, best first."""
        found = {}
        for order in self.resting:
            if order[4] == side:
                found[order[5]] = found.get(order[5], 0) + order[6]
        return tuple(sorted(found.items(), reverse=side == BUY))


@given(command_lists())
@settings(max_examples=150, deadline=None)
def test_priority_against_the_slow_book(commands):
    """With money enough, every fill and level is the oracle's: price first, then time."""
    exchange = new_exchange(funds_e8=10**6 * E8)
    oracle = SlowBook()
    for now_ns, command in enumerate(commands, 1):
        if isinstance(command, AmendCommand | ReplaceCommand) or (
            isinstance(command, PlaceCommand) and command.quote_quantity_e8
        ):
            continue
        result, _ = exchange.execute(command, now_ns)
        if isinstance(command, CancelCommand):
            for ended in result.ended:
                oracle.cancel(ended.order_id)
        elif result.accepted or result.reason.name == "ENGINE_WOULD_TAKE":
            fills = [(f.counter_order_id, f.price_e8, f.quantity_e8) for f in result.fills]
            assert fills == oracle.place(command)
        depth = exchange.depth(SYMBOL, 1000, now_ns)
        assert (depth.bids, depth.asks) == (oracle.levels(BUY), oracle.levels(SELL))
