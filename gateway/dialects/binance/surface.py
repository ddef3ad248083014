"""The part of the core that the dialect sees; it reads it and changes nothing."""

from typing import Protocol

from gateway.directory import Directory
from rules.book import Book
from rules.decisions import Decision, Usage
from rules.events import Event
from rules.rule import Rule
from rules.rulebook import Rulebook


class UsagePipeline(Protocol):
    """The part of the pipeline a dialect asks."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in force."""

    def rule(self, name: str) -> Rule | None:
        """Return a rule by its name, None when it is off."""

    def usage(self, rule_name: str, scope: int, subject: int, now_ns: int) -> tuple[Usage, ...]:
        """Return the use of a rule's limits."""

    def used(self, rule_name: str, scope: int, subject: int, now_ns: int) -> tuple[int, ...]:
        """Return length and use of each window of a rule that answers tell of."""


class DialectCore(Protocol):
    """The part of the core a dialect reads; it changes nothing but by submitting events."""

    @property
    def pipeline(self) -> UsagePipeline:
        """The rules in force."""

    @property
    def rulebook(self) -> Rulebook:
        """Limits, weights and filters in force."""

    @property
    def directory(self) -> Directory:
        """Names and numbers."""

    @property
    def book(self) -> Book:
        """The facts of the pipeline."""

    def now_ns(self) -> int:
        """Return the core's time."""


class DecisionRecord(Protocol):
    """One decision as it was recorded."""

    @property
    def seq(self) -> int:
        """Its sequence number."""

    @property
    def now_ns(self) -> int:
        """When it was made."""

    @property
    def event(self) -> Event:
        """What was asked."""

    @property
    def decision(self) -> Decision:
        """What was decided."""
