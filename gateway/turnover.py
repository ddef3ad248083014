"""What share of the turnover came through the gate, per symbol and owner, as a metric."""

from collections.abc import Iterator
from typing import Final, Protocol

from gateway.directory import Directory
from rules.conduct.concentration import Concentration
from rules.pipeline import Pipeline
from rules.values import DEFINE_GROUP, DEFINE_OWNER

API_TURNOVER: Final = "api_turnover"
API_TURNOVER_TEXT: Final = (
    "Today's share of turnover by orders that came through the gate, by symbol, and by owner "
    "(empty: all together) who has a hundredth of it or more."
)
API_TURNOVER_LABELS: Final = ("symbol", "owner")


class Trading(Protocol):
    """The part of the core that is read."""

    pipeline: Pipeline
    directory: Directory

    def now_ns(self) -> int:
        """Return the core's time."""


def api_turnovers(core: Trading) -> Iterator[tuple[tuple[str, str], float]]:
    """Yield symbol and owner (or group) with the share; nothing while `concentration` is off."""
    rule = core.pipeline.rule(Concentration.name)
    if not isinstance(rule, Concentration):
        return
    names = core.directory
    for symbol in list(names.symbols.values()):
        for one in rule.turnovers(symbol.symbol, core.now_ns()):
            kind = DEFINE_OWNER if one.interest > 0 else DEFINE_GROUP
            owner = names.name(kind, abs(one.interest)) if one.interest else ""
            yield (symbol.name, owner), one.by_api_e8 / one.all_e8
