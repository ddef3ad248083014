"""A record as a tree of names and decimal texts.

Numbers that stand for something become what they stand for; amounts in 1e-8 units become decimal
text under the field's name without `_e8`; times stay nanoseconds. An interned number that is 0
becomes null, one that was never defined becomes `#` and the number.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from gateway.decision_id import DecisionIds
from gateway.directory import Directory
from gateway.journal import Record
from gateway.logview.subjects import LostOrder, Subject
from gateway.logview.times import time_text
from rules import values
from rules.conduct_facts import STEP_NAMES
from rules.decisions import VERDICT_NAMES, Breach
from rules.endpoints import Endpoint
from rules.events import AnyEvent, Event, SetState
from rules.units import decimal_text

_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")


def snake_case(name: str) -> str:
    """Return `CancelAll` as `cancel_all`."""
    return _CAPITAL.sub("_", name).lower()


EVENT_NAMES: Final[dict[type[Event], str]] = {
    event_type: snake_case(event_type.__name__) for event_type in AnyEvent.__args__
}
"""What each event type is called in output and filters."""

KIND_NAMES: Final = ("", "address", "owner", "asset", "agent", "algo", "group")
"""What each kind of `Define` gives a number."""

_CODES: Final[dict[str, Sequence[str]]] = {
    "side": values.SIDE_NAMES,
    "order_type": values.ORDER_TYPE_NAMES,
    "time_in_force": values.TIME_IN_FORCE_NAMES,
    "stp_mode": values.STP_MODE_NAMES,
    "status": values.ORDER_STATUS_NAMES,
    "auth": values.AUTH_NAMES,
    "channel": values.CHANNEL_NAMES,
    "buy_channel": values.CHANNEL_NAMES,
    "sell_channel": values.CHANNEL_NAMES,
    "cause": values.CAUSE_NAMES,
    "cancel_cause": values.CAUSE_NAMES,
    "scope": values.SCOPE_NAMES,
    "verdict": VERDICT_NAMES,
    "kind": KIND_NAMES,
    "act": values.CASE_ACT_NAMES,
    "step": STEP_NAMES,
    "before": STEP_NAMES,
    "space": values.SPACE_NAMES,
    "owner_class": values.OWNER_CLASS_NAMES,
    "restriction": ("", "ONLY_NEW", "ONLY_PARTIALLY_FILLED"),
}
ORDER_FLAGS: Final = {
    values.FLAG_TEST: "test",
    values.FLAG_ALGO: "algo",
    values.FLAG_MARKET_MAKING: "market_making",
}
_ACCOUNT_FLAGS: Final = {
    values.ACCOUNT_MARKET_MAKER: "market_maker",
    values.ACCOUNT_HIGH_FREQUENCY: "high_frequency",
    values.ACCOUNT_DEMO: "demo",
}
_KINDS: Final = {
    "ip": values.DEFINE_ADDRESS,
    "addresses": values.DEFINE_ADDRESS,
    "owner": values.DEFINE_OWNER,
    "buy_owner": values.DEFINE_OWNER,
    "sell_owner": values.DEFINE_OWNER,
    "asset": values.DEFINE_ASSET,
    "base_asset": values.DEFINE_ASSET,
    "quote_asset": values.DEFINE_ASSET,
    "commission_asset": values.DEFINE_ASSET,
    "reserved_asset": values.DEFINE_ASSET,
    "agent": values.DEFINE_AGENT,
    "algo": values.DEFINE_ALGO,
    "owners": values.DEFINE_OWNER,
    "group": values.DEFINE_GROUP,
}
ENDPOINT_NAMES: Final = {int(endpoint): endpoint.name for endpoint in Endpoint}
_ACCOUNTS: Final = frozenset(("account", "buy_account", "sell_account", "counter_account"))


class Names:
    """Turns numbers into names by what the record has defined so far."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    def symbol(self, number: int) -> str | None:
        """Return a symbol's name."""
        found = self.directory.symbols_by_number.get(number)
        return found.name if found is not None else _undefined(number)

    def account(self, number: int) -> str | None:
        """Return an account's name."""
        found = self.directory.accounts_by_number.get(number)
        return found.name if found is not None else _undefined(number)

    def key(self, number: int) -> str | None:
        """Return a key's public id."""
        found = self.directory.keys_by_number.get(number)
        return found.name if found is not None else _undefined(number)

    def interned(self, kind: int, number: int) -> str | None:
        """Return the name of an address, owner, asset, client program or algorithm."""
        return self.directory.name(kind, number) or _undefined(number)

    def owner(self, number: int) -> str | None:
        """Return an owner's name."""
        return self.interned(values.DEFINE_OWNER, number)

    def address(self, number: int) -> str | None:
        """Return an address as text."""
        return self.interned(values.DEFINE_ADDRESS, number)

    def interest(self, number: int) -> str | None:
        """Return the owner, or (below 0) the group of linked owners, whose conduct is judged."""
        kind = values.DEFINE_OWNER if number > 0 else values.DEFINE_GROUP
        return self.interned(kind, abs(number))

    def subject(self, scope: int, number: int) -> str | int | None:
        """Return who or what a limit or stop is about."""
        namers: dict[int, Callable[[int], str | None]] = {
            values.SCOPE_SYMBOL: self.symbol,
            values.SCOPE_OWNER: self.owner,
            values.SCOPE_ACCOUNT: self.account,
            values.SCOPE_KEY: self.key,
            values.SCOPE_IP: self.address,
        }
        namer = namers.get(scope)
        return namer(number) if namer is not None else number or None

    def tree(self, struct: Any, fields: Sequence[str] = ()) -> dict[str, Any]:
        """Return a struct's fields as a tree of plain values with names for numbers.

        `fields` says which, for objects that are not structs of the record.
        """
        rendered = {}
        for field in fields or struct.__struct_fields__:
            name = field.removesuffix("_e8")
            rendered[name] = self._value(struct, field, getattr(struct, field))
        if isinstance(struct, Breach):
            rendered["reason_code"] = int(struct.reason)
        return rendered

    def _value(self, struct: Any, field: str, value: Any) -> Any:
        if isinstance(value, msgspec.Struct):
            return self.tree(value)
        if isinstance(value, frozenset):
            value = tuple(sorted(value))
        if isinstance(value, tuple):
            return [self._value(struct, field, item) for item in value]
        if field in ("bids", "asks"):
            return decimal_text(value)
        if field.endswith("_e8"):
            # What does not fit 63 bits is kept as text.
            return decimal_text(int(value))
        if not isinstance(value, int) or isinstance(value, bool):
            return value
        if field == "symbol":
            return self.symbol(value)
        if field == "key":
            return self.key(value)
        if field in _ACCOUNTS:
            return self.account(value)
        if field == "interest":
            return self.interest(value)
        if field in _KINDS:
            return self.interned(_KINDS[field], value)
        if field == "subject":
            return self.subject(getattr(struct, "scope", 0), value)
        return coded(struct, field, value)


def coded(struct: Any, field: str, value: int) -> Any:
    """Return the name of a code, the names of a bit set, or the number itself."""
    if field in ("reason", "replaced_refusal"):
        return getattr(value, "name", value)
    if field == "endpoint":
        return ENDPOINT_NAMES.get(value, value)
    if field == "state":
        names = values.STATE_NAMES if isinstance(struct, SetState) else values.SYMBOL_STATE_NAMES
        return code_name(names, value)
    if field == "permissions":
        return bit_names(values.PERMISSION_NAMES, value)
    if field == "flags":
        order_like = not hasattr(struct, "tier")
        return bit_names(ORDER_FLAGS if order_like else _ACCOUNT_FLAGS, value)
    if field in _CODES:
        return code_name(_CODES[field], value)
    return value


def code_name(names: Sequence[str], value: int) -> str | int | None:
    """Return the name of a code, None where it stands for nothing, the number if it is not known."""
    return (names[value] or None) if 0 <= value < len(names) else value


def bit_names(names: dict[int, str], value: int) -> list[str]:
    """Return the names of the bits that are set."""
    return [name for bit, name in names.items() if value & bit]


def _undefined(number: int) -> str | None:
    return f"#{number}" if number else None


def record_tree(
    record: Record, subject: Subject, names: Names, ids: DecisionIds | None
) -> dict[str, Any]:
    """Return a record as a tree: its place and time, whom it is about, event and decision."""
    return {
        "seq": record.seq,
        "time": time_text(record.now_ns),
        "now_ns": record.now_ns,
        "decision_id": ids.encode(record.seq) if ids is not None else None,
        "event": EVENT_NAMES[type(record.event)],
        "verdict": code_name(VERDICT_NAMES, record.decision.verdict),
        "accounts": [names.account(number) for number in subject.accounts],
        "owners": [names.owner(number) for number in subject.owners],
        "symbols": [names.symbol(number) for number in subject.symbols],
        "lost": [_lost_tree(lost, names) for lost in subject.lost],
        "input": names.tree(record.event),
        "decision": names.tree(record.decision),
    }


def _lost_tree(lost: LostOrder, names: Names) -> dict[str, Any]:
    return {
        "order_id": lost.order_id,
        "client_order_id": lost.order.client_order_id,
        "account": names.account(lost.order.account),
        "owner": names.owner(lost.order.owner),
        "symbol": names.symbol(lost.order.symbol),
    }


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural but for 1: `1 segment`, `2 segments`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def printable(text: str) -> str:
    """Return `text` with control characters made visible, so that it can't steer a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
