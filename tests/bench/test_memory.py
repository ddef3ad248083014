"""The measurement of memory fills what it says, and shows the bounds."""

import pytest

from rules.values import DEFINE_ADDRESS
from tests.bench.memory import OWNERS, ROWS, World, measured, one_row


@pytest.mark.parametrize("name", ROWS)
def test_every_row_is_measured(name: str) -> None:
    """Every order of a row is accepted, and what it holds is told by the piece."""
    row = one_row(name, 200)
    assert (row["what"], row["count"]) == (name, 200)
    assert row["us_each"] > 0


def test_a_row_is_a_process_of_its_own() -> None:
    """What one row holds is not counted for the next."""
    row = measured("address, known", divisor=50)
    assert row["count"] == 20_000
    assert 50 < row["bytes_each"] < 1_000


def test_what_is_filled() -> None:
    """Orders rest in the book, the engine and the views; addresses stop at their bound."""
    world = World(addresses_max=32)
    for number in range(1, OWNERS + 1):
        world.account(number)
    for number in range(50):
        world.query(number, stranger=number < 40)
    assert len(world.directory.names(DEFINE_ADDRESS)) == 32 + 2 + 1
    for number in range(100):
        world.order(number)
    assert len(world.core.book.orders) == 100
