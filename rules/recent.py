"""Memory of a bounded age: what was put in is kept at least so long and at most twice as long."""

from typing import Any


class Recent:
    """Small tuples by number, forgotten by generations so that nothing ever has to be searched.

    A value can be read for at least `span_ns` after it was put in; whoever reads it compares times
    itself. Forgetting costs nothing per value: the older of two generations is let go.
    """

    __slots__ = ("_new", "_old", "_span_ns", "_turn_ns")

    def __init__(self, span_ns: int) -> None:
        self._span_ns = span_ns
        self._turn_ns = 0
        """When the generations turn next."""
        self._new: dict[int, tuple[int, ...]] = {}
        self._old: dict[int, tuple[int, ...]] = {}

    def put(self, number: int, value: tuple[int, ...], now_ns: int) -> None:
        """Keep `value` under `number` for at least the span."""
        if now_ns >= self._turn_ns:
            # Nothing was put in since the turn was due, so what is older than that is too old.
            overdue = now_ns - self._turn_ns >= self._span_ns
            self._old = {} if overdue else self._new
            self._new = {}
            self._turn_ns = now_ns + self._span_ns
        if self._old:
            self._old.pop(number, None)
        self._new[number] = value

    def get(self, number: int) -> tuple[int, ...] | None:
        """Return the value under `number`, None when there is none any more."""
        return self._new.get(number) or self._old.get(number)

    def pop(self, number: int) -> tuple[int, ...] | None:
        """Return the value under `number` and forget it; None when there is none any more."""
        return self._new.pop(number, None) or self._old.pop(number, None)

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def state(self) -> Any:
        """Return everything kept, as plain values."""
        return [
            self._turn_ns,
            [[number, list(value)] for number, value in self._new.items()],
            [[number, list(value)] for number, value in self._old.items()],
        ]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._turn_ns, new, old = state
        self._new = {number: tuple(value) for number, value in new}
        self._old = {number: tuple(value) for number, value in old}
