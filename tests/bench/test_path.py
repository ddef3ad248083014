"""The benchmark of the way through the gate measures what it says."""

import asyncio

from tests.bench.path import CONNECTIONS, measure


def test_orders_are_accepted_and_traced() -> None:
    """Every order is accepted, and the stages are those of as many requests as were traced."""
    measured = asyncio.run(measure(requests=2 * CONNECTIONS, rounds=1))
    assert measured.accepted_share == 1
    assert 0 < measured.us_quiet <= measured.us
    assert measured.stages.requests == 2 * CONNECTIONS
