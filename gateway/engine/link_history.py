"""What the engine has told a gate, kept so that a broken link can be taken up again."""

from collections import deque
from collections.abc import Collection
from typing import Final

from gateway.wire.ordergate.v1 import engine_pb2 as wire

HISTORY_MAX: Final = 200_000
"""Items kept; a gate that missed more than these can't resume."""


class LinkHistory:
    """Results and order events in the order they were given, within one epoch.

    They are kept in one row because a gate must take them up in that order: an event may only
    make sense after the result that came before it.
    """

    def __init__(self, items_max: int = HISTORY_MAX) -> None:
        self._items_max = items_max
        self._items: deque[wire.EngineItem] = deque()
        self._results: dict[int, wire.EngineItem] = {}
        self._last_seq = 0
        self._dropped_seq = 0
        """The last order event that is no longer kept."""
        self._dropped_command = 0
        """The highest command whose result is no longer kept."""

    def add(self, item: wire.EngineItem) -> None:
        """Keep a result or an order event; the oldest goes when there are too many."""
        self._items.append(item)
        if item.WhichOneof("item") == "result":
            self._results[item.result.command_id] = item
        else:
            self._last_seq = item.event.engine_seq
        if len(self._items) > self._items_max:
            self._drop()

    def acknowledge(self, seq: int) -> None:
        """Forget what the gate has safely got: the order event `seq` and all before it.

        A gate that has the event has also got every result that was given before.
        """
        while self._dropped_seq < min(seq, self._last_seq):
            self._drop()

    def result(self, command_id: int) -> wire.EngineItem | None:
        """Return the result of a command, None when there was none or it is no longer kept."""
        return self._results.get(command_id)

    def covers(self, last_seq: int, unanswered: Collection[int]) -> bool:
        """Tell whether everything is kept that a gate which has got so much still needs."""
        return self._dropped_seq <= last_seq <= self._last_seq and not any(
            command_id <= self._dropped_command and command_id not in self._results
            for command_id in unanswered
        )

    def missed(self, last_seq: int, unanswered: Collection[int]) -> list[wire.EngineItem]:
        """Return what a gate has not got, in the order it was given."""
        wanted = frozenset(unanswered)
        return [
            item
            for item in self._items
            if (
                item.event.engine_seq > last_seq
                if item.WhichOneof("item") == "event"
                else item.result.command_id in wanted
            )
        ]

    def _drop(self) -> None:
        item = self._items.popleft()
        if item.WhichOneof("item") == "event":
            self._dropped_seq = item.event.engine_seq
        else:
            command_id = item.result.command_id
            self._dropped_command = max(self._dropped_command, command_id)
            del self._results[command_id]
