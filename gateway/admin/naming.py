"""Names of what operators stop, limit and ban, and their numbers."""

from typing import Final

from gateway.addresses import address_text
from gateway.admin.surface import AdministeredCore, OperatorError, UnknownSubjectError
from rules.values import (
    DEFINE_ADDRESS,
    DEFINE_OWNER,
    SCOPE_ACCOUNT,
    SCOPE_ACCOUNT_SYMBOL,
    SCOPE_IP,
    SCOPE_KEY,
    SCOPE_OWNER,
    SCOPE_OWNER_SYMBOL,
    SCOPE_SYMBOL,
    SCOPE_VENUE,
    split_pair,
)

_STOP_SCOPES: Final = {
    "venue": SCOPE_VENUE,
    "symbol": SCOPE_SYMBOL,
    "owner": SCOPE_OWNER,
    "account": SCOPE_ACCOUNT,
    "key": SCOPE_KEY,
}


class Naming:
    """Turns names that operators know into numbers and back."""

    def __init__(self, core: AdministeredCore) -> None:
        self._core = core

    def subject(self, scope_name: str, name: str) -> tuple[int, int]:
        """Return (scope, number) of a named stop scope; raises OperatorError."""
        directory = self._core.directory
        scope = _STOP_SCOPES.get(scope_name)
        if scope is None:
            raise OperatorError(
                f"`{scope_name}` can't be stopped; a scope is one of {', '.join(_STOP_SCOPES)}"
            )
        if scope == SCOPE_VENUE:
            if name:
                raise OperatorError(f"the venue has no subject, but `{name}` was named")
            return scope, 0
        number = 0
        if scope == SCOPE_SYMBOL and name in directory.symbols:
            number = directory.symbols[name].symbol
        elif scope == SCOPE_OWNER:
            number = directory.known(DEFINE_OWNER, name)
        elif scope == SCOPE_ACCOUNT and name in directory.accounts:
            number = directory.accounts[name].account
        elif scope == SCOPE_KEY and name in directory.keys:
            number = directory.keys[name].key
        if not number:
            raise UnknownSubjectError(f"there is no {scope_name} `{name}`")
        return scope, number

    def subject_name(self, scope: int, subject: int) -> str:
        """Return the name of a scope's subject, empty for the venue."""
        directory = self._core.directory
        if scope in (SCOPE_OWNER_SYMBOL, SCOPE_ACCOUNT_SYMBOL):
            single = SCOPE_OWNER if scope == SCOPE_OWNER_SYMBOL else SCOPE_ACCOUNT
            number, symbol = split_pair(subject)
            first = self.subject_name(single, number)
            return f"{first} {self.subject_name(SCOPE_SYMBOL, symbol)}"
        if scope == SCOPE_OWNER:
            return directory.name(DEFINE_OWNER, subject)
        if scope == SCOPE_IP:
            return directory.name(DEFINE_ADDRESS, subject)
        if scope == SCOPE_SYMBOL and subject in directory.symbols_by_number:
            return directory.symbols_by_number[subject].name
        if scope == SCOPE_ACCOUNT and subject in directory.accounts_by_number:
            return directory.accounts_by_number[subject].name
        if scope == SCOPE_KEY and subject in directory.keys_by_number:
            return directory.keys_by_number[subject].name
        return str(subject) if subject else ""

    def address(self, text: str, define: bool = False) -> int:
        """Return the number of an address; raises OperatorError when it is none or never seen.

        With `define` an address that was never seen gets its number.
        """
        counted = address_text(text.removesuffix("/64"))
        if counted is None:
            raise OperatorError(f"`{text}` is not an IPv4 or IPv6 address")
        if define:
            return self._core.directory.address(counted)
        number = self._core.directory.known(DEFINE_ADDRESS, counted)
        if not number:
            raise UnknownSubjectError(f"no request ever came from {counted}")
        return number
