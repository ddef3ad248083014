"""Which records are asked for, and finding them.

A record is decoded in a third of a microsecond, so every record is decoded, and what costs more is
done for few: filters on the record itself come first, whom it is about is worked out for those
that pass, and only what matches is rendered.
"""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Final, NamedTuple, TypeAlias

import msgspec

from gateway.journal import JournalError, Record, Run, read_run
from gateway.logview.beginnings import beginning, following
from gateway.logview.rendering import EVENT_NAMES, Names
from gateway.logview.sources import Source, runs_within
from gateway.logview.subjects import DEFINITIONS, LostOrder, Subject, Subjects
from gateway.snapshots import Snapshot
from rules import values
from rules.conduct.cancel_fees import CancelFees
from rules.conduct.conduct_standing import ConductStanding
from rules.decisions import VERDICT_NAMES, Decision
from rules.events import CommandResult, Event, RefusedAggregate, RefusedRequest, Request
from rules.reasons import Reason
from rules.registry import RULES

Progress: TypeAlias = Callable[[int], None]
"""Called with the number of records read so far, after each."""

_REASONS: Final = {int(reason): reason for reason in Reason}
_REASON_DIGITS_MAX: Final = 9
_EVENT_TYPES: Final = {name: event_type for event_type, name in EVENT_NAMES.items()}
_RULE_NAMES: Final = (*(kind.name for kind in RULES), "request", "record")
"""The rules, and what refuses in a rule's place: the parser, and the gate without a record."""
_NONE: Final = -1
"""The number of a name that nothing has."""


class Found(NamedTuple):
    """A record with what it is about; names resolve as of this record."""

    record: Record
    subject: Subject
    names: Names
    run: Run


class Query(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
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
    """A rule that refused, would have refused (shadow), charged, raised an alert, moved a measure
    (`conduct_standing`) or posted fees (`cancel_fees`)."""
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
        if self.reason and reason_of(self.reason) is None:
            close = get_close_matches(self.reason.upper(), Reason.__members__)
            meant = f"did you mean {' or '.join(close)}?" if close else "docs/reasons.md lists them"
            found.append(f"no reason is called `{self.reason}`; {meant}")
        if self.to_ns and self.to_ns <= self.from_ns:
            found.append("the time asked for ends before it begins")
        return found


class Matcher:
    """Tells which records of one run a query asks for; `subjects` must follow the same run."""

    def __init__(self, query: Query, subjects: Subjects) -> None:
        self.subjects = subjects
        self._query = query
        self._event = _EVENT_TYPES.get(query.event)
        self._verdict = VERDICT_NAMES.index(query.verdict.upper()) if query.verdict else 0
        self._reason = reason_of(query.reason) if query.reason else None
        named = (query.key, query.account, query.owner, query.symbol, query.address)
        self._names = any(named)
        self._whom = self._names or bool(query.client_order_id or query.order_id)
        self._numbers = (0, 0, 0, 0, 0)
        self.learn()

    def learn(self) -> None:
        """Look up the numbers of the names that are asked for, after a definition."""
        query, directory = self._query, self.subjects.directory
        names = Names(directory)
        key = directory.keys.get(query.key)
        account = directory.accounts.get(query.account)
        symbol = directory.symbols.get(query.symbol)
        found = (
            (query.key, key.key if key is not None else 0, names.key),
            (query.account, account.account if account is not None else 0, names.account),
            (query.owner, directory.known(values.DEFINE_OWNER, query.owner), names.owner),
            (query.symbol, symbol.symbol if symbol is not None else 0, names.symbol),
            (query.address, directory.known(values.DEFINE_ADDRESS, query.address), names.address),
        )
        key_, account_, owner, symbol_, address = (
            0 if not wanted else number if number and name(number) == wanted else _NONE
            for wanted, number, name in found
        )
        self._numbers = (key_, account_, owner, symbol_, address)

    def known_names(self) -> list[str]:
        """Return the filters whose names have a number by now."""
        fields = ("key", "account", "owner", "symbol", "address")
        known = zip(fields, self._numbers, strict=True)
        return [field for field, number in known if number > 0]

    def match(self, record: Record) -> Subject | None:
        """Return what the record is about when it is asked for, else None.

        It must be the next one that the subjects follow.
        """
        query, decision = self._query, record.decision
        if (
            record.now_ns < query.from_ns
            or (self._event is not None and type(record.event) is not self._event)
            or (self._verdict and decision.verdict != self._verdict)
            or (query.seq and record.seq != query.seq)
            or (query.to_ns and record.now_ns >= query.to_ns)
            or (query.rule and not names_rule(decision, query.rule))
            or (self._reason is not None and not self._names_reason(record.event, decision))
        ):
            return None
        if self._names and isinstance(record.event, Request) and self._of_another(record):
            return None
        subject = self.subjects.about(record)
        if not self._whom:
            return subject
        if subject.lost:
            # Each order counts for itself: one must be all that is asked for.
            subject = self.subjects.ended_as_lost(filter(self._is_wanted, subject.lost))
        if query.order_id and query.order_id not in subject.order_ids:
            return None
        if query.client_order_id and query.client_order_id not in subject.client_order_ids:
            return None
        if self._names:
            key, account, owner, symbol, address = self._numbers
            if (
                (key and key not in subject.keys)
                or (account and account not in subject.accounts)
                or (owner and owner not in subject.owners)
                or (symbol and symbol not in subject.symbols)
                or (address and address not in subject.addresses)
            ):
                return None
        return subject

    def _is_wanted(self, lost: LostOrder) -> bool:
        query, order = self._query, lost.order
        key, account, owner, symbol, address = self._numbers
        return not (
            address
            or (query.order_id and query.order_id != lost.order_id)
            or (query.client_order_id and query.client_order_id != order.client_order_id)
            or (key and order.key != key)
            or (account and order.account != account)
            or (owner and order.owner != owner)
            or (symbol and order.symbol != symbol)
        )

    def _of_another(self, record: Record) -> bool:
        """Tell whether a request is surely somebody else's, without working out all it is about."""
        key, account, owner, symbol, address = self._numbers
        event, decision = record.event, record.decision
        assert isinstance(event, Request)
        if decision.alerts or decision.steps or decision.postings:
            return False
        return bool(
            (key and event.key != key)
            or (address and event.ip != address)
            or (account and decision.account not in (0, account))
            or (owner and decision.owner not in (0, owner))
            or (symbol and getattr(event, "symbol", 0) not in (0, symbol))
        )

    def _names_reason(self, event: Event, decision: Decision) -> bool:
        wanted = self._reason
        if any(breach.reason == wanted for breach in (*decision.breaches, *decision.shadows)):
            return True
        if isinstance(event, CommandResult):
            return wanted in (event.reason, event.replaced_refusal)
        return isinstance(event, RefusedAggregate | RefusedRequest) and event.reason == wanted


def names_rule(decision: Decision, rule: str) -> bool:
    """Tell whether a rule refused, would have refused (shadow), charged, told or moved something."""
    return (
        any(breach.rule == rule for breach in decision.breaches)
        or any(breach.rule == rule for breach in decision.shadows)
        or any(charge.rule == rule for charge in decision.charges)
        or any(alert.rule == rule for alert in decision.alerts)
        or (rule == ConductStanding.name and bool(decision.steps))
        or (rule == CancelFees.name and bool(decision.postings))
    )


def reason_of(text: str) -> Reason | None:
    """Return the reason of that name or number, None when there is none."""
    if text.isascii() and text.isdigit() and len(text) <= _REASON_DIGITS_MAX:
        return _REASONS.get(int(text))
    return Reason.__members__.get(text.upper())


class NamesAsked:
    """The names a query asks for that no run read so far knows: most likely they are misspelt."""

    def __init__(self, query: Query) -> None:
        fields = ("key", "account", "owner", "symbol", "address", "rule")
        self._left = {field: name for field in fields if (name := getattr(query, field))}
        if query.rule in _RULE_NAMES:
            del self._left["rule"]

    def learn(self, scan: "Scan", found: bool) -> None:
        """Take up a run that was read; `found` tells whether records in it matched."""
        if found:
            self._left.clear()
            return
        for field in scan.known_names():
            self._left.pop(field, None)

    def unknown(self) -> list[str]:
        """Return what to say of the names that are still not known."""
        found = [
            f"no {field} is called `{name}` in the record that was read"
            for field, name in self._left.items()
            if field != "rule"
        ]
        if "rule" in self._left:
            close = get_close_matches(self._left["rule"], _RULE_NAMES)
            meant = f"; did you mean {' or '.join(close)}?" if close else ""
            found.append(
                f"no rule is called `{self._left['rule']}`{meant}; there are "
                f"{', '.join(sorted(_RULE_NAMES))}"
            )
        return found


class Scan:
    """All records of one run, each with what it is about when a query asks for it.

    The run is read from its beginning, for the names, to the last record that can match; unless
    it is to be read `whole`, from a snapshot before the time asked for, where there is one. `start`
    is the snapshot that is begun with; one that is given is taken. Reading ends where the record
    can't be read, and `error` says why. Raises JournalError when the beginning can't be read.
    """

    def __init__(
        self, run: Run, query: Query, whole: bool = False, start: Snapshot | None = None
    ) -> None:
        self.run = run
        self.subjects = Subjects()
        self.start = start or beginning(run, 0 if whole else query.from_ns)
        if self.start is not None:
            self.subjects.prime(self.start)
        self.seq = self.start.seq if self.start is not None else 0
        """The last record that was read, or that the snapshot is of."""
        self.error: JournalError | None = None
        self._query = query
        self._matcher = Matcher(query, self.subjects)

    def known_names(self) -> list[str]:
        """Return the filters whose names the run knows, as far as it was followed."""
        return self._matcher.known_names()

    def __iter__(self) -> Iterator[tuple[Record, Subject | None]]:
        """Yield (record, subject), None for a subject where the record is not asked for.

        When a record is given out it has been followed.
        """
        try:
            yield from self._records()
        except JournalError as error:
            self.error = error

    def _records(self) -> Iterator[tuple[Record, Subject | None]]:
        to_ns = self._query.to_ns
        match, follow = self._matcher.match, self.subjects.follow
        for record in read_run(self.run.path, self.seq + 1):
            if to_ns and record.now_ns >= to_ns:
                return
            self.seq = record.seq
            if type(record.event) in DEFINITIONS:
                # A definition is among the first that its name finds.
                follow(record)
                self._matcher.learn()
                yield record, match(record)
            else:
                subject = match(record)
                follow(record)
                yield record, subject


def scans(source: Source, run: Run, query: Query, whole: bool = False) -> Iterator[Scan]:
    """Yield what there is to read of a run: one scan, and one more after each damaged part.

    After damage the run is read on from the next snapshot. What can't be read is a problem of the
    source. Each scan is to be read to its end before the next is asked for.
    """
    start: Snapshot | None = None
    while True:
        seq = start.seq if start is not None else 0
        try:
            scan = Scan(run, query, whole, start)
            yield scan
            if scan.error is None:
                return
            error, seq = scan.error, max(scan.seq, seq)
        except JournalError as unreadable:
            error = unreadable
        start = following(run, seq)
        onward = f"; it is read on from record {start.seq + 1}" if start is not None else ""
        source.problems.append(f"{error}{onward}")
        if start is None:
            return


def search(source: Source, query: Query, progress: Progress | None = None) -> Iterator[Found]:
    """Yield the records of all runs that match, run after run.

    What can't be read is a problem of the source, and the rest is read. Names that no run knows
    are told to the source at the end.
    """
    done = 0
    asked = NamesAsked(query)
    for run in runs_within(source, query.from_ns, query.to_ns):
        for scan in scans(source, run, query):
            matched = False
            names = Names(scan.subjects.directory)
            for record, subject in scan:
                done += 1
                if progress is not None:
                    progress(done)
                if subject is not None:
                    matched = True
                    yield Found(record, subject, names, run)
                    if query.seq:
                        return
            asked.learn(scan, matched)
    source.unknown += asked.unknown()
