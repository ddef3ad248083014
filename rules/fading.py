"""Objects by key that are forgotten when nothing has asked for them long enough."""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Fading(Generic[Key, Value]):
    """Keeps a value for at least `span_ns` after it was last used, and at most twice as long.

    Values live in two generations; the older is let go as a whole, so forgetting costs nothing for
    each and memory is bounded by what was used lately.
    """

    __slots__ = ("_new", "_old", "_span_ns", "_turn_ns")

    def __init__(self, span_ns: int) -> None:
        self._span_ns = span_ns
        self._turn_ns = 0
        self._new: dict[Key, Value] = {}
        self._old: dict[Key, Value] = {}

    def find(self, key: Key) -> Value | None:
        """Return the value of `key`, None when there is none any more; this is no use of it."""
        found = self._new.get(key)
        return found if found is not None else self._old.get(key)

    def use(self, key: Key, now_ns: int, make: Callable[[], Value]) -> Value:
        """Return the value of `key`, made when there is none, and keep it for the span."""
        if now_ns >= self._turn_ns:
            self._turn(now_ns)
        found = self._new.get(key)
        if found is None:
            found = self._old.pop(key, None)
            if found is None:
                found = make()
            self._new[key] = found
        return found

    def put(self, key: Key, value: Value, now_ns: int) -> None:
        """Keep a value for the span, in place of the one there was."""
        if now_ns >= self._turn_ns:
            self._turn(now_ns)
        if self._old:
            self._old.pop(key, None)
        self._new[key] = value

    def _turn(self, now_ns: int) -> None:
        overdue = now_ns - self._turn_ns >= self._span_ns
        self._old = {} if overdue else self._new
        self._new = {}
        self._turn_ns = now_ns + self._span_ns

    def drop(self, key: Key) -> None:
        """Forget a value now."""
        self._new.pop(key, None)
        self._old.pop(key, None)

    def items(self) -> Iterator[tuple[Key, Value]]:
        """Yield everything kept, what was used longest ago first."""
        yield from self._old.items()
        yield from self._new.items()

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def state(self, key_of: Callable[[Key], Any], value_of: Callable[[Value], Any]) -> Any:
        """Return everything kept as plain values, each key and value turned into such."""
        return [
            self._turn_ns,
            [[key_of(key), value_of(value)] for key, value in self._old.items()],
            [[key_of(key), value_of(value)] for key, value in self._new.items()],
        ]

    def restore(
        self, state: Any, key_of: Callable[[Any], Key], value_of: Callable[[Any], Value]
    ) -> None:
        """Put back what `state` returned."""
        self._turn_ns, old, new = state
        self._old = {key_of(key): value_of(value) for key, value in old}
        self._new = {key_of(key): value_of(value) for key, value in new}
