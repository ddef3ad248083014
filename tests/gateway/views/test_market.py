"""Last trades, aggregate trades, best prices, averages and rolling statistics."""

from gateway.views.klines import KlinesView
from gateway.views.market import TRADES_KEPT, Best, MarketView
from rules.values import E8, NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND
from tests.gateway.views.view_world import START_E8, SYMBOL, ViewWorld


def market(history: bool = False) -> tuple[ViewWorld, MarketView]:
    """Return a market without trades."""
    world = ViewWorld()
    klines = KlinesView(world, history)
    klines.define(world.definition, world.time_ns)
    return world, MarketView(world, world, klines)


def test_last_trades_are_bounded_and_oldest_first() -> None:
    """The newest thousand are kept; a limit takes the latest, an id the first from there on."""
    world, view = market()
    for number in range(1, TRADES_KEPT + 11):
        view.on_trade(world.public_trade(number, 100 * E8, E8))
    ids = [trade.trade_id for trade in view.last_trades(SYMBOL, TRADES_KEPT)]
    assert ids == list(range(11, TRADES_KEPT + 11))
    assert [t.trade_id for t in view.last_trades(SYMBOL, 2)] == [TRADES_KEPT + 9, TRADES_KEPT + 10]
    assert [t.trade_id for t in view.last_trades(SYMBOL, 2, 50)] == [50, 51]
    assert view.last_trades(SYMBOL, 0) == []
    assert view.last_trades(99) == []


def test_aggregate_trades_join_what_happened_at_once() -> None:
    """Trades of one moment, price and side are one; any difference begins another."""
    world, view = market()
    view.on_trade(world.public_trade(1, 100 * E8, E8))
    view.on_trade(world.public_trade(2, 100 * E8, 2 * E8))
    view.on_trade(world.public_trade(3, 101 * E8, E8))
    view.on_trade(world.public_trade(4, 101 * E8, E8, buyer_is_maker=True))
    world.time_ns += 1
    view.on_trade(world.public_trade(5, 101 * E8, E8, buyer_is_maker=True))
    found = view.agg_trades(SYMBOL)
    assert [(a.first_trade_id, a.last_trade_id, a.quantity_e8 // E8) for a in found] == [
        (1, 2, 3),
        (3, 3, 1),
        (4, 4, 1),
        (5, 5, 1),
    ]
    assert [a.aggregate_id for a in found] == [1, 2, 3, 4]
    assert [a.aggregate_id for a in view.agg_trades(SYMBOL, from_aggregate_id=2, limit=2)] == [2, 3]
    assert [a.aggregate_id for a in view.agg_trades(SYMBOL, start_ns=world.time_ns)] == [4]
    assert [a.aggregate_id for a in view.agg_trades(SYMBOL, end_ns=world.time_ns - 1, limit=1)] == [
        3
    ]


def test_last_price_before_and_after_the_first_trade() -> None:
    """The starting price counts until something is traded."""
    world, view = market()
    assert view.last(SYMBOL) == START_E8
    view.on_trade(world.public_trade(1, 7 * E8, E8))
    assert view.last(SYMBOL) == 7 * E8


def test_best_prices_come_from_the_engine() -> None:
    """Best bid and offer are the newest; an empty side is 0."""
    world, view = market()
    assert view.best(SYMBOL) == Best(0, 0, 0, 0)
    world.bids = ((99 * E8, E8), (98 * E8, E8))
    assert view.best(SYMBOL) == Best(99 * E8, E8, 0, 0)
    world.asks = ((101 * E8, 2 * E8),)
    assert view.best(SYMBOL) == Best(99 * E8, E8, 101 * E8, 2 * E8)
    assert view.depth(SYMBOL, 5).bids == world.bids


def test_average_is_what_the_filters_use() -> None:
    """The average of the book's trades; the last price once none is young enough."""
    world, view = market()
    facts = world.book.symbols[SYMBOL]
    assert view.average(SYMBOL, 5, world.time_ns) == START_E8
    facts.average.add(100 * E8, E8, world.time_ns)
    facts.average.add(200 * E8, 3 * E8, world.time_ns)
    facts.last_e8 = 200 * E8
    assert view.average(SYMBOL, 5, world.time_ns) == 175 * E8
    assert view.average(SYMBOL, 0, world.time_ns) == 200 * E8
    assert view.average(SYMBOL, 5, world.time_ns + 6 * NS_PER_MINUTE) == 200 * E8


def test_ticker_over_24_hours() -> None:
    """What left the span no longer counts; the price before it is the previous close."""
    world, view = market()
    world.time_ns -= world.time_ns % NS_PER_MINUTE
    begin_ns = world.time_ns
    for number, (later, price, quantity) in enumerate(
        ((0, 90, 5), (60, 100, 1), (120, 120, 2), (180, 80, 3)), 1
    ):
        world.time_ns = begin_ns + later * NS_PER_SECOND
        view.on_trade(world.public_trade(number, price * E8, quantity * E8))
    whole = view.ticker_24h(SYMBOL, begin_ns + NS_PER_DAY)
    assert (whole.open_e8, whole.high_e8, whole.low_e8, whole.last_e8) == (
        90 * E8,
        120 * E8,
        80 * E8,
        80 * E8,
    )
    assert (whole.trades, whole.volume_e8, whole.quote_volume_e8) == (4, 11 * E8, 1_030 * E8)
    assert (whole.first_trade_id, whole.last_trade_id) == (1, 4)
    later = view.ticker_24h(SYMBOL, begin_ns + NS_PER_DAY + NS_PER_MINUTE)
    assert (later.open_e8, later.previous_close_e8, later.trades) == (100 * E8, 90 * E8, 3)
    assert later.change_e8 == -20 * E8
    assert later.change_percent_e8 == -20 * E8
    assert later.average_e8 == (100 + 240 + 240) * E8 // 6
    assert later.last_quantity_e8 == 3 * E8


def test_ticker_without_trades_stands_still() -> None:
    """Nothing traded: the last price everywhere, no volume, no trade ids, no change."""
    world, view = market()
    ticker = view.ticker_24h(SYMBOL, world.time_ns)
    assert ticker.open_e8 == ticker.high_e8 == ticker.low_e8 == ticker.last_e8 == START_E8
    assert (ticker.volume_e8, ticker.trades, ticker.average_e8) == (0, 0, 0)
    assert (ticker.first_trade_id, ticker.last_trade_id) == (-1, -1)
    assert (ticker.change_e8, ticker.change_percent_e8) == (0, 0)


def test_ticker_shows_generated_history_as_candles_do() -> None:
    """At the start, statistics agree with the candles of the same day."""
    world, view = market(history=True)
    ticker = view.ticker_24h(SYMBOL, world.time_ns)
    assert ticker.last_e8 == START_E8
    assert ticker.volume_e8 > 0
    assert ticker.low_e8 < ticker.high_e8
    week = view.ticker(SYMBOL, world.time_ns - 7 * NS_PER_DAY, world.time_ns)
    assert week.volume_e8 > ticker.volume_e8
    assert week.low_e8 <= ticker.low_e8
    assert week.high_e8 >= ticker.high_e8
