"""Who took and who is told of an event's trades, by one fill and by several."""

from rules.book import Book, OpenOrder
from rules.events import CommandResult, Fill, OrderTrade
from rules.executions import sides_of, take_of
from rules.values import BUY, E8, FILLED, GTC, LIMIT

ORDER = 7


def book_with_order() -> Book:
    """Return a book with one order to buy three."""
    book = Book()
    book.add_order(
        OpenOrder(ORDER, 1, 3, 4, 5, 0, 1, BUY, LIMIT, GTC, E8, 3 * E8, 0, 0, "a", 0, 0, 0)
    )
    return book


def fill(quantity_e8: int, maker: bool = False) -> Fill:
    """Return an execution at a price of 1."""
    return Fill(1, E8, quantity_e8, quantity_e8, 0, 1, maker)


def test_a_result_with_several_fills_is_one_side() -> None:
    """Quantities and amounts are added up; so it is with one fill, and nobody is told of none."""
    book = book_with_order()
    for fills in ((fill(E8),), (fill(E8), fill(2 * E8)), (fill(E8),) * 3):
        result = CommandResult(1, ORDER, True, None, FILLED, 0, fills)
        (side,) = sides_of(result, book)
        take = take_of(result, book)
        assert take is not None
        assert (side.order_id, side.side, side.took) == (ORDER, BUY, True)
        assert side.quantity_e8 == take.quantity_e8 == sum(one.quantity_e8 for one in fills)
        assert (take.trades, take.makers) == (len(fills), fills)
    assert sides_of(CommandResult(1, ORDER, True, None, FILLED, 0), book) == ()


def test_a_resting_order_is_a_side_that_did_not_take() -> None:
    """Its own report tells of it, and of nobody who took."""
    trade = OrderTrade(1, 0, ORDER, fill(E8, maker=True), FILLED)
    (side,) = sides_of(trade, book_with_order())
    assert (side.quantity_e8, side.took) == (E8, False)
    assert take_of(trade, book_with_order()) is None
