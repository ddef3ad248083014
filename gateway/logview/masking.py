"""Masking: what is left out of, or replaced in, what leaves the record.

A rule says for one kind of field what becomes of it: it is kept, erased, replaced by a pseudonym
(an HMAC under a key, so the same name has the same pseudonym wherever the same key is used), or,
for addresses, cut to the network. Fields are masked where names are resolved, so nothing that is
rendered gets past it; a text that is not known to be harmless is free text, and free text is
erased as soon as anything is masked.
"""

import base64
import hashlib
import hmac
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Network, ip_network
from typing import Any, Final

import msgspec

from gateway.directory import Directory
from gateway.logview.rendering import Names
from rules.decisions import Alert, Breach, Charge, LadderStep, Posting
from rules.events import (
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    RulebookChanged,
    RunBegan,
)
from rules.values import (
    DEFINE_ADDRESS,
    DEFINE_AGENT,
    DEFINE_ALGO,
    DEFINE_ASSET,
    DEFINE_OWNER,
)

KEEP: Final = "keep"
ERASE: Final = "erase"
PSEUDONYM: Final = "pseudonym"
NETWORK: Final = "network"
ACTIONS: Final = (KEEP, ERASE, PSEUDONYM, NETWORK)

FIELDS: Final = (
    "key",
    "account",
    "owner",
    "address",
    "client_order_id",
    "agent",
    "algo",
    "actor",
    "text",
)
"""What can be masked; `text` is every free text: details, notes, queries."""
KEY_BYTES_MIN: Final = 16
_PSEUDONYM_CHARACTERS: Final = 16
_PREFIX_IPV4: Final = 24
_PREFIX_IPV6: Final = 48

_KINDS: Final = {
    DEFINE_ADDRESS: "address",
    DEFINE_OWNER: "owner",
    DEFINE_AGENT: "agent",
    DEFINE_ALGO: "algo",
}
_CLIENT_IDS: Final = frozenset(
    ("client_order_id", "orig_client_order_id", "cancel_client_order_id")
)
_HARMLESS: Final = frozenset(
    (
        (Breach, "rule"),
        (Charge, "rule"),
        (Charge, "tariff"),
        (Alert, "rule"),
        (Alert, "figures"),
        (LadderStep, "cause"),
        (Posting, "tariff"),
        (Posting, "period"),
        (Posting, "currency"),
        (DefineSymbol, "name"),
        (DefineAccount, "tier"),
        (RulebookChanged, "name"),
        (RulebookChanged, "revision"),
        (RunBegan, "previous"),
    )
)
"""Texts of the record that come from the rulebook or the venue, never from anybody masked."""


class MaskError(ValueError):
    """Masking rules that can't be used; `errors` has one line for each fault."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


class Mask:
    """What becomes of each kind of field. Without rules everything is kept."""

    def __init__(self, rules: Mapping[str, str] | None = None, key: bytes = b"") -> None:
        """Take actions by field and the key of the pseudonyms; raises MaskError."""
        given = dict(rules or {})
        errors = [_fault(field, action) for field, action in given.items()]
        masks = any(action != KEEP for action in given.values())
        if PSEUDONYM in given.values() and len(key) < KEY_BYTES_MIN:
            errors.append(
                f"pseudonyms need a key of at least {KEY_BYTES_MIN} bytes; the one given has "
                f"{len(key)}"
            )
        if faults := [error for error in errors if error]:
            raise MaskError(faults)
        self._actions = {field: given.get(field, KEEP) for field in FIELDS}
        if masks and "text" not in given:
            self._actions["text"] = ERASE
        self.active = masks
        self._key = key
        self._pseudonym = lru_cache(maxsize=65_536)(self._made)

    def apply(self, field: str, value: str | None) -> str | None:
        """Return what is shown of a value of a kind of field, None when it is erased."""
        action = self._actions[field]
        if action == KEEP or not value:
            return value
        if action == PSEUDONYM:
            return self._pseudonym(field, value)
        return _network(value) if action == NETWORK else None

    def fields(self, action: str) -> list[str]:
        """Return the kinds of field that an action is taken on."""
        return [field for field in FIELDS if self._actions[field] == action]

    def summary(self) -> dict[str, list[str]]:
        """Return what was done to which fields, for whoever reads the result."""
        return {
            "erased": self.fields(ERASE),
            "pseudonyms": self.fields(PSEUDONYM),
            "networks": self.fields(NETWORK),
            "kept": self.fields(KEEP) if self.active else [],
        }

    def _made(self, field: str, value: str) -> str:
        digest = hmac.new(self._key, f"{field}\x00{value}".encode(), hashlib.sha256).digest()
        text = base64.b32encode(digest).decode("ascii").lower()
        return f"{field}-{text[:_PSEUDONYM_CHARACTERS]}"


def mask_rules(text: str) -> dict[str, str]:
    """Return the rules of a TOML document: actions by field. Raises MaskError."""
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MaskError([str(error)]) from None
    rules = {field: str(action) for field, action in document.items()}
    if faults := [fault for field, action in rules.items() if (fault := _fault(field, action))]:
        raise MaskError(faults)
    return rules


def _fault(field: str, action: str) -> str:
    """Return what is wrong with a rule, empty when nothing is."""
    if field not in FIELDS:
        return f"`{field}` can't be masked; there are {', '.join(FIELDS)}"
    if action not in ACTIONS:
        return f"`{action}` is nothing that can be done to {field}; there are {', '.join(ACTIONS)}"
    if action == NETWORK and field != "address":
        return f"only an address has a network; {field} can be {KEEP}, {ERASE} or {PSEUDONYM}"
    return ""


def _network(address: str) -> str | None:
    """Return the network of an address, /24 or /48; None for what is no address."""
    try:
        found = ip_network(address)
    except ValueError:
        return None
    prefix = _PREFIX_IPV4 if isinstance(found, IPv4Network) else _PREFIX_IPV6
    return str(found.supernet(new_prefix=min(prefix, found.prefixlen)))


class MaskedNames(Names):
    """Names of the record as a mask lets them be seen."""

    def __init__(self, directory: Directory, mask: Mask) -> None:
        super().__init__(directory)
        self.mask = mask

    def account(self, number: int) -> str | None:
        """Return an account's name."""
        return self.mask.apply("account", super().account(number))

    def key(self, number: int) -> str | None:
        """Return a key's public id."""
        return self.mask.apply("key", super().key(number))

    def interned(self, kind: int, number: int) -> str | None:
        """Return the name of an address, owner, asset, client program or algorithm."""
        name = super().interned(kind, number)
        return name if kind == DEFINE_ASSET else self.mask.apply(_KINDS.get(kind, "text"), name)

    def client_order_id(self, text: str) -> str | None:
        """Return a client order id."""
        return self.mask.apply("client_order_id", text)

    def measure(self, value: int | str) -> str | None:
        """Return a limit or observed value as exact text; one that is no number is free text."""
        text = str(value)
        return text if text.removeprefix("-").isdecimal() else self.mask.apply("text", text)

    def field(self, struct: msgspec.Struct, field: str) -> Any:
        """Return one field of an event or decision with names for numbers."""
        return self._value(struct, field, getattr(struct, field))

    def _value(self, struct: Any, field: str, value: Any) -> Any:
        if isinstance(value, str) and self.mask.active:
            return self._text(struct, field, value)
        return super()._value(struct, field, value)

    def _text(self, struct: Any, field: str, value: str) -> str | None:
        if (type(struct), field) in _HARMLESS:
            return value
        if field in _CLIENT_IDS:
            return self.mask.apply("client_order_id", value)
        if field == "actor":
            return self.mask.apply("actor", value)
        if field in ("limit", "observed"):
            return self.measure(value)
        if field == "name" and isinstance(struct, Define):
            if struct.kind == DEFINE_ASSET:
                return value
            return self.mask.apply(_KINDS.get(struct.kind, "text"), value)
        if field == "name" and isinstance(struct, DefineAccount):
            return self.mask.apply("account", value)
        if field == "name" and isinstance(struct, DefineKey):
            return self.mask.apply("key", value)
        return self.mask.apply("text", value)
