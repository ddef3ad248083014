"""Orders, cancels and trades against live fees, in few words; amounts as decimal texts."""

import tomllib
from typing import Any

from gateway.tariffs import shipped_tariffs
from rules.book import OpenOrder
from rules.conduct.cancel_fees import CancelFees
from rules.decisions import Posting
from rules.events import DefineAccount, Ended, PostFees, TradeBust
from rules.fees.ledger import FeeLedger
from rules.units import decimal_text
from rules.values import BUY, CANCELED, NEW, NS_PER_DAY
from tests.rules.desk import Desk, fill
from tests.rules.order_world import ACCOUNT, NOW_NS, OWNER, SYMBOL, amend, cancel, e8

PLAIN: dict[str, Any] = {
    "description": "each cancel above 2 costs 1",
    "source": "the test",
    "currency": "EUR",
    "allowance": {"count": {"cancels": "1"}, "limit": "2", "fee": "1"},
}
DAY_STARTS_NS = NOW_NS // NS_PER_DAY * NS_PER_DAY


def shipped(name: str) -> dict[str, Any]:
    """Return the table of a shipped tariff."""
    return tomllib.loads(shipped_tariffs()[name])


class FeeDesk(Desk):
    """A desk whose rulebook charges by tariffs; the day is the calendar's, UTC unless stated."""

    def __init__(self, tariff: dict[str, Any] | None = None, **clause: Any) -> None:
        rules = {"cancel_fees": {"mode": "enforce", "tariffs": ["test"], **clause}}
        self.tariffs = {"test": tariff or PLAIN}
        super().__init__(rules, self.tariffs)
        self.now_ns = DAY_STARTS_NS

    @property
    def rule(self) -> CancelFees:
        found = self.pipeline.rule("cancel_fees")
        assert isinstance(found, CancelFees)
        return found

    @property
    def ledger(self) -> FeeLedger:
        return self.rule.ledgers[0]

    def cancelled(self, **changes: Any) -> None:
        """Place an order and cancel it a second later, the engine confirming both."""
        order = self.rest(**changes)
        self.now_ns += 1_000_000_000
        self.cancel(order)

    def cancel(self, order: OpenOrder, accepted: bool = True) -> None:
        """Cancel an order; the engine answers."""
        self.send(cancel(order_id=order.order_id))
        command_id = self.book.current_seq
        if accepted:
            ended = (Ended(order.order_id, CANCELED, order.filled_e8),)
            self.answer(command_id, order.order_id, CANCELED, ended=ended)
        else:
            self.answer(command_id, order.order_id, 0, accepted=False)

    def amended(self, order: OpenOrder, quantity_e8: int) -> None:
        """Amend an order; the engine carries it out."""
        self.send(amend(order_id=order.order_id, quantity_e8=quantity_e8))
        self.answer(self.book.current_seq, order.order_id, NEW)

    def sold(self, quantity_e8: int, price_e8: int = 0) -> OpenOrder:
        """Rest an order to sell and let it trade wholly."""
        order = self.rest(side=2, quantity_e8=quantity_e8, price_e8=price_e8 or e8(100))
        self.trade(order, fill(order.price_e8, quantity_e8, maker=True))
        return order

    def annul(self, quantity_e8: int, traded_ns: int, side: int = BUY, maker_side: int = 0) -> None:
        """Let the venue annul a trade of the account's."""
        accounts = (ACCOUNT, 0) if side == BUY else (0, ACCOUNT)
        self.send(
            TradeBust(
                *self.begin(),
                1,
                SYMBOL,
                e8(100),
                quantity_e8,
                1,
                2,
                *accounts,
                traded_ns,
                maker_side,
            )
        )

    def post(self) -> list[tuple[str, str]]:
        """Post all that is due; return identity and amount of each posting."""
        found: list[Posting] = []
        while self.rule.due(self.now_ns):
            decision = self.send(PostFees())
            found += decision.postings
            if not decision.more:
                break
        assert not self.rule.due(self.now_ns)
        return [(one.identity, decimal_text(int(one.amount_e8))) for one in found]

    def next_day(self, days: int = 1) -> None:
        """Let the clock come to the start of a later day."""
        self.now_ns = (self.now_ns // NS_PER_DAY + days) * NS_PER_DAY

    def flag(self, flags: int) -> None:
        """Give the account flags."""
        self.send(DefineAccount(ACCOUNT, "a", OWNER, "", flags))
