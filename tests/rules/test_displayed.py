"""What is displayed, by symbol and side and by account, is what the book's orders add up to."""

from typing import Any, cast

from rules.book import Book
from rules.conduct.fictitious_bids import FictitiousBids
from rules.conduct.layering import Layering
from rules.displayed import Displayed
from rules.patterns import rests
from rules.pipeline import Pipeline
from rules.values import BUY, SELL
from tests.bench.flow import SYMBOL, Flow

ACCOUNTS = 7


def displayed(flow: Flow) -> Displayed:
    """Return what the layering rule of a flow's pipeline takes as displayed."""
    return cast("Layering", flow.pipeline.rule("layering")).displayed


def standing_e8(book: Book, account: int, side: int) -> int:
    """Return what an account's orders add up to, by looking at each."""
    return sum(
        order.remaining_e8
        for order in book.open_orders(account, SYMBOL).values()
        if order.side == side and order.live and rests(order)
    )


def go_on(flow: Flow, requests: int) -> None:
    """Let requests be decided and answered by the engine."""
    for _ in range(requests):
        request = flow.next_request()
        result = flow.settle(request, flow.apply(request))
        if result is not None:
            flow.apply(result)


def test_accounts_add_up_after_every_request() -> None:
    """Placements, fills and cancels leave each account's sum and the total exact."""
    flow = Flow(40, 1, accounts=ACCOUNTS)
    book, shown = flow.pipeline.book, displayed(flow)
    for _ in range(300):
        go_on(flow, 1)
        for side in (BUY, SELL):
            sums = [standing_e8(book, account, side) for account in range(1, ACCOUNTS + 1)]
            assert sums == [
                shown.account_most_e8(account, SYMBOL, side) for account in range(1, ACCOUNTS + 1)
            ]
            assert sum(sums) == shown.total_e8(SYMBOL, side)


def test_accounts_without_orders_leave_nothing_behind() -> None:
    """An account whose last order ended is not remembered."""
    flow = Flow(1, 1, accounts=1)
    request: Any = None
    while flow.open_orders:
        request = flow.next_request()
        result = flow.settle(request, flow.apply(request))
        if result is not None:
            flow.apply(result)
    assert displayed(flow)._accounts_e8 == {}


def test_a_state_goes_back_as_it_was() -> None:
    """The sums of accounts follow from the stored orders."""
    flow = Flow(40, 1, accounts=ACCOUNTS)
    go_on(flow, 50)
    back = Displayed()
    back.restore(displayed(flow).state())
    for side in (BUY, SELL):
        for account in range(1, ACCOUNTS + 1):
            found = back.account_most_e8(account, SYMBOL, side)
            assert found == displayed(flow).account_most_e8(account, SYMBOL, side)


def test_orders_stored_without_their_account_may_be_anybodys() -> None:
    """As long as one of them stands, an account's most is all that is displayed."""
    back = Displayed()
    back.restore([[1, SYMBOL, BUY, 5], [2, SYMBOL, BUY, 3, 4], [-9, SYMBOL, BUY, 2]])
    assert back.account_most_e8(4, SYMBOL, BUY) == 10
    book = Book()
    book.ended[1] = cast("Any", None)
    back.follow(object(), book)
    assert back.account_most_e8(4, SYMBOL, BUY) == 3
    assert back.total_e8(SYMBOL, BUY) == 5


def test_rules_look_at_one_and_store_it_each() -> None:
    """Restored from both, or from a state in which one of them began later, nothing counts twice."""
    flow = Flow(40, 1, accounts=ACCOUNTS)
    go_on(flow, 50)
    state = flow.pipeline.state()
    assert state["rules"]["layering"]["shown"] == state["rules"]["fictitious_bids"]["shown"]
    for kept in (40, 3):
        del state["rules"]["layering"]["shown"][kept:]
        again = Pipeline(flow.pipeline.rulebook)
        again.restore(state)
        back = cast("FictitiousBids", again.rule("fictitious_bids")).displayed
        assert back is cast("Layering", again.rule("layering")).displayed
        for side in (BUY, SELL):
            assert back.total_e8(SYMBOL, side) == displayed(flow).total_e8(SYMBOL, side)
