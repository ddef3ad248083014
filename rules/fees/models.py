"""The models of fees a tariff can choose from, by the name of their table in its file."""

from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, NamedTuple

from rules.faults import Fault
from rules.fees import age_curve, allowance, cancel_tax, lump, sell_tax, slabs
from rules.fees.assessment import Assessment, Headroom
from rules.fees.counts import Counts


class Model(NamedTuple):
    """One model: what each function takes first is the model's clause."""

    faults: Callable[[Any], Iterator[Fault]]
    """Yields what is wrong with the clause's meaning."""
    columns: Callable[[Any], Collection[str]]
    """Returns the columns of counts it needs."""
    assess: Callable[[Any, Counts], Assessment]
    """Returns the fee of one line."""
    metered: Callable[[Any], Collection[str]]
    """Returns the columns the gate counts for it."""
    headroom: Callable[[Any, Counts], Headroom | None]
    """Returns how much more may be counted before it costs more."""


MODELS: Final = {
    module.__name__.rpartition(".")[2]: Model(
        module.faults,
        module.columns,
        module.assess,
        age_curve.metered if module is age_curve else module.columns,
        module.headroom,
    )
    for module in (slabs, allowance, lump, cancel_tax, age_curve, sell_tax)
}
