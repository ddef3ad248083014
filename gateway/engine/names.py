"""Names on the link, numbers on each side of it."""

from typing import Protocol

from gateway.directory import Directory
from rules.values import DEFINE_ASSET, DEFINE_OWNER


class Names(Protocol):
    """Numbers of symbols, assets, accounts and owners, by name and back; 0 and "" are nothing."""

    def symbol(self, name: str) -> int:
        """Return a symbol's number."""

    def symbol_name(self, number: int) -> str:
        """Return a symbol's name."""

    def account(self, name: str) -> int:
        """Return an account's number."""

    def account_name(self, number: int) -> str:
        """Return an account's name."""

    def asset(self, name: str) -> int:
        """Return an asset's number."""

    def asset_name(self, number: int) -> str:
        """Return an asset's name."""

    def owner(self, name: str) -> int:
        """Return an owner's number."""

    def owner_name(self, number: int) -> str:
        """Return an owner's name."""


class GateNames:
    """The gate's numbers, from its directory; assets and owners it did not know get defined."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def symbol(self, name: str) -> int:
        """Return a symbol's number, 0 when the gate has no such symbol."""
        found = self._directory.symbols.get(name)
        return found.symbol if found is not None else 0

    def symbol_name(self, number: int) -> str:
        """Return a symbol's name."""
        found = self._directory.symbols_by_number.get(number)
        return found.name if found is not None else ""

    def account(self, name: str) -> int:
        """Return an account's number, 0 when the gate has no such account."""
        found = self._directory.accounts.get(name)
        return found.account if found is not None else 0

    def account_name(self, number: int) -> str:
        """Return an account's name."""
        found = self._directory.accounts_by_number.get(number)
        return found.name if found is not None else ""

    def asset(self, name: str) -> int:
        """Return an asset's number."""
        return self._directory.number(DEFINE_ASSET, name) if name else 0

    def asset_name(self, number: int) -> str:
        """Return an asset's name."""
        return self._directory.name(DEFINE_ASSET, number)

    def owner(self, name: str) -> int:
        """Return an owner's number."""
        return self._directory.number(DEFINE_OWNER, name) if name else 0

    def owner_name(self, number: int) -> str:
        """Return an owner's name."""
        return self._directory.name(DEFINE_OWNER, number)


class _Table:
    """Numbers given to names in the order they come, from 1."""

    __slots__ = ("names", "numbers")

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.names: list[str] = [""]

    def number(self, name: str) -> int:
        """Return the number of a name, a new one for a new name."""
        if not name:
            return 0
        found = self.numbers.get(name)
        if found is None:
            found = self.numbers[name] = len(self.names)
            self.names.append(name)
        return found

    def name(self, number: int) -> str:
        """Return the name of a number, empty for one that was not given."""
        return self.names[number] if 0 <= number < len(self.names) else ""


class EngineNames:
    """The engine process's own numbers.

    Assets and owners are numbered as they come. Symbols and accounts are numbered by `define_*`
    only, so that a command for one that was never defined is told apart.
    """

    def __init__(self) -> None:
        self._symbols = _Table()
        self._accounts = _Table()
        self._assets = _Table()
        self._owners = _Table()

    def define_symbol(self, name: str) -> int:
        """Return a symbol's number, a new one for a new symbol."""
        return self._symbols.number(name)

    def define_account(self, name: str) -> int:
        """Return an account's number, a new one for a new account."""
        return self._accounts.number(name)

    def symbol(self, name: str) -> int:
        """Return a symbol's number, 0 when it was not defined."""
        return self._symbols.numbers.get(name, 0)

    def symbol_name(self, number: int) -> str:
        """Return a symbol's name."""
        return self._symbols.name(number)

    def account(self, name: str) -> int:
        """Return an account's number, 0 when it was not defined."""
        return self._accounts.numbers.get(name, 0)

    def account_name(self, number: int) -> str:
        """Return an account's name."""
        return self._accounts.name(number)

    def asset(self, name: str) -> int:
        """Return an asset's number."""
        return self._assets.number(name)

    def asset_name(self, number: int) -> str:
        """Return an asset's name."""
        return self._assets.name(number)

    def owner(self, name: str) -> int:
        """Return an owner's number."""
        return self._owners.number(name)

    def owner_name(self, number: int) -> str:
        """Return an owner's name."""
        return self._owners.name(number)
