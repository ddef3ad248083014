"""The order-to-trade ratio: the Annex message by message, sessions, limits at the boundary."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.book import AccountFacts, Book, KeyFacts
from rules.conduct.order_to_trade import OrderToTrade
from rules.decisions import ACCEPTED, DEFERRED, REFUSED, Decision
from rules.endpoints import Endpoint
from rules.events import (
    BulkCancel,
    Cancel,
    CancelAll,
    CommandResult,
    Ended,
    EngineSession,
    Replace,
)
from rules.ratio_counts import RatioCounts, ratio_e8
from rules.ratio_windows import RatioWindows
from rules.reasons import Reason
from rules.values import (
    BUY,
    CANCELED,
    CAUSE_CLIENT,
    CAUSE_DISCONNECT,
    CAUSE_EXPIRY,
    CAUSE_HALT,
    CAUSE_KILL,
    CAUSE_REPLACE,
    CAUSE_SELF_TRADE,
    E8,
    EXPIRED,
    FILLED,
    FLAG_TEST,
    FOK,
    GTC,
    IOC,
    LIMIT,
    NEW,
    NS_PER_DAY,
    NS_PER_HOUR,
    SCOPE_OWNER,
    SCOPE_OWNER_SYMBOL,
    pair_of,
)
from tests.rules.conduct.ratio_desk import (
    ACCOUNT,
    KEY,
    MAKER_ACCOUNT,
    MAKER_KEY,
    MAKER_OWNER,
    NOW_NS,
    OTHER_SYMBOL,
    OWNER,
    REJECTED_BY,
    SYMBOL,
    AddOrder,
    Desk,
    amend,
    cancel,
    head,
    place,
    rule,
)


@pytest.fixture
def desk(book: Book, add_order: AddOrder) -> Desk:
    """Return a desk whose rule has no maximum."""
    return Desk(rule(), book, add_order)


def test_a_limit_order_and_its_cancel(desk: Desk) -> None:
    """Each counts 1; the volume is what was submitted and what was deleted."""
    order = desk.place()
    assert (desk.counts.number, desk.counts.volume_e8) == (1, 10 * E8)
    desk.trade(order, 3 * E8)
    desk.cancel(order)
    assert (desk.counts.number, desk.counts.volume_e8) == (2, 17 * E8)
    assert (desk.counts.trades, desk.counts.volume_traded_e8) == (1, 3 * E8)
    assert (desk.counts.orders, desk.counts.cancels, desk.counts.amends) == (1, 1, 0)


def test_a_modification_counts_two(desk: Desk) -> None:
    """It is a deletion of what was left and a submission of what is left then."""
    order = desk.place()
    desk.trade(order, 4 * E8)
    desk.amend(order, 12 * E8)
    assert (desk.counts.number, desk.counts.volume_e8) == (3, 10 * E8)
    desk.amended(order, 12 * E8)
    assert desk.counts.volume_e8 == (10 + 6 + 8) * E8
    assert desk.counts.amends == 1


def test_two_modifications_in_flight(desk: Desk) -> None:
    """Each is counted from the quantity the one before left."""
    order = desk.place()
    desk.amend(order, 8 * E8)
    desk.amend(order, 3 * E8)
    desk.amended(order, 8 * E8)
    desk.amended(order, 3 * E8)
    assert (desk.counts.number, desk.counts.volume_e8) == (5, (10 + 10 + 8 + 8 + 3) * E8)


def test_a_refused_modification_between_two(desk: Desk) -> None:
    """It adds no volume, and the next one still starts from the true quantity."""
    order = desk.place()
    desk.amend(order, 8 * E8)
    desk.amend(order, 3 * E8)
    desk.amended(order, 8 * E8, accepted=False)
    desk.amended(order, 3 * E8)
    assert desk.counts.volume_e8 == (10 + 10 + 3) * E8
    assert desk.counts.rejected == 2


@pytest.mark.parametrize("time_in_force", [IOC, FOK])
@pytest.mark.parametrize(
    ("fills_e8", "status", "number", "volume_e8"),
    [
        ((10 * E8,), FILLED, 1, 10 * E8),
        ((4 * E8, 2 * E8), EXPIRED, 2, 14 * E8),
        ((), EXPIRED, 2, 20 * E8),
    ],
)
def test_immediate_orders_count_twice_when_their_rest_is_deleted(
    desk: Desk,
    time_in_force: int,
    fills_e8: tuple[int, ...],
    status: int,
    number: int,
    volume_e8: int,
) -> None:
    """The unexecuted part is a deletion; each partial execution is a transaction."""
    desk.place(time_in_force, fills_e8, status)
    assert (desk.counts.number, desk.counts.volume_e8) == (number, volume_e8)
    assert desk.counts.trades == len(fills_e8)


def test_what_self_trade_prevention_takes_off_does_not_count(desk: Desk) -> None:
    """Neither the message nor the volume of a deletion the client did not ask for."""
    desk.place(IOC, (4 * E8,), EXPIRED, prevented_e8=6 * E8)
    assert (desk.counts.number, desk.counts.volume_e8) == (1, 10 * E8)


def test_a_market_order_counts_one(desk: Desk) -> None:
    """Whatever happens to its rest."""
    desk.place(0, (4 * E8,), EXPIRED)
    assert desk.counts.number == 1


@pytest.mark.parametrize("cause", [CAUSE_KILL, CAUSE_DISCONNECT, CAUSE_HALT])
def test_bulk_cancels_of_the_gate_do_not_count(desk: Desk, cause: int) -> None:
    """Art. 1(a): kill, lost session; and halts."""
    order = desk.place()
    desk.note(BulkCancel(3, OWNER, 0, cause, 1), Decision(ACCEPTED, cancels=(order.order_id,)))
    desk.deleted(order, cause)
    assert (desk.counts.number, desk.counts.volume_e8) == (1, 10 * E8)


@pytest.mark.parametrize("cause", [CAUSE_SELF_TRADE, CAUSE_EXPIRY, CAUSE_KILL])
def test_ends_nobody_asked_for_do_not_count(desk: Desk, cause: int) -> None:
    """Self-trade prevention, expiry and the like."""
    desk.end(desk.place(), cause)
    assert (desk.counts.number, desk.counts.volume_e8) == (1, 10 * E8)


def test_a_cancel_on_another_way_in_counts(desk: Desk) -> None:
    """The client cancelled in the web page: one message and the rest's volume."""
    desk.end(desk.place(), CAUSE_CLIENT)
    assert (desk.counts.number, desk.counts.volume_e8) == (2, 20 * E8)


def test_a_bulk_cancel_counts_each_order_it_deletes(desk: Desk) -> None:
    """In all its slices; one that finds nothing is still one message."""
    orders = [desk.place() for _ in range(3)]
    event = CancelAll(*head(Endpoint.OPEN_ORDERS_CANCEL), SYMBOL)
    first, second, third = (order.order_id for order in orders)
    desk.note(event, Decision(ACCEPTED, cancels=(first, second), more=True))
    desk.note(BulkCancel(4, ACCOUNT, SYMBOL, CAUSE_CLIENT, 1), Decision(ACCEPTED, cancels=(third,)))
    assert (desk.counts.number, desk.counts.cancels) == (6, 3)
    desk.note(event, Decision(ACCEPTED))
    assert desk.counts.number == 7


def test_a_replacement_is_a_cancel_and_an_order(desk: Desk) -> None:
    """Number 2; volume of the deleted rest and of the new order."""
    old = desk.place()
    new = desk._add_order(90, 0, command_id=900)
    event = Replace(
        *head(Endpoint.ORDER_CANCEL_REPLACE),
        SYMBOL, old.order_id, "", BUY, LIMIT, GTC, 100 * E8, 10 * E8, 0,
    )  # fmt: skip
    desk.note(event, Decision(ACCEPTED, order_id=new.order_id))
    old.cancel_cause = CAUSE_REPLACE
    desk._end(old)
    ended = (Ended(old.order_id, CANCELED, 0),)
    desk.note(CommandResult(900, 90, True, None, NEW, NOW_NS, (), ended))
    assert (desk.counts.number, desk.counts.volume_e8) == (3, 30 * E8)
    assert (desk.counts.orders, desk.counts.cancels) == (2, 1)


@pytest.mark.parametrize(("option", "counted"), [("true", 1), ("false", 0)])
def test_refused_messages(book: Book, add_order: AddOrder, option: str, counted: int) -> None:
    """They count by number if the clause says so, never by volume, and always beside."""
    desk = Desk(rule(f"count_rejects = {option}"), book, add_order)
    order = desk.place()
    for event in (place(), cancel(order.order_id), amend(order.order_id, E8)):
        desk.note(event, Decision(REFUSED, REJECTED_BY))
    bulk = CancelAll(*head(Endpoint.OPEN_ORDERS_CANCEL), SYMBOL)
    desk.note(bulk, Decision(REFUSED, REJECTED_BY))
    assert (desk.counts.number, desk.counts.rejected) == (1 + 5 * counted, 5)
    assert desk.counts.volume_e8 == 10 * E8
    assert desk.counts.orders == 1


@pytest.mark.parametrize(("option", "number"), [("true", 3), ("false", 1)])
def test_messages_the_engine_refuses(
    book: Book, add_order: AddOrder, option: str, number: int
) -> None:
    """They are refused messages too: taken back unless the clause counts refusals."""
    desk = Desk(rule(f"count_rejects = {option}"), book, add_order)
    order = desk.place()
    desk.answer(desk.send(), accepted=False, status=0)
    desk.cancel(order, accepted=False)
    assert (desk.counts.number, desk.counts.rejected) == (number, 2)
    assert desk.counts.volume_e8 == 10 * E8


def test_a_cancel_that_comes_after_the_last_fill(desk: Desk) -> None:
    """The engine refuses it; it stays counted and nothing waits for an answer any more."""
    order = desk.place()
    desk.note(cancel(order.order_id), Decision(ACCEPTED, order_id=order.order_id))
    desk.trade(order, 10 * E8)
    desk.deleted(order, CAUSE_CLIENT, accepted=False)
    assert (desk.counts.number, desk.counts.rejected) == (2, 1)
    assert desk.counts.volume_e8 == 10 * E8
    assert desk.rule.state()["in_flight"] == []


def test_a_cancel_confirmed_after_its_deadline(desk: Desk) -> None:
    """The book no longer knows the cause; a command about one order was its client's."""
    order = desk.place()
    desk.note(cancel(order.order_id), Decision(ACCEPTED, order_id=order.order_id))
    desk._end(order)
    ended = (Ended(order.order_id, CANCELED, 0),)
    desk.note(CommandResult(9, order.order_id, True, None, CANCELED, NOW_NS, (), ended))
    assert (desk.counts.number, desk.counts.volume_e8) == (2, 20 * E8)


def test_a_deferred_cancel_waits_for_no_answer(desk: Desk) -> None:
    """It counts as a message; no command was sent yet."""
    order = desk.place()
    desk.note(cancel(order.order_id), Decision(DEFERRED, order_id=order.order_id))
    assert desk.counts.number == 2
    assert desk.rule.state()["in_flight"] == []


def test_an_answer_that_is_late_is_counted_once(desk: Desk) -> None:
    """A missed deadline says nothing about the order; the answer that settles it does."""
    order = desk.send()
    desk.note(CommandResult(order.command_id, order.order_id, True, None, 0, NOW_NS, unknown=True))
    assert (desk.counts.number, desk.counts.volume_e8) == (1, 0)
    desk.answer(order)
    assert (desk.counts.number, desk.counts.volume_e8) == (1, 10 * E8)


def test_a_new_epoch_forgets_answers_that_will_not_come(desk: Desk) -> None:
    """Orders the engine lost are answered no more; others still are."""
    lost, kept = desk.place(), desk.place()
    desk.amend(lost, 5 * E8)
    desk.amend(kept, 5 * E8)
    desk._end(lost)
    desk.note(EngineSession(connected=True, epoch=2, engine_seq=0))
    desk.amended(kept, 5 * E8)
    assert desk.rule.state()["in_flight"] == []
    assert desk.counts.volume_e8 == (10 + 10 + 10 + 5) * E8


def test_nothing_is_taken_back_from_a_later_session(book: Book, add_order: AddOrder) -> None:
    """A message counted yesterday and refused today leaves today's count alone."""
    desk = Desk(rule("count_rejects = false"), book, add_order)
    resting = desk.place()
    late = desk.send()
    desk.amend(resting, 5 * E8)
    desk.now_ns += NS_PER_DAY
    desk.place()
    desk.answer(late, accepted=False, status=0)
    desk.amended(resting, 5 * E8, accepted=False)
    assert desk.counts.number == 1


def test_test_orders_and_unknown_keys_do_not_count(desk: Desk) -> None:
    """A test order enters nothing; an unknown key has no owner."""
    desk.note(place(flags=FLAG_TEST), Decision(ACCEPTED))
    desk.note(place(key=77), Decision(REFUSED, REJECTED_BY))
    assert desk.counts.number == 0


def test_owners_and_symbols_are_counted_apart(desk: Desk) -> None:
    """An owner's counts do not touch another's."""
    desk.place()
    desk.place(account=MAKER_ACCOUNT)
    assert desk.rule.counts(MAKER_OWNER, SYMBOL).number == 1
    assert desk.counts.number == 1
    assert desk.rule.counts(OWNER, OTHER_SYMBOL).number == 0


def test_a_session_starts_anew(book: Book, add_order: AddOrder) -> None:
    """At the stated time of day, to the nanosecond; the session before stays readable."""
    desk = Desk(rule('session_starts = "15:30"'), book, add_order)
    starts_ns = NOW_NS // NS_PER_DAY * NS_PER_DAY + 15 * NS_PER_HOUR + NS_PER_HOUR // 2
    desk.now_ns = starts_ns - 1
    desk.place()
    assert desk.counts.number == 1
    subject = pair_of(OWNER, SYMBOL)
    assert desk.rule.usage(SCOPE_OWNER_SYMBOL, subject, Book(), starts_ns - 1)[0].used == 0
    assert desk.rule.usage(SCOPE_OWNER_SYMBOL, subject, Book(), starts_ns) == ()
    desk.now_ns = starts_ns
    desk.place()
    desk.place()
    assert desk.counts.number == 2
    assert desk.rule.previous_counts(OWNER, SYMBOL).number == 1
    desk.now_ns = starts_ns + 2 * NS_PER_DAY
    desk.place()
    assert desk.rule.previous_counts(OWNER, SYMBOL).number == 0


@pytest.mark.parametrize("text", ["24:00", "7:00", "00:60", "noon", ""])
def test_a_session_start_that_is_no_time_of_day(text: str) -> None:
    """The value is named with what would be accepted."""
    with pytest.raises(ValueError, match="is not a time of day such as 00:00"):
        rule(f'session_starts = "{text}"')


@pytest.mark.parametrize(
    ("ordered", "traded", "floor", "expected"),
    [
        (0, 0, 0, None),
        (5, 0, 0, None),
        (5, 0, 1, 4 * E8),
        (100, 10, 1, 9 * E8),
        (100, 10, 50, E8),
        (1, 3, 0, -66_666_666),
        (4, 3, 0, 33_333_334),
        (10**30, 1, 0, (10**30 - 1) * E8),
    ],
)
def test_ratio(ordered: int, traded: int, floor: int, expected: int | None) -> None:
    """Exact, in 1e-8, rounded up; undefined without a divisor."""
    assert ratio_e8(ordered, traded, floor) == expected


@pytest.mark.parametrize(("orders", "refused"), [(11, False), (12, True)])
def test_the_maximum_by_number(book: Book, add_order: AddOrder, orders: int, refused: bool) -> None:
    """Exactly at the maximum passes; one message more does not, and retry is the next session."""
    desk = Desk(rule('max_number = "10"\nminimum_orders = 0'), book, add_order)
    order = desk.place()
    desk.trade(order, E8)
    for _ in range(orders - 1):
        desk.place()
    verdict = desk.rule.check(place(), book, NOW_NS)
    assert (verdict is not None) == refused
    if verdict is not None:
        assert verdict.reason == Reason.ORDER_TO_TRADE_RATIO
        assert (verdict.limit, verdict.observed) == (10 * E8, 11 * E8)
        assert verdict.retry_ns == (NOW_NS // NS_PER_DAY + 1) * NS_PER_DAY
        assert verdict.subject == pair_of(OWNER, SYMBOL)


@pytest.mark.parametrize(("quantity_e8", "refused"), [(10 * E8, False), (10 * E8 - 1, True)])
def test_the_maximum_by_volume(
    book: Book, add_order: AddOrder, quantity_e8: int, refused: bool
) -> None:
    """Twenty submitted against ten traded is a ratio of exactly 1; against less it is more."""
    desk = Desk(rule('max_volume = "1"\nminimum_orders = 0'), book, add_order)
    desk.trade(desk.place(), quantity_e8)
    desk.place()
    verdict = desk.rule.check(amend(1, E8), book, NOW_NS)
    assert (verdict is not None) == refused


@pytest.mark.parametrize(("minimum", "refused"), [(2, True), (3, True), (4, False)])
def test_no_judgement_before_so_many_messages(
    book: Book, add_order: AddOrder, minimum: int, refused: bool
) -> None:
    """The maximum holds from exactly `minimum_orders` counted messages on."""
    desk = Desk(rule(f'max_number = "1"\nminimum_orders = {minimum}'), book, add_order)
    for _ in range(3):
        desk.place()
    assert (desk.rule.check(place(), book, NOW_NS) is not None) == refused


def test_without_trades_and_floor_there_is_no_ratio(book: Book, add_order: AddOrder) -> None:
    """Nothing is refused and nothing is shown."""
    text = 'max_number = "1"\nmax_volume = "1"\nminimum_orders = 0\nfloor_trades = 0'
    desk = Desk(rule(text), book, add_order)
    desk.place()
    assert desk.rule.check(place(), book, NOW_NS) is None
    assert desk.rule.usage(SCOPE_OWNER_SYMBOL, pair_of(OWNER, SYMBOL), Book(), NOW_NS) == ()


def test_a_market_maker_has_a_multiple_of_the_maximum(book: Book, add_order: AddOrder) -> None:
    """By the clause's factor, exact at the boundary."""
    desk = Desk(
        rule('max_number = "1"\nminimum_orders = 0\nmarket_maker_factor = 3'), book, add_order
    )
    for _ in range(4):
        desk.place(account=MAKER_ACCOUNT)
    assert desk.rule.check(place(key=MAKER_KEY), book, NOW_NS) is None
    desk.place(account=MAKER_ACCOUNT)
    assert desk.rule.check(place(key=MAKER_KEY), book, NOW_NS) is not None


def test_cancels_are_never_judged() -> None:
    """Whatever the ratio, an order may be taken out of the market."""
    assert Cancel not in OrderToTrade.wants
    assert CancelAll not in OrderToTrade.wants


def test_usage_shows_both_ratios(desk: Desk) -> None:
    """For the owner and symbol asked for, and for no other scope."""
    order = desk.place()
    desk.trade(order, 4 * E8)
    desk.trade(order, E8)
    number, volume = desk.rule.usage(SCOPE_OWNER_SYMBOL, pair_of(OWNER, SYMBOL), Book(), NOW_NS)
    assert (number.label, number.used, number.limit) == ("number", -E8 // 2, 0)
    assert (volume.label, volume.used) == ("volume", E8)
    assert desk.rule.usage(SCOPE_OWNER, OWNER, Book(), NOW_NS) == ()


def test_state_comes_back_whole(desk: Desk) -> None:
    """Through msgpack, with both sessions and what is in flight."""
    desk.place()
    desk.now_ns += NS_PER_DAY
    order = desk.place()
    desk.amend(order, 7 * E8)
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(desk.rule.state()))
    restored = rule()
    restored.restore(stored)
    assert restored.state() == desk.rule.state()
    desk.rule = restored
    desk.amended(order, 7 * E8)
    assert desk.counts.volume_e8 == (10 + 10 + 7) * E8
    assert restored.previous_counts(OWNER, SYMBOL).number == 1


@given(
    number=st.integers(0, 40),
    trades=st.integers(0, 4),
    volume_e8=st.integers(0, 40 * E8),
    traded_e8=st.integers(0, 4 * E8),
    floor=st.integers(0, 2),
    maker=st.booleans(),
    limits=st.sampled_from(
        ["", 'max_number = "7.5"', 'max_volume = "3"', 'max_number = "9"\nmax_volume = "2"']
    ),
)
@settings(deadline=None)
def test_explain_agrees_with_check(
    number: int, trades: int, volume_e8: int, traded_e8: int, floor: int, maker: bool, limits: str
) -> None:
    """`check` breaches exactly when an explanation has not passed, with the same numbers."""
    tested = rule(f"{limits}\nminimum_orders = 10\nfloor_trades = {floor}")
    book = _book_of(maker)
    counts = RatioCounts()
    counts.number, counts.trades = number, trades
    counts.volume_e8, counts.volume_traded_e8 = volume_e8, traded_e8
    windows = RatioWindows(0, 0, 0)
    windows.roll(NOW_NS)
    windows.at(OWNER, SYMBOL, NOW_NS).total = counts
    tested.restore({"windows": windows.state(), "in_flight": [], "bulk": [], "replaced": {}})
    verdict = tested.check(place(), book, NOW_NS)
    failed = [look for look in tested.explain(place(), book, NOW_NS) if not look.passed]
    assert (verdict is not None) == bool(failed)
    if verdict is not None:
        seen = (failed[0].reason, failed[0].limit, failed[0].observed)
        assert (verdict.reason, verdict.limit, verdict.observed) == seen


def _book_of(maker: bool) -> Book:
    book = Book()
    book.accounts[ACCOUNT] = AccountFacts(ACCOUNT, "client", OWNER, "", int(maker), True)
    book.keys[KEY] = KeyFacts(KEY, "k", ACCOUNT, 2, frozenset(), 0, True)
    return book
