"""What operators' tools need of a gate, and how they say that something can't be done."""

from pathlib import Path
from typing import Final, Protocol

from gateway.directory import Directory
from gateway.outcome import Reply
from rules.book import Book
from rules.decisions import Usage
from rules.events import Event
from rules.rule import Rule
from rules.rulebook import Rulebook

TOKEN_FILE: Final = "admin.token"  # noqa: S105 (a file name)
"""In a gate's data directory: what proves that somebody is an operator."""
URL_FILE: Final = "admin.url"
"""In a gate's data directory: where its admin port is, for as long as it listens."""
NOTE_CHARACTERS_MAX: Final = 256
"""Characters of a reason or an actor's name."""
READ_QUERY_CHARACTERS_MAX: Final = 4_096
"""Characters of a query that is recorded as read."""
NAME_CHARACTERS_MAX: Final = 64
"""Characters of an account's, owner's, group's or tier's name."""


class OperatorError(ValueError):
    """An operator asked for something that can't be done; the message says what is at fault."""


class UnknownSubjectError(OperatorError):
    """There is no such symbol, owner, account, key or address."""


class AdministeredPipeline(Protocol):
    """What operators see of the pipeline."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in force."""

    def rule(self, name: str) -> Rule | None:
        """Return one of them, None when it is off."""

    def usage(self, rule_name: str, scope: int, subject: int, now_ns: int) -> tuple[Usage, ...]:
        """Return the use of one rule's limits by one subject."""


class AdministeredCore(Protocol):
    """What operators need of the core."""

    @property
    def recorded(self) -> bool:
        """Whether what is decided is recorded anywhere."""

    @property
    def book(self) -> Book:
        """The facts."""

    @property
    def pipeline(self) -> AdministeredPipeline:
        """The rules."""

    @property
    def rulebook(self) -> Rulebook:
        """The rulebook in force."""

    @property
    def directory(self) -> Directory:
        """Names and numbers."""

    @property
    def seq(self) -> int:
        """The sequence number of the last event."""

    def now_ns(self) -> int:
        """Return the core's time."""

    def submit(self, event: Event, reply: Reply | None = None) -> None:
        """Decide an event."""


class AdministeredJournal(Protocol):
    """What operators see of the record."""

    @property
    def directory(self) -> Path:
        """Where it is."""

    @property
    def recorded_seq(self) -> int:
        """The last event that is recorded."""

    @property
    def fault(self) -> str:
        """Why it can't be written, empty when it can."""


def check_text(name: str, text: str, characters_max: int) -> None:
    """Raise OperatorError unless there is a text: an act without a reason explains nothing."""
    if not text.strip():
        raise OperatorError(
            f"`{name}` is empty; a text of 1 to {characters_max} characters is needed"
        )
    if len(text) > characters_max:
        raise OperatorError(
            f"`{name}` has {len(text)} characters; a text of 1 to {characters_max} is needed"
        )


def check_name(what: str, name: str) -> None:
    """Raise OperatorError unless something can be called so."""
    if not 0 < len(name) <= NAME_CHARACTERS_MAX or not name.isprintable():
        raise OperatorError(
            f"`{name[:80]}` is no {what}; 1 to {NAME_CHARACTERS_MAX} printable characters are taken"
        )
