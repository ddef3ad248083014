"""Which edge serves REST, and in how many processes."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from gateway.addresses import PeerAddresses
from gateway.auth.authenticator import Authenticator
from gateway.clock import Clock
from gateway.config import ListenConfig
from gateway.decision_id import DecisionIds
from gateway.dialects.binance.dialect import BinanceDialect
from gateway.dialects.binance.surface import DecisionRecord
from gateway.dialects.http import HttpDialect
from gateway.edges.http.edge import HttpEdge
from gateway.edges.http.limits import HttpLimits
from gateway.edges.processes.core_desk import EdgeAuthenticator, EdgeDesk, ServedCore
from gateway.edges.processes.messages import ClockRate, Setup
from gateway.edges.processes.supervisor import EdgePlan, EdgeProcesses, EdgesError
from gateway.edges.protocols import Meter, SubmittingCore, everybody
from gateway.edges.rest import RestEdge
from gateway.latencies import BOUNDS_NS
from gateway.stages import Stages
from gateway.telemetry import Telemetry
from gateway.turns import Turns
from gateway.views import Views

AnyRestEdge: TypeAlias = HttpEdge | RestEdge


def make_rest_edge(
    listen: ListenConfig,
    core: SubmittingCore,
    dialects: Sequence[HttpDialect],
    receive_ns: Callable[[], int],
    addresses: PeerAddresses,
    meter: Meter,
    stages: Stages | None = None,
    turns: Turns | None = None,
    trusts: Callable[[str], bool] = everybody,
) -> AnyRestEdge:
    """Return the edge the configuration asks for."""
    if listen.rest_edge == "aiohttp":
        return RestEdge(
            *(core, dialects, receive_ns, addresses, meter),
            turns=turns,
            trusts=trusts,
            stages=stages,
        )
    limits = HttpLimits(connections=listen.connections_max)
    return HttpEdge(core, dialects, receive_ns, addresses, meter, limits, stages, turns, trusts)


class EdgeGround(NamedTuple):
    """What edge processes stand on beside the core."""

    views: Views
    authenticator: Authenticator
    decision_key: bytes
    run_id: str
    keystore: Path
    find_record: Callable[[int], DecisionRecord | None]
    clock: Clock
    telemetry: Telemetry
    turns: Turns
    trusts: Callable[[str], bool]


def make_edge_processes(
    listen: ListenConfig, core: ServedCore, ground: EdgeGround
) -> EdgeProcesses:
    """Return REST served by as many processes as the configuration asks for.

    Raises EdgesError where the system can't share a port among them.
    """
    if sys.platform != "linux":
        raise EdgesError(
            f"{listen.edges} edge processes can't share a port on {sys.platform}: leave "
            "`listen.edges` out, or use Linux"
        )
    authenticator = EdgeAuthenticator(ground.authenticator, core.directory)
    ids = DecisionIds(ground.decision_key, ground.run_id)
    dialect = BinanceDialect(core, ground.views, authenticator, ids, ground.find_record)
    waiting = ground.turns, ground.trusts
    desk = EdgeDesk(core, dialect, authenticator, ground.views.orders, ground.telemetry, *waiting)

    def setup() -> Setup:
        return Setup(
            ClockRate(*ground.clock.rate()),
            listen.proxies,
            max(1, listen.connections_max // listen.edges),
            listen.spin,
            core.rulebook.text,
            ground.decision_key,
            ground.run_id,
            str(ground.keystore.absolute()),
            BOUNDS_NS,
        )

    edges = EdgeProcesses(EdgePlan(listen.edges, setup, ground.clock.rate), desk)
    gauge = ground.telemetry.gauge
    gauge("edges_serving", "edge processes that take connections", lambda: edges.serving)
    gauge("edge_deaths", "edge processes that ended unasked", lambda: edges.deaths)
    gauge("edge_connections", "open connections of all edge processes", lambda: edges.connections)
    return edges
