"""Posting fees when a tariff's day has ended: the calendar's hand at the core's door."""

from typing import Final, Protocol

from gateway.fees.meter import fee_rule
from gateway.outcome import Reply
from rules.events import Event, PostFees
from rules.rule import Rule

SLICES_MAX: Final = 16
"""Slices posted at a time, so that a day's end does not hold up trading."""


class _Pipeline(Protocol):
    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in force."""


class PostingCore(Protocol):
    """What posting needs of the core."""

    @property
    def pipeline(self) -> _Pipeline:
        """The rules."""

    @property
    def record_fault(self) -> str:
        """Why the record is lost, empty while it is not."""

    def now_ns(self) -> int:
        """Return the core's time."""

    def submit(self, event: Event, reply: Reply | None = None) -> None:
        """Decide an event."""


class FeePoster:
    """Submits `PostFees` while something is due; called once a second.

    Nothing is posted while the record is lost: a posting that nobody can prove is none.
    """

    def __init__(self, core: PostingCore) -> None:
        self._core = core
        self._rule = fee_rule(core.pipeline.rules)

    def post(self) -> None:
        """Post what is due, at most `SLICES_MAX` slices."""
        for _ in range(SLICES_MAX):
            if self._rule is None or self._core.record_fault:
                return
            if not self._rule.due(self._core.now_ns()):
                return
            self._core.submit(PostFees())

    def backlog(self) -> int:
        """Return how many owners' fees wait to be posted."""
        return self._rule.backlog(self._core.now_ns()) if self._rule is not None else 0
