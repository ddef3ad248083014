"""The measurement of HTTP/2 measures the same calls on both sides."""

from tests.bench.http2 import answers, own, with_h2


def test_both_halves_take_the_same_calls() -> None:
    """Each call is answered, and costs something."""
    said = answers(40)
    assert own(40, said) > 0
    assert with_h2(40, said) > 0
