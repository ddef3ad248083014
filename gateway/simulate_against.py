"""A recorded flow under two rulebooks: which verdicts differ, by which rules, for whom.

Each rulebook decides the whole recording alone, as `gateway.simulate` does, and the state of both
follows the recorded course; so what is compared is the verdict on each message and nothing that
would have followed from it.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import msgspec

from gateway.flows.participants import Participants
from gateway.flows.reader import Flow, FlowRow
from gateway.logview.lines import because
from gateway.logview.times import time_text
from gateway.simulate import simulate
from gateway.what_if import EXAMPLES_MAX, kind_of_change, named
from rules.decisions import VERDICT_NAMES, Decision
from rules.rulebook import Rulebook

COMPARED: Final = (
    "accepted",
    "deferred",
    "refused_messages",
    "cancels_known",
    "cancels_refused_resting_time",
    "share_refused_resting_time",
)
"""Figures of a simulation that are shown for both rulebooks."""


class FlowChange(msgspec.Struct, frozen=True):
    """One message on which the verdicts differ."""

    line: int
    """Line of the recording."""
    time: str
    event: str
    order_id: str
    account: str
    symbol: str
    what: str
    one: str
    one_because: str
    other: str
    other_because: str


class Against(msgspec.Struct):
    """What differs between two rulebooks on a recording."""

    messages: int = 0
    changed: int = 0
    newly_refused: int = 0
    """Refused by the second rulebook and not by the first."""
    newly_accepted: int = 0
    refused_otherwise: int = 0
    """Refused by both, for other rules or reasons."""
    other: int = 0
    rules: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    """By rule: messages it refuses only under the first, only under the second rulebook."""
    accounts: dict[str, int] = msgspec.field(default_factory=dict)
    symbols: dict[str, int] = msgspec.field(default_factory=dict)
    examples: list[FlowChange] = msgspec.field(default_factory=list)


def simulate_against(
    flow: Flow,
    one: Rulebook,
    other: Rulebook,
    participants: Callable[[], Participants],
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Return the figures of a flow under both rulebooks and what differs, by their JSON names.

    `participants` gives whose orders they are, the same anew for each pass; `progress` is called
    with the rows done in both. Raises FlowError as `simulate` does.
    """
    comparison = _Comparison()
    first = simulate(flow, one, participants(), progress, told=comparison.remember)

    def second_pass(done: int) -> None:
        if progress is not None:
            progress(len(flow.rows) + done)

    second = simulate(flow, other, participants(), second_pass, told=comparison.take)
    return {
        "flow": flow.path,
        "owners": first["owners"],
        "span_ns": first["span_ns"],
        "shadow_rules": list(dict.fromkeys((*first["shadow_rules"], *second["shadow_rules"]))),
        "one": {"rulebook": one.name, "revision": one.revision} | _figures(first),
        "other": {"rulebook": other.name, "revision": other.revision} | _figures(second),
        "differs": msgspec.to_builtins(comparison.finish()),
    }


def _figures(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: figures[name] for name in (*COMPARED, "refused", "shadowed")}


class _Comparison:
    """Counts what the second pass decides differently from the first."""

    def __init__(self) -> None:
        self._decisions: dict[int, Decision] = {}
        self._found = Against()
        self._accounts: Counter[str] = Counter()
        self._symbols: Counter[str] = Counter()
        self._examples: Counter[str] = Counter()

    def remember(self, index: int, _row: FlowRow, _account: str, decision: Decision) -> None:
        """Keep the decision of the first pass on one message."""
        self._decisions[index] = decision

    def take(self, index: int, row: FlowRow, account: str, decision: Decision) -> None:
        """Compare the decision on one message with that of the first pass."""
        before = self._decisions[index]
        found = self._found
        found.messages += 1
        were, are = named(before.breaches), named(decision.breaches)
        if before.verdict == decision.verdict and were == are:
            return
        what = kind_of_change(before.verdict, decision.verdict)
        found.changed += 1
        setattr(found, what, getattr(found, what) + 1)
        for rules, field in (
            (set(were) - set(are), "only_one"),
            (set(are) - set(were), "only_other"),
        ):
            for rule in sorted({rule for rule, _ in rules}):
                counts = found.rules.setdefault(rule, {"only_one": 0, "only_other": 0})
                counts[field] += 1
        self._accounts[account] += 1
        self._symbols[row.symbol] += 1
        self._examples[what] += 1
        if self._examples[what] <= EXAMPLES_MAX:
            found.examples.append(_change(row, account, what, before, decision))

    def finish(self) -> Against:
        """Return what was found, most first."""
        self._found.accounts = dict(self._accounts.most_common())
        self._found.symbols = dict(self._symbols.most_common())
        return self._found


def _change(
    row: FlowRow, account: str, what: str, before: Decision, decision: Decision
) -> FlowChange:
    return FlowChange(
        line=row.line,
        time=time_text(row.ts_ns),
        event=row.kind,
        order_id=row.order_id,
        account=account,
        symbol=row.symbol,
        what=what,
        one=VERDICT_NAMES[before.verdict],
        one_because=because(before),
        other=VERDICT_NAMES[decision.verdict],
        other_because=because(decision),
    )
