"""Ledgers of tariffs that were changed or taken out, until what had ended by them is posted.

A new tariff holds from the moment on at which the gate goes on with it. What ended before is
charged by the old one, also where it ended while no gate ran and could not be posted in time.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from rules.fee_clauses import TariffFile
from rules.fees.ledger import FeeLedger
from rules.fees.tariff import Tariff


class FormerLedgers:
    """The ledgers of former tariffs, oldest first, each with what is still to be posted by it."""

    def __init__(self) -> None:
        self._ledgers: list[FeeLedger] = []

    def __iter__(self) -> Iterator[FeeLedger]:
        return iter(self._ledgers)

    def keep(self, name: str, state: Any, correction_days: int) -> None:
        """Take up the ledger of a tariff that is not in force any more, by its stored state.

        Raises ValueError when the tariff can't be read.
        """
        file = msgspec.json.decode(state["terms"], type=TariffFile)
        ledger = FeeLedger(Tariff(name, file), correction_days, tuple(state["columns"]))
        ledger.restore(state)
        self._ledgers.append(ledger)

    def roll(self, now_ns: int, heirs: Mapping[str, FeeLedger]) -> None:
        """Let the tariffs in force go on with the periods that still run at `now_ns`.

        `heirs` are the ledgers of the tariffs in force by name. A period of a tariff that is in
        force no more ends without a charge.
        """
        for ledger in self._ledgers:
            ledger.roll(now_ns)
            if ledger.running:
                heir = heirs.get(ledger.tariff.name)
                if heir is not None:
                    heir.restore(ledger.state())
                ledger.end_running()
        self.let_go()

    def let_go(self) -> None:
        """Forget the ledgers by which nothing is to be posted any more."""
        self._ledgers = [one for one in self._ledgers if one.running or one.queued(1)]

    def state(self) -> Any:
        """Return name and state of every ledger."""
        return [[ledger.tariff.name, ledger.state()] for ledger in self._ledgers]
