"""Which rules are asked and told of each type of event, as things stand.

Most rules have nothing to say most of the time: no address is banned, nobody is slowed, an order
has a price of its own. Such a rule is left out while that holds, so that it costs nothing. Leaving
one out never changes a decision: a rule says itself when it would say and do nothing.
"""

from rules.answers import ALL_RESULTS
from rules.book import Book
from rules.events import Event, Place, Replace, Request
from rules.registry import mode_of
from rules.rule import ACCESS, GATE, LIMIT, Rule
from rules.rulebook import Rulebook


class Plan:
    """What is done for one type of event: the checks of each stage, then who is told."""

    __slots__ = (
        "_enforced",
        "_kind",
        "_rules",
        "_told",
        "access",
        "applies",
        "applies_refused",
        "early_shadows",
        "gates",
        "limits",
        "limits_priced",
        "results",
        "shadows",
    )

    def __init__(self, kind: type[Event], rules: tuple[Rule, ...], rulebook: Rulebook) -> None:
        self._kind = kind
        self._rules = tuple(rule for rule in rules if kind in rule.wants or kind in rule.applies)
        self._enforced = {rule.name: mode_of(rulebook, rule.name) == "enforce" for rule in rules}
        self.access: tuple[Rule, ...] = ()
        self.gates: tuple[Rule, ...] = ()
        self.limits: tuple[Rule, ...] = ()
        self.limits_priced: tuple[Rule, ...] = ()
        """The limits of an order that has a price of its own."""
        self.shadows: tuple[Rule, ...] = ()
        self.early_shadows: tuple[Rule, ...] = ()
        """What is still asked where access or a gate refuses: limits are not reached then."""
        self.applies: tuple[Rule, ...] = ()
        self.applies_refused: tuple[Rule, ...] = ()
        """Who is told of a request that was refused."""
        self.results: dict[int, tuple[Rule, ...]] = {}
        """Who is told of a result of a command, by what it reports, as far as that was asked."""
        self._told: list[Rule] = []

    def arrange(self, book: Book) -> None:
        """Take in the rules that have something to say or do as things stand."""
        kind = self._kind
        asked = [
            rule for rule in self._rules if kind in rule.wants and not rule.says_nothing(kind, book)
        ]
        enforced = [rule for rule in asked if self._enforced[rule.name]]
        self.access = _stage(enforced, ACCESS)
        self.gates = _stage(enforced, GATE)
        self.limits = self.limits_priced = _stage(enforced, LIMIT)
        if kind is Place or kind is Replace:
            self.limits_priced = _stage(
                [rule for rule in enforced if not rule.unpriced_only], LIMIT
            )
        shadows = [rule for rule in asked if not self._enforced[rule.name]]
        self.shadows = tuple(shadows)
        self.early_shadows = _stage(shadows, ACCESS) + _stage(shadows, GATE)
        told = self._told = [
            rule
            for rule in self._rules
            if kind in rule.applies and not rule.does_nothing(kind, book)
        ]
        self.applies = tuple(told)
        if issubclass(kind, Request):
            self.applies = tuple(rule for rule in told if rule.heeds_passed)
            self.applies_refused = tuple(rule for rule in told if rule.heeds_refused)
        self.results = {}

    def told(self, reported: int) -> tuple[Rule, ...]:
        """Return who is told of a result of a command that reports this (`WITH_*`, joined)."""
        found = self.results.get(reported)
        if found is None:
            found = self.results[reported] = tuple(
                rule
                for rule in self._told
                if rule.results == ALL_RESULTS or rule.results & reported
            )
        return found


def _stage(rules: list[Rule], stage: int) -> tuple[Rule, ...]:
    return tuple(rule for rule in rules if rule.stage == stage)
