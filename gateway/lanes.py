"""How urgent a request is: the lanes that requests of many connections wait in.

What gets somebody out of the market comes first, then what gets somebody in, then questions of
those who trade, then what anybody may ask. A lane says only who waits for whom and who is sent away
first when the gate has more to do than it can; what a request may do is the rules' to say.
"""

from typing import Final

from rules.endpoints import Endpoint
from rules.instruments import SECURITY_SIGNED
from rules.rulebook import Rulebook
from rules.values import NS_PER_MS

CANCELS: Final = 0
"""Cancels, and the logon of a session that may be needed to send one. Never shed."""
ORDERS: Final = 1
"""New orders, replacements and amends."""
QUERIES: Final = 2
"""What a client asks of its own account, and orders that are only tested."""
MARKET_DATA: Final = 3
"""What needs no signature, and what is no request at all."""
STRANGERS: Final = 4
"""Cancels that come neither over a connection that proved a key nor from an address that did."""
LANES: Final = 5
LANE_NAMES: Final = ("cancels", "orders", "queries", "market_data", "strangers_cancels")

_LANES: Final = {
    Endpoint.ORDER_CANCEL: CANCELS,
    Endpoint.OPEN_ORDERS_CANCEL: CANCELS,
    Endpoint.ORDER_LIST_CANCEL: CANCELS,
    Endpoint.SESSION_LOGON: CANCELS,
    Endpoint.SESSION_CONNECT: CANCELS,
    Endpoint.ORDER_PLACE: ORDERS,
    Endpoint.ORDER_LIST_PLACE: ORDERS,
    Endpoint.ORDER_CANCEL_REPLACE: ORDERS,
    Endpoint.ORDER_REPLACE: ORDERS,
    Endpoint.ORDER_AMEND: ORDERS,
}


def lane_of(endpoint: int, rulebook: Rulebook) -> int:
    """Return the lane of a client that is known to hold a key."""
    lane = _LANES.get(Endpoint(endpoint))
    if lane is not None:
        return lane
    signed = rulebook.entry(Endpoint(endpoint)).security == SECURITY_SIGNED
    return QUERIES if signed else MARKET_DATA


def waited_texts(waited_ns: int, most_ns: int) -> tuple[str, str]:
    """Return what the record says of a request that was shed: how long it waited, and the bound."""
    return f"waited {waited_ns // NS_PER_MS} ms", f"at most {most_ns // NS_PER_MS} ms"


def strangers_lane(lane: int) -> int:
    """Return the lane that the same request has when anybody could have sent it."""
    return STRANGERS if lane in (CANCELS, STRANGERS) else MARKET_DATA
