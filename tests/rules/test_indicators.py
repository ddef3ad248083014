"""Windows, minimums, maximums, measures and their memory, exact at every boundary."""

import msgspec
import pytest

from rules.book import AccountFacts, Book, KeyFacts
from rules.decisions import Breach
from rules.indicators import Indicator
from rules.ratio_clauses import DustRatioClause, IndicatorClause
from rules.ratio_levels import LEVEL_CANCEL_ONLY, LEVEL_NONE, LEVEL_NOTICE, LEVEL_SLOW
from rules.reasons import Reason
from rules.values import (
    ACCOUNT_MARKET_MAKER,
    E8,
    NS_PER_HOUR,
    NS_PER_MINUTE,
    NS_PER_SECOND,
    SCOPE_OWNER,
    SCOPE_OWNER_SYMBOL,
    pair_of,
)
from tests.rules.order_world import ACCOUNT, KEY, NOW_NS, OWNER, SYMBOL, place

START_NS = NOW_NS // (10 * NS_PER_MINUTE) * 10 * NS_PER_MINUTE


class World:
    """One indicator with one owner; the clock moves when told to."""

    def __init__(self, tier: str = "", flags: int = 0, **clause: object) -> None:
        fields = {"minimum_orders": 10, "maximum": "0.9", **clause}
        self.indicator = Indicator("test", msgspec.convert(fields, IndicatorClause))
        self.book = Book()
        self.account = AccountFacts(ACCOUNT, "a", OWNER, tier, flags, True)
        self.book.accounts[ACCOUNT] = self.account
        self.book.keys[KEY] = KeyFacts(KEY, "k", ACCOUNT, 2, frozenset(), 0, True)
        self.now_ns = START_NS

    def count(self, number: int, part: int) -> None:
        """Count orders, some of which are part of the share."""
        self.indicator.add(
            OWNER, SYMBOL, self.account, self.book, self.now_ns, number, part, number
        )

    def check(self) -> Breach | None:
        """Ask for one more order; explanation and answer must say the same."""
        verdict = self.indicator.check(place(), self.book, self.now_ns)
        (look,) = self.indicator.explain(place(), self.book, self.now_ns)
        assert look.passed == (verdict is None)
        if verdict is not None:
            assert (verdict.limit, verdict.observed) == (look.limit, look.observed)
        return verdict

    def send(self) -> None:
        """Let one more order pass."""
        assert self.check() is None
        self.indicator.passed(place(), self.book, self.now_ns)

    @property
    def level(self) -> int:
        return self.indicator.standing(OWNER, SYMBOL, self.account, self.now_ns).level


@pytest.mark.parametrize(
    ("number", "part", "level"),
    [
        (9, 9, LEVEL_NONE),  # 9 of 10 orders
        (10, 8, LEVEL_NONE),  # 0.80 is below 0.81, nine tenths of 0.9
        (100, 81, LEVEL_NOTICE),
        (100, 89, LEVEL_NOTICE),
        (100, 90, LEVEL_SLOW),  # the maximum itself is an excess
    ],
)
def test_levels_at_their_bounds(number: int, part: int, level: int) -> None:
    """Told from a part of the maximum on, slowed from the maximum on, once enough was sent."""
    world = World()
    world.count(number, part)
    assert world.level == level


def test_a_slowed_owner_sends_one_message_a_second() -> None:
    """The first passes, the next one second later; the measure ends with its lock."""
    world = World(lock="10s")
    world.count(10, 10)
    world.send()
    verdict = world.check()
    assert verdict == Breach(
        "test", Reason.TRADING_INDICATOR, 90_000_000, E8, START_NS + NS_PER_SECOND,
        SCOPE_OWNER_SYMBOL, pair_of(OWNER, SYMBOL), detail="slow",
    )  # fmt: skip
    world.now_ns += NS_PER_SECOND - 1
    assert world.check() is not None
    world.now_ns += 1
    world.send()
    world.now_ns = START_NS + 10 * NS_PER_SECOND - 1
    world.send()
    assert world.check().retry_ns == START_NS + 10 * NS_PER_SECOND
    world.now_ns += 1
    assert world.check() is None
    assert world.level == LEVEL_NOTICE


def test_a_second_excess_leaves_only_cancels() -> None:
    """Until its lock has ended; an excess out of memory does not count."""
    world = World(memory="1h")
    world.count(10, 10)
    world.now_ns += 10 * NS_PER_MINUTE
    world.count(10, 10)
    assert world.level == LEVEL_CANCEL_ONLY
    verdict = world.check()
    assert verdict is not None
    assert verdict.retry_ns == world.now_ns + 10 * NS_PER_MINUTE
    world.now_ns = verdict.retry_ns - 1
    assert world.check() is not None
    world.now_ns += 1
    assert world.check() is None
    world.now_ns += NS_PER_HOUR
    world.count(10, 10)
    assert world.level == LEVEL_SLOW


def test_counts_begin_anew_with_the_window() -> None:
    """Its end belongs to the next one."""
    world = World()
    world.count(9, 9)
    world.now_ns = START_NS + 10 * NS_PER_MINUTE - 1
    assert world.indicator.usage(SCOPE_OWNER_SYMBOL, pair_of(OWNER, SYMBOL), world.now_ns)
    world.now_ns += 1
    assert not world.indicator.usage(SCOPE_OWNER_SYMBOL, pair_of(OWNER, SYMBOL), world.now_ns)
    world.count(9, 9)
    assert world.level == LEVEL_NONE
    assert world.indicator.usage(SCOPE_OWNER, OWNER, world.now_ns) == ()


def test_tiers_and_market_makers() -> None:
    """A tier has its own maximum; a market maker is judged only where the clause says by what."""
    for world, level in (
        (World(tier="vip", tiers={"vip": "1"}), LEVEL_NOTICE),
        (World(tier="other", tiers={"vip": "1"}), LEVEL_SLOW),
        (World(flags=ACCOUNT_MARKET_MAKER), LEVEL_NONE),
        (World(flags=ACCOUNT_MARKET_MAKER, market_maker_maximum="0.95"), LEVEL_SLOW),
    ):
        world.count(20, 19)
        assert world.level == level


def test_an_unknown_account_is_not_judged() -> None:
    """Its request is refused elsewhere."""
    world = World()
    world.indicator.add(OWNER, SYMBOL, None, world.book, world.now_ns, 20, 20, 20)
    assert world.indicator.check(place(key=99), world.book, world.now_ns) is None


def test_the_state_comes_back_whole() -> None:
    """Through msgpack, in the middle of a measure."""
    world = World()
    world.count(10, 10)
    world.send()
    world.count(3, 2**70)
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(world.indicator.state()), strict=False)
    restored = Indicator("test", DustRatioClause())
    restored.restore(stored)
    assert restored.state() == world.indicator.state()
    assert restored.check(place(), world.book, world.now_ns) == world.check()


@pytest.mark.parametrize("window", ["0s", "1500ms"])
def test_a_window_of_no_whole_seconds(window: str) -> None:
    """Is refused with its value."""
    with pytest.raises(ValueError, match=f"window `{window}`"):
        World(window=window)
