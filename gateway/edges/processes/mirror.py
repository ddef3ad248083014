"""What the dialect reads of the core, as an edge process knows it.

Symbols and keys are told by the core as they are defined. Addresses and client programs are learnt
from answers, a bounded number of them: a name's number never changes, so none of them can be wrong,
and a request of one that is not known is left to the core. Uses of limits and the order an answer
is about come with each outcome.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, NoReturn, cast

from gateway.dialects.http import HttpResponse, Render
from gateway.directory import AGENT_CHARACTERS, Directory
from gateway.edges.processes.messages import Definition
from gateway.outcome import Outcome
from gateway.views import OrderView, Views
from rules.book import Book
from rules.decisions import NOTED, Decision, Usage
from rules.events import Define, DefineKey, Event
from rules.pipeline import Pipeline
from rules.register import Register
from rules.rule import Rule
from rules.rulebook import Rulebook
from rules.values import DEFINE_ADDRESS, DEFINE_AGENT, SCOPE_IP

LEARNT_MAX: Final = 65_536
"""Addresses, and client programs, whose numbers are kept; the oldest goes."""


class LocalOutcome(Outcome, frozen=True, gc=False):
    """The outcome of a request that is answered in the edge."""

    weights: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    view: OrderView | None = None
    waited_ns: int = 0
    most_ns: int = 0
    """How long it had waited, and might have, where it was refused for that; else 0."""


class Learnt:
    """Numbers of names of one kind, as far as answers have told them."""

    def __init__(self, most: int = LEARNT_MAX) -> None:
        self._most = most
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def number(self, name: str) -> int:
        """Return the number of `name`, 0 when it is not known."""
        return self._numbers.get(name, 0)

    def learn(self, name: str, number: int) -> None:
        """Keep a number; 0 is none."""
        if not number or name in self._numbers:
            return
        if len(self._numbers) >= self._most:
            oldest = next(iter(self._numbers))
            self._names.pop(self._numbers.pop(oldest), None)
        self._numbers[name] = number
        self._names[number] = name

    def name(self, number: int) -> str:
        """Return the name of a number, empty when it is not known."""
        return self._names.get(number, "")


class MirrorDirectory(Directory):
    """Names and numbers as far as the core has told them; it defines none."""

    def __init__(self, learnt_max: int = LEARNT_MAX) -> None:
        super().__init__(_define_nothing)
        self._learnt = {DEFINE_ADDRESS: Learnt(learnt_max), DEFINE_AGENT: Learnt(learnt_max)}

    def known(self, kind: int, name: str) -> int:
        """Return the number of `name`, 0 when it has none or is not known here."""
        learnt = self._learnt.get(kind)
        return super().known(kind, name) if learnt is None else learnt.number(name)

    def address_name(self, ip: int) -> str:
        """Return an address by its number, empty when it is not known here."""
        return self._learnt[DEFINE_ADDRESS].name(ip)

    def learn(self, address: str, ip: int, agent: str, number: int) -> None:
        """Keep the numbers of an address and of a client program, 0 where it has none."""
        self._learnt[DEFINE_ADDRESS].learn(address, ip)
        self._learnt[DEFINE_AGENT].learn(agent[:AGENT_CHARACTERS], number)

    def caller(self, text: str, proved: bool) -> int:
        """Return the number of a request's address, 0 when it is not known here."""
        return self.known(DEFINE_ADDRESS, text)

    def agent(self, text: str) -> int:
        """Return the number of a client program, 0 for none and when it is not known here."""
        return self.known(DEFINE_AGENT, text[:AGENT_CHARACTERS]) if text else 0


class _Shown:
    """The outcome whose answer is being written."""

    def __init__(self) -> None:
        self.outcome = LocalOutcome(0, 0, Define(0, 0, ""), Decision(NOTED))


class MirrorPipeline:
    """The rules in force, and what is used of the windows that the answer being written tells."""

    def __init__(self, pipeline: Pipeline, shown: _Shown) -> None:
        self._pipeline = pipeline
        self._shown = shown

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in force."""
        return self._pipeline.rules

    def rule(self, name: str) -> Rule | None:
        """Return a rule by its name, None when it is off; it has seen nothing."""
        return self._pipeline.rule(name)

    def usage(self, rule_name: str, scope: int, subject: int, now_ns: int) -> tuple[Usage, ...]:
        """Return nothing: who asks for limits is answered by the core."""
        return ()

    def used(self, rule_name: str, scope: int, subject: int, now_ns: int) -> tuple[int, ...]:
        """Return length and use of each window."""
        outcome = self._shown.outcome
        return outcome.weights if scope == SCOPE_IP else outcome.counts


class MirrorOrders:
    """The order that the answer being written is about."""

    def __init__(self, shown: _Shown) -> None:
        self._shown = shown

    def get(
        self, account: int, symbol: int, order_id: int, client_order_id: str
    ) -> OrderView | None:
        """Return it if it is the one that is meant, as the core's views do."""
        view = self._shown.outcome.view
        if view is None or view.order_id != order_id or view.account != account:
            return None
        return None if symbol and view.symbol != symbol else view


class MirrorViews(NamedTuple):
    """The part of the views that answers to order requests are written from."""

    orders: MirrorOrders


class Mirror:
    """The core as the dialect of an edge process sees it.

    `on_key` is told the name of each key that is defined or changed.
    """

    def __init__(self, rulebook: Rulebook, on_key: Callable[[str], None]) -> None:
        self.rulebook = rulebook
        self.directory = MirrorDirectory()
        self._on_key = on_key
        self._shown = _Shown()
        pipeline = Pipeline(rulebook)
        self.book: Book = pipeline.book
        """The facts of symbols; it has no others."""
        self.pipeline = MirrorPipeline(pipeline, self._shown)
        self.views = cast("Views", MirrorViews(MirrorOrders(self._shown)))
        self._register = Register(self.book, rulebook)

    def now_ns(self) -> int:
        """Return no time: what depends on the core's is decided there."""
        return 0

    def define(self, event: Definition) -> None:
        """Take up what the core has defined."""
        self.directory.on_event(event)
        if isinstance(event, DefineKey):
            self._on_key(event.name)
        else:
            self._register.take(event, 0)

    def show(self, render: Render, outcome: LocalOutcome) -> HttpResponse:
        """Return the answer that `render` writes in the core from an outcome."""
        self._shown.outcome = outcome
        return render(outcome)


def _define_nothing(event: Event) -> NoReturn:
    raise LookupError(f"an edge process has no number for {event!r}")
