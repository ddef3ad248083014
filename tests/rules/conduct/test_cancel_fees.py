"""Live fees: what counts, how it stands, what is posted at the day's end, and what is corrected."""

import msgspec
import pytest

from rules.events import BulkCancel, Ended, OrderEnded, PostFees
from rules.fees.acts import CANCELLED, Act
from rules.fees.counts import Counts
from rules.pipeline import Pipeline
from rules.reasons import Reason
from rules.units import decimal_text
from rules.values import (
    ACCOUNT_MARKET_MAKER,
    CANCELED,
    CAUSE_CLIENT,
    CAUSE_DISCONNECT,
    CAUSE_EXPIRY,
    CAUSE_KILL,
    E8,
    EXPIRED,
    NEW,
    NS_PER_DAY,
    NS_PER_HOUR,
    SCOPE_OWNER,
    SELL,
)
from tests.rules.conduct.fee_desk import DAY_STARTS_NS, PLAIN, FeeDesk, shipped
from tests.rules.desk import fill
from tests.rules.order_world import OTHER_KEY, OTHER_SYMBOL, OWNER, SYMBOL, cancel, e8

DAY = "2027-01-15"
TEST_ID = f"test:{DAY}:{OWNER}:BTCUSDT"
EVERYTHING = {
    **PLAIN,
    "counting": {"exempt_within": "0.01", "weights": [{"within": "0.02", "weight": "0.5"}]},
    "allowance": {
        "count": dict.fromkeys(
            (
                "orders", "cancels", "modifies", "trades", "exempt_orders", "weighted_orders",
                "ordered_volume", "cancelled_volume", "modified_volume", "cancelled_fast",
                "modified_fast", "traded_volume", "passive_volume", "aggressive_volume",
            ),
            "1",
        ),
        "limit": "0",
        "fee": "1",
    },
}  # fmt: skip


def counts(desk: FeeDesk) -> dict[str, str]:
    """Return what was counted for the account's owner, over all days, without zeros."""
    rows = [row.values_e8 for row in desk.ledger._count_rows(OWNER, {SYMBOL: "BTCUSDT"})]
    if not rows:
        return {}
    total = Counts(tuple(rows))
    sums = {column: total.total_e8(column) for column in rows[0]}
    return {column: decimal_text(value) for column, value in sums.items() if value}


# --- What counts ------------------------------------------------------------------------------


def test_columns_of_every_act() -> None:
    """Each column by one order of 10 at 100, last price 100.5, best bid 101.

    Distance to the bid: 1 / 101 = 0.0099..., within 0.02: weight 0.5. Distance to the last price:
    0.5 / 100.5 = 0.00497..., within 0.01: exempt, at entry and at the modification.
    """
    desk = FeeDesk(EVERYTHING)
    desk.facts.last_e8, desk.facts.bid_e8 = 10_050_000_000, e8(101)
    order = desk.rest()
    desk.trade(order, fill(e8(100), e8(2), maker=True))
    desk.now_ns += 500_000_000
    desk.amended(order, e8(7))
    desk.now_ns += 1
    desk.cancel(order)
    assert counts(desk) == {
        "orders": "1",
        "ordered_volume": "10",
        "weighted_orders": "0.5",
        "exempt_orders": "2",
        "trades": "1",
        "traded_volume": "2",
        "passive_volume": "2",
        "modifies": "1",
        "modified_volume": "5",
        "modified_fast": "5",
        "cancels": "1",
        "cancelled_volume": "5",
    }


@pytest.mark.parametrize(("age_ns", "fast"), [(500_000_000, "10"), (500_000_001, None)])
def test_fast_ends_with_the_half_second(age_ns: int, fast: str | None) -> None:
    """Italy taxes an interval of half a second or less."""
    desk = FeeDesk(EVERYTHING)
    order = desk.rest()
    desk.now_ns += age_ns
    desk.cancel(order)
    assert counts(desk).get("cancelled_fast") == fast


def test_what_was_not_carried_out_costs_nothing() -> None:
    """Refused by the gate or the engine, expired, killed, or cancelled too late."""
    desk = FeeDesk()
    refused = desk.place()
    desk.refuse(refused.command_id, 7002)
    desk.send(PostFees())
    for cause in (CAUSE_EXPIRY, CAUSE_KILL):
        order = desk.rest()
        desk.send(OrderEnded(*desk.begin(), order.order_id, CANCELED, cause, 0))
    killed = desk.rest()
    desk.send(BulkCancel(SCOPE_OWNER, OWNER, 0, CAUSE_KILL, 0))
    ended = (Ended(killed.order_id, CANCELED, 0),)
    desk.answer(desk.book.current_seq, 0, 0, ended=ended)
    bounced = desk.rest()
    desk.cancel(bounced, accepted=False)
    assert counts(desk) == {}


def test_a_client_who_cancels_elsewhere_is_charged() -> None:
    """In the web page, or by a bulk cancel."""
    desk = FeeDesk()
    order = desk.rest()
    desk.send(OrderEnded(*desk.begin(), order.order_id, CANCELED, CAUSE_CLIENT, 0))
    swept = desk.rest()
    desk.send(BulkCancel(SCOPE_OWNER, OWNER, 0, CAUSE_CLIENT, 0))
    desk.answer(desk.book.current_seq, 0, 0, ended=(Ended(swept.order_id, CANCELED, 0),))
    assert counts(desk) == {"cancels": "2"}


# --- The meter --------------------------------------------------------------------------------


def test_the_meter_runs() -> None:
    """After a quarter of the day 5 cancels: 3 above 2, so 3.00; at this pace 20, so 18.00."""
    desk = FeeDesk()
    for _ in range(2):
        desk.cancelled()
    (line,) = desk.rule.meter(OWNER, desk.book, desk.now_ns)
    assert line.charge.amount_e8 == 0
    assert line.headroom is not None
    assert (line.headroom.left_e8, line.headroom.next) == (0, "1 each above the limit")
    for _ in range(3):
        desk.cancelled()
    desk.now_ns = DAY_STARTS_NS + 6 * NS_PER_HOUR
    (line,) = desk.rule.meter(OWNER, desk.book, desk.now_ns)
    assert line.charge.amount_e8 == 3 * E8
    assert line.projected.amount_e8 == 18 * E8
    assert line.headroom is None
    assert line.ends_ns == DAY_STARTS_NS + NS_PER_DAY
    desk.now_ns = line.ends_ns
    assert desk.rule.meter(OWNER, desk.book, desk.now_ns) == []


def test_market_makers_have_tariffs_of_their_own() -> None:
    """Or are exempt; either way it is the account's flag at the time that counts."""
    dear = {**PLAIN, "allowance": {**PLAIN["allowance"], "limit": "1"}}
    desk = FeeDesk(dear, exempt_market_makers=True)
    desk.cancelled()
    desk.flag(ACCOUNT_MARKET_MAKER)
    desk.cancelled()
    assert counts(desk) == {"cancels": "1"}


# --- Postings ---------------------------------------------------------------------------------


def test_a_day_is_posted_once_when_it_has_ended() -> None:
    """Not a nanosecond before the calendar's midnight, and not again."""
    desk = FeeDesk()
    for _ in range(4):
        desk.cancelled()
    desk.now_ns = DAY_STARTS_NS + NS_PER_DAY - 1
    assert desk.post() == []
    desk.now_ns += 1
    assert desk.post() == [(TEST_ID, "2")]
    assert desk.post() == []
    assert desk.send(PostFees()).postings == ()
    desk.cancelled()
    desk.next_day()
    assert desk.post() == []


def test_the_day_is_the_calendars() -> None:
    """At +09:00 it ends at 15:00 UTC."""
    desk = FeeDesk({**PLAIN, "utc_offset": "+09:00"})
    desk.now_ns = DAY_STARTS_NS + 14 * NS_PER_HOUR
    for _ in range(3):
        desk.cancelled()
    desk.now_ns = DAY_STARTS_NS + 15 * NS_PER_HOUR - 1
    assert desk.post() == []
    desk.now_ns += 1
    assert desk.post() == [(TEST_ID, "1")]


def test_the_same_posting_booked_twice_counts_once() -> None:
    """What a decision posts again changes nothing."""
    desk = FeeDesk()
    for _ in range(3):
        desk.cancelled()
    desk.next_day()
    desk.send(PostFees())
    decision = desk.send(PostFees())
    assert [one.identity for one in decision.postings] == [TEST_ID]
    desk.send(PostFees(), decision)
    assert desk.ledger.posted(OWNER) == {(DAY, "BTCUSDT"): E8}
    assert desk.post() == []


SELL_TAX = {
    "description": "half a per mille of what is sold",
    "source": "the test",
    "currency": "CNY",
    "sell_tax": {"rate": "0.0005"},
}


def test_a_tax_on_sells_and_its_reversal() -> None:
    """3 sold at 100 are 300, and 0.0005 of it 0.15; 1 of them annulled leaves 0.10.

    Before the posting the count is lower at once; afterwards the posting is reversed and made anew.
    """
    desk = FeeDesk(SELL_TAX)
    sold_ns = desk.now_ns
    desk.sold(e8(2))
    desk.sold(e8(1))
    desk.sold(e8(1))
    desk.annul(e8(1), sold_ns, SELL)
    desk.next_day()
    assert desk.post() == [(TEST_ID, "0.15")]
    desk.annul(e8(1), sold_ns, SELL)
    assert desk.post() == [(f"{TEST_ID}:reversal", "-0.15"), (f"{TEST_ID}:2", "0.1")]
    assert desk.ledger.posted(OWNER) == {(DAY, "BTCUSDT"): 10_000_000}
    desk.annul(e8(2), sold_ns, SELL)
    assert desk.post() == [(f"{TEST_ID}:2:reversal", "-0.1")]
    assert desk.post() == []


@pytest.mark.parametrize(("days", "corrected"), [(3, True), (4, False)])
def test_corrections_end(days: int, corrected: bool) -> None:
    """Three days after its day a trade annulled still counts, four days after no more."""
    desk = FeeDesk(SELL_TAX)
    sold_ns = desk.now_ns
    desk.sold(e8(1))
    desk.next_day()
    desk.post()
    desk.next_day(days - 1)
    desk.annul(e8(1), sold_ns, SELL)
    assert bool(desk.post()) == corrected
    assert desk.ledger.late == (not corrected)


def test_an_annulled_trade_makes_a_ratio_dearer() -> None:
    """Borsa Italiana: slabs from 100 messages to a trade, here for 2 trades and 205 messages.

    With 2 trades the ratio starts to cost at 200: 5 x 0.01 = 0.05. Without one of them it starts at
    100: 105 x 0.01 = 1.05.
    """
    desk = FeeDesk({**shipped("borsa-italiana-2012-mta"), "utc_offset": "+00:00"})
    sold_ns = desk.now_ns
    desk.sold(e8(1))
    desk.sold(e8(1))
    for _ in range(101):
        desk.cancelled()
    desk.rest()
    desk.next_day()
    assert desk.post() == [(TEST_ID, "0.05")]
    desk.annul(e8(1), sold_ns, SELL)
    assert desk.post() == [(f"{TEST_ID}:reversal", "-0.05"), (f"{TEST_ID}:2", "1.05")]


def test_the_fourth_exceedance_charges_the_first_three() -> None:
    """Eurex: up to three exceedances a month are free; with one more all are charged."""
    desk = FeeDesk({**PLAIN, "relief": {"free_exceedances": 3}})
    for _ in range(3):
        for _ in range(3):
            desk.cancelled()
        desk.next_day()
        assert desk.post() == []
    for _ in range(4):
        desk.cancelled()
    desk.next_day()
    posted = desk.post()
    assert [amount for _, amount in posted] == ["1", "1", "1", "2"]
    assert [identity.split(":")[1] for identity, _ in posted] == [
        "2027-01-15", "2027-01-16", "2027-01-17", "2027-01-18",
    ]  # fmt: skip


def test_a_month_is_posted_when_it_has_ended() -> None:
    """Also for who did nothing on its last day."""
    desk = FeeDesk({**PLAIN, "period": "month"})
    for _ in range(4):
        desk.cancelled()
    desk.next_day()
    assert desk.post() == []
    desk.next_day(15)
    assert desk.post() == []
    desk.next_day()
    assert desk.post() == [(f"test:2027-01:{OWNER}:BTCUSDT", "2")]


def test_a_cap_for_all_symbols_together() -> None:
    """5 cancels in each of two symbols are 3 + 3; with a cap of 4 the second pays 1."""
    desk = FeeDesk({**PLAIN, "cap": "4", "cap_per": "owner"})
    for symbol in (SYMBOL, OTHER_SYMBOL):
        for _ in range(5):
            desk.cancelled(symbol=symbol)
    desk.next_day()
    assert [amount for _, amount in desk.post()] == ["3", "1"]


def test_many_owners_are_posted_in_slices() -> None:
    """One event posts for 64 owners; everybody is posted once."""
    desk = FeeDesk()
    ledger = desk.ledger
    ledger.roll(desk.now_ns)
    for owner in range(200, 330):
        for _ in range(3):
            ledger.add(owner, SYMBOL, desk.now_ns, Act(CANCELLED, E8))
    desk.next_day()
    posted = desk.post()
    assert len({identity for identity, _ in posted}) == len(posted) == 130


def test_in_shadow_nothing_is_posted() -> None:
    """Everything is counted and shown."""
    desk = FeeDesk(mode="shadow")
    for _ in range(3):
        desk.cancelled()
    (line,) = desk.rule.meter(OWNER, desk.book, desk.now_ns)
    assert line.charge.amount_e8 == E8
    desk.next_day()
    assert desk.post() == []
    assert desk.send(PostFees()).postings == ()


def test_two_accounts_of_an_owner_are_one() -> None:
    """Fees are an owner's, over all accounts and keys."""
    desk = FeeDesk()
    for key in (3, OTHER_KEY):
        for _ in range(2):
            order = desk.rest(key=key)
            desk.send(OrderEnded(*desk.begin(), order.order_id, CANCELED, CAUSE_CLIENT, 0))
    assert counts(desk) == {"cancels": "4"}


def test_the_state_comes_back_whole() -> None:
    """In the middle of an amend, with a day that waits to be posted and one that was."""
    desk = FeeDesk({**PLAIN, "relief": {"free_exceedances": 3}})
    for _ in range(3):
        desk.cancelled()
    desk.next_day()
    desk.post()
    for _ in range(4):
        desk.cancelled()
    stored = msgspec.msgpack.encode(desk.pipeline.state())
    restored = Pipeline(desk.pipeline.rulebook)
    restored.restore(msgspec.msgpack.decode(stored, strict=False))
    rule = restored.rule("cancel_fees")
    assert rule is not None
    assert rule.state() == desk.rule.state()
    desk.next_day()
    assert restored.apply(PostFees(), desk.now_ns) == desk.pipeline.apply(PostFees(), desk.now_ns)


@pytest.mark.parametrize(
    ("clause", "message"),
    [
        ({"tariffs": ["none"]}, "there is no tariff `none`"),
        ({"tariffs": ["test", "test"]}, "named twice"),
        ({"market_maker_tariffs": ["test"]}, "for market makers and for others"),
    ],
)
def test_tariffs_that_can_not_be_used(clause: dict[str, list[str]], message: str) -> None:
    """The name at fault is told."""
    with pytest.raises(ValueError, match=message):
        FeeDesk(**clause)


@pytest.mark.parametrize(
    ("column", "setting"),
    [("weighted_orders", "counting.weights"), ("exempt_orders", "counting.exempt_within")],
)
def test_a_tariff_that_does_not_say_how_to_count(column: str, setting: str) -> None:
    """What a published tariff leaves to whoever counts must be stated before the gate can."""
    tariff = {**PLAIN, "allowance": {"count": {column: "1"}, "limit": "2", "fee": "1"}}
    with pytest.raises(ValueError, match=setting):
        FeeDesk(tariff)


@pytest.mark.parametrize("status", [EXPIRED, NEW])
def test_what_was_prevented_was_entered_once(status: int) -> None:
    """10 entered, of which self-trade prevention took 6: entered is 10, or a tax on the share
    cancelled of it could be halved by orders against one's own."""
    desk = FeeDesk(EVERYTHING)
    order = desk.place()
    desk.answer(order.command_id, order.order_id, status, prevented_e8=e8(6))
    assert counts(desk)["ordered_volume"] == "10"


@pytest.mark.parametrize("cause", [CAUSE_KILL, CAUSE_DISCONNECT])
@pytest.mark.parametrize("carried_out", ["venue's", "client's"])
def test_a_cancel_that_overtakes_the_venues_own(cause: int, carried_out: str) -> None:
    """A client cancels what the venue is taking off already: it counts if the engine carried his
    cancel out, and not if it carried out the venue's."""
    desk = FeeDesk(EVERYTHING)
    order = desk.rest()
    desk.send(BulkCancel(SCOPE_OWNER, OWNER, 0, cause, 0))
    bulk = desk.book.current_seq
    desk.send(cancel(order_id=order.order_id))
    command, ended = desk.book.current_seq, (Ended(order.order_id, CANCELED, 0),)
    if carried_out == "venue's":
        desk.answer(bulk, ended=ended)
        desk.refuse(command, Reason.ENGINE_UNKNOWN_ORDER)
    else:
        desk.answer(command, order.order_id, CANCELED, ended=ended)
        desk.answer(bulk)
    assert counts(desk).get("cancels", "0") == ("0" if carried_out == "venue's" else "1")
