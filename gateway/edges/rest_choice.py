"""Which edge serves REST."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from gateway.addresses import PeerAddresses
from gateway.config import ListenConfig
from gateway.dialects.http import HttpDialect
from gateway.edges.http.edge import HttpEdge
from gateway.edges.http.limits import HttpLimits
from gateway.edges.protocols import Meter, SubmittingCore
from gateway.edges.rest import RestEdge
from gateway.stages import Stages

AnyRestEdge: TypeAlias = HttpEdge | RestEdge


def make_rest_edge(
    listen: ListenConfig,
    core: SubmittingCore,
    dialects: Sequence[HttpDialect],
    receive_ns: Callable[[], int],
    addresses: PeerAddresses,
    meter: Meter,
    stages: Stages | None = None,
) -> AnyRestEdge:
    """Return the edge the configuration asks for; only the own one tells `stages` of requests."""
    if listen.rest_edge == "aiohttp":
        return RestEdge(core, dialects, receive_ns, addresses, meter)
    limits = HttpLimits(connections=listen.connections_max)
    return HttpEdge(core, dialects, receive_ns, addresses, meter, limits, stages)
