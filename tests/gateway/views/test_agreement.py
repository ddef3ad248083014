"""Property: whatever is sent to a real matching engine, the views agree with its book."""

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.engine.port import (
    AmendCommand,
    CancelCommand,
    Command,
    PlaceCommand,
    ReplaceCommand,
)
from gateway.stub.exchange import MatchingExchange
from gateway.views import OrdersView, TradesView
from rules.decisions import ACCEPTED, NOTED_DECISION, Decision
from rules.events import Amend, BulkCancel, Cancel, DefineAccount, Place, Replace, TradeBust
from rules.values import (
    BUY,
    CAUSE_CLIENT,
    CAUSE_KILL,
    DECREMENT,
    E8,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    FOK,
    GTC,
    IOC,
    LIMIT,
    LIMIT_MAKER,
    MARKET,
    SELL,
    STP_NONE,
)
from tests.gateway.views.view_world import BASE, QUOTE, SYMBOL, ViewWorld

ACCOUNTS = (1, 2)
COMMON = (40, 1, 9, 2, 1, 1, 0, 0, 1, 0, 0)

PRICES = st.integers(min_value=97, max_value=103).map(lambda price: price * E8)
QUANTITIES = st.integers(min_value=1, max_value=9).map(lambda quantity: quantity * E8)
KINDS = ((LIMIT, GTC), (LIMIT, IOC), (LIMIT, FOK), (MARKET, 0), (LIMIT_MAKER, 0))
MODES = (STP_NONE, EXPIRE_TAKER, EXPIRE_MAKER, EXPIRE_BOTH, DECREMENT)
PLACES = st.tuples(
    st.just("place"),
    st.sampled_from(ACCOUNTS),
    st.sampled_from((BUY, SELL)),
    st.sampled_from(KINDS),
    PRICES,
    QUANTITIES,
    st.sampled_from(MODES),
)
OTHERS = st.tuples(
    st.sampled_from(("cancel", "amend", "replace", "bulk", "bust")),
    st.integers(min_value=1, max_value=12),
    PRICES,
    QUANTITIES,
)


class Venue:
    """A door without rules: everything goes to the engine, and its words to the views."""

    def __init__(self) -> None:
        self.world = ViewWorld()
        self.engine = MatchingExchange()
        self.engine.define_symbol(self.world.definition)
        self.trades = TradesView()
        self.orders = OrdersView(self.world, self.trades)
        self.seq = 0
        self.order_id = 0
        self.owners: dict[int, int] = {}
        self.busted: Counter[int] = Counter()
        for account in ACCOUNTS:
            self.engine.define_account(DefineAccount(account, f"a{account}", account, "", 0))
            for asset, amount in ((BASE, 1_000), (QUOTE, 100_000)):
                self.engine.deposit(account, asset, amount * E8, "", 1)

    def record(self, event: Any, decision: Decision = NOTED_DECISION) -> None:
        """Number one event and show it to the views."""
        self.seq += 1
        self.world.time_ns += 1_000_000
        self.orders.on_record(self.seq, self.world.time_ns, event, decision)

    def send(self, command: Command) -> None:
        """Have the engine carry out a command, and take up what it says."""
        result, reports = self.engine.execute(command, self.world.time_ns)
        self.record(result)
        for report in reports:
            self.record(report)

    def place_command(
        self, account: int, side: int, kind: Any, price: int, quantity: int, mode: int
    ) -> Any:
        """Return event and command of a new order."""
        self.order_id += 1
        self.owners[self.order_id] = account
        order_type, time_in_force = kind
        price = 0 if order_type == MARKET else price
        fields = (SYMBOL, side, order_type, time_in_force, price, quantity, 0)
        event = Place(*COMMON, *fields, client_order_id=f"c{self.order_id}", stp_mode=mode)
        command = PlaceCommand(
            self.seq + 1, self.order_id, account, *fields, 0, mode, f"c{self.order_id}"
        )
        return event, command

    def act(self, step: tuple[Any, ...]) -> None:
        """Carry out one step."""
        if step[0] == "place":
            event, command = self.place_command(*step[1:])
            self.record(event, Decision(ACCEPTED, order_id=self.order_id, account=step[1]))
            self.send(command)
            return
        _, order_id, price, quantity = step
        account = self.owners.get(order_id)
        if account is None:
            return
        if step[0] == "cancel":
            self.record(Cancel(*COMMON, SYMBOL, order_id, ""), Decision(ACCEPTED))
            self.send(CancelCommand(self.seq, (order_id,), CAUSE_CLIENT))
        elif step[0] == "amend":
            self.record(Amend(*COMMON, SYMBOL, order_id, "", quantity, price), Decision(ACCEPTED))
            self.send(AmendCommand(self.seq, order_id, quantity, price))
        elif step[0] == "replace":
            event, command = self.place_command(
                account, BUY, (LIMIT, GTC), price, quantity, EXPIRE_MAKER
            )
            replace = Replace(
                *(*COMMON, SYMBOL, order_id, "", BUY, LIMIT, GTC, price, quantity, 0),
                client_order_id=event.client_order_id,
            )
            decision = Decision(ACCEPTED, order_id=self.order_id, account=account)
            self.record(replace, decision)
            self.send(ReplaceCommand(self.seq, order_id, command))
        elif step[0] == "bulk":
            cancels = tuple(order.order_id for order in self.engine.open_orders())[:2]
            if cancels:
                event = BulkCancel(1, 0, 0, CAUSE_KILL, 1)
                self.record(event, Decision(ACCEPTED, cancels=cancels))
                self.send(CancelCommand(self.seq, cancels, CAUSE_KILL))
        elif step[0] == "bust":
            trade_id = order_id % 4 + 1
            for report in self.engine.bust(trade_id, self.world.time_ns):
                self.record(report)
                if isinstance(report, TradeBust):
                    self.busted[report.buy_order_id] += report.quantity_e8
                    self.busted[report.sell_order_id] += report.quantity_e8

    def check(self) -> None:
        """Compare the views with the engine."""
        resting = {order.order_id: order for order in self.engine.open_orders()}
        shown = {view.order_id: view for account in ACCOUNTS for view in self.orders.open(account)}
        assert shown.keys() == resting.keys()
        for order_id, order in resting.items():
            view = shown[order_id]
            assert view.account == order.account
            assert view.side == order.side
            assert view.price_e8 == order.price_e8
            assert view.quantity_e8 - view.prevented_e8 == order.quantity_e8
            # An annulled trade was executed as far as matching goes, but has no effect any more.
            assert view.executed_e8 + self.busted[order_id] == order.filled_e8
        assert self.orders.open_count() == len(resting)
        for account in ACCOUNTS:
            executed: Counter[int] = Counter()
            for trade in self.trades.of_account(account, SYMBOL, limit=10_000):
                executed[trade.order_id] += trade.quantity_e8
            for view in self.orders.all(account, SYMBOL, limit=10_000):
                assert view.executed_e8 == executed[view.order_id]
                assert view.open == (view.order_id in resting)


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(st.one_of(PLACES, PLACES, OTHERS), min_size=20, max_size=60))
def test_views_agree_with_the_engine(steps: list[tuple[Any, ...]]) -> None:
    """Open orders, their sizes and every trade are as in the engine after each step."""
    venue = Venue()
    for step in steps:
        venue.act(step)
        venue.check()
