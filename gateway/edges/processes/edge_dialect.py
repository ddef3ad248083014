"""The dialect in an edge process: what it reads itself, and what it leaves to the core."""

from functools import partial
from typing import Final

import msgspec

from gateway.auth.authenticator import Authenticator, Identity
from gateway.auth.signing import signed_bytes
from gateway.dialects.binance.dialect import BinanceDialect
from gateway.dialects.binance.routes import find_route
from gateway.dialects.http import HttpRequest, HttpResponse, Parsed, Render
from gateway.edges.processes.messages import NOT_VERIFIED
from gateway.edges.processes.mirror import LocalOutcome, Mirror
from gateway.outcome import Outcome
from rules.decisions import NOTED, Decision
from rules.endpoints import Endpoint
from rules.events import RefusedRequest, Request
from rules.instruments import SECURITY_SIGNED
from rules.reasons import Reason
from rules.values import AUTH_BAD_SIGNATURE, AUTH_OK, DEFINE_ADDRESS

READ_HERE: Final = frozenset(
    (
        Endpoint.ORDER_PLACE,
        Endpoint.ORDER_TEST,
        Endpoint.ORDER_CANCEL,
        Endpoint.ORDER_CANCEL_REPLACE,
        Endpoint.ORDER_AMEND,
    )
)
"""What an edge reads and answers itself: it needs no more for it than the outcome."""
VERIFIED: Final = frozenset((AUTH_OK, AUTH_BAD_SIGNATURE))
"""What an edge may say of a signature: it had the key. That there is no such key, or no longer,
only the core knows for sure."""
KEPT_MAX: Final = 65_536
"""Addresses that are kept in mind, banned ones and proved ones each; the oldest goes."""
_NO_DECISION: Final = Decision(NOTED)
_UNSEEN: Final = Identity(NOT_VERIFIED, 0)


class Forward(Request, frozen=True, array_like=True, gc=False):
    """A request that the core is to read; it stands for the event until the answer is there."""

    request: HttpRequest | None = None
    """None for what could not be read."""
    address: str = ""
    reason: int = 0
    detail: str = ""


class ForwardedOutcome(Outcome, frozen=True, gc=False):
    """The answer to a request that the core has read."""

    response: HttpResponse | None = None


def forwarded(event: Forward, response: HttpResponse) -> ForwardedOutcome:
    """Return the outcome of what was forwarded."""
    return ForwardedOutcome(0, 0, event, _NO_DECISION, response=response)


class EdgeDialect:
    """Reads orders and what changes them, and forwards everything else.

    Forwarded is whatever an edge could get wrong because the core may know better already: names
    that are new, keys it does not have. The signature of a banned address is not verified here;
    the core looks whether the ban still holds.
    """

    def __init__(
        self, mirror: Mirror, dialect: BinanceDialect, authenticator: Authenticator
    ) -> None:
        self._mirror = mirror
        self._dialect = dialect
        self._authenticator = authenticator
        self._banned: dict[str, None] = {}
        self._proved: dict[str, None] = {}
        """Addresses from which a signature was right."""

    def serves(self, path: str) -> bool:
        """Tell whether this dialect answers `path`."""
        return self._dialect.serves(path)

    def lane(self, method: str, path: str) -> int:
        """Return the lane of a request."""
        return self._dialect.lane(method, path)

    def shed(self, request: HttpRequest, waited_ns: int, most_ns: int) -> Parsed:
        """Leave it to the core what becomes of a request that waited for long."""
        return self.parse(request)

    def parse(self, request: HttpRequest) -> Parsed:
        """Turn a request into the event it is, or into one that is forwarded."""
        route = find_route(request.method, request.path)
        if route is None or request.body_too_large or request.address in self._banned:
            endpoint = Endpoint.UNKNOWN if route is None else route.endpoint
            return _forward(request, endpoint)
        endpoint = route.endpoint
        if endpoint in READ_HERE and self._knows(request):
            parsed = self._dialect.parse(request)
            event = parsed.event
            if event.auth == AUTH_OK:
                _keep(self._proved, request.address)
            elif event.auth not in VERIFIED:
                return _forward(request, endpoint)
            if type(event) is RefusedRequest and event.reason is Reason.UNKNOWN_SYMBOL:
                return _forward(request, endpoint, Identity(event.auth, event.key))
            return Parsed(event, partial(self._answer, request, parsed.render))
        return _forward(request, endpoint, self._verified(request, endpoint))

    def refuse(self, address: str, received_ns: int, reason: Reason, detail: str) -> Parsed:
        """Forward what the server could not read, or no dialect serves."""
        head = (int(Endpoint.UNKNOWN), 0, 0, NOT_VERIFIED, received_ns, 0, 0, 0, 0, 0, 0)
        return Parsed(Forward(*head, None, address, int(reason), detail), _response)

    def note(self, address: str, banned: bool) -> None:
        """Keep in mind whether an address was just told that it is banned."""
        if banned:
            _keep(self._banned, address)
        else:
            self._banned.pop(address, None)

    def trusts(self, address: str) -> bool:
        """Tell whether a key was proved from an address here, and it is not banned."""
        return address in self._proved and address not in self._banned

    def _answer(self, request: HttpRequest, render: Render, outcome: Outcome) -> HttpResponse:
        """Write the answer to a request that was read here."""
        assert isinstance(outcome, LocalOutcome)
        if outcome.waited_ns:
            shed = self._dialect.shed(request, outcome.waited_ns, outcome.most_ns)
            outcome = msgspec.structs.replace(outcome, event=shed.event)
            render = shed.render
        return self._mirror.show(render, outcome)

    def _knows(self, request: HttpRequest) -> bool:
        """Tell whether the request's names have numbers here."""
        directory = self._mirror.directory
        if not directory.known(DEFINE_ADDRESS, request.address):
            return False
        agent = request.headers.get("user-agent")
        return not agent or bool(directory.agent(agent))

    def _verified(self, request: HttpRequest, endpoint: Endpoint) -> Identity:
        """Return what is found of the signature, nothing where the core has to look at it."""
        if self._mirror.rulebook.entry(endpoint).security != SECURITY_SIGNED:
            return _UNSEEN
        payload, signature = signed_bytes(request.query, request.body)
        key_name = request.headers.get("x-mbx-apikey")
        identity = self._authenticator.authenticate(key_name, signature, payload)
        if identity.auth == AUTH_OK:
            _keep(self._proved, request.address)
        return identity if identity.auth in VERIFIED else _UNSEEN


def _forward(request: HttpRequest, endpoint: Endpoint, identity: Identity = _UNSEEN) -> Parsed:
    head = (int(endpoint), 0, identity.key, identity.auth, request.received_ns, 0, 0, 0, 0, 0, 0)
    return Parsed(Forward(*head, request, request.address), _response)


def _response(outcome: Outcome) -> HttpResponse:
    assert isinstance(outcome, ForwardedOutcome)
    assert outcome.response is not None
    return outcome.response


def _keep(kept: dict[str, None], address: str) -> None:
    if address not in kept:
        if len(kept) >= KEPT_MAX:
            del kept[next(iter(kept))]
        kept[address] = None
