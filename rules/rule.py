"""The interface every rule keeps.

A rule is one file and one class. It looks (`check`), and state is written in one place
afterwards (`apply`); it explains itself whether it passes or not (`explain`), shows how much of
its limits is used (`usage`), and can be stored and restored (`state`, `restore`).
"""

from typing import Any, ClassVar, Final

from mypy_extensions import mypyc_attr

from rules.answers import ALL_RESULTS
from rules.book import Book
from rules.decisions import NOTED_DECISION, Decision, Explanation, Usage, Verdict
from rules.events import Event
from rules.reasons import Reason
from rules.rulebook import Rulebook

# Stage of the pipeline a rule belongs to.
ACCESS: Final = 1
"""Who may speak; ends at the first breach."""
GATE: Final = 2
"""Standing of key, account, owner, symbol and venue; ends at the first breach."""
LIMIT: Final = 3
"""What is asked; all are evaluated and every breach is recorded."""
STAGE_NAMES: Final = ("", "access", "gate", "limit")


@mypyc_attr(allow_interpreted_subclasses=True)
class Rule:
    """Base of all rules.

    A subclass sets the class variables, takes its parameters from `rulebook.clauses.<name>` in
    `__init__(rulebook)` and turns every one into plain integers there, so that `check` compares
    integers only. `check` must not change anything; `apply` must not decide
    anything. Both get time as an argument and must not keep a reference to the book.
    """

    name: ClassVar[str] = ""
    """The rule's key in a rulebook, `[rules.<name>]`."""
    stage: ClassVar[int] = LIMIT
    reasons: ClassVar[tuple[Reason, ...]] = ()
    """Every reason `check` may refuse for."""
    wants: ClassVar[tuple[type[Event], ...]] = ()
    """The event types `check` is called for."""
    applies: ClassVar[tuple[type[Event], ...]] = ()
    """The event types `apply` is called for, accepted or not."""
    unpriced_only: ClassVar[bool] = False
    """Whether `check` is about orders without a price of their own, of new ones."""
    heeds_passed: ClassVar[bool] = True
    """Whether `apply` has something to do for requests that have passed."""
    heeds_refused: ClassVar[bool] = True
    """Whether `apply` has something to do for requests that were refused."""
    results: ClassVar[int] = ALL_RESULTS
    """The results of commands that `apply` has something to do for: `WITH_*`, or all."""
    source: ClassVar[str] = ""
    """The regulation article or venue page the rule implements."""
    discloses: ClassVar[bool] = True
    """Whether limit and observed value may be shown to the client."""

    def __init__(self, rulebook: Rulebook) -> None:
        """Compile the rule's parameters; raises ValueError on a text that can't be read."""

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return what the rule says of `event` at `now_ns`, None when it has nothing to say."""
        return None

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Update the rule's own counters after `decision`; called once per event, after all checks.

        The book already shows the event's effect: an accepted order is in `book.orders`, and an
        engine report has been settled.
        """

    def answered(self, result: Any, book: Book, now_ns: int) -> None:
        """Do what `apply` does for the result of a command, of which the pipeline tells here.

        A rule that has much to do for results does it here, and has `apply` come here with them.
        """
        self.apply(result, NOTED_DECISION, book, now_ns)

    def says_nothing(self, kind: type[Event], book: Book) -> bool:
        """Return whether, as things stand, `check` returns None for every event of a type.

        The rule is not asked while it does. What ends it is told by `book.stirred`, which whoever
        brings it about sets: the rule in `apply`, or who writes the book.
        """
        return False

    def does_nothing(self, kind: type[Event], book: Book) -> bool:
        """Return whether, as things stand, `apply` changes nothing for every event of a type.

        The rule is not told while it does; `says_nothing` says what ends it.
        """
        return False

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return limit and observed value of each thing the rule looks at, also when it passes.

        Holds with `check`: `check` returns a breach if and only if one explanation has not
        passed, and the first such names the same reason, limit and observed value.
        """
        return ()

    def usage(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[Usage, ...]:
        """Return the use of each limit the rule keeps for `subject` of `scope` (`SCOPE_*`)."""
        return ()

    def used(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[int, ...]:
        """Return length (ns) and use of each window that answers tell of, one after the other."""
        return ()

    def state(self) -> Any:
        """Return everything `apply` has written, as plain msgpack-encodable values."""
        return None

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
