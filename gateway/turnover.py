"""What share of the turnover came through the gate, per symbol and owner, as a metric."""

from collections.abc import Iterator
from typing import Final, Protocol

from gateway.directory import Directory
from rules.conduct.concentration import Concentration
from rules.pipeline import Pipeline

API_TURNOVER: Final = "api_turnover"
API_TURNOVER_TEXT: Final = (
    "Today's share of turnover by orders that came through the gate, by symbol, and by the number "
    "of an owner, below 0 of a group, who has a hundredth of it or more (empty: all together)."
)
API_TURNOVER_LABELS: Final = ("symbol", "owner")
_SHOWN_PART: Final = 100
"""Shown is who has one part of so many or more, so a symbol has at most as many lines of owners."""


class Trading(Protocol):
    """The part of the core that is read."""

    pipeline: Pipeline
    directory: Directory

    def now_ns(self) -> int:
        """Return the core's time."""


def api_turnovers(core: Trading) -> Iterator[tuple[tuple[str, str], float]]:
    """Yield symbol and owner (or group) with the share; nothing while `concentration` is off.

    Owners are numbers here: metrics are read without a token, and names are nobody's business.
    """
    rule = core.pipeline.rule(Concentration.name)
    if not isinstance(rule, Concentration):
        return
    for symbol in list(core.directory.symbols.values()):
        whole_e8 = 0
        for one in rule.turnovers(symbol.symbol, core.now_ns()):
            if not one.interest:
                whole_e8 = one.all_e8
            elif one.all_e8 * _SHOWN_PART < whole_e8:
                # He had more when he traded last; others have traded since.
                continue
            owner = str(one.interest) if one.interest else ""
            yield (symbol.name, owner), one.by_api_e8 / one.all_e8
