"""Balances of an account, read from the book."""

from gateway.views.source import ViewedCore
from rules.values import DEFINE_ASSET


class BalancesView:
    """Free and locked amounts; the book mirrors the engine and holds the reservations."""

    def __init__(self, core: ViewedCore) -> None:
        self._core = core

    def of_account(self, account: int) -> list[tuple[str, int, int]]:
        """Return (asset, free, locked) in 1e-8 for every known asset, zero balances too."""
        balances = self._core.book.balances
        found = []
        for asset, name in self._core.directory.names(DEFINE_ASSET).items():
            balance = balances.get((account, asset))
            if balance is None:
                found.append((name, 0, 0))
            else:
                found.append((name, balance.total_e8 - balance.reserved_e8, balance.reserved_e8))
        return found
