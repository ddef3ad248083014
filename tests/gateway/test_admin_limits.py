"""Listings of everybody's limits and bans: they end somewhere, say so, and let others work."""

import asyncio

import pytest

from gateway.admin import limits
from gateway.admin.administration import BAN_LINES_MAX, Administration
from gateway.admin.limits import LINES_MAX, LimitsListing
from gateway.decision_id import DecisionIds
from rules.events import ClearBan
from rules.values import NS_PER_SECOND
from tests.gateway.edges.admin_world import AdminCore


def banned(count: int) -> AdminCore:
    """Return a core that has banned so many addresses."""
    core = AdminCore()
    for number in range(count):
        address = core.directory.address(f"10.0.{number >> 8}.{number & 255}")
        core.submit(ClearBan(address, core.now_ns() + NS_PER_SECOND, "operator"))
    return core


@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_lists_say_when_there_is_more(beyond: int) -> None:
    """As many as are listed are all; of one more it is said that there is more."""
    core = banned(LINES_MAX + beyond)
    listed = asyncio.run(LimitsListing(core).list())
    assert (len(listed.limits), listed.more) == (LINES_MAX + min(beyond, 0), beyond > 0)
    assert BAN_LINES_MAX == LINES_MAX
    status = Administration(core, DecisionIds(b"the test's decision id key")).status()
    assert (len(status.bans), status.more_bans) == (BAN_LINES_MAX + min(beyond, 0), beyond > 0)


@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_no_more_are_looked_at_than_is_bearable(
    beyond: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Idle ones take time too: where not all were looked at, there may be more."""
    monkeypatch.setattr(limits, "SUBJECTS_MAX", 64)
    core = banned(0)
    for number in range(64 + beyond):
        core.directory.address(f"10.0.0.{number}")
    listed = asyncio.run(LimitsListing(core).list())
    assert (listed.limits, listed.more) == ((), beyond > 0)


def test_others_get_their_turn() -> None:
    """Of a long list so many are looked at that nobody waits for longer than for an order."""

    async def story() -> int:
        core, turns = banned(640), 0
        listing = asyncio.create_task(LimitsListing(core).list())
        while not listing.done():
            await asyncio.sleep(0)
            turns += 1
            core.directory.address(f"192.0.2.{turns}")
        assert len((await listing).limits) == 640
        return turns

    assert asyncio.run(story()) >= 640 // 32
