"""What edge processes need of the core: who may be believed, what is next, what an answer says."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, Protocol

import msgspec

from gateway.auth.authenticator import Authenticator, Identity
from gateway.dialects.http import HttpDialect
from gateway.directory import Directory
from gateway.edges.processes.messages import (
    NOT_VERIFIED,
    AnyAsking,
    Asked,
    AskedEvent,
    Decided,
    Definition,
    Unreadable,
)
from gateway.edges.protocols import SubmittingCore
from gateway.lanes import MARKET_DATA, lane_of, strangers_lane
from gateway.outcome import Outcome
from gateway.turns import Turns
from gateway.views import OrderView
from rules.access.ban_ladder import BanLadder
from rules.book import Book
from rules.endpoints import Endpoint
from rules.events import (
    Amend,
    Cancel,
    Define,
    DefineKey,
    DefineSymbol,
    Event,
    Place,
    Replace,
    Request,
)
from rules.pipeline import Pipeline
from rules.rates.order_count import OrderCount
from rules.rates.request_weight import RequestWeight
from rules.rulebook import Rulebook
from rules.values import (
    AUTH_NOT_CHECKED,
    AUTH_OK,
    AUTH_UNKNOWN_KEY,
    DEFINE_ASSET,
    SCOPE_ACCOUNT,
    SCOPE_IP,
)

_WITH_ORDER: Final = frozenset((Cancel, Amend))


class ServedCore(SubmittingCore, Protocol):
    """What is asked of the core for edge processes."""

    @property
    def pipeline(self) -> Pipeline:
        """Uses of limits, and bans."""

    @property
    def rulebook(self) -> Rulebook:
        """Limits, weights and filters in force."""

    @property
    def book(self) -> Book:
        """The facts of the pipeline."""

    def now_ns(self) -> int:
        """Return the core's time."""


class Orders(Protocol):
    """Orders as clients see them."""

    def get(
        self, account: int, symbol: int, order_id: int, client_order_id: str
    ) -> OrderView | None:
        """Return the account's order on `symbol` (0: any), open or closed."""


class MeasuredAnswers(Protocol):
    """Takes what edges have measured."""

    def answered_elsewhere(
        self,
        answers: tuple[tuple[int, int, int], ...],
        latencies: tuple[tuple[int, tuple[int, ...], int, int, int], ...],
    ) -> None:
        """Add answers by endpoint and status, and latencies by endpoint."""


class EdgeAuthenticator(Authenticator):
    """Authenticates what edges forward, by their word where they verified the signature.

    `found` is that word, for the request that is being read. Their word holds for one key: a key
    that was revoked since, or made anew under the same name, is looked at here.
    """

    def __init__(self, own: Authenticator, directory: Directory) -> None:
        self.found = Identity(NOT_VERIFIED, 0)
        self._own = own
        self._directory = directory

    def identify(self, key_name: str | None) -> Identity:
        """Return whose key id this is, without looking at a signature."""
        return self._own.identify(key_name)

    def authenticate(
        self, key_name: str | None, signature: str | None, payload: bytes, banned: bool = False
    ) -> Identity:
        """Return who signed `payload`."""
        found = self.found
        if found.auth != NOT_VERIFIED and not banned:
            definition = self._directory.keys.get(key_name or "")
            if definition is not None and definition.key == found.key and definition.enabled:
                return found
        return self._own.authenticate(key_name, signature, payload, banned)


class EdgeDesk:
    """What all edges of one gate ask of its core.

    `dialect` reads what they forward, with `authenticator`. `turns` says whose request is next,
    and `trusts` whether a key was proved from an address.
    """

    def __init__(
        self,
        core: ServedCore,
        dialect: HttpDialect,
        authenticator: EdgeAuthenticator,
        orders: Orders,
        meter: MeasuredAnswers,
        turns: Turns,
        trusts: Callable[[str], bool],
    ) -> None:
        self.core = core
        self.dialect = dialect
        self.authenticator = authenticator
        self.meter = meter
        self.turns = turns
        self._trusts = trusts
        self._lanes = {int(endpoint): lane_of(endpoint, core.rulebook) for endpoint in Endpoint}
        self._orders = orders
        self._weights = core.pipeline.rule(RequestWeight.name)
        self._counts = core.pipeline.rule(OrderCount.name)
        self._keys = core.directory.keys_by_number
        self._ladder: Any = core.pipeline.rule(BanLadder.name)

    def definitions(self) -> Iterator[Callable[[], Definition | None]]:
        """Yield what returns each definition there is, as it stands when it is called."""
        directory = self.core.directory
        for number, name in tuple(directory.names(DEFINE_ASSET).items()):
            yield partial(Define, DEFINE_ASSET, number, name)
        for symbol in tuple(directory.symbols_by_number):
            yield partial(directory.symbols_by_number.get, symbol)
        for key in tuple(directory.keys_by_number):
            yield partial(directory.keys_by_number.get, key)

    def lane(self, message: AnyAsking) -> int:
        """Return the lane of a request; of one without a proved key that of a stranger's."""
        if isinstance(message, Asked):
            event = message.event
            lane = self._lanes[event.endpoint]
            return lane if event.auth == AUTH_OK else strangers_lane(lane)
        if isinstance(message, Unreadable):
            return MARKET_DATA
        lane = self._lanes[message.endpoint]
        if lane == MARKET_DATA or message.auth == AUTH_OK or self._trusts(message.address):
            return lane
        return strangers_lane(lane)

    def looked_at(self, event: AskedEvent) -> AskedEvent:
        """Return a request with the result of authentication as it is now."""
        ladder, ip = self._ladder, event.ip
        # Hardly anybody was ever banned, so the time is asked for only then.
        if (
            ladder is not None
            and ladder.banned_until(ip, 0)
            and ladder.banned_until(ip, self.core.now_ns())
        ):
            # Its signature was verified before the edge could know; here it would not have been.
            return msgspec.structs.replace(event, auth=AUTH_NOT_CHECKED)
        if not self._keys[event.key].enabled:
            return msgspec.structs.replace(event, auth=AUTH_UNKNOWN_KEY)
        return event

    def decided(self, number: int, outcome: Outcome, waited_ns: int, most_ns: int) -> Decided:
        """Return an outcome with what its answer says beside it."""
        event, decision = outcome.event, outcome.decision
        assert isinstance(event, Request)
        account = decision.account
        if not account and event.key:
            account = self._keys[event.key].account
        core = self.core
        book, now_ns = core.book, outcome.result_ns or outcome.now_ns
        weights: tuple[int, ...] = ()
        counts: tuple[int, ...] = ()
        if self._weights is not None:
            weights = self._weights.used(SCOPE_IP, event.ip, book, now_ns)
        if self._counts is not None and account:
            counts = self._counts.used(SCOPE_ACCOUNT, account, book, now_ns)
        return Decided(
            number,
            outcome.seq,
            outcome.now_ns,
            decision,
            outcome.result,
            outcome.result_ns,
            weights,
            counts,
            None if type(event) is Place else self._view(event, outcome, account),
            waited_ns,
            most_ns,
        )

    def _view(self, event: Request, outcome: Outcome, account: int) -> OrderView | None:
        """Return the order an answer is about where the outcome does not say all of it."""
        kind = type(event)
        if kind in _WITH_ORDER:
            order_id = outcome.decision.order_id
        elif kind is Replace and outcome.result is not None and outcome.result.ended:
            order_id = outcome.result.ended[0].order_id
        else:
            return None
        return self._orders.get(account, 0, order_id, "") if order_id else None


def definition_of(event: Event) -> Definition | None:
    """Return what edges are told of an event, None when it is nothing to them."""
    if isinstance(event, (DefineSymbol, DefineKey)):
        return event
    if isinstance(event, Define) and event.kind == DEFINE_ASSET:
        return event
    return None
