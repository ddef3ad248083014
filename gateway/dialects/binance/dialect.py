"""The Binance Spot dialect: a request into an event, an outcome into an answer."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from gateway.auth.authenticator import NOBODY, Authenticator, Identity
from gateway.auth.signing import signed_bytes
from gateway.decision_id import DecisionIds
from gateway.dialects.binance import headers as header
from gateway.dialects.binance.errors import breach_object, rejection
from gateway.dialects.binance.order_answers import replace_refused
from gateway.dialects.binance.parameters import Fault, Parameters
from gateway.dialects.binance.reading import (
    TIME_UNITS,
    Answer,
    Desk,
    Failure,
    Reading,
)
from gateway.dialects.binance.routes import (
    DECISIONS_PREFIX,
    PREFIXES,
    ROUTES,
    find_route,
    known_path,
)
from gateway.dialects.binance.surface import DecisionRecord, DialectCore
from gateway.dialects.disclosure import rule_told
from gateway.dialects.http import HttpRequest, HttpResponse, Parsed, header_lines
from gateway.lanes import MARKET_DATA, QUERIES, lane_of, waited_texts
from gateway.outcome import Outcome
from gateway.stages import AUTHENTICATE, PARSE, Stages
from gateway.views import Views
from rules.access.ban_ladder import BanLadder
from rules.decisions import REFUSED, Breach
from rules.endpoints import Endpoint
from rules.events import Query, RefusedRequest, Replace, Request
from rules.instruments import SECURITY_KEY, SECURITY_NONE, SECURITY_SIGNED, EndpointEntry
from rules.reasons import Reason
from rules.values import AUTH_OK, CHANNEL_REST, DEFINE_ADDRESS, DEFINE_AGENT

_DETAIL_MAX: Final = 256
_CANCEL_SIDE: Final = frozenset(
    (
        Reason.UNKNOWN_ORDER,
        Reason.ORDER_ID_MISMATCH,
        Reason.CANCEL_RESTRICTED,
        Reason.MINIMUM_RESTING_TIME,
    )
)
"""The gate's refusals of a cancel-replace that are about the order to be cancelled."""
_ENGINE: Final = "engine"
"""Named as the rule where the engine refused."""
_encode = msgspec.json.Encoder().encode


class _Renderer(msgspec.Struct, frozen=True, gc=False):
    """Writes the answer to one request."""

    desk: Desk
    answer: Answer
    fault: Fault | None
    ip: int
    venue: bool
    """Whether it is one of the venue's routes, which tell the weight used."""
    counts_orders: bool

    def __call__(self, outcome: Outcome) -> HttpResponse:
        """Return the answer to `outcome`."""
        decision, result = outcome.decision, outcome.result
        if decision.verdict == REFUSED:
            breach = decision.breaches[0]
            return self._refusal(outcome, breach.reason, breach)
        if result is not None and result.unknown:
            return self._refusal(outcome, Reason.ENGINE_TIMEOUT, None)
        if result is not None and not result.accepted and not isinstance(outcome.event, Replace):
            # Of a cancel-replace one half may have worked: its answer tells.
            return self._refusal(outcome, result.reason or Reason.INTERNAL_ERROR, None)
        payload = self.answer(self.desk, outcome)
        if isinstance(payload, Failure):
            rule = [(header.RULE, _ENGINE)] if result is not None else []
            reason = None if result is None else result.replaced_refusal or result.reason
            return self._failure(outcome, payload, None, rule, reason)
        return self._response(outcome, 200, payload, "")

    def _refusal(self, outcome: Outcome, reason: Reason, breach: Breach | None) -> HttpResponse:
        event = outcome.event
        told = rejection(reason, event, breach, self.fault)
        rule = _ENGINE if breach is None else rule_told(breach)
        extra = [(header.RULE, rule)] if rule else []
        if breach is not None and told.status in (418, 429):
            extra.append(header.retry_after(breach, outcome.now_ns))
        failure = Failure(told.status, told.code, told.text)
        if isinstance(event, Replace) and reason in _CANCEL_SIDE:
            failure = replace_refused(told)
        return self._failure(outcome, failure, breach, extra, reason)

    def _failure(
        self,
        outcome: Outcome,
        failure: Failure,
        breach: Breach | None,
        extra: list[tuple[str, str]],
        reason: Reason | None = None,
    ) -> HttpResponse:
        """Return the answer to a failure; without a breach it is the engine's, for `reason`."""
        payload: dict[str, Any] = {"code": failure.code, "msg": failure.text}
        if failure.data is not None:
            payload["data"] = failure.data
        if breach is not None:
            desk = self.desk
            payload["ordergate"] = breach_object(desk.core.pipeline, desk.ids, breach)
        elif reason is not None:
            payload["ordergate"] = {"rule": _ENGINE, "reason": reason.name}
        return self._response(outcome, failure.status, payload, header_lines(extra))

    def _response(self, outcome: Outcome, status: int, payload: Any, extra: str) -> HttpResponse:
        desk = self.desk
        decision_id = desk.ids.encode(outcome.seq)
        lines = f"{header.ALWAYS}{header.DECISION}: {decision_id}\r\n{extra}"
        if self.venue:
            now_ns = outcome.result_ns or outcome.now_ns
            request_id = desk.ids.uuid(outcome.seq)
            weight = header.weight_lines(desk, self.ip, now_ns)
            lines = f"{lines}{header.REQUEST_ID}: {request_id}\r\n{weight}"
            if self.counts_orders:
                account = desk.account(outcome)
                if account:
                    lines += header.order_count_lines(desk, account, now_ns)
        return HttpResponse(status, lines, _encode(payload))


class BinanceDialect:
    """Speaks Binance Spot over HTTP.

    `find_record` returns a decision by its sequence number while it is kept, for
    `GET /ordergate/v1/decisions/<id>`. `stages` is told when a signature is verified.
    """

    def __init__(
        self,
        core: DialectCore,
        views: Views,
        authenticator: Authenticator,
        decision_ids: DecisionIds,
        find_record: Callable[[int], DecisionRecord | None],
        stages: Stages | None = None,
    ) -> None:
        self._core = core
        self._stages = stages
        self._authenticator = authenticator
        self._usual_terms: dict[tuple[str | None, ...], Any] = {}
        self._desk = Desk(core, views, decision_ids, find_record)
        self._desks = {
            ns_per_unit: self._desk._replace(ns_per_unit=ns_per_unit) for ns_per_unit in TIME_UNITS
        }
        self._lanes = {
            path: {
                method: lane_of(route.endpoint, core.rulebook) for method, route in methods.items()
            }
            for path, methods in ROUTES.items()
        }

    def serves(self, path: str) -> bool:
        """Tell whether this dialect answers `path`."""
        return path.startswith(PREFIXES)

    def lane(self, method: str, path: str) -> int:
        """Return the lane of a request; MARKET_DATA for a path there is nothing under."""
        lanes = self._lanes.get(path)
        if lanes is not None:
            return lanes.get(method, MARKET_DATA)
        return QUERIES if path.startswith(DECISIONS_PREFIX) else MARKET_DATA

    # --- Reading ------------------------------------------------------------------------------

    def shed(self, request: HttpRequest, waited_ns: int, most_ns: int) -> Parsed:
        """Turn a request that waited for too long into a refused one; no signature is verified."""
        route = find_route(request.method, request.path)
        endpoint = Endpoint.UNKNOWN if route is None else route.endpoint
        entry = self._core.rulebook.entry(endpoint)
        identity = NOBODY
        if entry.security != SECURITY_NONE:
            key_name = request.headers.get("x-mbx-apikey")
            identity = self._authenticator.authenticate(key_name, None, b"", banned=True)
        ip = self._core.directory.caller(request.address, proved=False)
        detail, expected = waited_texts(waited_ns, most_ns)
        event = RefusedRequest(
            int(endpoint),
            ip,
            identity.key,
            identity.auth,
            request.received_ns,
            0,
            0,
            0,
            CHANNEL_REST,
            request.session,
            self._agent(request, identity),
            reason=Reason.OVERLOADED,
            detail=detail,
            expected=expected,
        )
        venue = request.path.startswith("/api/")
        return Parsed(event, _Renderer(self._desk, _nothing, None, ip, venue, False))

    def parse(self, request: HttpRequest) -> Parsed:
        """Turn a request into an event; whatever was sent, it is one."""
        route = find_route(request.method, request.path)
        if route is None:
            return self._unknown(request)
        parameters = Parameters(request.query, request.body)
        if request.body_too_large:
            parameters.fault = Fault(Reason.BODY_TOO_LARGE)
        directory = self._core.directory
        ip = directory.known(DEFINE_ADDRESS, request.address)
        entry = self._core.rulebook.entry(route.endpoint)
        stages = self._stages
        if stages is not None:
            stages.enter(AUTHENTICATE)
        identity = self._authenticate(request, entry, ip)
        if stages is not None:
            stages.enter(PARSE)
        if not ip:
            proved = identity.auth == AUTH_OK and entry.security == SECURITY_SIGNED
            ip = directory.caller(request.address, proved)
        agent = self._agent(request, identity)
        reading = Reading(
            self._core,
            request,
            route.endpoint,
            parameters,
            identity,
            ip,
            agent,
            self._usual_terms,
        )
        asked = route.read(reading)
        event = asked.event
        if parameters.fault is not None:
            event = _refused(event, parameters.fault)
        renderer = _Renderer(
            self._desks[reading.ns_per_unit],
            asked.answer,
            parameters.fault,
            ip,
            request.path.startswith("/api/"),
            route.counts_orders,
        )
        return Parsed(event, renderer)

    def refuse(self, address: str, received_ns: int, reason: Reason, detail: str) -> Parsed:
        """Turn what the server could not read, or no dialect serves, into a refused request."""
        request = HttpRequest("", "", b"", {}, b"", address, received_ns)
        return self._refused(request, Fault(reason, detail[:_DETAIL_MAX]))

    def _unknown(self, request: HttpRequest) -> Parsed:
        known = known_path(request.path)
        reason = Reason.METHOD_NOT_ALLOWED if known else Reason.UNKNOWN_ENDPOINT
        detail = f"{request.method} {request.path}"
        return self._refused(request, Fault(reason, detail[:_DETAIL_MAX]))

    def _refused(self, request: HttpRequest, fault: Fault) -> Parsed:
        """Return a request of no route, with the answer that it is refused."""
        parameters = Parameters(b"", b"")
        ip = self._core.directory.caller(request.address, proved=False)
        reading = Reading(self._core, request, Endpoint.UNKNOWN, parameters, NOBODY, ip, 0, {})
        event = _refused(Query(*reading.head()), fault)
        venue = request.path.startswith("/api/")
        return Parsed(event, _Renderer(self._desk, _nothing, fault, ip, venue, False))

    def _authenticate(self, request: HttpRequest, entry: EndpointEntry, ip: int) -> Identity:
        if entry.security == SECURITY_NONE:
            return NOBODY
        key_name = request.headers.get("x-mbx-apikey")
        if entry.security == SECURITY_KEY:
            return self._authenticator.identify(key_name)
        payload, signature = signed_bytes(request.query, request.body)
        banned = not entry.gate and self._banned(ip)
        return self._authenticator.authenticate(key_name, signature, payload, banned)

    def _banned(self, ip: int) -> bool:
        ladder: Any = self._core.pipeline.rule(BanLadder.name)
        # Hardly anybody was ever banned, so the time is asked for only then.
        return (
            ladder is not None
            and ladder.banned_until(ip, 0) > 0
            and ladder.banned_until(ip, self._core.now_ns()) > 0
        )

    def _agent(self, request: HttpRequest, identity: Identity) -> int:
        """Return the client program's number; only who proved to be somebody gets a new one."""
        name = request.headers.get("user-agent")
        if not name:
            return 0
        if identity.auth == AUTH_OK:
            return self._core.directory.agent(name)
        return self._core.directory.known(DEFINE_AGENT, name[:120])


def _refused(event: Request, fault: Fault) -> RefusedRequest:
    """Return the refused form of a request, with what is known of it."""
    symbol = getattr(event, "symbol", 0)
    client_order_id = getattr(event, "client_order_id", "")
    return RefusedRequest(
        event.endpoint,
        event.ip,
        event.key,
        event.auth,
        event.received_ns,
        event.timestamp_ns,
        event.recv_window_ns,
        event.size,
        event.channel,
        event.session,
        event.agent,
        reason=fault.reason,
        detail=fault.detail,
        symbol=symbol,
        client_order_id=client_order_id,
        expected=fault.expected,
    )


def _nothing(_desk: Desk, _outcome: Outcome) -> Any:
    """Answer nothing: the request is always refused."""
    return {}
