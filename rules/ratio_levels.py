"""The graduated answer to a ratio: told, slowed, only cancels; and when it is over.

Below `notice` times the maximum nothing happens. From there on the client is told. Above the
maximum it may send one message per interval. Above `cancel_only` times the maximum only cancels
pass. A ratio exactly at a bound is not above it.
"""

from typing import Final, NamedTuple

from rules.values import E8

LEVEL_NONE: Final = 0
LEVEL_NOTICE: Final = 1
LEVEL_SLOW: Final = 2
LEVEL_CANCEL_ONLY: Final = 3
LEVEL_NAMES: Final = ("none", "notice", "slow", "cancel_only")


class Grades(NamedTuple):
    """The bounds of the levels, as shares and multiples of a maximum, and the pace when slowed."""

    notice_e8: int
    cancel_only_e8: int
    slow_interval_ns: int

    def level(self, ratio: int, maximum_e8: int) -> int:
        """Return the level a ratio in 1e-8 stands at."""
        if ratio > maximum_e8:
            above = ratio * E8 > maximum_e8 * self.cancel_only_e8
            return LEVEL_CANCEL_ONLY if above else LEVEL_SLOW
        if maximum_e8 and ratio * E8 >= maximum_e8 * self.notice_e8:
            return LEVEL_NOTICE
        return LEVEL_NONE


class RatioStanding(NamedTuple):
    """How one ratio of an owner and symbol stands."""

    rule: str
    label: str
    """Which ratio, such as `number` or `volume 5M`."""
    rolling: bool
    ratio_e8: int | None
    """None where it is not defined: nothing was counted, or nothing divides it."""
    maximum_e8: int
    """-1 where it is counted and never judged."""
    judged: bool
    """Whether there is a maximum and enough was counted."""
    level: int
    until_ns: int
    """When the level ends if nothing more is sent, 0 at `LEVEL_NONE`."""
    counted: int
    """What the minimum count is compared with."""
    minimum: int
