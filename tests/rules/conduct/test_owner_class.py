"""Who trades at high frequency: by messages, to the message; changes of class as events."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.conduct.owner_class import OwnerClass
from rules.decisions import ACCEPTED, DEFERRED, REFUSED, Decision
from rules.events import CancelAll, DefineAccount, Event, OwnerClassChanged, Request
from rules.pipeline import Pipeline
from rules.registry import build_rules
from rules.rulebook import RulebookError
from rules.values import (
    ACCOUNT_MARKET_MAKER,
    AUTH_BAD_SIGNATURE,
    FLAG_TEST,
    NS_PER_DAY,
    NS_PER_HOUR,
    NS_PER_SECOND,
    OWNER_HIGH_FREQUENCY,
    OWNER_MARKET_MAKER,
    OWNER_ORDINARY,
    SCOPE_OWNER,
    SCOPE_OWNER_SYMBOL,
    pair_of,
)
from tests.rules.desk import Desk
from tests.rules.order_world import (
    ACCOUNT,
    OTHER_SYMBOL,
    OWNER,
    SYMBOL,
    amend,
    cancel,
    make_rulebook,
    place,
    replace,
)

DAY_STARTS_NS = 1_800_000_000 * NS_PER_SECOND // NS_PER_DAY * NS_PER_DAY
QUICK = {"mode": "enforce", "trading_day": "10s", "one_instrument": "2", "all_instruments": "4"}
"""20 messages in one instrument or 40 in all: what two a second are in ten seconds."""


class ClassDesk(Desk):
    """A desk whose rulebook classes owners; the day begins with it."""

    def __init__(self, **changes: Any) -> None:
        rules = changes.pop("rules", {})
        super().__init__({"owner_class": {**QUICK, **changes}, **rules})
        self.now_ns = DAY_STARTS_NS

    @property
    def rule(self) -> OwnerClass:
        """Return the rule."""
        found = self.pipeline.rule("owner_class")
        assert isinstance(found, OwnerClass)
        return found

    def count(self, messages: int, event: Event | None = None, verdict: int = ACCEPTED) -> None:
        """Send so many messages, without their effects on the book."""
        for _ in range(messages):
            asked = event or cancel(order_id=999)
            self.rule.apply(asked, Decision(verdict), self.book, self.now_ns)

    def bring(self) -> list[OwnerClassChanged]:
        """Decide what is due; return the changes of class."""
        found = []
        while (due := self.pipeline.dues.next(self.now_ns)) is not None:
            assert isinstance(due, OwnerClassChanged)
            self.send(due)
            found.append(due)
        return found

    def owner_class(self) -> int:
        """Return the class of the account's owner."""
        return self.book.owner_class(ACCOUNT)

    def counted(self, symbol: int = SYMBOL) -> int:
        """Return the messages counted in an instrument, or (0) in all."""
        scope, subject = SCOPE_OWNER_SYMBOL, pair_of(OWNER, symbol)
        if not symbol:
            scope, subject = SCOPE_OWNER, OWNER
        (usage,) = self.rule.usage(scope, subject, self.book, self.now_ns)
        return usage.used


@pytest.mark.parametrize(("messages", "high"), [(19, False), (20, True), (21, True)])
def test_a_rate_in_one_instrument(messages: int, high: bool) -> None:
    """Two a second over ten seconds are twenty; nineteen are not."""
    desk = ClassDesk()
    desk.count(messages)
    changes = desk.bring()
    assert bool(changes) is high
    assert desk.owner_class() == (OWNER_HIGH_FREQUENCY if high else OWNER_ORDINARY)
    if high:
        (change,) = changes
        assert (change.owner, change.symbol, change.messages) == (OWNER, SYMBOL, min(messages, 20))


@pytest.mark.parametrize(("messages", "high"), [(39, False), (40, True)])
def test_a_rate_in_all_instruments(messages: int, high: bool) -> None:
    """Four a second are forty, where no instrument alone has twenty."""
    desk = ClassDesk(one_instrument="3")
    desk.count(messages // 2)
    desk.count(messages - messages // 2, cancel(order_id=999, symbol=OTHER_SYMBOL))
    changes = [(one.symbol, one.messages) for one in desk.bring()]
    assert changes == ([(0, 40)] if high else [])


def test_the_rate_of_the_law_over_a_day() -> None:
    """Two a second over 24 hours are 172,800 messages, four are 345,600; rates may be fractions."""
    rule = ClassDesk(trading_day="24h").rule
    assert (rule.in_one, rule.in_all) == (172_800, 345_600)
    assert ClassDesk(trading_day="24h", one_instrument="0.00001157").rule.in_one == 1
    assert ClassDesk(trading_day="24h", one_instrument="0.00001158").rule.in_one == 2


def test_the_class_holds_from_the_next_message_on() -> None:
    """The change is due at once, and comes before whatever is decided next."""
    desk = ClassDesk()
    desk.count(20)
    assert desk.owner_class() == OWNER_ORDINARY
    assert desk.pipeline.dues.due_ns == 0
    assert len(desk.bring()) == 1
    assert desk.pipeline.dues.next(desk.now_ns) is None


def all_orders() -> CancelAll:
    """Return a cancel of all the account's orders."""
    one = cancel()
    return CancelAll(*(getattr(one, name) for name in Request.__struct_fields__), symbol=0)


@pytest.mark.parametrize(
    ("event", "messages"),
    [
        (place(), 1),
        (cancel(order_id=999), 1),
        (amend(order_id=999), 1),
        (replace(order_id=999), 2),
        (all_orders(), 1),
        (place(flags=FLAG_TEST), 0),
    ],
)
def test_what_is_a_message(event: Event, messages: int) -> None:
    """A replacement is a cancel and an order; a test order is nothing."""
    desk = ClassDesk()
    desk.count(1, event)
    assert desk.counted(0) == messages


@pytest.mark.parametrize(
    ("verdict", "count_rejects", "auth", "messages"),
    [
        (ACCEPTED, False, 0, 1),
        (DEFERRED, False, 0, 1),
        (REFUSED, False, 0, 0),
        (REFUSED, True, 0, 1),
        (REFUSED, True, AUTH_BAD_SIGNATURE, 0),
    ],
)
def test_refused_messages(verdict: int, count_rejects: bool, auth: int, messages: int) -> None:
    """They count where the clause says so, and never for whoever only names somebody's key."""
    desk = ClassDesk(count_rejects=count_rejects)
    event = cancel(order_id=999, **({"auth": auth} if auth else {}))
    desk.count(1, event, verdict)
    assert desk.counted() == messages


def test_only_liquid_instruments_count() -> None:
    """Where the clause names instruments, messages in others are passed over."""
    desk = ClassDesk(symbols=["BTCUSDC"])
    desk.count(5)
    desk.count(2, cancel(order_id=999, symbol=OTHER_SYMBOL))
    assert (desk.counted(0), desk.counted(), desk.counted(OTHER_SYMBOL)) == (2, 0, 2)


def test_a_cancel_counts_in_the_instrument_of_its_order() -> None:
    """Also where the request does not name it."""
    desk = ClassDesk()
    order = desk.rest(symbol=OTHER_SYMBOL)
    before = desk.counted(OTHER_SYMBOL)
    desk.send(cancel(order_id=order.order_id, symbol=0))
    assert desk.counted(OTHER_SYMBOL) == before + 1


def test_the_day_begins_anew() -> None:
    """What was sent before midnight does not count after it, to the nanosecond."""
    desk = ClassDesk()
    desk.now_ns = DAY_STARTS_NS + NS_PER_DAY - 1
    desk.count(19)
    desk.now_ns += 1
    desk.count(19)
    assert (desk.counted(), desk.bring()) == (19, [])
    later = ClassDesk(session_starts="09:00")
    later.count(19)
    later.now_ns += 9 * NS_PER_HOUR - 1
    later.count(1)
    assert len(later.bring()) == 1


@pytest.mark.parametrize("kept_days", [0, 1, 30])
def test_the_class_ends(kept_days: int) -> None:
    """After so many whole days without such a rate; a day with it begins the time anew."""
    desk = ClassDesk(kept_days=kept_days)
    desk.count(20)
    (change,) = desk.bring()
    ends_ns = DAY_STARTS_NS + (kept_days + 1) * NS_PER_DAY
    assert change.until_ns == ends_ns
    desk.now_ns = ends_ns - 1
    assert desk.bring() == []
    desk.count(20)
    assert desk.bring() == []
    ends_ns += kept_days * NS_PER_DAY
    desk.now_ns = ends_ns - 1
    assert (desk.bring(), desk.owner_class()) == ([], OWNER_HIGH_FREQUENCY)
    desk.now_ns += 1
    assert desk.bring() == [OwnerClassChanged(OWNER, OWNER_ORDINARY)]
    assert desk.owner_class() == OWNER_ORDINARY
    assert desk.bring() == []


def test_a_market_maker_is_one_by_agreement() -> None:
    """His account's, whatever he sends; the owner's other account has the owner's class."""
    desk = ClassDesk()
    desk.send(DefineAccount(ACCOUNT, "a", OWNER, "", ACCOUNT_MARKET_MAKER))
    desk.count(20)
    desk.bring()
    assert desk.owner_class() == OWNER_MARKET_MAKER
    assert desk.book.owner_class(8) == OWNER_HIGH_FREQUENCY
    assert desk.book.owner_class(99) == OWNER_ORDINARY


def test_in_shadow_nobody_is_classed() -> None:
    """Messages are counted and shown."""
    desk = ClassDesk(mode="shadow")
    desk.count(50)
    assert (desk.counted(), desk.bring(), desk.owner_class()) == (50, [], OWNER_ORDINARY)


def test_another_resting_time_for_another_class() -> None:
    """Nobody else need rest; from the change on the owner's orders must."""
    resting = {
        "mode": "enforce",
        "minimum": "0s",
        "cases": [{"classes": ["high_frequency"], "minimum": "1s"}],
    }
    desk = ClassDesk(rules={"resting_time": resting})
    first, second = desk.rest(), desk.rest()
    assert desk.send(cancel(order_id=first.order_id)).verdict == ACCEPTED
    desk.count(20)
    desk.bring()
    refused = desk.send(cancel(order_id=second.order_id))
    assert refused.breaches[0].limit == NS_PER_SECOND


def test_a_held_cancel_keeps_the_time_it_was_promised() -> None:
    """A class that makes the time longer does not make it longer for what is held already."""
    resting = {
        "mode": "enforce",
        "minimum": "500ms",
        "policy": "DEFER",
        "cases": [{"classes": ["high_frequency"], "minimum": "10s"}],
    }
    desk = ClassDesk(rules={"resting_time": resting})
    order = desk.rest()
    until_ns = desk.send(cancel(order_id=order.order_id)).until_ns
    desk.count(20)
    desk.bring()
    assert desk.send(cancel(order_id=order.order_id)).until_ns == until_ns
    desk.now_ns = until_ns
    due = desk.pipeline.dues.next(desk.now_ns)
    assert due is not None
    assert desk.send(due).cancels == (order.order_id,)


def test_everything_outlasts_a_restart() -> None:
    """Counts, classes, and a change that is due and not made yet."""
    for messages in (19, 20):
        desk = ClassDesk(kept_days=1)
        desk.count(messages)
        stored = msgspec.msgpack.encode(desk.pipeline.state())
        desk.pipeline = Pipeline(desk.pipeline.rulebook)
        desk.pipeline.restore(msgspec.msgpack.decode(stored))
        assert msgspec.msgpack.encode(desk.pipeline.state()) == stored
        desk.count(1)
        assert len(desk.bring()) == 1
        stored = msgspec.msgpack.encode(desk.pipeline.state())
        desk.pipeline = Pipeline(desk.pipeline.rulebook)
        desk.pipeline.restore(msgspec.msgpack.decode(stored))
        assert desk.owner_class() == OWNER_HIGH_FREQUENCY
        desk.now_ns = DAY_STARTS_NS + 2 * NS_PER_DAY
        assert [one.owner_class for one in desk.bring()] == [OWNER_ORDINARY]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 15), st.booleans()), max_size=12))
@settings(deadline=None)
def test_against_a_plain_count(days: list[tuple[int, int, bool]]) -> None:
    """The class is what a list of every day's messages says: the rate on that day or the one before."""
    desk = ClassDesk(kept_days=1)
    reached: list[int] = []
    for day, (first, second, _) in enumerate(days):
        desk.now_ns = DAY_STARTS_NS + day * NS_PER_DAY
        desk.bring()
        assert (desk.owner_class() == OWNER_HIGH_FREQUENCY) is (day - 1 in reached)
        desk.count(first)
        desk.count(second, cancel(order_id=999, symbol=OTHER_SYMBOL))
        if first >= 20 or second >= 20 or first + second >= 40:
            reached.append(day)
        desk.bring()
        high = day in reached or day - 1 in reached
        assert (desk.owner_class() == OWNER_HIGH_FREQUENCY) is high


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"one_instrument": "0"}, "one_instrument `0` would make everybody"),
        ({"all_instruments": "0.0"}, "would make everybody a high-frequency trader"),
        ({"trading_day": "0s"}, "trading_day `0s` is not within one day"),
        ({"trading_day": "25h"}, "trading_day `25h` is not within one day"),
        ({"session_starts": "24:00"}, "`24:00` is not a time of day"),
    ],
)
def test_parameters_that_can_not_be_used(changes: dict[str, Any], fault: str) -> None:
    """A rate of nothing, a day that is none, a time that is none."""
    with pytest.raises(RulebookError, match=fault):
        build_rules(make_rulebook({"owner_class": {**QUICK, **changes}}))


def test_unknown_keys_and_other_scopes() -> None:
    """Nothing is counted for nobody, and other subjects have no such limit."""
    desk = ClassDesk()
    desk.count(1, cancel(order_id=999, key=77))
    assert desk.counted(0) == 0
    assert desk.rule.usage(99, OWNER, desk.book, desk.now_ns) == ()
