"""Counts of one period of the clock at a time: of a day, of ten minutes."""

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

_FREED_PER_USE: Final = 4
"""Old counts freed with each new one: forgetting a million subjects at once would be a pause."""

Key = TypeVar("Key")


class PeriodCounts(Generic[Key]):
    """Short lists of integers by key, all of them forgotten when the period ends.

    A period is `length_ns` long and begins at a whole number of lengths after `offset_ns`.
    """

    __slots__ = (
        "_begins_ns",
        "_counts",
        "_ends_ns",
        "_length_ns",
        "_offset_ns",
        "_retired",
        "_width",
    )

    def __init__(self, length_ns: int, offset_ns: int, width: int) -> None:
        self._length_ns = length_ns
        self._offset_ns = offset_ns
        self._width = width
        """How many zeros a new list has."""
        self._begins_ns = 0
        self._ends_ns = 0
        self._counts: dict[Key, list[int]] = {}
        self._retired: dict[Key, list[int]] = {}

    def since_ns(self, now_ns: int) -> int:
        """Return when the period began that a moment lies in."""
        return (now_ns - self._offset_ns) // self._length_ns * self._length_ns + self._offset_ns

    def use(self, key: Key, now_ns: int) -> list[int]:
        """Return the counts of a key in the period, made when there are none."""
        if now_ns >= self._ends_ns or now_ns < self._begins_ns:
            self._begins_ns = self.since_ns(now_ns)
            self._ends_ns = self._begins_ns + self._length_ns
            self._retired = self._counts
            self._counts = {}
        found = self._counts.get(key)
        if found is None:
            found = self._counts[key] = [0] * self._width
            if self._retired:
                self._free()
        return found

    def find(self, key: Key, now_ns: int) -> list[int] | None:
        """Return the counts of a key in the period, None when there are none."""
        return self._counts.get(key) if self._begins_ns <= now_ns < self._ends_ns else None

    def _free(self) -> None:
        for _ in range(min(_FREED_PER_USE, len(self._retired))):
            self._retired.popitem()

    def state(self, key_of: Callable[[Key], list[int]]) -> Any:
        """Return the period's counts as plain values, each key turned into such.

        Counts may pass 63 bits.
        """
        counts = [[key_of(key), [str(one) for one in found]] for key, found in self._counts.items()]
        return [self._begins_ns, counts]

    def restore(self, state: Any, key_of: Callable[[list[int]], Key]) -> None:
        """Put back what `state` returned."""
        self._begins_ns, counts = state
        # The first period of all begins at 0, and is another thing than none.
        self._ends_ns = self._begins_ns + self._length_ns if self._begins_ns or counts else 0
        self._counts = {key_of(key): [int(one) for one in found] for key, found in counts}
        self._retired = {}
