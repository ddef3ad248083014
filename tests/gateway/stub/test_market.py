"""The demo's market: it moves, stays funded, keeps to filters and to its own manners."""

from collections import Counter

import msgspec
import pytest

from gateway.stub.market import DemoMarket
from rules.events import Cancel, Place
from rules.values import BUY, CHANNEL_INTERNAL, FILLED, NS_PER_MS, NS_PER_SECOND, SYMBOL_HALT
from tests.gateway.stub.straight_core import StraightCore

STEP_NS = 100 * NS_PER_MS


def run(seed: int, steps: int) -> tuple[StraightCore, DemoMarket]:
    """Return a market after so many steps of 100 ms."""
    core = StraightCore()
    market = DemoMarket(core, core.directory, core.engine, seed)
    market.start()
    advance(core, market, steps)
    return core, market


def advance(core: StraightCore, market: DemoMarket, steps: int) -> None:
    """Take so many more steps."""
    for _ in range(steps):
        core.clock_ns += STEP_NS
        market.step(core.clock_ns)
        core.engine.poll(core.clock_ns)


@pytest.fixture(scope="module")
def minute() -> StraightCore:
    """A market after one minute."""
    return run(11, 600)[0]


def test_two_sided_from_the_start():
    """Every symbol is quoted on several levels of both sides before the first step."""
    core, _ = run(11, 0)
    for symbol, definition in core.directory.symbols_by_number.items():
        depth = core.engine.depth(symbol, 100)
        least = 3 if definition.name == "ETHBTC" else 8
        assert len(depth.bids) >= least
        assert len(depth.asks) >= least


def test_every_symbol_moves(minute):
    """In a minute prices, sizes and last trades of every symbol change several times a second."""
    for symbol in minute.directory.symbols_by_number:
        references = [event for event in minute.references if event.symbol == symbol]
        assert len(references) > 150
        coarse = minute.book.symbols[symbol].name == "ETHBTC"
        assert len({event.bid_e8 for event in references}) > (3 if coarse else 40)
        assert len({event.ask_e8 for event in references}) > (3 if coarse else 40)
        assert all(event.bid_e8 and event.ask_e8 for event in references[1:])
        trades = [trade for trade in minute.trades if trade.symbol == symbol]
        assert len(trades) > 60
        assert len({trade.price_e8 for trade in trades}) > (3 if coarse else 30)
        assert len({trade.buyer_is_maker for trade in trades}) == 2
        depth = minute.engine.depth(symbol, 100)
        assert len(depth.bids) >= (3 if coarse else 8)
        assert len(depth.asks) >= (3 if coarse else 8)


def test_all_is_accepted(minute):
    """The engine refuses nothing, and only orders that trade at once end at once."""
    assert [result for result in minute.results if not result.accepted] == []
    takers = Counter(result.status for result in minute.results)
    assert takers[FILLED] > 150


def test_orders_keep_to_the_filters(minute):
    """Prices are on the tick, quantities on the step, values above the least."""
    for _, event in minute.requests:
        if isinstance(event, Place):
            facts = minute.book.symbols[event.symbol]
            filters = facts.filters
            assert event.price_e8 % filters.tick_e8 == 0
            assert event.quantity_e8 % filters.step_e8 == 0
            assert event.quantity_e8 >= filters.min_quantity_e8
            if event.price_e8:
                worth_e8 = event.price_e8 * event.quantity_e8 // 10**8
                assert worth_e8 >= filters.notional_min_e8


def test_requests_are_like_a_clients(minute):
    """They come on the internal channel, stamped with the time, each account from one address."""
    addresses = {}
    for now_ns, event in minute.requests:
        assert event.channel == CHANNEL_INTERNAL
        assert event.received_ns == event.timestamp_ns == now_ns
        account = minute.book.keys[event.key].account
        assert addresses.setdefault(account, event.ip) == event.ip
    assert len(set(addresses.values())) == len(addresses)


def test_quotes_rest_long_enough(minute):
    """No quote is cancelled before it has rested 600 ms."""
    placed = {}
    order_id = 0
    ages = []
    for now_ns, event in minute.requests:
        if isinstance(event, Place):
            order_id += 1
            placed[order_id] = now_ns
        elif isinstance(event, Cancel):
            ages.append(now_ns - placed[event.order_id])
    assert min(ages) >= 600 * NS_PER_MS


def test_accounts_stay_under_order_counts(minute):
    """No account comes near 50 orders in 10 s or 160,000 in a day."""
    windows = Counter()
    totals = Counter()
    for now_ns, event in minute.requests:
        if isinstance(event, Place):
            windows[event.key, now_ns // (10 * NS_PER_SECOND)] += 1
            totals[event.key] += 1
    assert max(windows.values()) < 40
    makers = {key for key in totals if "maker" in minute.directory.keys_by_number[key].name}
    assert max(totals[key] for key in makers) * 60 * 24 < 160_000


def test_funds_never_run_out():
    """A participant whose funds are low is funded again; nothing is deposited twice at start."""
    core, market = run(3, 0)
    before = {held: balance.total_e8 for held, balance in core.book.balances.items()}
    DemoMarket(core, core.directory, core.engine, 3).start()
    assert {held: balance.total_e8 for held, balance in core.book.balances.items()} == before
    (account, asset), held = next(iter(core.book.balances.items()))
    free_e8, _ = core.engine.exchange.ledger.balance(account, asset)
    core.engine.deposit(account, asset, -free_e8 * 3 // 4, "spent")
    spent_e8 = held.total_e8
    advance(core, market, 100)
    assert held.total_e8 > spent_e8
    assert held.total_e8 == before[account, asset]


def test_one_seed_one_market():
    """The same seed gives the same requests to the byte, another seed others."""
    made = [msgspec.msgpack.encode(run(seed, 50)[0].requests) for seed in (5, 5, 6)]
    assert made[0] == made[1]
    assert made[0] != made[2]


def test_halted_symbols_are_left_alone():
    """Nobody sends requests into a symbol that does not trade; the others go on."""
    core, market = run(5, 10)
    core.book.symbols[1].state = SYMBOL_HALT
    before = len(core.requests)
    advance(core, market, 50)
    symbols = {event.symbol for _, event in core.requests[before:]}
    assert symbols == {2, 3}


def test_a_lone_side_is_quoted_again():
    """When all bids are taken, the makers put up new ones."""
    core, market = run(5, 10)
    for order in list(core.engine.exchange.open_orders()):
        if order.symbol == 1 and order.side == BUY:
            core._drop(order.order_id)
            core.engine.exchange._take_out(order)
    assert core.engine.depth(1, 5).bids == ()
    advance(core, market, 50)
    assert len(core.engine.depth(1, 50).bids) >= 4
