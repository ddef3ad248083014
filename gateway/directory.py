"""Names and the numbers they are interned as.

The record introduces each number by a `Define*` event, so the directory is a projection of the
record: `on_event` is called for every event that was decided. Whoever needs a number for a new
name asks `address`, `agent` and so on, which submit the definition through the core's door first.
"""

from collections.abc import Callable, Mapping
from typing import Final

from rules.events import (
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Event,
)
from rules.values import (
    DEFINE_ADDRESS,
    DEFINE_AGENT,
    DEFINE_ALGO,
    DEFINE_ASSET,
    DEFINE_GROUP,
    DEFINE_OWNER,
)

AGENT_CHARACTERS: Final = 120
"""Characters of a client program's name that are kept."""
AGENTS_MAX: Final = 65_536
"""Client programs that get a number of their own."""
OTHER_AGENTS: Final = "other programs"
ALGOS_MAX: Final = 65_536
"""Algorithms that get a number of their own."""
OTHER_ALGOS: Final = "other algorithms"
ADDRESSES_MAX: Final = 1_000_000
"""Addresses that get a number of their own, unless told otherwise."""
ADDRESSES_RESERVED: Final = 16
"""One in so many more is kept for addresses that a key was proved from."""
OTHER_ADDRESSES: Final = "other addresses"
_KINDS: Final = (
    DEFINE_ADDRESS,
    DEFINE_OWNER,
    DEFINE_ASSET,
    DEFINE_AGENT,
    DEFINE_ALGO,
    DEFINE_GROUP,
)


class Directory:
    """Numbers by name and names by number, for every interned kind.

    `submit` is the core's door; numbers are never reused. `may_define` is asked before the address
    of somebody who has not proved a key gets a number; a core sets it to its quota.
    """

    def __init__(self, submit: Callable[[Event], None], addresses_max: int = ADDRESSES_MAX) -> None:
        self.may_define: Callable[[], bool] = _always
        self._submit = submit
        self._addresses_max = addresses_max
        self._numbers: dict[int, dict[str, int]] = {kind: {} for kind in _KINDS}
        self._names: dict[int, dict[int, str]] = {kind: {} for kind in _KINDS}
        self.symbols: dict[str, DefineSymbol] = {}
        self.symbols_by_number: dict[int, DefineSymbol] = {}
        self.accounts: dict[str, DefineAccount] = {}
        self.accounts_by_number: dict[int, DefineAccount] = {}
        self.keys: dict[str, DefineKey] = {}
        self.keys_by_number: dict[int, DefineKey] = {}

    def number(self, kind: int, name: str) -> int:
        """Return the number of `name`, defining it through the core when it is new."""
        found = self._numbers[kind].get(name)
        if found is None:
            self._submit(Define(kind, len(self._names[kind]) + 1, name))
            found = self._numbers[kind][name]
        return found

    def known(self, kind: int, name: str) -> int:
        """Return the number of `name`, 0 when it has none."""
        return self._numbers[kind].get(name, 0)

    def name(self, kind: int, number: int) -> str:
        """Return what `number` stands for, empty when nothing."""
        return self._names[kind].get(number, "")

    def names(self, kind: int) -> Mapping[int, str]:
        """Return the names of one kind by number, in the order in which they were defined."""
        return self._names[kind]

    def address(self, text: str) -> int:
        """Return the number of a peer address (an IPv4 address or an IPv6 /64)."""
        return self.number(DEFINE_ADDRESS, text)

    def caller(self, text: str, proved: bool) -> int:
        """Return the number of a request's address; `proved` says that its signature was right.

        Anybody can send from many addresses, so not every one gets a number for ever. New ones get
        none, 0, once there are too many in all or within the second, unless a key was proved.
        Those have a reserve of their own, and share one number when that is used up too.
        """
        found = self._numbers[DEFINE_ADDRESS].get(text)
        if found is not None:
            return found
        count = len(self._names[DEFINE_ADDRESS])
        if not proved:
            if count >= self._addresses_max or not self.may_define():
                return 0
        elif count >= self._addresses_max + self._addresses_max // ADDRESSES_RESERVED:
            text = OTHER_ADDRESSES
        return self.number(DEFINE_ADDRESS, text)

    def agent(self, text: str) -> int:
        """Return the number of a client program, 0 for none.

        Clients name their programs as they like, so not every name gets a number for ever: from
        `AGENTS_MAX` on, new ones share one.
        """
        if not text:
            return 0
        text = text[:AGENT_CHARACTERS]
        found = self._numbers[DEFINE_AGENT].get(text)
        if found is not None:
            return found
        if len(self._names[DEFINE_AGENT]) >= AGENTS_MAX:
            text = OTHER_AGENTS
        return self.number(DEFINE_AGENT, text)

    def algo(self, text: str) -> int:
        """Return the number of an algorithm; from `ALGOS_MAX` on, new ones share one, as `agent`."""
        if len(self._names[DEFINE_ALGO]) >= ALGOS_MAX and not self.known(DEFINE_ALGO, text):
            text = OTHER_ALGOS
        return self.number(DEFINE_ALGO, text)

    def asset_name(self, number: int) -> str:
        """Return an asset's name."""
        return self._names[DEFINE_ASSET].get(number, "")

    def on_event(self, event: Event) -> None:
        """Take up a definition; other events are passed over."""
        if isinstance(event, Define):
            self._numbers[event.kind][event.name] = event.number
            self._names[event.kind][event.number] = event.name
        elif isinstance(event, DefineSymbol):
            self.symbols[event.name] = event
            self.symbols_by_number[event.symbol] = event
        elif isinstance(event, DefineAccount):
            self.accounts[event.name] = event
            self.accounts_by_number[event.account] = event
        elif isinstance(event, DefineKey):
            self.keys[event.name] = event
            self.keys_by_number[event.key] = event


def _always() -> bool:
    return True
