"""What the record says was done: counts for a statement, each with the records it comes from.

The runs are followed as they were decided, and what happened is counted by the code that counts on
a running gate. So a statement can be made by any tariff, also by one that was not in force.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from gateway.directory import Directory
from gateway.fees.statement import Statement, statement_of
from gateway.journal import Record, Run, read_run
from gateway.replica import Replica
from rules.conduct.cancel_fees import CancelFees, Traced
from rules.decisions import Posting
from rules.fees.acts import ANNULLED
from rules.fees.charging import Charge
from rules.fees.counts import CHARGE_COLUMNS
from rules.fees.ledger import FeeLedger
from rules.fees.tariff import Tariff
from rules.resting_clauses import charge_tariffs
from rules.rulebook import Rulebook, convert
from rules.units import decimal_text
from rules.values import DEFINE_OWNER

_FOR_EVER_DAYS = 1 << 20


class LineKey(NamedTuple):
    """A line of a statement."""

    tariff: str
    owner: str
    symbol: str
    period: str


class _Trail:
    """Records behind a line: numbers in rising order, kept as ranges."""

    __slots__ = ("acts", "ranges")

    def __init__(self) -> None:
        self.acts = 0
        self.ranges: list[list[int]] = []

    def add(self, seq: int) -> None:
        self.acts += 1
        if self.ranges and seq <= self.ranges[-1][1] + 1:
            self.ranges[-1][1] = max(self.ranges[-1][1], seq)
        else:
            self.ranges.append([seq, seq])

    def text(self) -> str:
        """Return the numbers as `17,20-25`."""
        return ",".join(
            str(first) if first == last else f"{first}-{last}" for first, last in self.ranges
        )


class RecordCounts:
    """Counts of everything the runs show, by tariffs; `tariffs` None takes those of the rulebooks.

    With tariffs of one's own, market makers are charged like others.
    """

    def __init__(self, tariffs: Sequence[Tariff] | None = None) -> None:
        self._given = tariffs is not None
        self._ledgers: dict[str, FeeLedger] = {}
        self._closed: list[tuple[FeeLedger, int]] = []
        """Ledgers of tariffs that were changed, and when; what had not ended went to the next."""
        self._corrections: dict[str, int] = {}
        """Days within which an annulled trade changes a fee, by tariff."""
        for tariff in tariffs or ():
            self._open(tariff, _FOR_EVER_DAYS)
        self._numbers: dict[str, int] = {}
        self._symbols: dict[str, int] = {}
        self._trails: dict[LineKey, _Trail] = {}
        self._posted_e8: dict[LineKey, int] = {}
        self._last_ns = 0
        self._directories: list[Directory] = []
        """The names of each run."""

    @property
    def tariffs(self) -> list[Tariff]:
        """The tariffs charged by, each with what it was before it was changed."""
        return [ledger.tariff for ledger, _ in self._all()]

    def take(self, runs: Iterable[Run], progress: Callable[[int], None] | None = None) -> None:
        """Follow runs, oldest first; raises JournalError, RulebookError and StateError."""
        for run in runs:
            replica = Replica.at_start(run)
            tracer = _tracer(replica)
            self._directories.append(replica.directory)
            opened = self._given
            for record in read_run(run.path, replica.seq + 1):
                replica.take(record)
                self._last_ns = record.now_ns
                if isinstance(record.event, CancelFees.applies):
                    if not opened:
                        self._open_all(replica.rulebook)
                        opened = True
                    self._count(record, replica, tracer)
                for posting in record.decision.postings:
                    self._post(posting, replica)
                if progress is not None:
                    progress(record.seq)
            if not opened:
                self._open_all(replica.rulebook)

    def _open_all(self, rulebook: Rulebook) -> None:
        """Go on by a rulebook's tariffs; called at the first record of its run that counts."""
        clause = rulebook.clauses.cancel_fees
        counted: tuple[str, ...] = ()
        charged: tuple[str, ...] = ()
        if clause.mode != "off":
            counted = (*clause.tariffs, *clause.market_maker_tariffs)
            charged = tuple(charge_tariffs(rulebook.clauses.resting_time))
        for name in [name for name in self._ledgers if name not in (*counted, *charged)]:
            self._close(self._ledgers.pop(name))
        for name in counted:
            self._open(rulebook.tariffs[name], clause.correction_days, posts=clause.mode)
        for name in charged:
            tariff = rulebook.tariffs[name]
            self._open(tariff, clause.correction_days, CHARGE_COLUMNS, posts=clause.mode)

    def _close(self, ledger: FeeLedger) -> None:
        """Take a tariff out: what had ended stays, the period that runs ends without a charge."""
        ledger.roll(self._last_ns)
        self._closed.append((ledger, self._last_ns))

    def _open(
        self,
        tariff: Tariff,
        correction_days: int,
        columns: tuple[str, ...] = (),
        posts: str = "enforce",
    ) -> None:
        """Begin or go on to count by a tariff, as a gate does that goes on from the run before."""
        self._corrections[tariff.name] = correction_days
        known = self._ledgers.get(tariff.name)
        # Nothing is forgotten here: a statement may be of any day.
        ledger = FeeLedger(tariff, _FOR_EVER_DAYS, columns, posts == "enforce")
        if known is not None:
            known.roll(self._last_ns)
            if known.same_terms(ledger):
                return
            stored = known.state()
            ledger.restore(stored)
            if ledger.changed_since(stored) and (known.posts or not ledger.posts):
                self._closed.append((known, self._last_ns))
        self._ledgers[tariff.name] = ledger

    def _all(self) -> Iterator[tuple[FeeLedger, int]]:
        """Yield all ledgers, and when each was closed; 0: it was not."""
        closed = [old.tariff.name for old, _ in self._closed]
        for name in dict.fromkeys((*closed, *self._ledgers)):
            yield from ((old, at_ns) for old, at_ns in self._closed if old.tariff.name == name)
            if name in self._ledgers:
                yield self._ledgers[name], 0

    def _count(self, record: Record, replica: Replica, tracer: CancelFees) -> None:
        tracer.trace = []
        tracer.apply(record.event, record.decision, replica.pipeline.book, record.now_ns)
        for traced in tracer.trace:
            owner = replica.directory.name(DEFINE_OWNER, traced.owner) or str(traced.owner)
            symbol = replica.pipeline.book.symbols[traced.symbol].name
            for ledger in self._charging(traced, replica.rulebook):
                if self._too_late(ledger.tariff, traced, record.now_ns):
                    continue
                number = self._numbers.setdefault(owner, len(self._numbers) + 1)
                symbol_number = self._symbols.setdefault(symbol, len(self._symbols) + 1)
                ledger.add(number, symbol_number, traced.at_ns, traced.act)
                self._trail(ledger.tariff, owner, symbol, traced.at_ns).add(record.seq)

    def _charging(self, traced: Traced, rulebook: Rulebook) -> Iterator[FeeLedger]:
        """Yield the ledgers an act counts in."""
        if traced.tariff:
            if not self._given:
                yield self._ledgers[traced.tariff]
            return
        if self._given:
            yield from self._ledgers.values()
            return
        clause = rulebook.clauses.cancel_fees
        if clause.mode == "off" or (traced.maker and clause.exempt_market_makers):
            return
        makers = clause.market_maker_tariffs if traced.maker else ()
        for name in makers or clause.tariffs:
            yield self._ledgers[name]

    def _too_late(self, tariff: Tariff, traced: Traced, now_ns: int) -> bool:
        days = tariff.day_number(now_ns) - tariff.day_number(traced.at_ns)
        return traced.act.kind == ANNULLED and days > self._corrections[tariff.name]

    def _trail(self, tariff: Tariff, owner: str, symbol: str, at_ns: int) -> _Trail:
        period = tariff.period(tariff.day_number(at_ns))
        symbol = symbol if tariff.file.per == "symbol" else ""
        return self._trails.setdefault(LineKey(tariff.name, owner, symbol, period), _Trail())

    def _post(self, posting: Posting, replica: Replica) -> None:
        facts = replica.pipeline.book.symbols.get(posting.symbol)
        owner = replica.directory.name(DEFINE_OWNER, posting.owner) or str(posting.owner)
        key = LineKey(posting.tariff, owner, facts.name if facts else "", posting.period)
        self._posted_e8[key] = self._posted_e8.get(key, 0) + int(posting.amount_e8)

    # --- Statement ----------------------------------------------------------------------------

    def knows(self, owner: str) -> bool:
        """Tell whether somebody of this name is in any of the runs."""
        return any(names.known(DEFINE_OWNER, owner) for names in self._directories)

    def statement(self, owner: str = "", first_day: str = "", last_day: str = "") -> Statement:
        """Return the statement, of one owner and of the days and months between two if given.

        Relief and caps are those of everything that was counted, whatever is shown.
        """
        owners = {number: name for name, number in self._numbers.items()}
        symbols = {number: name for name, number in self._symbols.items()}
        charged = [
            (ledger.tariff, charge._replace(owner=owners[number]))
            for ledger, closed_ns in self._all()
            for number in sorted(ledger.owners(), key=owners.__getitem__)
            if owner in ("", owners[number])
            for charge in ledger.charges(number, symbols)
            if not closed_ns or charge.period < ledger.tariff.period_at(closed_ns)
            if first_day[: len(charge.period)] <= charge.period
            and (not last_day or charge.period <= last_day[: len(charge.period)])
        ]
        return statement_of(self.tariffs, charged, self._about)

    def _posts(self, tariff: Tariff) -> bool:
        """Tell whether a gate posts by a tariff: it is in force, and not in shadow."""
        return not self._given and any(
            ledger.posts for ledger, _ in self._all() if ledger.tariff is tariff
        )

    def _about(self, tariff: Tariff, charge: Charge) -> dict[str, Any]:
        """Return what the record says of a line."""
        key = LineKey(tariff.name, charge.owner, charge.symbol, charge.period)
        trail = self._trails.get(key) or _Trail()
        posted_e8 = self._posted_e8.get(key, 0)
        if charge.period >= tariff.period_at(self._last_ns):
            state = "open"
        elif posted_e8 == charge.amount_e8:
            state = "posted"
        else:
            state = "due" if posted_e8 or self._posts(tariff) else "counted"
        return {
            "posted": decimal_text(posted_e8, tariff.file.places),
            "state": state,
            "acts": trail.acts,
            "records": trail.text(),
        }


def _tracer(replica: Replica) -> CancelFees:
    """Return a rule that counts nothing itself and tells what it would count."""
    tracer = CancelFees(Rulebook(convert({"name": "tracing"})))
    fees = replica.pipeline.rule(CancelFees.name)
    if fees is not None:
        # Amends and charges that were in flight when the run began.
        tracer.restore({**fees.state(), "ledgers": [], "former": []})
    return tracer
