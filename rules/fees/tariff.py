"""A tariff: read from its text with every fault at once, and ready to assess counts."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any, Final

from rules.faults import Fault, located, syntax_fault
from rules.fee_clauses import TariffFile
from rules.fees.assessment import Assessment, Headroom
from rules.fees.counts import Counts
from rules.fees.models import MODELS
from rules.strict import UNUSABLE, StrictReader
from rules.texts import read_decimal, read_switchable_decimal
from rules.values import NS_PER_DAY, NS_PER_MINUTE

_OFFSET: Final = re.compile(r"([+-])([0-9]{2}):([0-5][0-9])")
_OFFSET_MAX: Final = timedelta(hours=14)
_CURRENCY: Final = re.compile(r"[A-Z0-9]{2,10}")
_PLACES_MAX: Final = 8
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
MONTH_LENGTH: Final = len("2026-01")


class TariffError(ValueError):
    """A tariff that can't be used; `errors` has every fault as one line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.errors = [str(fault) for fault in faults]
        super().__init__("\n".join(self.errors))


class Tariff:
    """A tariff in use: whom and what it charges, by which model and calendar."""

    def __init__(self, name: str, file: TariffFile) -> None:
        self.name = name
        self.file = file
        (self.model_name,) = models_of(file)
        self.clause: Any = getattr(file, self.model_name)
        self._model = MODELS[self.model_name]
        offset = _offset(file.utc_offset)
        self._zone = timezone(offset)
        self.offset_ns = (offset // timedelta(minutes=1)) * NS_PER_MINUTE
        """What the calendar's clock is ahead of UTC."""
        self.cap_e8 = read_switchable_decimal(file.cap) if file.cap else None
        self.not_from_e8 = read_switchable_decimal(file.relief.not_from)

    @property
    def columns(self) -> list[str]:
        """The columns of counts it needs, each once."""
        return list(dict.fromkeys(self._model.columns(self.clause)))

    @property
    def metered_columns(self) -> list[str]:
        """The columns the gate counts for it, each once."""
        return list(dict.fromkeys(self._model.metered(self.clause)))

    def assess(self, counts: Counts) -> Assessment:
        """Return the fee of one line before cap and relief."""
        return self._model.assess(self.clause, counts)

    def headroom(self, counts: Counts) -> Headroom | None:
        """Return how much more may be counted before it costs more, None where that has no end."""
        return self._model.headroom(self.clause, counts)

    def day_number(self, when_ns: int) -> int:
        """Return the day of the tariff's calendar as a number of days since 1970-01-01."""
        return (when_ns + self.offset_ns) // NS_PER_DAY

    def day_starts_ns(self, day: int) -> int:
        """Return when a numbered day begins."""
        return day * NS_PER_DAY - self.offset_ns

    def period(self, day: int) -> str:
        """Return the period a numbered day lies in, as statements name it."""
        text = date.fromordinal(_EPOCH_ORDINAL + day).isoformat()
        return text[:MONTH_LENGTH] if self.file.period == "month" else text

    def period_at(self, when_ns: int) -> str:
        """Return the period a moment lies in."""
        return self.period(self.day_number(when_ns))

    def day(self, when: date | datetime) -> date:
        """Return the day of the tariff's calendar on which `when` lies."""
        return when.astimezone(self._zone).date() if isinstance(when, datetime) else when


def read_tariff(name: str, text: str, file: str = "") -> Tariff:
    """Return the tariff of a TOML text; raises TariffError with every fault found.

    `file` is what faults are reported under, the name where it is not given.
    """
    place = file or name
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TariffError([syntax_fault(error, place, text)]) from None
    reader = StrictReader()
    read = reader.read(tree, TariffFile)
    faults = list(reader.faults)
    if read is not UNUSABLE:
        # A model that could not be read has been reported and is not missing.
        faults += tariff_faults(name, read, [model for model in MODELS if model in tree])
    if faults:
        raise TariffError(located(faults, [(place, text)]))
    return Tariff(name, read)


def models_of(file: TariffFile) -> list[str]:
    """Return the names of the models a file gives."""
    return [name for name in MODELS if getattr(file, name) is not None]


def tariff_faults(name: str, file: TariffFile, given: list[str]) -> Iterator[Fault]:
    """Yield what is wrong with a tariff whose structure is right."""
    if file.name and file.name != name:
        message = f"`{file.name}` is not the file's name; write `{name}` or leave it out"
        yield Fault(message, ("name",))
    for field in ("description", "source"):
        if not getattr(file, field).strip():
            yield Fault("is empty", (field,))
    if not _CURRENCY.fullmatch(file.currency):
        message = f"`{file.currency}` is not a currency such as EUR or USDT"
        yield Fault(message, ("currency",))
    if file.places > _PLACES_MAX:
        yield Fault(f"{file.places} is more than {_PLACES_MAX} places", ("places",))
    try:
        _offset(file.utc_offset)
    except ValueError as error:
        yield Fault(str(error), ("utc_offset",))
    yield from _relief_faults(file)
    yield from _counting_faults(file)
    if len(given) != 1:
        found = f"there are {', '.join(given)}" if given else "there is none"
        yield Fault(f"one model is wanted of {', '.join(MODELS)}; {found}")
    for model in models_of(file):
        for fault in MODELS[model].faults(getattr(file, model)):
            yield fault._replace(path=(model, *fault.path))
    if file.cancel_tax is not None and file.per != "symbol":
        yield Fault("prices of several symbols have no average; write symbol", ("per",))


def _counting_faults(file: TariffFile) -> Iterator[Fault]:
    for index, (nearer, further) in enumerate(pairwise(file.counting.weights), 1):
        if read_decimal(further.within) <= read_decimal(nearer.within):
            message = f"`{further.within}` is not beyond the weight before, `{nearer.within}`"
            yield Fault(message, ("counting", "weights", index, "within"))


def _relief_faults(file: TariffFile) -> Iterator[Fault]:
    relief = file.relief
    if relief.waivers and relief.free_exceedances:
        message = "free_exceedances and waivers exclude each other"
        yield Fault(message, ("relief", "free_exceedances"))
    if relief.not_from and not relief.waivers:
        yield Fault("there are no waivers it could end", ("relief", "not_from"))
    if file.cap_per == "owner" and not file.cap:
        yield Fault("there is no cap", ("cap_per",))
    if file.cap_per == "owner" and relief.waivers:
        yield Fault("a cap for each owner and waivers exclude each other", ("cap_per",))


def _offset(text: str) -> timedelta:
    """Return an offset from UTC; raises ValueError when it is none."""
    match = _OFFSET.fullmatch(text)
    if match is not None:
        length = timedelta(hours=int(match[2]), minutes=int(match[3]))
        if length <= _OFFSET_MAX:
            return -length if match[1] == "-" else length
    raise ValueError(f"`{text}` is not an offset from UTC such as +09:00, at most 14 hours")


EARLIEST_DAY: Final = date(1970, 1, 1)
LATEST_DAY: Final = date(9998, 12, 31)
"""Days of counts; at every offset from UTC they stay within what a date can be."""


def within_calendar(when: date | datetime) -> bool:
    """Tell whether a day or time is one that counts can be of."""
    day = when.date() if isinstance(when, datetime) else when
    return EARLIEST_DAY <= day <= LATEST_DAY
