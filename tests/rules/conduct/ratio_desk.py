"""Client, gate and engine played against the order-to-trade ratio, message by message."""

from collections.abc import Callable
from itertools import count

from rules.book import Book, OpenOrder
from rules.conduct.order_to_trade import OrderToTrade
from rules.decisions import ACCEPTED, NOTED_DECISION, Breach, Decision
from rules.endpoints import Endpoint
from rules.events import (
    Amend,
    Cancel,
    CommandResult,
    Ended,
    Event,
    Fill,
    OrderEnded,
    OrderTrade,
    Place,
)
from rules.ratio_counts import RatioCounts
from rules.reasons import Reason
from rules.rulebook import parse_rulebook
from rules.values import (
    AUTH_OK,
    BUY,
    CANCELED,
    CAUSE_CLIENT,
    CHANNEL_INTERNAL,
    E8,
    FILLED,
    GTC,
    LIMIT,
    MARKET,
    NEW,
)

AddOrder = Callable[..., OpenOrder]

SYMBOL, OTHER_SYMBOL, ACCOUNT, OWNER, KEY = 7, 8, 3, 5, 11
MAKER_ACCOUNT, MAKER_OWNER, MAKER_KEY = 4, 6, 12
NOW_NS = 1_700_000_000_000_000_000
REJECTED_BY = (Breach("any", Reason.PRICE_TICK, 0, 0),)


def rule(text: str = "") -> OrderToTrade:
    """Return the rule with the clause lines of `text`."""
    source = f'name = "test"\n[rules.order_to_trade]\nmode = "enforce"\n{text}'
    return OrderToTrade(parse_rulebook("test", {"test": source}))


def head(endpoint: Endpoint, key: int = KEY) -> tuple[int, ...]:
    """Return the fields every request begins with."""
    return (endpoint, 1, key, AUTH_OK, NOW_NS, NOW_NS, 0, 0, CHANNEL_INTERNAL, 0, 0)


def place(
    *, time_in_force: int = GTC, quantity_e8: int = 10 * E8, key: int = KEY, flags: int = 0
) -> Place:
    order_type = LIMIT if time_in_force else MARKET
    return Place(
        *head(Endpoint.ORDER_PLACE, key),
        SYMBOL, BUY, order_type, time_in_force, 100 * E8, quantity_e8, 0, flags=flags,
    )  # fmt: skip


def cancel(order_id: int) -> Cancel:
    return Cancel(*head(Endpoint.ORDER_CANCEL), SYMBOL, order_id, "")


def amend(order_id: int, quantity_e8: int) -> Amend:
    return Amend(*head(Endpoint.ORDER_AMEND), SYMBOL, order_id, "", quantity_e8)


def fill(quantity_e8: int) -> Fill:
    return Fill(1, 100 * E8, quantity_e8, 100 * quantity_e8, 0, 0, False)


class Desk:
    """Plays client, gate and engine against one rule and one book."""

    def __init__(self, tested: OrderToTrade, book: Book, add_order: AddOrder) -> None:
        self.rule = tested
        self.book = book
        self.now_ns = NOW_NS
        self._add_order = add_order
        self._order_ids = count(1)
        self._command_ids = count(1_000)

    @property
    def counts(self) -> RatioCounts:
        return self.rule.counts(OWNER, SYMBOL)

    def note(self, event: Event, decision: Decision = NOTED_DECISION) -> None:
        self.rule.apply(event, decision, self.book, self.now_ns)
        self.book.ended.clear()

    def place(
        self,
        time_in_force: int = GTC,
        fills_e8: tuple[int, ...] = (),
        status: int = NEW,
        prevented_e8: int = 0,
        account: int = ACCOUNT,
    ) -> OpenOrder:
        """Place ten units; the engine answers at once."""
        order = self.send(time_in_force, account)
        self.answer(order, fills_e8, status, prevented_e8=prevented_e8)
        return order

    def send(self, time_in_force: int = GTC, account: int = ACCOUNT) -> OpenOrder:
        """Place ten units; the engine has not answered yet."""
        order = self._add_order(
            next(self._order_ids),
            0,
            account=account,
            time_in_force=time_in_force,
            command_id=next(self._command_ids),
        )
        key = KEY if account == ACCOUNT else MAKER_KEY
        order.accepted_ns = self.now_ns
        decision = Decision(ACCEPTED, order_id=order.order_id, account=account)
        self.note(place(time_in_force=time_in_force, key=key), decision)
        return order

    def answer(
        self,
        order: OpenOrder,
        fills_e8: tuple[int, ...] = (),
        status: int = NEW,
        *,
        accepted: bool = True,
        prevented_e8: int = 0,
    ) -> None:
        """Let the engine answer a placement."""
        fills = tuple(fill(quantity_e8) for quantity_e8 in fills_e8)
        order.filled_e8 += sum(fills_e8)
        if status != NEW or not accepted:
            self._end(order)
        self.note(
            CommandResult(
                order.command_id, order.order_id, accepted, None, status, self.now_ns, fills,
                prevented_e8=prevented_e8,
            )
        )  # fmt: skip

    def cancel(self, order: OpenOrder, *, accepted: bool = True) -> None:
        """Let the client cancel; the engine answers at once."""
        self.note(cancel(order.order_id), Decision(ACCEPTED, order_id=order.order_id))
        self.deleted(order, CAUSE_CLIENT, accepted=accepted)

    def deleted(self, order: OpenOrder, cause: int, *, accepted: bool = True) -> None:
        """Let the engine answer a cancel command."""
        ended: tuple[Ended, ...] = ()
        if accepted:
            order.cancel_cause = cause
            self._end(order)
            ended = (Ended(order.order_id, CANCELED, order.filled_e8),)
        command_id = next(self._command_ids)
        named = order.order_id if cause == CAUSE_CLIENT else 0
        self.note(CommandResult(command_id, named, accepted, None, 0, self.now_ns, (), ended))

    def amend(self, order: OpenOrder, quantity_e8: int) -> None:
        """Let the client ask for another quantity."""
        self.note(amend(order.order_id, quantity_e8), Decision(ACCEPTED, order_id=order.order_id))

    def amended(self, order: OpenOrder, quantity_e8: int, *, accepted: bool = True) -> None:
        """Let the engine answer an amend."""
        if accepted:
            order.quantity_e8 = quantity_e8
        command_id = next(self._command_ids)
        self.note(CommandResult(command_id, order.order_id, accepted, None, NEW, self.now_ns))

    def trade(self, order: OpenOrder, quantity_e8: int) -> None:
        """Execute some of a resting order."""
        order.filled_e8 += quantity_e8
        status = FILLED if order.filled_e8 == order.quantity_e8 else NEW
        if status == FILLED:
            self._end(order)
        self.note(OrderTrade(1, self.now_ns, order.order_id, fill(quantity_e8), status))

    def end(self, order: OpenOrder, cause: int, prevented_e8: int = 0) -> None:
        """Let the engine end a resting order unasked."""
        self._end(order)
        self.note(
            OrderEnded(
                1, self.now_ns, order.order_id, CANCELED, cause, order.filled_e8, prevented_e8
            )
        )

    def _end(self, order: OpenOrder) -> None:
        self.book.ended[order.order_id] = self.book.orders.pop(order.order_id)
