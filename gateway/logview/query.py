"""Which records are asked for, and finding them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import msgspec

from gateway.journal import Record, read_run
from gateway.logview.rendering import EVENT_NAMES, Names
from gateway.logview.subjects import Subject, Subjects
from rules.decisions import VERDICT_NAMES
from rules.events import CommandResult
from rules.reasons import Reason

Progress: TypeAlias = Callable[[Record], None]

_REASONS: Final = {int(reason): reason for reason in Reason}


class Found(NamedTuple):
    """A record with what it is about; names resolve as of this record."""

    record: Record
    subject: Subject
    names: Names


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Filters; all that are given must hold. Names are exact, an empty text asks for nothing."""

    from_ns: int = 0
    """First time that is asked for, inclusive."""
    to_ns: int = 0
    """End of the time asked for, exclusive; 0: no end."""
    seq: int = 0
    order_id: int = 0
    key: str = ""
    account: str = ""
    owner: str = ""
    symbol: str = ""
    address: str = ""
    client_order_id: str = ""
    rule: str = ""
    """A rule that refused, would have refused (shadow) or charged."""
    reason: str = ""
    """Name or number of a reason."""
    verdict: str = ""
    event: str = ""
    """Event type in lower case with underscores, such as `cancel_all`."""

    def problems(self) -> list[str]:
        """Return what is wrong with the filters, one line each."""
        found = []
        if self.event and self.event not in EVENT_NAMES.values():
            found.append(
                f"no event is called `{self.event}`; there are "
                f"{', '.join(sorted(EVENT_NAMES.values()))}"
            )
        if self.verdict and self.verdict.upper() not in VERDICT_NAMES[1:]:
            found.append(
                f"no verdict is called `{self.verdict}`; there are {', '.join(VERDICT_NAMES[1:])}"
            )
        if self.reason and _reason(self.reason) is None:
            found.append(f"no reason is called `{self.reason}`")
        if self.to_ns and self.to_ns <= self.from_ns:
            found.append("the time asked for ends before it begins")
        return found

    def matches(self, record: Record, subject: Subject, names: Names) -> bool:
        """Tell whether a record is asked for."""
        return (
            self.from_ns <= record.now_ns
            and (not self.to_ns or record.now_ns < self.to_ns)
            and (not self.seq or record.seq == self.seq)
            and (not self.order_id or self.order_id in subject.order_ids)
            and (not self.event or EVENT_NAMES[type(record.event)] == self.event)
            and (not self.verdict or VERDICT_NAMES[record.decision.verdict] == self.verdict.upper())
            and (not self.client_order_id or self.client_order_id in subject.client_order_ids)
            and _named(self.key, subject.keys, names.key)
            and _named(self.account, subject.accounts, names.account)
            and _named(self.owner, subject.owners, names.owner)
            and _named(self.symbol, subject.symbols, names.symbol)
            and _named(self.address, subject.addresses, names.address)
            and (not self.rule or self._names_rule(record))
            and (not self.reason or self._names_reason(record))
        )

    def _names_rule(self, record: Record) -> bool:
        decision = record.decision
        named = [breach.rule for breach in (*decision.breaches, *decision.shadows)]
        return self.rule in named or any(c.rule == self.rule for c in decision.charges)

    def _names_reason(self, record: Record) -> bool:
        wanted = _reason(self.reason)
        decision, event = record.decision, record.event
        reasons = [breach.reason for breach in (*decision.breaches, *decision.shadows)]
        if isinstance(event, CommandResult):
            reasons += [reason for reason in (event.reason, event.replaced_refusal) if reason]
        return wanted in reasons


def _named(wanted: str, numbers: tuple[int, ...], name: Callable[[int], str | None]) -> bool:
    return not wanted or any(name(number) == wanted for number in numbers)


def _reason(text: str) -> Reason | None:
    """Return the reason of that name or number, None when there is none."""
    if text.isascii() and text.isdigit():
        return _REASONS.get(int(text))
    return Reason.__members__.get(text.upper())


def view(records: Iterator[Record], subjects: Subjects | None = None) -> Iterator[Found]:
    """Yield every record with its subject; `records` must begin where `subjects` stands."""
    following = subjects or Subjects()
    names = Names(following.directory)
    for record in records:
        yield Found(record, following.observe(record), names)


def find(run: Path, query: Query, progress: Progress | None = None) -> Iterator[Found]:
    """Yield the records of the run in `run` that match, in order.

    The run is read from its beginning, for the names; reading ends at the last record that can
    match. Raises JournalError.
    """
    for found in view(read_run(run)):
        record = found.record
        if progress is not None:
            progress(record)
        if query.to_ns and record.now_ns >= query.to_ns:
            return
        if query.matches(record, found.subject, found.names):
            yield found
            if query.seq:
                return
