"""A desk whose rulebook counts points by the age of orders."""

from typing import Any

from rules.book import OpenOrder
from rules.conduct.age_cost import AgeCost
from rules.decisions import ACCEPTED, DEFERRED
from rules.events import CancelAll, Event, Request
from rules.values import SCOPE_ACCOUNT_SYMBOL, pair_of
from tests.rules.desk import Desk
from tests.rules.order_world import ACCOUNT, SYMBOL, cancel


class CostDesk(Desk):
    """A desk whose rulebook counts points, by default those of Kraken's middle tier."""

    def __init__(self, **changes: Any) -> None:
        rules = changes.pop("rules", {})
        super().__init__({"age_cost": {"mode": "enforce", **changes}, **rules})

    @property
    def rule(self) -> AgeCost:
        """Return the rule."""
        found = self.pipeline.rule("age_cost")
        assert isinstance(found, AgeCost)
        return found

    def points_e8(
        self, scope: int = SCOPE_ACCOUNT_SYMBOL, subject: int = pair_of(ACCOUNT, SYMBOL)
    ) -> int:
        """Return a counter in 1e-8 points."""
        return self.rule.usage(scope, subject, self.book, self.now_ns)[0].used

    def added_e8(self, event: Event) -> int:
        """Send an event; return what it has added to the account's counter."""
        before_e8 = self.points_e8()
        assert self.send(event).verdict in (ACCEPTED, DEFERRED)
        return self.points_e8() - before_e8

    def aged(self, age_ns: int) -> OpenOrder:
        """Return an order of an age, with the counter fallen to what it costs now."""
        order = self.rest()
        self.now_ns += age_ns
        return order


def all_orders(symbol: int = 0) -> CancelAll:
    """Return a cancel of all the account's orders."""
    one = cancel()
    return CancelAll(*(getattr(one, name) for name in Request.__struct_fields__), symbol=symbol)
