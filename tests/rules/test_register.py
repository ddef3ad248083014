"""Definitions and operators' acts in the book."""

import pytest

from rules.events import (
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    RunBegan,
    SetState,
    SetSymbolState,
)
from rules.values import (
    ACCOUNT_MARKET_MAKER,
    DEFINE_ADDRESS,
    DEFINE_ASSET,
    NS_PER_SECOND,
    PERMIT_READ,
    PERMIT_TRADE,
    SCOPE_ACCOUNT,
    SCOPE_VENUE,
    STATE_ACTIVE,
    STATE_CANCEL_ONLY,
    STATE_KILLED,
    STATE_SLOW,
    SYMBOL_AUCTION,
    SYMBOL_HALT,
    SYMBOL_TRADING,
)
from tests.rules.desk import Desk
from tests.rules.order_world import (
    ACCOUNT,
    BASE,
    KEY,
    OTHER_ACCOUNT,
    OTHER_KEY,
    OTHER_SYMBOL,
    OWNER,
    QUOTE,
    SYMBOL,
    e8,
)

SECOND = NS_PER_SECOND


def set_symbol(desk: Desk, state: int) -> None:
    """Let an operator set the first symbol's state."""
    desk.send(SetSymbolState(SYMBOL, state, "", "desk"))


# --- Definitions ----------------------------------------------------------------------------------


def test_only_addresses_are_kept_by_name() -> None:
    """Rules look into addresses; what else has a number is the gateway's."""
    desk = Desk()
    desk.send(Define(DEFINE_ADDRESS, 4, "192.0.2.1"))
    desk.send(Define(DEFINE_ASSET, 5, "BTC"))
    assert desk.book.addresses == {4: "192.0.2.1"}


def test_an_account_is_defined_and_changed() -> None:
    """The later definition counts; balances and orders of the account stay."""
    desk = Desk()
    order = desk.rest()
    desk.send(DefineAccount(ACCOUNT, "new", OWNER + 1, "vip", ACCOUNT_MARKET_MAKER, False))
    facts = desk.book.accounts[ACCOUNT]
    assert (facts.name, facts.owner, facts.tier) == ("new", OWNER + 1, "vip")
    assert (facts.flags, facts.enabled) == (ACCOUNT_MARKET_MAKER, False)
    assert desk.book.open_orders(ACCOUNT) == {order.order_id: order}
    assert desk.reserved_e8() == e8(1000)


def test_a_key_is_defined_and_revoked() -> None:
    """The later definition counts, for its addresses and expiry too."""
    desk = Desk()
    desk.send(DefineKey(9, "k9", ACCOUNT, PERMIT_READ, (3, 2, 3), 500))
    facts = desk.book.keys[9]
    assert (facts.name, facts.account, facts.permissions) == ("k9", ACCOUNT, PERMIT_READ)
    assert (facts.addresses, facts.expires_ns, facts.enabled) == ({2, 3}, 500, True)
    desk.send(DefineKey(9, "k9", ACCOUNT, PERMIT_TRADE, (), 0, False))
    facts = desk.book.keys[9]
    assert (facts.permissions, facts.enabled) == (PERMIT_TRADE, False)
    assert facts.addresses == frozenset()
    assert desk.book.account_of(9) == ACCOUNT


def test_a_symbol_is_defined() -> None:
    """Its limits come from the rulebook by its name."""
    desk = Desk()
    desk.send(DefineSymbol(5, "ETHUSDT", 8, QUOTE, SYMBOL_HALT, e8(7), 100, 200))
    facts = desk.book.symbols[5]
    assert (facts.symbol, facts.name) == (5, "ETHUSDT")
    assert (facts.base_asset, facts.quote_asset) == (8, QUOTE)
    assert (facts.maker_commission_ppm, facts.taker_commission_ppm) == (100, 200)
    assert (facts.state, facts.previous_close_e8) == (SYMBOL_HALT, e8(7))
    assert facts.halted_since_ns == desk.now_ns
    assert facts.filters.tick_e8 == desk.pipeline.rulebook.filters("ETHUSDT").tick_e8


def test_a_symbol_defined_again_keeps_its_market() -> None:
    """Last price, average and past halts go on; terms are the later definition's."""
    desk = Desk()
    desk.last(e8(100))
    facts = desk.facts
    facts.average.add(e8(100), e8(1), desk.now_ns)
    set_symbol(desk, SYMBOL_HALT)
    desk.now_ns += 3 * SECOND
    again = (SYMBOL, "BTCUSDT", BASE, QUOTE, SYMBOL_TRADING, e8(90), 10, 20)
    desk.send(DefineSymbol(*again))
    assert desk.facts is facts
    assert (facts.last_e8, facts.average.price_e8(5, desk.now_ns)) == (e8(100), e8(100))
    assert (facts.maker_commission_ppm, facts.taker_commission_ppm) == (10, 20)
    assert facts.previous_close_e8 == e8(90)
    assert (facts.state, facts.halted_total_ns) == (SYMBOL_TRADING, 3 * SECOND)


@pytest.mark.parametrize(("known", "expected"), [(1, 50), (50, 50), (51, 51)])
def test_a_run_begins_with_order_ids_not_given_before(known: int, expected: int) -> None:
    """Numbers never go back, whatever the earlier run says."""
    desk = Desk()
    desk.book.next_order_id = known
    desk.send(RunBegan("before", 50))
    assert desk.book.next_order_id == expected


# --- Halts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [SYMBOL_HALT, SYMBOL_AUCTION])
def test_a_halt_stops_the_age_of_orders(state: int) -> None:
    """While orders can't match they do not age; afterwards they go on where they stopped."""
    desk = Desk()
    order = desk.rest()
    ages = []
    for change in (0, state, SYMBOL_TRADING, 0):
        if change:
            set_symbol(desk, change)
        desk.now_ns += 2 * SECOND
        ages.append(desk.book.matchable_age_ns(order, desk.now_ns) // SECOND)
    assert ages == [2, 2, 4, 6]


def test_one_halt_may_pass_through_several_states() -> None:
    """From halt to auction is no break in the halt, and a state set twice counts once."""
    desk = Desk()
    order = desk.rest()
    for state in (SYMBOL_HALT, SYMBOL_HALT, SYMBOL_AUCTION, SYMBOL_TRADING, SYMBOL_TRADING):
        set_symbol(desk, state)
        desk.now_ns += SECOND
    assert desk.facts.halted_total_ns == 3 * SECOND
    assert desk.facts.halted_since_ns == 0
    assert desk.book.matchable_age_ns(order, desk.now_ns) == 2 * SECOND


def test_halts_before_an_order_do_not_count_for_it() -> None:
    """An order confirmed during a halt ages from the end of that halt."""
    desk = Desk()
    set_symbol(desk, SYMBOL_HALT)
    desk.now_ns += 5 * SECOND
    order = desk.rest()
    desk.now_ns += 2 * SECOND
    assert desk.book.matchable_age_ns(order, desk.now_ns) == 0
    set_symbol(desk, SYMBOL_TRADING)
    desk.now_ns += 1
    assert desk.book.matchable_age_ns(order, desk.now_ns) == 1


def test_a_halt_is_of_one_symbol() -> None:
    """Orders on the other symbol age on, and a halt of an unknown symbol is passed over."""
    desk = Desk()
    order = desk.rest(symbol=OTHER_SYMBOL)
    set_symbol(desk, SYMBOL_HALT)
    desk.send(SetSymbolState(99, SYMBOL_HALT, "", "desk"))
    desk.now_ns += SECOND
    assert desk.book.matchable_age_ns(order, desk.now_ns) == SECOND
    assert 99 not in desk.book.symbols


# --- Stop states ----------------------------------------------------------------------------------


def test_a_stop_state_is_set_with_its_note_and_released() -> None:
    """Released, nothing of it is left; releasing again changes nothing."""
    desk = Desk()
    book = desk.book
    desk.send(SetState(SCOPE_ACCOUNT, ACCOUNT, STATE_CANCEL_ONLY, "too fast", "desk"))
    scope = (SCOPE_ACCOUNT, ACCOUNT)
    assert book.states == {scope: STATE_CANCEL_ONLY}
    assert book.state_notes == {scope: ("too fast", "desk", desk.now_ns)}
    assert book.stop_state(OWNER, ACCOUNT, KEY, SYMBOL) == (STATE_CANCEL_ONLY, *scope)
    assert book.stop_state(OWNER, OTHER_ACCOUNT, OTHER_KEY, SYMBOL) == (STATE_ACTIVE, 0, 0)
    for _ in range(2):
        desk.send(SetState(SCOPE_ACCOUNT, ACCOUNT, STATE_ACTIVE, "", "desk"))
        assert not book.states
        assert not book.state_notes


def test_the_strictest_stop_state_counts() -> None:
    """One scope's release leaves the other's; a later state of one scope replaces its former."""
    desk = Desk()
    book = desk.book
    desk.send(SetState(SCOPE_VENUE, 0, STATE_KILLED, "", "desk"))
    desk.send(SetState(SCOPE_ACCOUNT, ACCOUNT, STATE_CANCEL_ONLY, "", "desk"))
    assert book.stop_state(OWNER, ACCOUNT, KEY, SYMBOL) == (STATE_KILLED, SCOPE_VENUE, 0)
    desk.send(SetState(SCOPE_VENUE, 0, STATE_ACTIVE, "", "desk"))
    assert book.stop_state(OWNER, ACCOUNT, KEY, SYMBOL)[0] == STATE_CANCEL_ONLY
    desk.now_ns += 1
    desk.send(SetState(SCOPE_ACCOUNT, ACCOUNT, STATE_SLOW, "calmer", "owner"))
    assert book.stop_state(OWNER, ACCOUNT, KEY, SYMBOL)[0] == STATE_SLOW
    assert book.state_notes == {(SCOPE_ACCOUNT, ACCOUNT): ("calmer", "owner", desk.now_ns)}
