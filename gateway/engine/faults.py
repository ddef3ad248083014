"""Faults an engine link can be given on purpose, the same ones for the same seed."""

from collections import deque
from collections.abc import Mapping
from enum import IntEnum, unique
from random import Random
from typing import Final

from rules.values import NS_PER_MS, NS_PER_SECOND

_WHOLE_PPM: Final = 1_000_000


@unique
class Fault(IntEnum):
    """What can go wrong with one command."""

    LOSE_COMMAND = 1
    """The command never reaches the engine, and nothing says so."""
    LOSE_RESULT = 2
    """The command is carried out, its result never arrives."""
    DELAY_RESULT = 3
    """The result arrives late, after reports that follow from the command."""
    DUPLICATE_RESULT = 4
    """The result arrives twice."""
    DISCONNECT = 5
    """The command is carried out, then the link breaks before its result; reports are resumed."""
    RESTART = 6
    """The engine restarts before the command: its orders are gone, its epoch is a new one."""


class Faults:
    """Draws the fault of each command.

    `rates_ppm` says how many of a million commands get each fault, `delay_ns` how late a delayed
    result is, `outage_ns` how long a broken link or a restart lasts. Raises ValueError on rates
    below 0 or above a million together.
    """

    def __init__(
        self,
        seed: int,
        rates_ppm: Mapping[Fault, int] | None = None,
        delay_ns: int = 200 * NS_PER_MS,
        outage_ns: int = NS_PER_SECOND,
    ) -> None:
        rates = dict(rates_ppm or {})
        if any(rate < 0 for rate in rates.values()) or sum(rates.values()) > _WHOLE_PPM:
            raise ValueError(
                f"fault rates {rates} are not each 0 or more and together at most {_WHOLE_PPM} ppm"
            )
        self.delay_ns = delay_ns
        self.outage_ns = outage_ns
        self._random = Random(seed)  # noqa: S311 (faults are repeated by seed, not secret)
        self._rates = tuple((fault, rates[fault]) for fault in sorted(rates))
        self._forced: deque[Fault | None] = deque()

    def force(self, fault: Fault | None) -> None:
        """Give the next command that has none forced yet this fault, or surely none."""
        self._forced.append(fault)

    def next(self) -> Fault | None:
        """Return the fault of the next command."""
        drawn = self._random.randrange(_WHOLE_PPM)
        if self._forced:
            return self._forced.popleft()
        for fault, rate in self._rates:
            if drawn < rate:
                return fault
            drawn -= rate
        return None
