"""The rolling window, the graduated answer, annulled trades, and every row of RTS 9's Annex."""

from collections.abc import Callable
from typing import Final

import msgspec
import pytest

from rules.book import Book
from rules.decisions import ACCEPTED, Breach, Decision
from rules.endpoints import Endpoint
from rules.events import BulkCancel, CancelAll, CommandResult, Ended, Replace, TradeBust
from rules.ratio_counts import ANNEX, AnnexRow
from rules.ratio_levels import LEVEL_CANCEL_ONLY, LEVEL_NONE, LEVEL_NOTICE, LEVEL_SLOW
from rules.values import (
    BUY,
    CANCELED,
    CAUSE_CLIENT,
    E8,
    EXPIRED,
    FOK,
    GTC,
    IOC,
    LIMIT,
    NS_PER_DAY,
    NS_PER_MINUTE,
    NS_PER_SECOND,
    SCOPE_OWNER,
    SCOPE_OWNER_SYMBOL,
    pair_of,
)
from tests.rules.conduct.ratio_desk import (
    ACCOUNT,
    MAKER_ACCOUNT,
    NOW_NS,
    OWNER,
    SYMBOL,
    AddOrder,
    Desk,
    head,
    place,
    rule,
)

MINUTE_START_NS: Final = NOW_NS // NS_PER_MINUTE * NS_PER_MINUTE
DeskFor = Callable[[str], Desk]


@pytest.fixture
def desk_for(book: Book, add_order: AddOrder) -> DeskFor:
    """Return a function that opens a desk with a clause, at the start of a minute."""

    def open_desk(text: str) -> Desk:
        desk = Desk(rule(text), book, add_order)
        desk.now_ns = MINUTE_START_NS
        return desk

    return open_desk


def check(desk: Desk) -> Breach | None:
    """Ask for one more order, and hold `explain` against the answer."""
    verdict = desk.rule.check(place(), desk.book, desk.now_ns)
    failed = [
        look for look in desk.rule.explain(place(), desk.book, desk.now_ns) if not look.passed
    ]
    assert (verdict is not None) == bool(failed)
    if verdict is not None:
        assert (verdict.limit, verdict.observed) == (failed[0].limit, failed[0].observed)
    return verdict


def levels(desk: Desk) -> list[int]:
    """Return the level of each ratio."""
    return [one.level for one in desk.rule.standings(OWNER, SYMBOL, None, desk.now_ns)]


def bust(desk: Desk, quantity_e8: int, traded_ns: int, sell_account: int = 0) -> None:
    """Let the venue annul a trade of the account's."""
    desk.note(
        TradeBust(
            1, desk.now_ns, 1, SYMBOL, 100 * E8, quantity_e8, 1, 2, ACCOUNT, sell_account, traded_ns
        )
    )


# --- The Annex --------------------------------------------------------------------------------


@pytest.mark.parametrize("row", ANNEX, ids=lambda row: row.kind)
def test_every_row_of_the_annex(desk_for: DeskFor, row: AnnexRow) -> None:
    """Each kind is sent as its legs, and counts what the Annex says.

    A quote: two orders 2, modified 2 x 2 = 4, deleted 2 x 1 = 2. A limit order: 1, 2 and 1. An IOC
    or FOK order whose rest is deleted: 1 + 1 = 2. What is executed or taken off by the venue, such
    as an OCO's other leg, counts 0.
    """
    desk = desk_for("")
    if row.deleted_rest:
        desk.place(IOC if row.kind.startswith("immediate") else FOK, (), EXPIRED)
        assert desk.counts.number == row.new + row.deleted_rest
        return
    legs = [desk.place() for _ in range(row.legs)]
    assert desk.counts.number == row.new
    for leg in legs:
        desk.amend(leg, 5 * E8)
        desk.amended(leg, 5 * E8)
    assert desk.counts.number == row.new + row.modify
    for leg in legs:
        desk.cancel(leg)
    assert desk.counts.number == row.new + row.modify + row.delete


def test_the_other_leg_of_a_list_goes_uncounted(desk_for: DeskFor) -> None:
    """One leg of an OCO trades, the venue takes the other off: 2 messages, 1 transaction."""
    desk = desk_for("")
    traded, other = desk.place(), desk.place()
    desk.trade(traded, 10 * E8)
    desk.end(other, 7)
    assert (desk.counts.number, desk.counts.trades) == (2, 1)


# --- Nothing yet ------------------------------------------------------------------------------


def test_no_ratio_before_any_order(desk_for: DeskFor) -> None:
    """The formula would say 0 / 1 - 1 = -1 of somebody who has sent nothing."""
    desk = desk_for('max_number = "4"\nrolling = "1m"')
    subject = pair_of(OWNER, SYMBOL)
    assert desk.rule.usage(SCOPE_OWNER_SYMBOL, subject, desk.book, desk.now_ns) == ()
    desk.place()
    usages = desk.rule.usage(SCOPE_OWNER_SYMBOL, subject, desk.book, desk.now_ns)
    assert [(one.label, one.used) for one in usages] == [("number", 0), ("number 1M", 0)]
    assert desk.rule.usage(SCOPE_OWNER, OWNER, desk.book, desk.now_ns) == ()


# --- The graduated answer -----------------------------------------------------------------------

GRADED = 'max_number = "10"\nminimum_orders = 0\nnotice = "0.8"\ncancel_only = "1.5"'


@pytest.mark.parametrize(
    ("orders", "level", "refused"),
    [
        (8, LEVEL_NONE, False),  # 8 / 1 - 1 = 7
        (9, LEVEL_NOTICE, False),  # 8 is 0.8 x 10
        (11, LEVEL_NOTICE, False),  # 10, the maximum itself
        (12, LEVEL_SLOW, True),  # 11
        (16, LEVEL_SLOW, True),  # 15 is 1.5 x 10
        (17, LEVEL_CANCEL_ONLY, True),  # 16
    ],
)
def test_levels_at_their_bounds(desk_for: DeskFor, orders: int, level: int, refused: bool) -> None:
    """Told from 0.8 of the maximum on, slowed above it, only cancels above 1.5 times it."""
    desk = desk_for(GRADED)
    for _ in range(orders):
        desk.place()
    assert levels(desk)[0] == level
    assert (check(desk) is not None) == refused


def test_a_slowed_owner_sends_one_message_a_second(desk_for: DeskFor) -> None:
    """One nanosecond before the second is over it is refused, and told when to come again."""
    desk = desk_for(GRADED)
    for _ in range(12):
        desk.place()
    sent_ns = desk.now_ns
    desk.now_ns = sent_ns + NS_PER_SECOND - 1
    verdict = check(desk)
    assert verdict is not None
    assert verdict.retry_ns == sent_ns + NS_PER_SECOND
    desk.now_ns = verdict.retry_ns
    assert check(desk) is None
    desk.place()
    assert check(desk) is not None


def test_only_cancels_until_the_session_ends(desk_for: DeskFor) -> None:
    """The recovery time is told to the nanosecond, and holds."""
    desk = desk_for(GRADED)
    for _ in range(17):
        desk.place()
    verdict = check(desk)
    assert verdict is not None
    assert verdict.retry_ns == (NOW_NS // NS_PER_DAY + 1) * NS_PER_DAY
    desk.now_ns = verdict.retry_ns - 1
    assert check(desk) is not None
    desk.now_ns = verdict.retry_ns
    assert check(desk) is None


def test_a_bound_below_the_maximum_is_refused() -> None:
    """Only cancels can't come before slow."""
    with pytest.raises(ValueError, match=r"cancel_only `0\.9` is below 1"):
        rule('cancel_only = "0.9"')


# --- The rolling window -------------------------------------------------------------------------

ROLLING = (
    'rolling = "1m"\nrolling_step = "10s"\nrolling_max_number = "4"\nrolling_minimum_orders = 0'
)


def test_the_rolling_window_moves_on_by_steps(desk_for: DeskFor) -> None:
    """Six steps of ten seconds: what came in the first of them leaves with the seventh.

    6 orders / 1 - 1 = 5 is above 4. Three of them came at 0 s, three at 15 s. At 59.999999999 s
    all six are within; at 60 s the first three have left: 3 / 1 - 1 = 2.
    """
    desk = desk_for(ROLLING)
    for _ in range(3):
        desk.place()
    desk.now_ns += 15 * NS_PER_SECOND
    for _ in range(3):
        desk.place()
    verdict = check(desk)
    assert verdict is not None
    assert (verdict.observed, verdict.detail) == (5 * E8, "by number 1M, cancel_only")
    assert verdict.window_ns == NS_PER_MINUTE
    assert verdict.retry_ns == MINUTE_START_NS + 60 * NS_PER_SECOND
    desk.now_ns = verdict.retry_ns - 1
    assert check(desk) is not None
    desk.now_ns = verdict.retry_ns
    assert check(desk) is None
    session, _, rolling, _ = desk.rule.standings(OWNER, SYMBOL, None, desk.now_ns)
    assert (session.counted, rolling.counted) == (6, 3)


def test_the_window_goes_on_over_the_session_boundary(desk_for: DeskFor) -> None:
    """The session begins anew, the rolling window does not."""
    desk = desk_for(ROLLING)
    desk.now_ns = (NOW_NS // NS_PER_DAY + 1) * NS_PER_DAY - 1
    desk.place()
    desk.now_ns += 1
    desk.place()
    session, _, rolling, _ = desk.rule.standings(OWNER, SYMBOL, None, desk.now_ns)
    assert (session.counted, rolling.counted) == (1, 2)
    desk.now_ns += NS_PER_MINUTE
    assert desk.rule.standings(OWNER, SYMBOL, None, desk.now_ns)[2].ratio_e8 is None


def test_too_little_in_the_window_is_not_judged(desk_for: DeskFor) -> None:
    """From exactly the minimum on it is."""
    desk = desk_for(ROLLING.replace("orders = 0", "orders = 7"))
    for _ in range(6):
        desk.place()
    assert check(desk) is None
    desk.place()
    assert check(desk) is not None


def test_steps_must_fill_the_window() -> None:
    """Both values are named."""
    with pytest.raises(ValueError, match="whole number of times rolling_step"):
        rule('rolling = "1m"\nrolling_step = "7s"')


# --- Taken back -----------------------------------------------------------------------------------


def test_an_annulled_trade_is_taken_back_where_it_was_counted(desk_for: DeskFor) -> None:
    """A trade of yesterday leaves today's count alone and changes yesterday's."""
    desk = desk_for(ROLLING)
    yesterday_ns = desk.now_ns
    order = desk.place()
    desk.trade(order, 4 * E8)
    desk.trade(order, E8)
    bust(desk, E8, 0)
    assert (desk.counts.trades, desk.counts.volume_traded_e8) == (1, 4 * E8)
    desk.now_ns += NS_PER_DAY
    desk.trade(order, 2 * E8)
    bust(desk, 4 * E8, yesterday_ns)
    assert (desk.counts.trades, desk.counts.volume_traded_e8) == (1, 2 * E8)
    before = desk.rule.previous_counts(OWNER, SYMBOL)
    assert (before.trades, before.volume_traded_e8) == (0, 0)
    bust(desk, 2 * E8, desk.now_ns)
    assert desk.counts.trades == 0


def test_both_sides_of_an_annulled_trade_are_taken_back(desk_for: DeskFor) -> None:
    """And somebody who is not known here is passed over."""
    desk = desk_for("")
    for account in (ACCOUNT, MAKER_ACCOUNT):
        desk.trade(desk.place(account=account), E8)
    bust(desk, E8, desk.now_ns, sell_account=MAKER_ACCOUNT)
    assert [desk.rule.counts(owner, SYMBOL).trades for owner in (OWNER, 6)] == [0, 0]
    bust(desk, E8, desk.now_ns, sell_account=99)


def test_a_bounced_bulk_cancel_is_taken_back(desk_for: DeskFor) -> None:
    """Of two orders a bulk cancel names, the engine had only one left."""
    desk = desk_for("count_rejects = false")
    gone, kept = desk.place(), desk.place()
    desk.book.current_seq = 50
    event = CancelAll(*head(Endpoint.OPEN_ORDERS_CANCEL), SYMBOL)
    desk.note(event, Decision(ACCEPTED, cancels=(gone.order_id, kept.order_id)))
    assert (desk.counts.number, desk.counts.cancels) == (4, 2)
    ended = (Ended(kept.order_id, CANCELED, 0),)
    desk.note(CommandResult(50, 0, True, None, 0, desk.now_ns, (), ended))
    assert (desk.counts.number, desk.counts.cancels) == (3, 1)


def test_a_replacement_whose_cancel_bounced(desk_for: DeskFor) -> None:
    """Neither half took place: nothing stays counted, where refusals don't count."""
    desk = desk_for("count_rejects = false")
    old = desk.place()
    new = desk._add_order(90, 0, command_id=900)
    new.accepted_ns = desk.now_ns
    desk.book.current_seq = 900
    event = Replace(
        *head(Endpoint.ORDER_CANCEL_REPLACE),
        SYMBOL, old.order_id, "", BUY, LIMIT, GTC, 100 * E8, 10 * E8, 0,
    )  # fmt: skip
    desk.note(event, Decision(ACCEPTED, order_id=90))
    assert (desk.counts.number, desk.counts.orders, desk.counts.cancels) == (3, 2, 1)
    desk.note(CommandResult(900, 90, False, None, 0, desk.now_ns))
    assert (desk.counts.number, desk.counts.orders, desk.counts.cancels) == (1, 1, 0)


def test_a_cancel_that_was_put_off_counts_once(desk_for: DeskFor) -> None:
    """It was counted when asked for; the slice that carries it out adds volume alone."""
    desk = desk_for("")
    order = desk.place()
    release = BulkCancel(10, order.order_id, 0, CAUSE_CLIENT, 1)
    desk.note(release, Decision(ACCEPTED, cancels=(order.order_id,)))
    assert desk.counts.number == 1


def test_the_state_of_all_windows_comes_back(desk_for: DeskFor) -> None:
    """Through msgpack, with steps, slow pace and bulk cancels in flight."""
    desk = desk_for(ROLLING + '\nmax_number = "2"')
    for _ in range(3):
        desk.place()
        desk.now_ns += 12 * NS_PER_SECOND
    order = desk.place()
    desk.amend(order, E8)
    event = CancelAll(*head(Endpoint.OPEN_ORDERS_CANCEL), SYMBOL)
    desk.note(event, Decision(ACCEPTED, cancels=(order.order_id,)))
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(desk.rule.state()), strict=False)
    restored = rule(ROLLING + '\nmax_number = "2"')
    restored.restore(stored)
    assert restored.state() == desk.rule.state()
    assert restored.check(place(), desk.book, desk.now_ns) == check(desk)
