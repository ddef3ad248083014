"""Who looks on at what was decided and recorded, by type of event.

Most of those who look on have something to do for a few types of event. They are told of no others,
so the usual order does not pay for them.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from rules.decisions import Decision
from rules.events import AnyEvent, Event

Listener: TypeAlias = Callable[[int, int, Event, Decision], None]
"""Called with (seq, now_ns, event, decision) of an event after its record."""


class Listeners:
    """Listeners of one core; they are told in the order in which they were added.

    `by_kind` are those of each type of event. `of_steps` are told of decisions in which a measure
    got stricter or milder, whatever the event, after all others.
    """

    def __init__(self) -> None:
        self.by_kind: dict[type[Event], tuple[Listener, ...]] = dict.fromkeys(AnyEvent.__args__, ())
        self.of_steps: tuple[Listener, ...] = ()

    def add(self, listener: Listener, *kinds: type[Event]) -> None:
        """Tell `listener` of events of these types, of every event when no type is named."""
        for kind in kinds or tuple(self.by_kind):
            self.by_kind[kind] += (listener,)

    def add_each(self, listeners: Mapping[type[Event], Listener]) -> None:
        """Tell of events of each type the listener there is for it."""
        for kind, listener in listeners.items():
            self.add(listener, kind)

    def add_for_steps(self, listener: Listener) -> None:
        """Tell `listener` of decisions with steps of the ladder."""
        self.of_steps += (listener,)
