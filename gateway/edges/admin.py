"""The admin port: operators' commands, health and metrics over HTTP.

Every path under `/admin/` needs the bearer token made at the start and kept in a file only its
owner can read. A request that says it comes from a web page of another origin is refused, token
or not. `/healthz` and `/metrics` need no token. Nothing here is limited or banned.
"""

import asyncio
import hmac
import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

from gateway.admin import case_messages, messages
from gateway.admin.administration import Administration
from gateway.admin.cases import CaseAdministration
from gateway.admin.key_registry import KeyRegistry
from gateway.admin.surface import TOKEN_FILE, URL_FILE, OperatorError, UnknownSubjectError
from gateway.stages import NOT_TRACED, Stages
from gateway.telemetry import EXPOSITION_TYPE, Telemetry
from gateway.turns import Turns
from rules.values import NS_PER_SECOND

ADVANCE_SECONDS_MAX: Final = 366 * 24 * 3_600
CONNECTIONS_MAX: Final = 64
"""Most connections at a time; a further one is closed at once."""
_BODY_MAX: Final = 65_536
_JSON: Final = "application/json"
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_MessageT = TypeVar("_MessageT", bound=messages.Message)

_logger = logging.getLogger(__name__)


def make_token(directory: Path) -> str:
    """Make a new admin token, and write it to `admin.token` in a directory, mode 0600.

    The file is replaced as a whole, so that it never is readable by others, not even when an old
    one was. Raises OSError when it can't be written.
    """
    token = secrets.token_urlsafe(32)
    path = directory / TOKEN_FILE
    fresh = path.with_name(f".{TOKEN_FILE}.{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(token + "\n")
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    return token


class _OneTooMany(asyncio.Protocol):
    """Closes a connection unheard."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        transport.abort()  # type: ignore[attr-defined]


class _Announced(asyncio.Protocol):
    """A connection whose bytes are announced before they are read."""

    def __init__(self, served: asyncio.Protocol, turns: Turns) -> None:
        self._turns = turns
        self.connection_made = served.connection_made  # type: ignore[method-assign]
        self.connection_lost = served.connection_lost  # type: ignore[method-assign]
        self.eof_received = served.eof_received  # type: ignore[method-assign]
        self.pause_writing = served.pause_writing  # type: ignore[method-assign]
        self.resume_writing = served.resume_writing  # type: ignore[method-assign]
        self._read = served.data_received

    def data_received(self, data: bytes) -> None:
        """Read bytes; nobody else's orders come before what they ask."""
        self._turns.operator_came()
        self._read(data)


class AdminEdge:
    """Serves operators on one port.

    `advance` moves a manual clock by nanoseconds and is None where time is real;
    `find_decision` returns one recorded decision by its id, None when there is none;
    `origins` are web origins that are let in besides the port's own. In `home`, unless it is None,
    the file `admin.url` says where the port is for as long as it listens. `stages` has measured
    where time goes, None where nothing is measured. `turns` lets operators go first, None where
    nobody waits.
    """

    def __init__(
        self,
        token: str,
        administration: Administration,
        keys: KeyRegistry,
        telemetry: Telemetry,
        find_decision: Callable[[str], Any | None],
        advance: Callable[[int], None] | None = None,
        origins: Iterable[str] = (),
        home: Path | None = None,
        cases: CaseAdministration | None = None,
        stages: Stages | None = None,
        turns: Turns | None = None,
    ) -> None:
        self._token = token.encode()
        self._administration = administration
        self._keys = keys
        self._cases = cases
        self._stages = stages
        self._turns = turns
        self._telemetry = telemetry
        self._find_decision = find_decision
        self._advance = advance
        self._origins = set(origins)
        self._url_file = home / URL_FILE if home is not None else None
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port (a free one for port 0); raises OSError when it is taken."""
        application = web.Application(middlewares=[self._guard], client_max_size=_BODY_MAX)
        application.router.add_routes(self._routes())
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=5.0)
        await self._runner.setup()
        serve = self._runner.server
        assert serve is not None

        def connection() -> asyncio.Protocol:
            if len(serve.connections) >= CONNECTIONS_MAX:
                return _OneTooMany()
            return serve() if self._turns is None else _Announced(serve(), self._turns)

        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(connection, host, port)
        bound: int = self._server.sockets[0].getsockname()[1]
        for name in ("127.0.0.1", "localhost", "[::1]"):
            self._origins.add(f"http://{name}:{bound}")
        if self._url_file is not None:
            self._url_file.write_text(url_of(host, bound) + "\n", encoding="ascii")
        return bound

    async def close(self) -> None:
        """Stop listening and close all connections."""
        if self._runner is not None:
            if self._url_file is not None:
                self._url_file.unlink(missing_ok=True)
            if self._server is not None:
                self._server.close()
                self._server = None
            await self._runner.cleanup()
            self._runner = None

    def _routes(self) -> list[web.RouteDef]:
        return [
            *(self._case_routes(self._cases) if self._cases is not None else ()),
            web.get("/healthz", self._health),
            web.get("/metrics", self._metrics),
            web.get("/admin/v1/status", self._status),
            web.get("/admin/v1/limits", self._limits),
            web.get("/admin/v1/conduct", self._conduct),
            web.get("/admin/v1/scope", self._scope),
            web.get("/admin/v1/stages", self._stage_times),
            web.get("/admin/v1/decisions/{id}", self._decision),
            web.post("/admin/v1/kill", self._kill),
            web.post("/admin/v1/release", self._release),
            web.post("/admin/v1/symbol-state", self._symbol_state),
            web.post("/admin/v1/ban", self._ban),
            web.post("/admin/v1/record/reads", self._record_read),
            web.get("/admin/v1/keys", self._list_keys),
            web.post("/admin/v1/keys", self._create_key),
            web.post("/admin/v1/keys/revoke", self._revoke_key),
            web.post("/admin/v1/clock/advance", self._advance_clock),
        ]

    def _case_routes(self, cases: CaseAdministration) -> tuple[web.RouteDef, ...]:
        async def listed(request: web.Request) -> web.Response:
            return _json(cases.cases(**_query(request, ("state", "owner", "rule"))))

        async def one(request: web.Request) -> web.Response:
            return _json(cases.case(request.match_info["case"]))

        async def act(request: web.Request) -> web.Response:
            return _json(await cases.act(await _read(request, case_messages.CaseActRequest)))

        async def groups(_request: web.Request) -> web.Response:
            return _json(cases.groups())

        async def link(request: web.Request) -> web.Response:
            return _json(await cases.link(await _read(request, case_messages.LinkRequest)))

        return (
            web.get("/admin/v1/cases", listed),
            web.get("/admin/v1/cases/{case}", one),
            web.post("/admin/v1/cases", act),
            web.get("/admin/v1/owner-groups", groups),
            web.post("/admin/v1/owner-groups", link),
        )

    # --- Who may speak ------------------------------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is not None and origin not in self._origins:
            return _error(403, f"origin `{origin}` is not let in")
        if request.path not in ("/healthz", "/metrics") and not self._authorized(request):
            response = _error(
                401, f"the admin token is missing or wrong; it is in the file {TOKEN_FILE}"
            )
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        try:
            return await handler(request)
        except UnknownSubjectError as error:
            return _error(404, str(error))
        except OperatorError as error:
            return _error(400, str(error))
        except web.HTTPException as error:
            return _error(error.status, error.reason)
        except Exception:
            _logger.exception("fault while answering %s %s", request.method, request.path)
            return _error(500, "a fault of the gate; its log has the details")

    def _authorized(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = token.strip().encode("utf-8", "surrogateescape")
        return scheme.lower() == "bearer" and hmac.compare_digest(given, self._token)

    # --- Reports ------------------------------------------------------------------------------

    async def _health(self, request: web.Request) -> web.Response:
        if self._administration.healthy():
            return web.json_response({"status": "ok"})
        return web.json_response({"status": "not taking orders"}, status=503)

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(
            body=self._telemetry.exposition(), headers={"Content-Type": EXPOSITION_TYPE}
        )

    async def _status(self, request: web.Request) -> web.Response:
        return _json(self._administration.status())

    async def _limits(self, request: web.Request) -> web.Response:
        asked = _query(request, ("key", "account", "address"))
        return _json(await self._administration.limits.list(**asked))

    async def _conduct(self, request: web.Request) -> web.Response:
        asked = _query(request, ("owner", "sort", "limit"))
        return _json(await self._administration.conduct.list(**asked))

    async def _scope(self, request: web.Request) -> web.Response:
        asked = _query(request, ("scope", "subject"))
        return _json(self._administration.scope(asked.get("scope", ""), asked.get("subject", "")))

    async def _stage_times(self, request: web.Request) -> web.Response:
        asked = _query(request, ("endpoint",))
        stages = self._stages
        return _json(NOT_TRACED if stages is None else stages.answer(asked.get("endpoint", "")))

    async def _decision(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        found = self._find_decision(name)
        if found is None:
            raise UnknownSubjectError(f"there is no decision `{name}` in the record")
        return _json(found)

    # --- Acts ---------------------------------------------------------------------------------

    async def _kill(self, request: web.Request) -> web.Response:
        return _json(await self._administration.kill(await _read(request, messages.KillRequest)))

    async def _release(self, request: web.Request) -> web.Response:
        asked = await _read(request, messages.ReleaseRequest)
        return _json(await self._administration.release(asked))

    async def _symbol_state(self, request: web.Request) -> web.Response:
        asked = await _read(request, messages.SymbolStateRequest)
        return _json(await self._administration.set_symbol_state(asked))

    async def _ban(self, request: web.Request) -> web.Response:
        return _json(await self._administration.ban(await _read(request, messages.BanRequest)))

    async def _record_read(self, request: web.Request) -> web.Response:
        asked = await _read(request, messages.RecordReadRequest)
        return _json(await self._administration.record_read(asked))

    async def _list_keys(self, request: web.Request) -> web.Response:
        return _json(self._keys.list())

    async def _create_key(self, request: web.Request) -> web.Response:
        asked = await _read(request, messages.CreateKeyRequest)
        return _json(await self._keys.create(asked), status=201)

    async def _revoke_key(self, request: web.Request) -> web.Response:
        return _json(await self._keys.revoke(await _read(request, messages.RevokeKeyRequest)))

    async def _advance_clock(self, request: web.Request) -> web.Response:
        asked = await _read(request, messages.AdvanceRequest)
        if self._advance is None:
            return _error(409, "the clock is real; only a gate with a manual clock can be advanced")
        if not 0 < asked.seconds <= ADVANCE_SECONDS_MAX:
            raise OperatorError(
                f"seconds {asked.seconds} is out of range; 1 to {ADVANCE_SECONDS_MAX} is taken"
            )
        self._advance(asked.seconds * NS_PER_SECOND)
        return _json(messages.ClockAnswer(now_ns=self._administration.now_ns()))


def url_of(host: str, port: int) -> str:
    """Return where a program on this machine finds a port; that on all addresses, on loopback."""
    reached = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


async def _read(request: web.Request, kind: type[_MessageT]) -> _MessageT:
    """Return the body as a message; raises OperatorError when it is none."""
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.DecodeError as error:
        raise OperatorError(f"body is not as expected: {error}") from None


def _query(request: web.Request, names: tuple[str, ...]) -> dict[str, str]:
    """Return the parameters; raises OperatorError for one that is not known."""
    asked = dict(request.query)
    for name in asked:
        if name not in names:
            raise OperatorError(f"parameter `{name}` is not known; there are {', '.join(names)}")
    return asked


def _json(answer: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), status=status, content_type=_JSON)


def _error(status: int, text: str) -> web.Response:
    return _json(messages.ErrorAnswer(text), status)
