"""A venue of its own for each test."""

import pytest

from tests.gateway.dialects.binance.stand_in import Venue


@pytest.fixture
def venue() -> Venue:
    """Return a fresh stand-in venue."""
    return Venue()
