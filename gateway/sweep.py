"""A bulk cancel from its first slice to its last, and the one answer to all of them."""

from typing import Final

import msgspec

from gateway.outcome import Outcome, Reply
from rules.events import BulkCancel, CancelAll, CommandResult, Ended
from rules.reasons import Reason
from rules.values import CANCELED

_NOTHING_THERE: Final = Reason.ENGINE_UNKNOWN_ORDER
"""The engine's answer to the cancel of one order that has ended meanwhile: nothing went wrong."""


class Sweep:
    """One bulk cancel under way.

    `event` is what is submitted for each further slice. `asked` and `reply` belong to the client
    or operator who asked for it, and are None when nobody waits.
    """

    __slots__ = ("_ended", "_failure", "asked", "event", "halted", "held", "open", "reply")

    def __init__(
        self, event: BulkCancel, asked: Outcome | None = None, reply: Reply | None = None
    ) -> None:
        self.event = event
        self.asked = asked
        self.reply = reply
        self.open = 1
        """Slices that are submitted and not answered."""
        self.held = False
        """The next slice waits until one of those that were sent is answered; it counts as open."""
        self.halted = False
        """A slice failed or ended nothing: another would only try the same orders again."""
        self._ended: list[Ended] = []
        self._failure: CommandResult | None = None

    def take(self, result: CommandResult) -> None:
        """Take the engine's answer to one slice, or that there was none in time."""
        if result.accepted or result.reason is _NOTHING_THERE:
            self._ended.extend(result.ended)
        elif self._failure is None:
            self._failure = result
        if not result.ended:
            self.halted = True

    def outcome(self, now_ns: int) -> Outcome:
        """Return the one outcome of all slices for whoever asked.

        A client is told the orders that ended even where a slice failed; its failure is then the
        result. An operator's act has no result.
        """
        asked = self.asked
        assert asked is not None
        if not isinstance(asked.event, CancelAll):
            return asked
        ended = tuple(self._ended)
        if self._failure is not None:
            result = msgspec.structs.replace(self._failure, command_id=asked.seq, ended=ended)
        else:
            result = CommandResult(asked.seq, 0, True, None, CANCELED, now_ns, (), ended)
        decision = msgspec.structs.replace(asked.decision, more=self.halted)
        return Outcome(asked.seq, asked.now_ns, asked.event, decision, result, now_ns)
