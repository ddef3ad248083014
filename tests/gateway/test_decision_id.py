"""Decision ids: opaque, the same every time, and nobody can make one up."""

import base64
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decision_id import DecisionIds

IDS = DecisionIds(b"sixteen bytes at")


@given(st.integers(0, 2**64 - 1))
def test_round_trip(seq: int) -> None:
    """Every sequence number has one text of a fixed form, and comes back."""
    text = IDS.encode(seq)
    assert len(text) == 26
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert IDS.decode(text) == seq
    assert DecisionIds(b"sixteen bytes at").encode(seq) == text


@given(st.integers(0, 2**64 - 1))
def test_uuid_says_the_same(seq: int) -> None:
    """The UUID of a number is the sixteen bytes of its id in the usual form."""
    made = uuid.UUID(IDS.uuid(seq))
    assert str(made) == IDS.uuid(seq)
    assert base64.b32encode(made.bytes).rstrip(b"=").decode().lower() == IDS.encode(seq)


@given(st.text(max_size=40))
def test_any_other_text_is_nobodys(text: str) -> None:
    """A text that was not made here stands for nothing."""
    seq = IDS.decode(text)
    assert seq is None or IDS.encode(seq) == text


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567", min_size=26, max_size=26))
def test_guesses_fail(text: str) -> None:
    """A guess in the right form is nobody's decision."""
    assert IDS.decode(text) is None


def test_neighbours_and_keys_differ() -> None:
    """Neighbouring numbers look unrelated, another key gives other texts, and case matters."""
    first, second = IDS.encode(1), IDS.encode(2)
    assert sum(a == b for a, b in zip(first, second, strict=True)) < 10
    assert DecisionIds(b"another 16 bytes").decode(first) is None
    assert IDS.decode(first.upper()) is None


def test_short_key_is_refused() -> None:
    """A key that is no secret is refused."""
    with pytest.raises(ValueError, match="15 bytes"):
        DecisionIds(bytes(15))
