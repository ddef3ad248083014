"""What stop states, halts and the limits on single orders must say, from the plain facts.

Like the rates, each is judged both ways. Halted time is measured from a list of intervals.
"""

from collections.abc import Iterator
from typing import Any

from rules.decisions import ACCEPTED, DEFERRED, REFUSED, Decision
from rules.events import (
    Amend,
    BulkCancel,
    Cancel,
    CancelAll,
    DefineSymbol,
    Event,
    Place,
    Replace,
    SetState,
    SetSymbolState,
)
from rules.reasons import Reason
from rules.rulebook import Rulebook
from rules.units import duration_ns
from rules.values import (
    BUY,
    CAUSE_CLIENT,
    E8,
    FLAG_ALGO,
    FLAG_TEST,
    FOK,
    IOC,
    LIMIT,
    MARKET,
    SCOPE_ACCOUNT,
    SCOPE_KEY,
    SCOPE_OWNER,
    SCOPE_SYMBOL,
    SCOPE_VENUE,
    SELL,
    STATE_CANCEL_ONLY,
    STATE_KILLED,
    STATE_REDUCE_ONLY,
    STATE_SLOW,
    SYMBOL_AUCTION,
    SYMBOL_TRADING,
)
from tests.sim.orders import ModelOrder, OrderModel
from tests.sim.rates import reached_limits

_STATES = {
    STATE_SLOW: Reason.STATE_SLOW,
    STATE_REDUCE_ONLY: Reason.STATE_REDUCE_ONLY,
    STATE_CANCEL_ONLY: Reason.STATE_CANCEL_ONLY,
    STATE_KILLED: Reason.STATE_KILLED,
}
_SYMBOL_STATES = (Reason.SYMBOL_HALTED, Reason.SYMBOL_CANCEL_ONLY)
_BEFORE_STOPS = frozenset(("key_standing", "account_standing", "permission"))
_BEFORE_SYMBOLS = _BEFORE_STOPS | {"stop_state"}
_BEFORE_KNOWN = _BEFORE_SYMBOLS | {"symbol_state"}
_ACCESS = frozenset(
    ("ban_ladder", "raw_requests", "request_weight", "authentication", "recv_window", "request")
)


class StopModel:
    """Stop states, symbol states and halts, and what they and the order limits forbid."""

    def __init__(self, rulebook: Rulebook, orders: OrderModel) -> None:
        self._rulebook = rulebook
        self._clauses = rulebook.clauses
        self._orders = orders
        self._parties = orders.parties
        self.states: dict[tuple[int, int], int] = {}
        self.symbol_states: dict[int, int] = {}
        self._names: dict[int, str] = {}
        self._halts: dict[int, list[list[int]]] = {}
        """Intervals (begin, end) without matching; the end of a present one is 0."""
        self._slowed_ns: dict[int, int] = {}

    # --- Following ----------------------------------------------------------------------------

    def take(self, event: Event, decision: Decision, now_ns: int) -> None:
        """Follow operators' acts, definitions, and orders accepted in state SLOW."""
        if isinstance(event, SetState):
            self.states[event.scope, event.subject] = event.state
        elif isinstance(event, DefineSymbol):
            self._names[event.symbol] = event.name
            self._symbol_state(event.symbol, event.state, now_ns)
        elif isinstance(event, SetSymbolState):
            self._symbol_state(event.symbol, event.state, now_ns)
        elif (
            isinstance(event, Place | Replace)
            and decision.verdict == ACCEPTED
            and not event.flags & FLAG_TEST
            and self.state_of(event.key, event.symbol) == STATE_SLOW
        ):
            self._slowed_ns[self._owner_of(event.key)] = now_ns

    def halted_ns(self, symbol: int, now_ns: int) -> int:
        """Return how long a symbol has been halted up to `now_ns`."""
        return sum((end or now_ns) - begin for begin, end in self._halts.get(symbol, ()))

    def state_of(self, key: int, symbol: int) -> int:
        """Return the strictest stop state over what a key does in a symbol."""
        account = self._parties.account_of.get(key, 0)
        scopes = (
            (SCOPE_VENUE, 0),
            (SCOPE_SYMBOL, symbol),
            (SCOPE_OWNER, self._owner_of(key)),
            (SCOPE_ACCOUNT, account),
            (SCOPE_KEY, key),
        )
        return max(self.states.get(scope, 0) for scope in scopes)

    def _owner_of(self, key: int) -> int:
        return self._parties.owner_of.get(self._parties.account_of.get(key, 0), 0)

    def _symbol_state(self, symbol: int, state: int, now_ns: int) -> None:
        halts = self._halts.setdefault(symbol, [])
        halted = bool(halts) and not halts[-1][1]
        self.symbol_states[symbol] = state
        if state == SYMBOL_TRADING and halted:
            halts[-1][1] = now_ns
            if halts[-1][0] == now_ns:
                halts.pop()
        elif state != SYMBOL_TRADING and not halted:
            halts.append([now_ns, 0])

    # --- Judging ------------------------------------------------------------------------------

    def judge(self, event: Event, decision: Decision, now_ns: int) -> Iterator[str]:
        """Yield what is wrong with a decision on an order request."""
        if isinstance(event, BulkCancel):
            yield from self.due(event, decision, now_ns)
        if not isinstance(event, Place | Replace | Cancel | CancelAll | Amend):
            return
        rule = decision.breaches[0].rule if decision.breaches else ""
        if rule in _ACCESS:
            return
        told = decision.breaches[0].reason if decision.breaches else None
        meant = None if isinstance(event, Place | CancelAll) else self._orders.named(event)
        if rule not in _BEFORE_STOPS:
            expected = self._stop_reason(event, meant, now_ns)
            if (told if rule == "stop_state" else None) is not expected:
                yield f"stop state: {expected!r} expected, told {told!r}"
        if rule not in _BEFORE_SYMBOLS and isinstance(event, Place | Replace | Amend):
            closed = self._closed(event, meant)
            if closed is not (told in _SYMBOL_STATES):
                yield f"symbol {'closed' if closed else 'open'}, told {told!r}"
        if rule not in _BEFORE_KNOWN and isinstance(event, Cancel | Replace | Amend):
            forgiven = isinstance(event, Replace) and event.allow_failure
            unknown = meant is None and not forgiven
            if unknown is not (told is Reason.UNKNOWN_ORDER):
                yield f"order {'unknown' if unknown else 'known'}, told {told!r}"
        if reached_limits(decision):
            yield from self._limits(event, meant, decision, now_ns)

    def _stop_reason(self, event: Any, meant: ModelOrder | None, now_ns: int) -> Reason | None:
        symbol = event.symbol
        if not symbol and meant is not None:
            symbol = meant.symbol
        state = self.state_of(event.key, symbol)
        if not state:
            return None
        allowed = STATE_CANCEL_ONLY
        if isinstance(event, Place | Replace):
            allowed = STATE_REDUCE_ONLY if event.side == SELL else STATE_SLOW
            if state == STATE_SLOW:
                owner = self._owner_of(event.key)
                interval_ns = duration_ns(self._clauses.stop_state.slow_interval)
                last_ns = self._slowed_ns.get(owner)
                if last_ns is not None and now_ns < last_ns + interval_ns:
                    return Reason.STATE_SLOW
        elif isinstance(event, Amend):
            if meant is None:
                allowed = STATE_SLOW
            elif not _only_reduces(event, meant):
                allowed = STATE_REDUCE_ONLY if meant.side == SELL else STATE_SLOW
        return _STATES[state] if state > allowed else None

    def _closed(self, event: Any, meant: ModelOrder | None) -> bool:
        symbol, order_type = event.symbol, getattr(event, "order_type", 0)
        if isinstance(event, Amend):
            if meant is None:
                return bool(symbol) and self.symbol_states[symbol] != SYMBOL_TRADING
            symbol, order_type = meant.symbol, meant.event.order_type
        state = self.symbol_states[symbol]
        return not (state == SYMBOL_TRADING or (state == SYMBOL_AUCTION and order_type == LIMIT))

    def _limits(
        self, event: Any, meant: ModelOrder | None, decision: Decision, now_ns: int
    ) -> Iterator[str]:
        reasons = {breach.reason for breach in decision.breaches}
        if isinstance(event, Place | Replace):
            yield from self._new_order(event, meant, decision, reasons)
        if isinstance(event, Amend) and meant is not None:
            yield from self._amend(event, meant, reasons)
        if not isinstance(event, Place):
            young = self._too_young(event, meant, now_ns)
            found = Reason.MINIMUM_RESTING_TIME in reasons
            if young is not found:
                told = "too young" if young else "old enough"
                yield f"resting age: the order is {told}, refused for it: {found}"
            if decision.verdict != REFUSED:
                yield from self._held(event, meant, decision, now_ns)

    def _new_order(
        self, event: Any, meant: ModelOrder | None, decision: Decision, reasons: set[Reason]
    ) -> Iterator[str]:
        orders, account = self._orders, self._parties.account_of[event.key]
        own = [order for order in orders.open.values() if order.account == account]
        limit = self._rulebook.filters(self._names[event.symbol]).max_num_orders
        full = sum(order.symbol == event.symbol for order in own) >= limit > 0
        enforced = self._clauses.max_num_orders.mode == "enforce"
        if enforced and full is not (Reason.MAX_NUM_ORDERS in reasons):
            yield f"{limit} orders {'are' if full else 'are not'} open, told {reasons}"
        if self._clauses.duplicate_client_order_id.mode == "enforce" and event.client_order_id:
            taken = any(order.client_order_id == event.client_order_id for order in own)
            if taken and Reason.DUPLICATE_CLIENT_ORDER_ID not in reasons:
                yield f"client order id {event.client_order_id} is open already"
        parties = self._parties
        asset = parties.quote if event.side == BUY else parties.base_of[event.symbol]
        free_e8 = orders.free_e8(account, asset)
        if isinstance(event, Replace) and not event.allow_failure and meant is not None:
            free_e8 += meant.holds_e8() if meant.asset == asset else 0
        if event.order_type == MARKET and decision.verdict == REFUSED:
            return
        needed_e8 = ModelOrder(event, decision, 0, 0, parties).holds_e8()
        if (needed_e8 > free_e8) is not (Reason.INSUFFICIENT_BALANCE in reasons):
            yield f"needs {needed_e8} of {free_e8} free, told {reasons}"

    def _amend(self, event: Amend, meant: ModelOrder, reasons: set[Reason]) -> Iterator[str]:
        if meant.event.order_type == MARKET:
            # It never rests, so the engine refuses, whatever it would have needed.
            return
        quantity_e8 = event.quantity_e8 or meant.quantity_e8
        left_e8 = max(quantity_e8 - meant.filled_e8, 0)
        price_e8 = event.price_e8 or meant.price_e8
        holds_e8 = -(-price_e8 * left_e8 // E8) if meant.side == BUY else left_e8
        needed_e8 = holds_e8 - meant.holds_e8()
        free_e8 = self._orders.free_e8(meant.account, meant.asset)
        short = needed_e8 > 0 and needed_e8 > free_e8
        if short is not (Reason.INSUFFICIENT_BALANCE in reasons):
            yield f"amend needs {needed_e8} of {free_e8} free, told {reasons}"

    def _too_young(self, event: Any, meant: ModelOrder | None, now_ns: int) -> bool:
        """Tell whether a request is to be refused because of its orders' age."""
        clause = self._clauses.resting_time
        if clause.mode != "enforce":
            return False
        holds = clause.policy == "DEFER"
        if isinstance(event, CancelAll):
            there = self._all_of(event)
            young = [order for order in there if self._young(order, now_ns)]
            return bool(there) and len(young) == len(there) and not holds
        if meant is None or not self._young(meant, now_ns) or (holds and isinstance(event, Cancel)):
            return False
        reduces = isinstance(event, Amend) and _only_reduces(event, meant)
        return not (clause.exempt_reducing and reduces)

    def _held(
        self, event: Any, meant: ModelOrder | None, decision: Decision, now_ns: int
    ) -> Iterator[str]:
        """Yield what is wrong with which cancels are held and which go."""
        if not isinstance(event, Cancel | CancelAll):
            return
        clause = self._clauses.resting_time
        there = self._all_of(event) if isinstance(event, CancelAll) else [meant] if meant else []
        young = set()
        if clause.mode == "enforce":
            young = {order.order_id for order in there if self._young(order, now_ns)}
        if taken := young.intersection(decision.cancels):
            yield f"orders {taken} are too young to be cancelled"
        holds = clause.policy == "DEFER"
        held = young if holds else set()
        if isinstance(event, CancelAll):
            # What is being cancelled already is passed over.
            held = held - {order.order_id for order in there if order.cancelling}
        if held != set(decision.deferred):
            yield f"resting age: cancels of {decision.deferred} are held, should be {held}"
        alone = holds and bool(young) and len(young) == len(there)
        if alone is not (decision.verdict == DEFERRED):
            yield f"verdict {decision.verdict} where {young} of {len(there)} orders are too young"

    def due(self, event: BulkCancel, decision: Decision, now_ns: int) -> Iterator[str]:
        """Yield what is wrong with the cancels that a client asked for earlier."""
        if event.cause != CAUSE_CLIENT or self._clauses.resting_time.mode != "enforce":
            return
        for order_id in decision.cancels:
            order = self._orders.open.get(order_id)
            if order is not None and self._young(order, now_ns):
                yield f"order {order_id} is too young to be cancelled"

    def overdue(self, now_ns: int) -> list[int]:
        """Return the open orders whose cancel is held although they are old enough."""
        orders = self._orders
        return [
            order_id
            for order_id, restriction in orders.deferred.items()
            if not restriction and not self._young(orders.open[order_id], now_ns)
        ]

    def _all_of(self, event: CancelAll) -> list[ModelOrder]:
        """Return the open orders that a cancel of all means."""
        account = self._parties.account_of[event.key]
        return [
            order
            for order in self._orders.open.values()
            if order.account == account and event.symbol in (0, order.symbol)
        ]

    def _young(self, order: ModelOrder, now_ns: int) -> bool:
        clause, asked = self._clauses.resting_time, order.event
        if not order.live_ns or asked.order_type == MARKET or asked.time_in_force in (IOC, FOK):
            return False
        if clause.algo_only and not (asked.algo or asked.flags & FLAG_ALGO):
            return False
        text = clause.symbols.get(self._names[order.symbol], clause.minimum)
        halted_ns = self.halted_ns(order.symbol, now_ns) - order.halted_ns
        return now_ns - order.live_ns - halted_ns < duration_ns(text)


def _only_reduces(amend: Amend, order: ModelOrder) -> bool:
    same_price = amend.price_e8 in (0, order.price_e8)
    return same_price and 0 < amend.quantity_e8 < order.quantity_e8
