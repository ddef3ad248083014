"""A small world for tests of rules on orders: one account, one symbol, and events made of both.

Numbers ending in `_e8` are given in 1e-8 units, as everywhere; `e8(5)` is five whole units.
"""

from typing import Any

from hypothesis import strategies as st

from rules.book import AccountFacts, Balance, Book, KeyFacts, OpenOrder, SymbolFacts
from rules.decisions import Breach
from rules.endpoints import Endpoint
from rules.events import Amend, Cancel, Event, Place, Replace
from rules.rule import Rule
from rules.rulebook import Rulebook, convert
from rules.values import (
    AUTH_OK,
    BUY,
    CHANNEL_REST,
    E8,
    GTC,
    LIMIT,
    LIMIT_MAKER,
    MARKET,
    NEW,
    NS_PER_SECOND,
    PERMIT_TRADE,
    SELL,
    STOP_LOSS,
    STOP_LOSS_LIMIT,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
)

BASE, QUOTE = 1, 2
SYMBOL, OTHER_SYMBOL = 1, 2
OWNER = 5
ACCOUNT, OTHER_ACCOUNT = 7, 8
KEY, OTHER_KEY = 3, 4
NOW_NS = 1_800_000_000 * NS_PER_SECOND

ALL_ENFORCED: dict[str, Any] = {
    "market_protection": {"mode": "enforce"},
    "price_collar": {"mode": "enforce"},
    "balance": {"mode": "enforce"},
}


def e8(whole: int) -> int:
    """Return whole units in 1e-8 units."""
    return whole * E8


def make_rulebook(
    rules: dict[str, Any] | None = None, tariffs: dict[str, Any] | None = None
) -> Rulebook:
    """Return a rulebook with these `[rules.*]` tables, by default market bounds enforced."""
    rules = ALL_ENFORCED if rules is None else rules
    tree = {"name": "test", "rules": rules, "tariffs": tariffs or {}}
    return Rulebook(convert(tree))


class World:
    """A book with one account, another one, and two symbols of the same assets."""

    def __init__(self, rulebook: Rulebook | None = None, **filters: Any) -> None:
        self.rulebook = rulebook or make_rulebook()
        self.book = Book()
        self.now_ns = NOW_NS
        for symbol, name in ((SYMBOL, "BTCUSDT"), (OTHER_SYMBOL, "BTCUSDC")):
            limits = self.rulebook.filters(name)
            for field, value in filters.items():
                setattr(limits, field, value)
            self.book.symbols[symbol] = SymbolFacts(symbol, name, BASE, QUOTE, limits)
        for account, key in ((ACCOUNT, KEY), (OTHER_ACCOUNT, OTHER_KEY)):
            self.book.accounts[account] = AccountFacts(account, f"a{account}", OWNER, "", 0, True)
            self.book.keys[key] = KeyFacts(
                key, f"k{key}", account, PERMIT_TRADE, frozenset(), 0, True
            )

    @property
    def facts(self) -> SymbolFacts:
        """Return the first symbol's facts."""
        return self.book.symbols[SYMBOL]

    def trade(self, price_e8: int, quantity_e8: int = E8, age_ns: int = 0) -> None:
        """Let a trade have happened `age_ns` ago."""
        self.facts.last_e8 = price_e8
        self.facts.last_ns = self.now_ns - age_ns
        self.facts.average.add(price_e8, quantity_e8, self.now_ns - age_ns)

    def quote(self, bid_e8: int, ask_e8: int, age_ns: int = 0) -> None:
        """Let best bid and offer have been reported `age_ns` ago."""
        self.facts.bid_e8 = bid_e8
        self.facts.ask_e8 = ask_e8
        self.facts.quote_ns = self.now_ns - age_ns

    def fund(self, base_e8: int = 0, quote_e8: int = 0) -> None:
        """Give the account these totals, nothing reserved."""
        self.book.balances[ACCOUNT, BASE] = Balance(base_e8)
        self.book.balances[ACCOUNT, QUOTE] = Balance(quote_e8)

    def order(self, order_id: int = 11, **changes: Any) -> OpenOrder:
        """Put a live order into the book: a buy of 10 at 100 named `c<order_id>` unless changed."""
        fields: dict[str, Any] = {
            "order_id": order_id,
            "command_id": order_id,
            "account": ACCOUNT,
            "owner": OWNER,
            "key": KEY,
            "session": 0,
            "symbol": SYMBOL,
            "side": BUY,
            "order_type": LIMIT,
            "time_in_force": GTC,
            "price_e8": e8(100),
            "quantity_e8": e8(10),
            "quote_quantity_e8": 0,
            "price_limit_e8": 0,
            "client_order_id": f"c{order_id}",
            "flags": 0,
            "algo": 0,
            "accepted_ns": self.now_ns,
        }
        state = {key: value for key, value in changes.items() if key not in fields}
        fields.update({key: value for key, value in changes.items() if key in fields})
        order = OpenOrder(**fields)
        order.live_ns = self.now_ns
        order.status = NEW
        for key, value in state.items():
            setattr(order, key, value)
        self.book.add_order(order)
        self.book.client_ids[order.account, order.client_order_id] = order
        return order


def _request(endpoint: Endpoint, key: int = KEY) -> dict[str, Any]:
    return {
        "endpoint": endpoint,
        "ip": 1,
        "key": key,
        "auth": AUTH_OK,
        "received_ns": NOW_NS,
        "timestamp_ns": NOW_NS,
        "recv_window_ns": 5 * NS_PER_SECOND,
        "size": 0,
        "channel": CHANNEL_REST,
        "session": 0,
        "agent": 0,
    }


def place(**changes: Any) -> Place:
    """Return a new limit buy of 10 at 100, with changes."""
    terms = {
        "symbol": SYMBOL,
        "side": BUY,
        "order_type": LIMIT,
        "time_in_force": GTC,
        "price_e8": e8(100),
        "quantity_e8": e8(10),
        "quote_quantity_e8": 0,
    }
    key = changes.pop("key", KEY)
    return Place(**{**_request(Endpoint.ORDER_PLACE, key), **terms, **changes})


def market(side: int = BUY, **changes: Any) -> Place:
    """Return a new market order, a buy of 10 with changes."""
    terms = {"order_type": MARKET, "time_in_force": 0, "price_e8": 0, "side": side}
    if changes.get("quote_quantity_e8"):
        terms["quantity_e8"] = 0
    return place(**{**terms, **changes})


def replace(**changes: Any) -> Replace:
    """Return a replacement of order 11 by a limit buy of 10 at 100, with changes."""
    terms = {
        "symbol": SYMBOL,
        "order_id": 11,
        "orig_client_order_id": "",
        "side": BUY,
        "order_type": LIMIT,
        "time_in_force": GTC,
        "price_e8": e8(100),
        "quantity_e8": e8(10),
        "quote_quantity_e8": 0,
    }
    key = changes.pop("key", KEY)
    return Replace(**{**_request(Endpoint.ORDER_CANCEL_REPLACE, key), **terms, **changes})


def amend(**changes: Any) -> Amend:
    """Return an amend of order 11 that changes nothing, with changes."""
    terms = {"symbol": SYMBOL, "order_id": 11, "orig_client_order_id": "", "quantity_e8": 0}
    key = changes.pop("key", KEY)
    return Amend(**{**_request(Endpoint.ORDER_AMEND, key), **terms, **changes})


def cancel(**changes: Any) -> Cancel:
    """Return a cancel of order 11, with changes."""
    terms = {"symbol": SYMBOL, "order_id": 11, "orig_client_order_id": ""}
    key = changes.pop("key", KEY)
    return Cancel(**{**_request(Endpoint.ORDER_CANCEL, key), **terms, **changes})


def breach(rule: Rule, event: Event, world: World) -> Breach | None:
    """Return the rule's breach, None when it passes; its explanations must say the same."""
    verdict = rule.check(event, world.book, world.now_ns)
    explanations = rule.explain(event, world.book, world.now_ns)
    failing = [explanation for explanation in explanations if not explanation.passed]
    for explanation in explanations:
        assert explanation.rule == rule.name
        assert explanation.passed == (explanation.reason is None)
    if not isinstance(verdict, Breach):
        assert not failing
        return None
    assert verdict.rule == rule.name
    assert verdict.reason in rule.reasons
    assert failing, "refused, but every explanation has passed"
    first = failing[0]
    assert (first.reason, first.limit, first.observed) == (
        verdict.reason,
        verdict.limit,
        verdict.observed,
    )
    return verdict


# --- Random worlds, for the property that explanations and breaches agree -----------------------

_near = st.integers(0, 20).flatmap(lambda whole: st.integers(-1, 1).map(lambda by: e8(whole) + by))
_some = st.one_of(st.just(0), _near.filter(lambda value: value > 0))
_amount = st.integers(0, 400).map(e8)
_share = st.sampled_from((0, E8 // 2, E8 - 1, E8, E8 + 1, E8 * 3 // 2, 2 * E8))
_flag = st.booleans()
_types = st.sampled_from(
    (LIMIT, MARKET, LIMIT_MAKER, STOP_LOSS, STOP_LOSS_LIMIT, TAKE_PROFIT, TAKE_PROFIT_LIMIT)
)

_FILTERS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("min_price_e8", "max_price_e8", "tick_e8"), _some),
    **dict.fromkeys(("min_quantity_e8", "max_quantity_e8", "step_e8"), _some),
    **dict.fromkeys(("market_min_quantity_e8", "market_max_quantity_e8", "market_step_e8"), _some),
    **dict.fromkeys(("min_notional_e8", "notional_min_e8", "notional_max_e8"), _amount),
    **dict.fromkeys(("percent_price_up_e8", "percent_price_down_e8"), _share),
    **dict.fromkeys(("bid_multiplier_up_e8", "bid_multiplier_down_e8"), _share),
    **dict.fromkeys(("ask_multiplier_up_e8", "ask_multiplier_down_e8"), _share),
    **dict.fromkeys(("max_order_quantity_e8",), _some),
    **dict.fromkeys(("max_order_value_e8",), _amount),
    "average_price_minutes": st.sampled_from((0, 1, 5)),
    "max_num_orders": st.integers(0, 3),
    "min_notional_applies_to_market": _flag,
    "notional_min_applies_to_market": _flag,
    "notional_max_applies_to_market": _flag,
}


@st.composite
def cases(draw: st.DrawFn) -> tuple[World, Event]:
    """Return a random world and a request about it, near the limits in both directions."""
    filters = draw(st.fixed_dictionaries(_FILTERS))
    mode = st.sampled_from(("enforce", "shadow", "off"))
    rules = {
        "market_protection": {"mode": draw(mode)},
        "price_collar": {"mode": draw(mode), "aggressive": "0.5", "passive": "0.9"},
        "balance": {"mode": draw(mode)},
    }
    world = World(make_rulebook(rules), **filters)
    ages = st.sampled_from((0, 5, 6, 60, 61, 400))
    if draw(_flag):
        world.trade(draw(_near.filter(lambda v: v > 0)), age_ns=draw(ages) * NS_PER_SECOND)
    if draw(_flag):
        bid_e8 = draw(_some)
        world.quote(bid_e8, bid_e8 + draw(_near) + 1, age_ns=draw(ages) * NS_PER_SECOND)
    world.facts.previous_close_e8 = draw(_some)
    world.fund(draw(_amount), draw(_amount))
    for order_id in range(11, 11 + draw(st.integers(0, 3))):
        quantity_e8 = e8(draw(st.integers(1, 20)))
        world.order(
            order_id,
            side=draw(st.sampled_from((BUY, SELL))),
            price_e8=draw(_near.filter(lambda v: v > 0)),
            quantity_e8=quantity_e8,
            filled_e8=draw(st.sampled_from((0, quantity_e8 // 2))),
            reserved_asset=draw(st.sampled_from((BASE, QUOTE))),
            reserved_e8=draw(_amount),
        )
    return world, draw(_events())


@st.composite
def _events(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from((place, replace, amend, cancel)))
    named = {
        "order_id": draw(st.sampled_from((0, 11, 12))),
        "orig_client_order_id": draw(st.sampled_from(("", "c11", "c12"))),
    }
    restriction = draw(st.integers(0, 2))
    if kind is cancel:
        return cancel(**named, restriction=restriction)
    if kind is amend:
        return amend(**named, quantity_e8=draw(_some), price_e8=draw(_some))
    order_type = draw(_types)
    by_quote = order_type == MARKET and draw(_flag)
    changes: dict[str, Any] = {
        "side": draw(st.sampled_from((BUY, SELL))),
        "order_type": order_type,
        "price_e8": 0 if order_type in (MARKET, STOP_LOSS, TAKE_PROFIT) else draw(_near),
        "quantity_e8": 0 if by_quote else draw(_near),
        "quote_quantity_e8": draw(_amount) + 1 if by_quote else 0,
        "client_order_id": draw(st.sampled_from(("", "c11", "c99"))),
    }
    if kind is replace:
        return replace(**named, **changes, allow_failure=draw(_flag), restriction=restriction)
    stops = order_type in (STOP_LOSS, STOP_LOSS_LIMIT, TAKE_PROFIT, TAKE_PROFIT_LIMIT)
    return place(
        **changes,
        stop_price_e8=draw(_some) if stops else 0,
        iceberg_quantity_e8=draw(_some),
    )
