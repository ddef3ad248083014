"""What share of the turnover came through the gate, per symbol and owner, as a metric."""

from collections.abc import Iterator
from typing import Final, Protocol

from gateway.directory import Directory
from rules.conduct.concentration import Concentration
from rules.pipeline import Pipeline
from rules.values import DEFINE_GROUP, DEFINE_OWNER

API_TURNOVER: Final = "api_turnover"
API_TURNOVER_TEXT: Final = (
    "Today's share of turnover by orders that came through the gate, by symbol, and by each owner "
    "or group of linked owners with a hundredth of it or more (both empty: all together)."
)
API_TURNOVER_LABELS: Final = ("symbol", "owner", "group")
_SHOWN_PART: Final = 100
"""Shown is who has one part of so many or more, so a symbol has at most as many lines of owners."""


class Trading(Protocol):
    """The part of the core that is read."""

    pipeline: Pipeline
    directory: Directory

    def now_ns(self) -> int:
        """Return the core's time."""


def api_turnovers(core: Trading) -> Iterator[tuple[tuple[str, str, str], float]]:
    """Yield the names of symbol, owner and group with the share.

    Nothing while `concentration` is off. An owner and a group may have the same name, so each has a
    label of its own.
    """
    rule = core.pipeline.rule(Concentration.name)
    if not isinstance(rule, Concentration):
        return
    directory = core.directory
    for symbol in list(directory.symbols.values()):
        whole_e8 = 0
        for one in rule.turnovers(symbol.symbol, core.now_ns()):
            if not one.interest:
                whole_e8 = one.all_e8
            elif one.all_e8 * _SHOWN_PART < whole_e8:
                # He had more when he traded last; others have traded since.
                continue
            owner = directory.name(DEFINE_OWNER, one.interest) if one.interest > 0 else ""
            group = directory.name(DEFINE_GROUP, -one.interest) if one.interest < 0 else ""
            yield (symbol.name, owner, group), one.by_api_e8 / one.all_e8
