"""What each rule would do to whom, before it is trusted to do it: hits, owners, doubtful ones.

A hit is a decision that names a rule, as a breach or in shadow, or an alert of a rule. Doubtful, as
candidates for false positives, are three kinds of hits. Of an order that traded in the course that
was recorded, since it was meant to trade. Of an account of a market maker. And of an owner whom the
rule touches in at most one message of a hundred, since a pattern would show more often.
"""

from collections import Counter
from typing import Any, Final, NamedTuple

from gateway.directory import Directory
from gateway.logview.measures import measured
from rules.book import Book
from rules.decisions import Alert, Breach, Decision
from rules.events import CommandResult, Event, OrderTrade, Place, Replace, Request
from rules.values import ACCOUNT_MARKET_MAKER, DEFINE_OWNER

EXAMPLES_MAX: Final = 3
"""Examples kept of each rule and reason."""
OWNERS_SHOWN: Final = 5
RARELY_PERCENT: Final = 1
_MILLION: Final = 1_000_000


class Hit(NamedTuple):
    """One time a rule spoke."""

    at_ns: int
    owner: int
    symbol: int
    order_id: int
    reason: str
    limit: str
    observed: str


class _Rule:
    """Hits of one rule."""

    def __init__(self) -> None:
        self.hits = 0
        self.alerts = 0
        self.by_reason: Counter[str] = Counter()
        self.by_owner: Counter[int] = Counter()
        self.of_makers = 0
        self.by_order: Counter[int] = Counter()
        self.examples: list[Hit] = []


class Watch:
    """Follows decisions with the course they were made beside, and reports by rule.

    `follow` must be told whose they are before the first one.
    """

    def __init__(self) -> None:
        self._rules: dict[str, _Rule] = {}
        self._messages: Counter[int] = Counter()
        self.orders = 0
        self._traded: dict[int, None] = {}
        """Orders that traded in the course."""

    def follow(self, book: Book, names: Directory) -> None:
        """Take the facts and the names of owners from here on."""
        self._book = book
        self._names = names

    @property
    def messages(self) -> int:
        """How many messages were taken."""
        return self._messages.total()

    def before(self, event: Event, now_ns: int) -> None:
        """Look at nothing: what was decided is enough."""

    def take(self, event: Event, decision: Decision, course: Decision, now_ns: int) -> None:
        """Take up one event with this pipeline's decision and the course's."""
        if isinstance(event, Request):
            self._request(event, decision, course, now_ns)
        elif isinstance(event, CommandResult):
            if event.fills:
                self._traded[event.order_id] = None
        elif isinstance(event, OrderTrade):
            self._traded[event.order_id] = None
        for alert in decision.alerts:
            self._alert(alert, now_ns)

    def _request(self, event: Request, decision: Decision, course: Decision, now_ns: int) -> None:
        owner = decision.owner or course.owner
        self._messages[owner] += 1
        self.orders += isinstance(event, (Place, Replace))
        if not decision.breaches and not decision.shadows:
            return
        account = self._book.accounts.get(decision.account or course.account)
        maker = account is not None and bool(account.flags & ACCOUNT_MARKET_MAKER)
        seen: dict[str, None] = {}
        for breach in (*decision.breaches, *decision.shadows):
            found = self._rules.setdefault(breach.rule, _Rule())
            found.by_reason[breach.reason.name] += 1
            if breach.rule in seen:
                continue
            seen[breach.rule] = None
            found.hits += 1
            found.by_owner[owner] += 1
            found.of_makers += maker
            order_id = course.order_id or decision.order_id
            found.by_order[order_id] += 1
            if len(found.examples) < EXAMPLES_MAX:
                found.examples.append(_hit(breach, event, owner, order_id, now_ns))

    def _alert(self, alert: Alert, now_ns: int) -> None:
        found = self._rules.setdefault(alert.rule, _Rule())
        found.alerts += 1
        owners = alert.owners or ((alert.interest,) if alert.interest > 0 else ())
        for owner in owners:
            found.by_owner[owner] += 1
        if len(found.examples) < EXAMPLES_MAX:
            figures = ", ".join(f"{name} {value}" for name, value in alert.figures)
            owner = owners[0] if owners else 0
            found.examples.append(Hit(now_ns, owner, alert.symbol, 0, "ALERT", "", figures))

    # --- Report -------------------------------------------------------------------------------

    def figures(self, modes: dict[str, str], about: dict[str, str]) -> list[dict[str, Any]]:
        """Return the report by rule, the most hits first, under its `--json` names.

        `modes` and `about` tell each rule's mode and what it is for.
        """
        found: list[dict[str, Any]] = [
            {
                "rule": name,
                "mode": modes.get(name, ""),
                "about": about.get(name, ""),
                "hits": rule.hits,
                "alerts": rule.alerts,
                "per_million_orders": self._per_million(rule.hits + rule.alerts),
                "reasons": dict(rule.by_reason.most_common()),
                "owners_hit": len(rule.by_owner),
                "owners_seen": len(self._messages),
                "most_hit": [
                    {
                        "owner": self._name(owner),
                        "hits": hits,
                        "messages": self._messages[owner],
                    }
                    for owner, hits in rule.by_owner.most_common(OWNERS_SHOWN)
                ],
                "doubtful": self._doubtful(rule),
                "examples": [self._example(hit) for hit in rule.examples],
            }
            for name, rule in self._rules.items()
        ]
        return sorted(found, key=lambda one: (-one["hits"], one["rule"]))

    def _doubtful(self, rule: _Rule) -> dict[str, int]:
        """Return the candidates for false positives, by kind; a hit may be of several."""
        rarely = [
            owner
            for owner, hits in rule.by_owner.items()
            if 100 * hits <= RARELY_PERCENT * self._messages[owner]
        ]
        return {
            "hits_of_orders_that_traded": sum(
                hits for order_id, hits in rule.by_order.items() if order_id in self._traded
            ),
            "hits_of_market_makers": rule.of_makers,
            "owners_hit_rarely": len(rarely),
            "hits_of_owners_hit_rarely": sum(rule.by_owner[owner] for owner in rarely),
        }

    def _per_million(self, hits: int) -> int | None:
        return hits * _MILLION // self.orders if self.orders else None

    def _name(self, owner: int) -> str:
        return self._names.name(DEFINE_OWNER, owner) or str(owner)

    def _example(self, hit: Hit) -> dict[str, Any]:
        facts = self._book.symbols.get(hit.symbol)
        return {
            "time_ns": hit.at_ns,
            "owner": self._name(hit.owner),
            "symbol": facts.name if facts is not None else None,
            "order_id": hit.order_id or None,
            "reason": hit.reason,
            "limit": hit.limit,
            "observed": hit.observed,
        }


def _hit(breach: Breach, event: Request, owner: int, order_id: int, now_ns: int) -> Hit:
    symbol = getattr(event, "symbol", 0)
    limit = measured(breach.limit, breach.rule, breach.reason.name)
    observed = measured(breach.observed, breach.rule, breach.reason.name)
    return Hit(now_ns, owner, symbol, order_id, breach.reason.name, limit, observed)
