"""Deferred cancels against a plain model: any course of requests, fills, halts, kills and faults.

The model keeps a list of the intervals in which the symbol traded and works an order's age out from
it anew each time. After every step the state is stored and restored, and what is due is compared.
"""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.book import OpenOrder
from rules.decisions import ACCEPTED, DEFERRED
from rules.events import (
    BulkCancel,
    Deadline,
    Ended,
    EngineSession,
    SetSymbolState,
)
from rules.pipeline import Pipeline
from rules.reasons import Reason
from rules.values import (
    CANCELED,
    CAUSE_CLIENT,
    CAUSE_KILL,
    SCOPE_ACCOUNT,
    SCOPE_ORDER,
    SYMBOL_HALT,
    SYMBOL_TRADING,
)
from tests.rules.desk import Desk, fill
from tests.rules.order_world import ACCOUNT, SYMBOL, cancel, e8

MINIMUM_NS = 10
RETRY_NS = 1_000_000_000
CLAUSE = {"mode": "enforce", "policy": "DEFER", "minimum": "10ns"}


class Course:
    """A desk, and the model that follows what happens to it.

    `asked` are held cancels by order, with the time before which none is sent again.
    """

    def __init__(self) -> None:
        self.desk = Desk({"resting_time": CLAUSE})
        self.desk.send(EngineSession(True, 1, 0))
        self.connected = True
        self.trading: list[list[int]] = [[self.desk.now_ns, 0]]
        self.orders: dict[int, tuple[OpenOrder, int]] = {}
        """Open orders with the time they went live."""
        self.asked: dict[int, int] = {}
        self.sent: dict[int, int] = {}
        """Commands that cancel an order, by order."""

    # --- The model ----------------------------------------------------------------------------

    def age_ns(self, order_id: int) -> int:
        """Return how long an order could be matched, from the intervals of trading."""
        live_ns = self.orders[order_id][1]
        return sum(
            max((end_ns or self.desk.now_ns) - max(begin_ns, live_ns), 0)
            for begin_ns, end_ns in self.trading
        )

    def due(self) -> list[int]:
        """Return the orders whose held cancel is to be sent now."""
        if not self.connected:
            return []
        return sorted(
            order_id
            for order_id, not_before_ns in self.asked.items()
            if order_id not in self.sent
            and not_before_ns <= self.desk.now_ns
            and self.age_ns(order_id) >= MINIMUM_NS
        )

    def gone(self, order_id: int) -> None:
        """Forget an order that has ended."""
        self.orders.pop(order_id, None)
        self.asked.pop(order_id, None)
        self.sent.pop(order_id, None)

    # --- What happens -------------------------------------------------------------------------

    def place(self) -> None:
        """Rest a new order."""
        order = self.desk.rest(quantity_e8=e8(2))
        self.orders[order.order_id] = (order, self.desk.now_ns)

    def ask(self, index: int) -> None:
        """Ask for the cancel of an order that is not being cancelled."""
        free = [order_id for order_id in self.orders if order_id not in self.sent]
        if not free:
            return
        order_id = free[index % len(free)]
        young = self.age_ns(order_id) < MINIMUM_NS
        decision = self.desk.send(cancel(order_id=order_id))
        assert decision.verdict == (DEFERRED if young else ACCEPTED)
        if young:
            self.asked.setdefault(order_id, 0)
        else:
            self.sent[order_id] = self.desk.book.current_seq

    def answer(self, index: int, how: int) -> None:
        """Let the engine carry out, refuse or not answer a cancel."""
        if not self.sent:
            return
        order_id = sorted(self.sent)[index % len(self.sent)]
        command_id = self.sent.pop(order_id)
        if how == 0:
            ended = (Ended(order_id, CANCELED, self.orders[order_id][0].filled_e8),)
            self.desk.answer(command_id, order_id, CANCELED, ended=ended)
            self.gone(order_id)
            return
        if how == 1:
            self.desk.refuse(command_id, Reason.ENGINE_UNAVAILABLE)
        else:
            self.desk.send(Deadline(command_id))
        if order_id in self.asked:
            self.asked[order_id] = self.desk.now_ns + RETRY_NS

    def trade(self, index: int, whole: bool) -> None:
        """Execute an order, wholly or in part."""
        if not self.orders:
            return
        order_id = sorted(self.orders)[index % len(self.orders)]
        order = self.orders[order_id][0]
        left_e8 = order.quantity_e8 - order.filled_e8
        self.desk.trade(order, fill(order.price_e8, left_e8 if whole else 1, maker=True))
        if whole:
            self.gone(order_id)

    def halt(self) -> None:
        """Halt the symbol, or open it again."""
        halted = bool(self.trading[-1][1])
        state = SYMBOL_TRADING if halted else SYMBOL_HALT
        self.desk.send(SetSymbolState(SYMBOL, state, "", ""))
        if halted:
            self.trading.append([self.desk.now_ns, 0])
        else:
            self.trading[-1][1] = self.desk.now_ns

    def link(self) -> None:
        """Lose the engine, or have it back."""
        self.connected = not self.connected
        self.desk.send(EngineSession(self.connected, 1, 0))

    def kill(self) -> None:
        """Cancel everything that is not being cancelled yet."""
        decision = self.desk.send(BulkCancel(SCOPE_ACCOUNT, ACCOUNT, 0, CAUSE_KILL, 0))
        assert sorted(decision.cancels) == sorted(set(self.orders) - set(self.sent))
        if decision.cancels:
            ended = tuple(
                Ended(order_id, CANCELED, self.orders[order_id][0].filled_e8)
                for order_id in decision.cancels
            )
            self.desk.answer(self.desk.book.current_seq, 0, CANCELED, ended=ended)
        for order_id in decision.cancels:
            self.gone(order_id)

    def store(self) -> None:
        """Go on from the stored state; a link that is there is heard of again."""
        stored = msgspec.msgpack.encode(self.desk.pipeline.state())
        pipeline = Pipeline(self.desk.pipeline.rulebook)
        pipeline.restore(msgspec.msgpack.decode(stored))
        assert msgspec.msgpack.encode(pipeline.state()) == stored
        self.desk.pipeline = pipeline
        orders = self.desk.book.orders
        self.orders = {key: (orders[key], live_ns) for key, (_, live_ns) in self.orders.items()}
        self.asked = dict.fromkeys(self.asked, 0)
        if self.connected:
            self.desk.send(EngineSession(True, 1, 0))

    def check(self) -> None:
        """Compare what is held and what is due; what is due is sent, each once."""
        desk = self.desk
        held = desk.book.deferred
        assert len(held) == len(self.asked)
        assert all(order_id in held for order_id in self.asked)
        expected = self.due()
        found = []
        while (event := desk.pipeline.dues.next(desk.now_ns)) is not None:
            assert isinstance(event, BulkCancel)
            assert (event.scope, event.cause) == (SCOPE_ORDER, CAUSE_CLIENT)
            (order_id,) = desk.send(event).cancels
            self.sent[order_id] = desk.book.current_seq
            found.append(order_id)
        assert sorted(found) == expected
        assert desk.pipeline.dues.due_ns > desk.now_ns


STEP: Any = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([1, 4, 5, 9, 10])),
    st.tuples(st.just("wait"), st.sampled_from([1, 9, RETRY_NS - 1, RETRY_NS])),
    st.tuples(st.just("place")),
    st.tuples(st.just("ask"), st.integers(0, 5)),
    st.tuples(st.just("ask"), st.integers(0, 5)),
    st.tuples(st.just("answer"), st.integers(0, 5), st.integers(0, 2)),
    st.tuples(st.just("trade"), st.integers(0, 5), st.booleans()),
    st.tuples(st.sampled_from(["halt", "link", "kill", "store"])),
)


@given(st.lists(STEP, min_size=10, max_size=40))
@settings(deadline=None, max_examples=300)
def test_every_cancel_is_held_exactly_as_long_as_it_must_be(steps: list[tuple[Any, ...]]) -> None:
    """Never a nanosecond early, never one late, once each, and for no order that has ended."""
    course = Course()
    course.place()
    for name, *arguments in steps:
        if name == "wait":
            course.desk.now_ns += arguments[0]
        else:
            getattr(course, name)(*arguments)
        course.check()
