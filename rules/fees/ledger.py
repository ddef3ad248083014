"""What each owner has done by one tariff's calendar, what is charged for it, and what was posted.

Counts are kept by day until nothing can change their fee any more. A posting is due when a period
has ended; when what it was computed from changes afterwards (an annulled trade, a fourth exceedance
of the month), it is reversed and made anew. Everything follows from the counts, so that what is
posted can be computed again from the record.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from rules.fees.acts import ENTERED_VALUE, Act, Counting
from rules.fees.assessment import Headroom
from rules.fees.charging import Charge, charges
from rules.fees.counts import AVERAGE_PRICE, CountRow, Counts
from rules.fees.tariff import MONTH_LENGTH, Tariff
from rules.values import PAIR_SHIFT, pair_of

_ORDERED: Final = "ordered_volume"
_EPOCH: Final = date(1970, 1, 1).toordinal()

Row: TypeAlias = dict[str, int]
Names: TypeAlias = Mapping[int, str]
"""Names of symbols by number."""


class Entry(NamedTuple):
    """One posting: a charge, or the reversal of one (`reverses` is its id)."""

    identity: str
    tariff: str
    owner: int
    symbol: str
    """Empty where the tariff charges for everything an owner did."""
    period: str
    amount_e8: int
    currency: str
    reverses: str = ""


class MeterLine(NamedTuple):
    """How one line of the running period stands."""

    tariff: Tariff
    charge: Charge
    projected: Charge
    """What it would be at the end of the period if everything went on at the pace so far."""
    headroom: Headroom | None
    ends_ns: int
    """When the period ends."""


class FeeLedger:
    """One tariff's counts and postings, by owner.

    `correction_days` after its day an annulled trade changes nothing any more. `columns`, unless
    empty, are counted instead of those the tariff needs. Without `posts` it only counts.
    """

    def __init__(
        self,
        tariff: Tariff,
        correction_days: int,
        columns: tuple[str, ...] = (),
        posts: bool = True,
    ) -> None:
        self.tariff = tariff
        self.posts = posts
        self.columns = columns or metered_columns(tariff)
        self._counting = Counting(tariff, self.columns)
        self.late = 0
        """Corrections that came too late."""
        self._correction_days = correction_days
        relief = tariff.file.relief
        self._by_month = tariff.file.period == "month" or bool(
            relief.waivers or relief.free_exceedances
        )
        self._today = 0
        self._starts_ns = self._ends_ns = 0
        """When the day of the last event began and ends, 0 before they are known."""
        self._rows: dict[int, dict[tuple[int, int], Row]] = {}
        """Counts by owner, then by day and symbol."""
        self._present: dict[int, Row] = {}
        """The rows of today by owner and symbol, as far as they were looked for."""
        self._active: dict[int, None] = {}
        """Owners with counts in the running period, in the order of their first."""
        self._kept: dict[int, dict[int, None]] = {}
        """Owners with counts to be forgotten, by the day on which that is."""
        self._posted: dict[int, dict[tuple[str, str], tuple[int, int]]] = {}
        """Number of postings, and the amount that stands, by owner, then by period and symbol."""
        self._queue: dict[int, None] = {}
        """Owners whose postings have to be looked at."""

    def same_terms(self, other: "FeeLedger") -> bool:
        """Tell whether another ledger charges alike, and posts if this one does."""
        return self.posts == other.posts and _terms(self.tariff) == _terms(other.tariff)

    # --- Counting -----------------------------------------------------------------------------

    @property
    def ends_ns(self) -> int:
        """When the day of the last event ends, 0 before it is known."""
        return self._ends_ns

    def roll(self, now_ns: int) -> None:
        """Begin a new day when `now_ns` lies in one: what ended is to be posted."""
        if now_ns < self._ends_ns:
            return
        today = self.tariff.day_number(now_ns)
        self._starts_ns = self.tariff.day_starts_ns(today)
        self._ends_ns = self.tariff.day_starts_ns(today + 1)
        if today <= self._today:
            return
        if self.tariff.period(today) != self.tariff.period(self._today):
            if self.posts:
                self._queue.update(self._active)
            self._active = {}
        self._today = today
        self._present = {}
        for day in [day for day in self._kept if day <= today]:
            for owner in self._kept.pop(day):
                if owner in self._queue:
                    # After a long standstill what is to be posted is as old as that.
                    self._kept.setdefault(today + 1, {})[owner] = None
                else:
                    self._forget(owner, today)

    def add(self, owner: int, symbol: int, at_ns: int, act: Act) -> None:
        """Count an act on the day of `at_ns`.

        An earlier day's count is a correction; one that comes too late is counted in `late`.
        """
        day = self._today
        if self._starts_ns <= at_ns < self._ends_ns:
            present = self._present.get(owner << PAIR_SHIFT | symbol)
            if present is not None:
                self._counting.count(act, present)
                return
        else:
            day = self.tariff.day_number(at_ns)
        rows = self._rows.get(owner)
        row = rows.get((day, symbol)) if rows is not None else None
        if row is None:
            if day < self._today:
                self.late += 1
                return
            row = dict.fromkeys(self.columns, 0)
            if rows is None:
                rows = self._rows[owner] = {}
            rows[day, symbol] = row
            self._kept.setdefault(self._expires(day), {})[owner] = None
        if day < self._today:
            if self._today - day > self._correction_days:
                self.late += 1
                return
            if self.posts:
                self._queue[owner] = None
        else:
            self._active[owner] = None
            if day == self._today:
                self._present[pair_of(owner, symbol)] = row
        self._counting.count(act, row)

    def _expires(self, day: int) -> int:
        """Return the first day on which nothing can change the fee of `day` any more."""
        if self._by_month:
            month = self._date(day).isoformat()[:MONTH_LENGTH]
            last = day
            while self._date(last + 1).isoformat().startswith(month):
                last += 1
            day = last
        return day + self._correction_days + 2

    def _forget(self, owner: int, today: int) -> None:
        rows = self._rows.get(owner, {})
        for key in [key for key in rows if self._expires(key[0]) <= today]:
            del rows[key]
        posted = self._posted.get(owner, {})
        months = self._by_month
        oldest = self._date(min((day for day, _ in rows), default=today)).isoformat()
        oldest = oldest[:MONTH_LENGTH] if months else oldest
        for line in [line for line in posted if line[0] < oldest]:
            del posted[line]
        if not rows:
            self._rows.pop(owner, None)
        if not posted:
            self._posted.pop(owner, None)

    @staticmethod
    def _date(day: int) -> date:
        return date.fromordinal(_EPOCH + day)

    # --- Charging -----------------------------------------------------------------------------

    def owners(self) -> list[int]:
        """Return everybody with counts that are kept."""
        return list(self._rows)

    def charges(self, owner: int, names: Names) -> list[Charge]:
        """Return every line that counts are kept for, those of the running period too."""
        return charges(self.tariff, self._count_rows(owner, names))

    def _count_rows(self, owner: int, names: Names) -> list[CountRow]:
        return [
            CountRow(str(owner), names.get(symbol, str(symbol)), self._date(day), shown(row))
            for (day, symbol), row in self._rows.get(owner, {}).items()
        ]

    def meter(self, owner: int, names: Names, now_ns: int) -> list[MeterLine]:
        """Return how each line of the running period stands, by symbol."""
        tariff = self.tariff
        today = tariff.day_number(now_ns)
        period = tariff.period(today)
        first, last = self._bounds(today)
        starts_ns, ends_ns = tariff.day_starts_ns(first), tariff.day_starts_ns(last + 1)
        elapsed_ns = max(now_ns - starts_ns, 1)
        rows = self._count_rows(owner, names)
        scaled = [
            row._replace(values_e8=_scaled(row.values_e8, ends_ns - starts_ns, elapsed_ns))
            if tariff.period(_number(row)) == period
            else row
            for row in rows
        ]
        projected = {line.symbol: line for line in charges(tariff, scaled) if line.period == period}
        return [
            MeterLine(
                tariff,
                line,
                projected[line.symbol],
                tariff.headroom(_counts_of(tariff, rows, line)),
                ends_ns,
            )
            for line in charges(tariff, rows)
            if line.period == period
        ]

    def _bounds(self, day: int) -> tuple[int, int]:
        """Return the first and the last day of the period a day lies in."""
        if self.tariff.file.period == "day":
            return day, day
        moment = self._date(day)
        first = day - moment.day + 1
        last = first
        while self._date(last + 1).month == moment.month:
            last += 1
        return first, last

    # --- Posting ------------------------------------------------------------------------------

    def backlog(self, now_ns: int) -> int:
        """Return how many owners' postings have to be looked at by `now_ns`."""
        waiting = len(self._queue)
        tariff = self.tariff
        day = tariff.day_number(now_ns)
        if self._active and day != self._today and tariff.period(day) != tariff.period(self._today):
            waiting += sum(owner not in self._queue for owner in self._active)
        return waiting

    def queued(self, count: int) -> list[int]:
        """Return the next owners to be looked at."""
        return [owner for owner, _ in zip(self._queue, range(count), strict=False)]

    def entries(self, owner: int, names: Names, now_ns: int) -> list[Entry]:
        """Return the postings that make what stands right: reversals first, line by line."""
        tariff = self.tariff
        running = tariff.period(tariff.day_number(now_ns))
        posted = self._posted.get(owner, {})
        found = []
        for line in self.charges(owner, names):
            key = (line.period, line.symbol)
            number, stands_e8 = posted.get(key, (0, 0))
            if line.period >= running or line.amount_e8 == stands_e8:
                continue
            if stands_e8:
                identity = identity_of(tariff.name, owner, *key, number)
                found.append(
                    Entry(
                        f"{identity}:reversal", tariff.name, owner, line.symbol, line.period,
                        -stands_e8, tariff.file.currency, identity,
                    )
                )  # fmt: skip
            if line.amount_e8:
                found.append(
                    Entry(
                        identity_of(tariff.name, owner, *key, number + 1), tariff.name, owner,
                        line.symbol, line.period, line.amount_e8, tariff.file.currency,
                    )
                )  # fmt: skip
        return found

    def take(self, entry: Entry) -> bool:
        """Book a posting; False when it is booked already."""
        posted = self._posted.setdefault(entry.owner, {})
        key = (entry.period, entry.symbol)
        number, stands_e8 = posted.get(key, (0, 0))
        if entry.reverses:
            fits = stands_e8 and entry.reverses == identity_of(
                self.tariff.name, entry.owner, *key, number
            )
            if fits:
                posted[key] = (number, 0)
            return bool(fits)
        if entry.identity != identity_of(self.tariff.name, entry.owner, *key, number + 1):
            return False
        posted[key] = (number + 1, entry.amount_e8)
        return True

    def done(self, owners: Iterable[int]) -> None:
        """Take owners off the queue: their postings are made."""
        for owner in owners:
            self._queue.pop(owner, None)

    def posted(self, owner: int) -> dict[tuple[str, str], int]:
        """Return the amounts that stand, by period and symbol."""
        return {key: amount_e8 for key, (_, amount_e8) in self._posted.get(owner, {}).items()}

    # --- Changing the tariff --------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether anything was counted in the running period."""
        return bool(self._active)

    def end_running(self) -> None:
        """Let the running period go: another tariff's ledger goes on with it, or none does."""
        first = self._bounds(self._today)[0]
        for rows in self._rows.values():
            for key in [key for key in rows if key[0] >= first]:
                del rows[key]
        self._active, self._present = {}, {}

    def changed_since(self, state: Any) -> bool:
        """Tell whether a ledger's state was counted by other terms than this one's."""
        return bool(state.get("terms", _terms(self.tariff)) != _terms(self.tariff))

    # --- Storing ------------------------------------------------------------------------------

    def state(self) -> Any:
        """Return everything as plain values; amounts as text, since they may pass 63 bits."""
        return {
            "terms": _terms(self.tariff),
            "columns": list(self.columns),
            "posts": self.posts,
            "running": self._bounds(self._today)[0],
            "today": self._today,
            "late": self.late,
            "rows": [
                [owner, day, symbol, [str(row[column]) for column in self.columns]]
                for owner, rows in self._rows.items()
                for (day, symbol), row in rows.items()
            ],
            "active": list(self._active),
            "kept": [[day, list(owners)] for day, owners in self._kept.items()],
            "posted": [
                [owner, *key, number, str(amount_e8)]
                for owner, lines in self._posted.items()
                for key, (number, amount_e8) in lines.items()
            ],
            "queue": list(self._queue),
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned.

        Where the tariff has been changed since, only the running period goes on, by the new one.
        What was only counted is not charged afterwards.
        """
        self._today, self.late = state["today"], state["late"]
        self._starts_ns = self._ends_ns = 0
        self._rows = {}
        self._present = {}
        self._active, self._kept, self._posted, self._queue = {}, {}, {}, {}
        if self.posts and not state.get("posts", True):
            return
        columns = state.get("columns", self.columns)
        changed = self.changed_since(state)
        for owner, day, symbol, amounts in state["rows"]:
            if changed and day < state["running"]:
                continue
            counted = dict(zip(columns, map(int, amounts), strict=True))
            row = {column: counted.get(column, 0) for column in self.columns}
            self._rows.setdefault(owner, {})[day, symbol] = row
            if changed:
                self._active[owner] = None
                self._kept.setdefault(self._expires(day), {})[owner] = None
        if changed:
            return
        self._active = dict.fromkeys(state["active"])
        self._kept = {day: dict.fromkeys(owners) for day, owners in state["kept"]}
        self._posted = {}
        for owner, period, symbol, number, amount in state["posted"]:
            self._posted.setdefault(owner, {})[period, symbol] = (number, int(amount))
        self._queue = dict.fromkeys(state["queue"] if self.posts else ())


def identity_of(tariff: str, owner: int, period: str, symbol: str, number: int) -> str:
    """Return the id of a posting: owner, symbol, period and tariff; `number` above 1 for later ones."""
    identity = f"{tariff}:{period}:{owner}:{symbol or '*'}"
    return identity if number == 1 else f"{identity}:{number}"


def _terms(tariff: Tariff) -> str:
    """Return all of a tariff that changes what is charged, as text."""
    told = {"name": "", "description": "", "source": "", "note": "", "places": 0}
    file = msgspec.structs.replace(tariff.file, **told)
    return msgspec.json.encode(file, order="sorted").decode()


def metered_columns(tariff: Tariff) -> tuple[str, ...]:
    """Return the columns to be counted for a tariff."""
    columns = tariff.metered_columns
    if AVERAGE_PRICE in columns:
        columns = [column for column in columns if column != AVERAGE_PRICE]
        columns += [column for column in (_ORDERED, ENTERED_VALUE) if column not in columns]
    return tuple(columns)


def shown(row: Row) -> Mapping[str, int]:
    """Return a row with the average price its orders were entered at, rounded down to 1e-8."""
    if ENTERED_VALUE not in row:
        return row
    price_e8 = row[ENTERED_VALUE] // row[_ORDERED] if row[_ORDERED] else 0
    return {**row, AVERAGE_PRICE: price_e8}


def _scaled(values_e8: Mapping[str, int], length: int, elapsed: int) -> Mapping[str, int]:
    return {
        column: value if column == AVERAGE_PRICE else value * length // elapsed
        for column, value in values_e8.items()
    }


def _number(row: CountRow) -> int:
    return row.when.toordinal() - _EPOCH


def _counts_of(tariff: Tariff, rows: list[CountRow], line: Charge) -> Counts:
    """Return the counts behind a line."""
    return Counts(
        tuple(
            row.values_e8
            for row in rows
            if tariff.period(_number(row)) == line.period and line.symbol in ("", row.symbol)
        )
    )
