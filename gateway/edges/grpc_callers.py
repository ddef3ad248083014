"""Who sends a gRPC message: address, key and the result of authentication."""

from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

import grpc
import msgspec

from gateway.addresses import PeerAddresses
from gateway.auth.authenticator import Authenticator, Identity
from gateway.dialects.native.desk import Caller, NativeCore
from gateway.dialects.native.reading import Fault, text_time_ns, time_ns
from gateway.dialects.native.signing import (
    KEY_HEADER,
    RECV_WINDOW_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    call_payload,
    logon_payload,
)
from gateway.stages import AUTHENTICATE, PARSE, Stages
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from rules.access.ban_ladder import BanLadder
from rules.reasons import Reason
from rules.values import AUTH_BAD_SIGNATURE, AUTH_NOT_REQUIRED, AUTH_OK, DEFINE_ADDRESS

_NO_TIME: Final = -1
"""Recv window of a message that has no timestamp and needs none."""
_PEERS_MAX: Final = 16_384
"""Peers whose host is kept in mind, as the calls of one connection follow one another."""
_RECV_WINDOW_FORM: Final = "microseconds, 0 to 99999999999999999999"


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where a call comes from, whoever sends it."""

    peer: str
    """The connection, as gRPC names it."""
    address: str
    ip: int
    """Its number, 0 when it has none yet."""
    agent: str
    """What the client program calls itself."""
    certificate: str
    """Common name of the client's verified certificate, empty without one."""
    metadata: dict[str, Any]
    """By name; those that end in `-bin` are bytes, all others text."""


class Callers:
    """Finds out who sends each message.

    Signatures of a banned address are not verified: its requests are refused anyway.
    A client certificate that the server verified stands for a signature: its common name is the
    API key. `certificates` tells whether the server's connections can have one. `stages` is told
    when a message is authenticated.
    """

    def __init__(
        self,
        core: NativeCore,
        authenticator: Authenticator,
        addresses: PeerAddresses | None = None,
        certificates: bool = False,
        stages: Stages | None = None,
    ) -> None:
        self._core = core
        self._stages = stages
        self._certificates = certificates
        self._directory = core.directory
        self._authenticator = authenticator
        self._addresses = addresses or PeerAddresses()

    def origin(self, context: "grpc.aio.ServicerContext[Any, Any]") -> Origin:
        """Return where a call comes from."""
        metadata: dict[str, Any] = dict(context.invocation_metadata() or ())
        peer = context.peer()
        address = self._addresses.of(peer_host(peer), metadata.get("x-forwarded-for"))
        certificate = ""
        if self._certificates:
            names = context.auth_context().get("x509_common_name", ())
            certificate = next(iter(names), b"").decode("utf-8", "replace")
        agent = metadata.get("user-agent", "")
        ip = self._directory.known(DEFINE_ADDRESS, address)
        return Origin(peer, address, ip, agent, certificate, metadata)

    def stranger(self, origin: Origin, received_ns: int) -> Caller:
        """Return the caller of something that needs no key."""
        ip = self._directory.caller(origin.address, proved=False)
        return Caller(ip, 0, AUTH_NOT_REQUIRED, received_ns, 0, _NO_TIME)

    def unary(
        self, origin: Origin, path: str, message: bytes, received_ns: int
    ) -> tuple[Caller, Fault | None]:
        """Return who made a unary call, and what is wrong with its metadata."""
        metadata = origin.metadata
        timestamp = metadata.get(TIMESTAMP_HEADER, "")
        recv_window = metadata.get(RECV_WINDOW_HEADER, "")
        identity = self._identify(
            origin,
            metadata.get(KEY_HEADER),
            metadata.get(SIGNATURE_HEADER),
            call_payload(path, timestamp, recv_window, message),
        )
        timestamp_ns = text_time_ns(timestamp)
        window_ns = text_time_ns(recv_window)
        fault = None
        if window_ns < 0:
            fault = Fault(Reason.INVALID_PARAMETER, RECV_WINDOW_HEADER, _RECV_WINDOW_FORM)
        elif recv_window and window_ns == 0:
            # A window of nothing is a window, and 0 would mean the default.
            window_ns = 1
        if not timestamp and origin.certificate:
            window_ns = _NO_TIME
        caller = self._caller(origin, identity, received_ns, timestamp_ns, window_ns)
        return caller, fault

    def unverified(self, origin: Origin, received_ns: int) -> Caller:
        """Return the caller of a unary call that is refused unread; no signature is verified."""
        name = origin.metadata.get(KEY_HEADER)
        identity = self._authenticator.authenticate(name, None, b"", banned=True)
        return self._caller(origin, identity, received_ns, 0, _NO_TIME)

    def logon(
        self, origin: Origin, logon: wire.Logon, received_ns: int, session: int
    ) -> tuple[Caller, Fault | None]:
        """Return who opens a session, and what is wrong with the logon."""
        identity = self._identify(origin, logon.api_key, logon.signature, logon_payload(logon))
        timestamp_ns = time_ns(logon.timestamp_us)
        window_ns = time_ns(logon.recv_window_us)
        fault = None
        if window_ns < 0:
            fault = Fault(Reason.PARAMETER_OUT_OF_RANGE, "recv_window_us", "0 and above")
        elif not logon.timestamp_us and origin.certificate:
            window_ns = _NO_TIME
        if logon.agent:
            origin = msgspec.structs.replace(origin, agent=logon.agent)
        caller = self._caller(origin, identity, received_ns, timestamp_ns, window_ns)
        return msgspec.structs.replace(caller, session=session), fault

    def _identify(
        self, origin: Origin, key_name: str | None, signature: str | None, payload: bytes
    ) -> Identity:
        stages = self._stages
        if stages is not None:
            stages.enter(AUTHENTICATE)
        identity = self._identity(origin, key_name, signature, payload)
        if stages is not None:
            stages.enter(PARSE)
        return identity

    def _identity(
        self, origin: Origin, key_name: str | None, signature: str | None, payload: bytes
    ) -> Identity:
        banned = self._banned(origin.ip)
        if not origin.certificate or signature or banned:
            identity = self._authenticator.authenticate(key_name, signature, payload, banned)
        else:
            identity = self._authenticator.identify(key_name or origin.certificate)
        foreign = origin.certificate and (key_name or origin.certificate) != origin.certificate
        if foreign and identity.auth == AUTH_OK:
            # The connection belongs to one key, even where another's signature is right.
            return Identity(AUTH_BAD_SIGNATURE, identity.key)
        return identity

    def _banned(self, ip: int) -> bool:
        ladder: Any = self._core.pipeline.rule(BanLadder.name)
        return ladder is not None and ladder.banned_until(ip, self._core.now_ns()) > 0

    def _caller(
        self,
        origin: Origin,
        identity: Identity,
        received_ns: int,
        timestamp_ns: int,
        window_ns: int,
    ) -> Caller:
        # Only a proved key gets a new client program numbered: others could fill the record.
        proved = identity.auth == AUTH_OK
        agent = self._directory.agent(origin.agent) if proved else 0
        ip = self._directory.caller(origin.address, proved)
        return Caller(
            ip, identity.key, identity.auth, received_ns, timestamp_ns, window_ns, 0, agent
        )


def entry_caller(
    logged_on: Caller, message: wire.SessionRequest, received_ns: int
) -> tuple[Caller, Fault | None]:
    """Return who sent a message of an open session, and what is wrong with its times."""
    timestamp_ns = time_ns(message.timestamp_us)
    window_ns = time_ns(message.recv_window_us)
    fault = None
    if window_ns < 0:
        fault = Fault(Reason.PARAMETER_OUT_OF_RANGE, "recv_window_us", "0 and above")
    elif timestamp_ns == 0 and window_ns == 0:
        window_ns = _NO_TIME
    caller = msgspec.structs.replace(
        logged_on, received_ns=received_ns, timestamp_ns=timestamp_ns, recv_window_ns=window_ns
    )
    return caller, fault


@lru_cache(maxsize=_PEERS_MAX)
def peer_host(peer: str) -> str:
    """Return the host of a gRPC peer such as `ipv4:127.0.0.1:5000` or `ipv6:%5B::1%5D:5000`."""
    kind, _, rest = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return ""
    return unquote(rest).rpartition(":")[0].strip("[]")
