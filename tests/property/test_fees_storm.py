"""Live fees in random flow in which engines lose answers, change their minds and take orders off.

Nothing may be posted twice, no count may fall below nothing, what is posted must end, and a pipeline
that was stored and put back at any moment must go on charging as the one that never stopped.
"""

import random
import tomllib
from typing import Any, Final

import pytest

from gateway.tariffs import shipped_tariffs
from rules.conduct.cancel_fees import CancelFees
from rules.conduct.order_to_trade import OrderToTrade
from rules.decisions import ACCEPTED
from rules.endpoints import Endpoint
from rules.events import (
    BulkCancel,
    CommandResult,
    Ended,
    Fill,
    OrderEnded,
    OrderReduced,
    OrderTrade,
    PostFees,
    Replace,
    SetSymbolState,
)
from rules.reasons import Reason
from rules.values import (
    BUY,
    CANCELED,
    CAUSE_CLIENT,
    CAUSE_EXPIRY,
    CAUSE_KILL,
    CAUSE_SELF_TRADE,
    E8,
    EXPIRED,
    FILLED,
    GTC,
    INT63_MAX,
    IOC,
    LIMIT,
    NEW,
    PARTIALLY_FILLED,
    SCOPE_ACCOUNT,
    SCOPE_OWNER,
    SYMBOL_HALT,
    SYMBOL_TRADING,
)
from tests.property.test_conduct_storm import EAGER, Storm

STEPS: Final = 250
AGED: Final = "age-priced-cancels"
TARIFFS: Final = {name: tomllib.loads(text) for name, text in shipped_tariffs().items()}
METERED: Final = (
    "borsa-italiana-2012-mta", "china-stamp-2023", "eurex-excessive-usage", "italy-hft-tax-2013",
    "krx-excess-quotes-2015", "nasdaq-nordic-2011", "punitive-cancels",
)  # fmt: skip
SLICES_MAX: Final = 50


def rules(any_of: random.Random) -> dict[str, dict[str, Any]]:
    """Return eager rules in which hardly anything is refused, with some tariffs."""
    found = {name: {"mode": "shadow", **clause} for name, clause in EAGER.items()}
    policy = any_of.choice(("DEFER", "CHARGE"))
    found["resting_time"] = {"mode": "enforce", "policy": policy, "minimum": "1s"}
    if policy == "CHARGE":
        found["resting_time"]["tariff"] = AGED
    found["cancel_fees"] = {
        "mode": "enforce",
        "tariffs": any_of.sample(METERED, 3),
        "correction_days": any_of.choice((0, 1, 3)),
    }
    return found


class FeesStorm(Storm):
    """A storm whose engine answers late, twice or not at all."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, rules(random.Random(seed)), TARIFFS)
        self.posted: dict[str, int] = {}
        self.unanswered: list[tuple[int, int, tuple[Ended, ...]]] = []
        self.acts = (
            *self.acts, self.place, self.end, self.trade, self.replace, self.halt, self.reduce,
            self.lose, self.answer_late, self.cancel_many, self.post, self.prevent,
        )  # fmt: skip

    def end(self) -> None:
        """Let the engine report an end nobody was answered about."""
        order = self.market.book.orders.get(self.standing())
        if order is not None:
            causes = (CAUSE_CLIENT, CAUSE_EXPIRY, CAUSE_SELF_TRADE, CAUSE_KILL)
            status, cause = self.any.choice((CANCELED, EXPIRED)), self.any.choice(causes)
            filled_e8 = order.filled_e8
            self.send(OrderEnded(*self.market.begin(), order.order_id, status, cause, filled_e8, 0))

    def trade(self) -> None:
        order = self.market.book.orders.get(self.standing())
        if order is not None and order.live and order.remaining_e8 > 0:
            part_e8 = self.any.choice((1, order.remaining_e8))
            quote_e8 = min(order.price_e8 * part_e8 // E8, INT63_MAX)
            fill = Fill(1, order.price_e8 or 1, part_e8, quote_e8, 0, 0, self.any.random() < 0.8)
            status = FILLED if part_e8 == order.remaining_e8 else PARTIALLY_FILLED
            self.send(OrderTrade(*self.market.begin(), order.order_id, fill, status))

    def replace(self) -> None:
        """Replace an order: both halves work, the new one is refused, both are, or who knows."""
        old = self.market.book.orders.get(self.standing())
        if old is None:
            return
        head = self.market._head(Endpoint.ORDER_CANCEL_REPLACE, old.account)
        terms = (old.side, LIMIT, GTC, self.number(), self.number(), 0)
        decision = self.send(Replace(*head, old.symbol, old.order_id, "", *terms))
        if decision.verdict != ACCEPTED:
            return
        ended = (Ended(old.order_id, CANCELED, old.filled_e8),)
        command, now_ns, new = self.market.book.current_seq, self.market.now_ns, decision.order_id
        results = (
            CommandResult(command, new, True, None, NEW, now_ns, (), ended),
            CommandResult(
                command, new, True, None, 0, now_ns, (), ended,
                replaced_refusal=Reason.ENGINE_WOULD_TAKE,
            ),
            CommandResult(command, new, False, Reason.ENGINE_WOULD_TAKE, 0, now_ns),
            CommandResult(command, 0, False, None, 0, now_ns, unknown=True),
        )  # fmt: skip
        result = self.any.choice(results)
        if result.unknown:
            self.unanswered.append((command, new, ended))
        self.send(result)

    def halt(self) -> None:
        state = self.any.choice((SYMBOL_TRADING, SYMBOL_HALT))
        self.send(SetSymbolState(self.symbol(), state, "n", "operator"))

    def reduce(self) -> None:
        order = self.market.book.orders.get(self.standing())
        if order is not None and order.live and order.remaining_e8 > 1:
            taken_e8 = order.remaining_e8 // 2
            left_e8 = order.quantity_e8 - taken_e8
            report = (*self.market.begin(), order.order_id, left_e8, CAUSE_SELF_TRADE, taken_e8)
            self.send(OrderReduced(*report))

    def lose(self) -> None:
        """Cancel an order, and have no answer in time."""
        order = self.market.book.orders.get(self.standing())
        if order is None:
            return
        event = self.market.cancel_request(order.account, order.order_id)
        if self.send(event).verdict == ACCEPTED:
            command, now_ns = self.market.book.current_seq, self.market.now_ns
            ended = (Ended(order.order_id, CANCELED, order.filled_e8),)
            self.unanswered.append((command, order.order_id, ended))
            self.send(CommandResult(command, 0, False, None, 0, now_ns, unknown=True))

    def answer_late(self) -> None:
        """Let an answer come that nobody waits for any more."""
        if self.unanswered:
            command, order_id, ended = self.unanswered.pop(0)
            now_ns = self.market.now_ns
            results = (
                CommandResult(command, order_id, True, None, CANCELED, now_ns, (), ended),
                CommandResult(command, order_id, False, Reason.ENGINE_UNKNOWN_ORDER, 0, now_ns),
            )
            self.send(self.any.choice(results))

    def cancel_many(self) -> None:
        """Cancel a scope's orders; the engine carries out a part of it."""
        scope = self.any.choice((SCOPE_ACCOUNT, SCOPE_OWNER))
        cause = self.any.choice((CAUSE_CLIENT, CAUSE_KILL))
        decision = self.send(BulkCancel(scope, self.owner(), 0, cause, 1))
        if decision.cancels:
            self.ended(decision.cancels[: self.any.randrange(len(decision.cancels) + 1)], 0)

    def prevent(self) -> None:
        """Let self-trade prevention take nothing, a grain or all of an order that does not rest."""
        event = self.market.order(
            self.owner(), BUY, 1, time_in_force=IOC, quantity_e8=self.number()
        )
        decision = self.send(event)
        if decision.verdict == ACCEPTED:
            command, now_ns = self.market.book.current_seq, self.market.now_ns
            taken_e8 = self.any.choice((0, 1, event.quantity_e8))
            terms = (command, decision.order_id, True, None, EXPIRED, now_ns, (), (), taken_e8)
            self.send(CommandResult(*terms))

    @property
    def fees(self) -> CancelFees:
        found = self.market.pipeline.rule("cancel_fees")
        assert isinstance(found, CancelFees)
        return found

    def post(self) -> None:
        """Post all that is due; it ends, and each posting is made once."""
        for _ in range(SLICES_MAX):
            if not self.fees.due(self.market.now_ns):
                return
            for posting in self.send(PostFees()).postings:
                assert posting.identity not in self.posted
                self.posted[posting.identity] = int(posting.amount_e8)
        raise AssertionError("what is due does not end")

    def look(self) -> None:
        """Hold that nothing was counted below nothing."""
        for ledger in self.fees.ledgers:
            for _, _, _, amounts in ledger.state()["rows"]:
                assert all(int(amount) >= 0 for amount in amounts)
        ratio = self.market.pipeline.rule("order_to_trade")
        assert isinstance(ratio, OrderToTrade)
        for owner, symbol in ratio.pairs():
            counts = ratio.counts(owner, symbol)
            parts = (counts.number, counts.volume_e8, counts.orders, counts.cancels, counts.amends)
            assert min(parts) >= 0


@pytest.mark.parametrize("seed", range(8))
def test_fees_in_a_storm(seed: int) -> None:
    """Days apart, with a restart every few events."""
    storm = FeesStorm(seed)
    for _ in range(STEPS):
        storm.step()
        storm.look()
    storm.post()
    assert storm.market.pipeline.faults == 0
    assert storm.twin is not None
    reversals = [identity for identity in storm.posted if identity.endswith(":reversal")]
    for identity in reversals:
        reversed_e8 = storm.posted[identity.removesuffix(":reversal")]
        assert storm.posted[identity] == -reversed_e8
