"""What the native dialect reads of the gate, and who sent a request."""

from typing import NamedTuple, Protocol, TypeAlias

import msgspec

from gateway.decision_id import DecisionIds
from gateway.directory import Directory
from gateway.outcome import Outcome
from gateway.views import OrderView
from rules.events import Request
from rules.rule import Rule
from rules.rulebook import Rulebook
from rules.values import CHANNEL_GRPC

Head: TypeAlias = tuple[int, int, int, int, int, int, int, int, int, int, int]
"""The common beginning of every request event."""


class NamedRules(Protocol):
    """The part of the pipeline the dialect asks."""

    def rule(self, name: str) -> Rule | None:
        """Return a rule by its name, None when it is off."""


class NativeCore(Protocol):
    """The part of the core the dialect reads."""

    @property
    def pipeline(self) -> NamedRules:
        """The rules in force."""

    @property
    def rulebook(self) -> Rulebook:
        """Limits and filters in force."""

    @property
    def directory(self) -> Directory:
        """Names and numbers."""

    def now_ns(self) -> int:
        """Return the core's time."""


class OrderLookup(Protocol):
    """Orders as clients see them."""

    def get(
        self, account: int, symbol: int, order_id: int, client_order_id: str
    ) -> OrderView | None:
        """Return the account's order on `symbol` (0: any), open or closed."""


class Desk(NamedTuple):
    """What answers are written from."""

    core: NativeCore
    orders: OrderLookup
    ids: DecisionIds

    def account(self, outcome: Outcome) -> int:
        """Return the account that asked, 0 when nobody is known to have."""
        if outcome.decision.account:
            return outcome.decision.account
        event = outcome.event
        key = event.key if isinstance(event, Request) else 0
        definition = self.core.directory.keys_by_number.get(key)
        return definition.account if definition is not None else 0

    def symbol_name(self, symbol: int) -> str:
        """Return a symbol's name, empty when there is none."""
        found = self.core.directory.symbols_by_number.get(symbol)
        return found.name if found is not None else ""


class Caller(msgspec.Struct, frozen=True, gc=False):
    """Who sent a message and when, as its way in found out."""

    ip: int
    key: int
    auth: int
    received_ns: int
    timestamp_ns: int = 0
    """The client's time of sending; 0 when it gave none, -1 when malformed."""
    recv_window_ns: int = 0
    session: int = 0
    agent: int = 0

    def head(self, endpoint: int) -> Head:
        """Return the common fields of an event."""
        return (
            int(endpoint),
            self.ip,
            self.key,
            self.auth,
            self.received_ns,
            self.timestamp_ns,
            self.recv_window_ns,
            0,
            CHANNEL_GRPC,
            self.session,
            self.agent,
        )
