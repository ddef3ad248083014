"""Balances of the engine's accounts, and the venue's own account of commissions.

Money is conserved: what a trade takes from one account it gives to the other and to the venue's
commissions, so the sum over all accounts and commissions changes by deposits alone. The supply of
an asset never passes 63 bits, so neither does any amount in a report.
"""

from collections.abc import Iterator
from typing import Final

from rules.values import INT63_MAX

PPM: Final = 1_000_000
"""The whole of a commission rate."""


class Holding:
    """What one account has of one asset: free, and locked by its resting orders."""

    __slots__ = ("free_e8", "locked_e8")

    def __init__(self) -> None:
        self.free_e8 = 0
        self.locked_e8 = 0


def commission_e8(received_e8: int, ppm: int) -> int:
    """Return the commission on what is received, rounded up to 1e-8.

    Rounded up, it can't be avoided by trading in the smallest pieces, and it still never passes
    what is received.
    """
    return -(-received_e8 * ppm // PPM) if ppm else 0


class Holdings(dict[tuple[int, int], Holding]):
    """Holdings by (account, asset); one that never was is made empty."""

    def __missing__(self, key: tuple[int, int]) -> Holding:
        """Make the holding that was asked for."""
        made = self[key] = Holding()
        return made


class Ledger:
    """All holdings, commissions collected and the supply of each asset."""

    __slots__ = ("_supply", "commissions", "holdings")

    def __init__(self) -> None:
        self.holdings = Holdings()
        self._supply: dict[int, int] = {}
        self.commissions: dict[int, int] = {}
        """What the venue has collected, by asset."""

    def balance(self, account: int, asset: int) -> tuple[int, int]:
        """Return (free, locked) without making a holding where there is none."""
        found = self.holdings.get((account, asset))
        return (found.free_e8, found.locked_e8) if found is not None else (0, 0)

    def adjust(self, account: int, asset: int, amount_e8: int) -> str:
        """Credit, or below zero debit, an account; return why it was not done, else nothing."""
        holding = self.holdings[account, asset]
        if holding.free_e8 + amount_e8 < 0 and amount_e8 < 0:
            return f"not done: {holding.free_e8} of 1e-8 are free"
        supply_e8 = self._supply.get(asset, 0) + amount_e8
        if supply_e8 > INT63_MAX:
            return f"not done: the venue would hold more than {INT63_MAX} of 1e-8"
        self._supply[asset] = supply_e8
        holding.free_e8 += amount_e8
        return ""

    def collect(self, asset: int, amount_e8: int) -> None:
        """Book a commission to the venue; below zero it is given back."""
        self.commissions[asset] = self.commissions.get(asset, 0) + amount_e8

    def total_e8(self, asset: int) -> int:
        """Return the sum over all accounts and the venue's commissions."""
        held_e8 = sum(
            holding.free_e8 + holding.locked_e8
            for (_, held_asset), holding in self.holdings.items()
            if held_asset == asset
        )
        return held_e8 + self.commissions.get(asset, 0)

    def supply_e8(self, asset: int) -> int:
        """Return the sum of all deposits less withdrawals, which `total_e8` must equal."""
        return self._supply.get(asset, 0)

    def put_supply(self, asset: int, amount_e8: int) -> None:
        """Put back the supply of an asset as it was stored."""
        self._supply[asset] = amount_e8

    def assets(self) -> tuple[int, ...]:
        """Return the assets that were ever deposited."""
        return tuple(self._supply)

    def all_holdings(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield (account, asset, free, locked) of every holding."""
        for (account, asset), holding in self.holdings.items():
            yield account, asset, holding.free_e8, holding.locked_e8
