"""Names as a case file shows them: those of one owner, with every other party behind a pseudonym.

A pseudonym says the kind and a number in the order of appearance; the same party has the same one
throughout the file, and nothing links it to another file.
"""

import re
from typing import Any, Final

from gateway.directory import Directory
from gateway.logview.masking import Mask, MaskedNames
from rules.decisions import Decision
from rules.events import CommandResult, Fill, MarketTrade, TradeBust
from rules.values import (
    DEFINE_ADDRESS,
    DEFINE_ASSET,
    DEFINE_GROUP,
    DEFINE_OWNER,
)

ERASED: Final = (
    "owner, account, key and address of other parties (pseudonyms)",
    "order ids of other parties (erased)",
    "names of other parties in free texts (pseudonyms)",
)
"""What a case file does not show, as it says itself."""
_KIND_NAMES: Final = {DEFINE_ADDRESS: "address", DEFINE_OWNER: "owner"}
_SHARED_KINDS: Final = (DEFINE_ASSET,)
_TOKEN: Final = re.compile(r"[^\s,;()\[\]{}\"'`<>=]+")
_OF_BUYER: Final = {"buy_order_id": "buy", "sell_order_id": "sell"}


class CaseNames(MaskedNames):
    """Names of one owner in the clear, and of everybody else as pseudonyms.

    `pseudonyms` and `addresses` are kept over the runs of one file; `addresses` are those the
    owner's own requests came from, `order_ids` the owner's orders.
    """

    def __init__(
        self,
        directory: Directory,
        owner: str,
        pseudonyms: dict[tuple[str, str], str],
        addresses: set[str],
        order_ids: set[int],
    ) -> None:
        super().__init__(directory, Mask())
        self._owner = owner
        self._pseudonyms = pseudonyms
        self._addresses = addresses
        self._order_ids = order_ids

    def owns(self, account: int) -> bool:
        """Tell whether an account is the owner's."""
        facts = self.directory.accounts_by_number.get(account)
        return facts is not None and self._is_owner(facts.owner)

    def account(self, number: int) -> str | None:
        """Return an account's name."""
        name = super().account(number)
        return name if name is None or self.owns(number) else self._other("account", name)

    def key(self, number: int) -> str | None:
        """Return a key's public id."""
        name = super().key(number)
        facts = self.directory.keys_by_number.get(number)
        if name is None or (facts is not None and self.owns(facts.account)):
            return name
        return self._other("key", name)

    def interned(self, kind: int, number: int) -> str | None:
        """Return the name of an address, owner, asset, client program or algorithm."""
        name = super().interned(kind, number)
        if name is None or kind in _SHARED_KINDS:
            return name
        if kind == DEFINE_OWNER:
            return name if name == self._owner else self._other("owner", name)
        if kind == DEFINE_ADDRESS:
            return name if name in self._addresses else self._other("address", name)
        # A group of linked owners may be called after another of them.
        return self.text(name) if kind == DEFINE_GROUP else name

    def text(self, text: str) -> str:
        """Return a free text with the names of other parties replaced."""
        return _TOKEN.sub(lambda match: self._token(match[0]), text)

    def _value(self, struct: Any, field: str, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(struct, Fill) and field == "counter_order_id":
            return value if value in self._order_ids else None
        if isinstance(struct, MarketTrade) and field in _OF_BUYER:
            return value if self._is_owner(getattr(struct, f"{_OF_BUYER[field]}_owner")) else None
        if isinstance(struct, TradeBust) and field in _OF_BUYER:
            return value if self.owns(getattr(struct, f"{_OF_BUYER[field]}_account")) else None
        if field == "ended" and isinstance(value, tuple) and isinstance(struct, CommandResult):
            value = tuple(ended for ended in value if ended.order_id in self._order_ids)
        if field == "cancels" and isinstance(value, tuple) and isinstance(struct, Decision):
            value = tuple(order_id for order_id in value if order_id in self._order_ids)
        return super()._value(struct, field, value)

    def _is_owner(self, number: int) -> bool:
        return self.directory.name(DEFINE_OWNER, number) == self._owner

    def _token(self, token: str) -> str:
        """Return a word of a free text, as a pseudonym when it names another party."""
        directory = self.directory
        bare = token.rstrip(".:!?")
        if bare == self._owner or not bare:
            return token
        shown = bare
        if bare in directory.accounts:
            shown = self.account(directory.accounts[bare].account) or bare
        elif bare in directory.keys:
            shown = self.key(directory.keys[bare].key) or bare
        else:
            for kind in _KIND_NAMES:
                if number := directory.known(kind, bare):
                    shown = self.interned(kind, number) or bare
                    break
        return shown + token[len(bare) :]

    def _other(self, kind: str, name: str) -> str:
        found = self._pseudonyms.get((kind, name))
        if found is None:
            number = sum(known == kind for known, _ in self._pseudonyms) + 1
            found = self._pseudonyms[kind, name] = f"other-{kind}-{number}"
        return found
