"""Requests of clients: mostly meaningful ones, near every boundary, about orders that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rules.endpoints import Endpoint
from rules.events import (
    Amend,
    Cancel,
    CancelAll,
    Event,
    Place,
    Query,
    RefusedRequest,
    Replace,
)
from rules.reasons import Reason
from rules.values import (
    AUTH_BAD_SIGNATURE,
    AUTH_MALFORMED_KEY,
    AUTH_MISSING_KEY,
    AUTH_MISSING_SIGNATURE,
    AUTH_NONCE_USED,
    AUTH_NOT_REQUIRED,
    AUTH_OK,
    AUTH_UNKNOWN_KEY,
    BUY,
    CHANNEL_GRPC,
    CHANNEL_REST,
    DECREMENT,
    E8,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    FLAG_ALGO,
    FLAG_TEST,
    FOK,
    GTC,
    IOC,
    LIMIT,
    LIMIT_MAKER,
    MARKET,
    NS_PER_MS,
    NS_PER_SECOND,
    RESTRICT_ONLY_NEW,
    RESTRICT_ONLY_PARTIALLY_FILLED,
    SELL,
    STP_NONE,
    TRANSFER,
)
from tests.sim.orders import ModelOrder
from tests.sim.participants import (
    ACCOUNT_OF,
    ADDRESSES,
    KEYS,
    PRICE_E8,
    STEP_E8,
    SYMBOLS,
    TICK_E8,
    TRADING_KEYS,
    Key,
)

if TYPE_CHECKING:
    from tests.sim.world import World

_QUANTITIES: Final = (
    *(STEP_E8 * steps for steps in (1, 2, 5, 10, 10, 20, 30, 60)),
    *(STEP_E8 * 80, STEP_E8 * 81, STEP_E8 // 2),
)
_ODD_PRICES: Final = (
    *(50 * E8, 50 * E8 - TICK_E8, 200 * E8, 200 * E8 + TICK_E8, PRICE_E8 + 1),
    *(80 * E8, 120 * E8, 120 * E8 + TICK_E8, 103 * E8, 90 * E8),
)
_STP: Final = (0, 0, 0, STP_NONE, EXPIRE_TAKER, EXPIRE_MAKER, EXPIRE_BOTH, DECREMENT, TRANSFER)
_RESTRICTIONS: Final = (0, 0, 0, RESTRICT_ONLY_NEW, RESTRICT_ONLY_PARTIALLY_FILLED)
_NO_AUTH: Final = (
    AUTH_NOT_REQUIRED,
    AUTH_MISSING_KEY,
    AUTH_MALFORMED_KEY,
    AUTH_UNKNOWN_KEY,
    AUTH_BAD_SIGNATURE,
    AUTH_MISSING_SIGNATURE,
    AUTH_NONCE_USED,
)
_QUERIES: Final = (
    *(Endpoint.PING, Endpoint.DEPTH, Endpoint.ORDER_QUERY, Endpoint.OPEN_ORDERS),
    *(Endpoint.ACCOUNT, Endpoint.GATE_STATUS, Endpoint.UNKNOWN, Endpoint.TICKER_24HR),
)
_FAULTY: Final = (
    Reason.MALFORMED_REQUEST,
    Reason.MISSING_PARAMETER,
    Reason.TOO_MUCH_PRECISION,
    Reason.UNKNOWN_SYMBOL,
)


def draw_request(world: World, kind: str) -> Event:
    """Return one request of a kind."""
    random = world.random
    key = random.choice(TRADING_KEYS if random.random() < 0.9 else KEYS)
    if kind == "place":
        return _place(world, key)
    if kind == "market":
        return _place(world, key, order_type=MARKET)
    if kind == "test_order":
        return _place(world, key, Endpoint.ORDER_TEST, flags=FLAG_TEST)
    if kind == "stale":
        return _stale(world, key)
    if kind == "unsigned":
        return _unsigned(world, key)
    if kind == "query":
        endpoint = random.choice(_QUERIES)
        size = random.choice((0, 1, 100, 101, 5000)) if endpoint == Endpoint.DEPTH else 0
        return Query(*_head(world, key, endpoint, size=size), random.choice((0, *SYMBOLS)))
    if kind == "malformed":
        endpoint = random.choice((Endpoint.ORDER_PLACE, Endpoint.ORDER_CANCEL, Endpoint.UNKNOWN))
        head = _head(world, key, endpoint)
        return RefusedRequest(*head, random.choice(_FAULTY), "symbol", random.choice((0, 1)))
    if kind == "cancel_all":
        head = _head(world, key, Endpoint.OPEN_ORDERS_CANCEL)
        return CancelAll(*head, random.choice((0, *SYMBOLS)))
    return _about_an_order(world, kind)


def cancel_of(world: World, order: ModelOrder) -> Cancel:
    """Return the cancel of one order by a key of its account."""
    key = _key_for(world, order)
    return Cancel(*_head(world, key, Endpoint.ORDER_CANCEL), order.symbol, order.order_id, "")


def _head(world: World, key: Key, endpoint: int, /, **changes: Any) -> tuple[int, ...]:
    """Return the fields every request begins with."""
    random, now_ns = world.random, world.clock.receive_ns()
    address = key.address if random.random() < 0.9 else random.choice(ADDRESSES)
    sessions = world.sessions
    fields = {
        "endpoint": int(endpoint),
        "ip": address,
        "key": key.number,
        "auth": AUTH_OK,
        "received_ns": now_ns,
        "timestamp_ns": now_ns - random.choice((0, 0, NS_PER_MS, NS_PER_SECOND)),
        "recv_window_ns": random.choice((0, 0, 2 * NS_PER_SECOND, 5 * NS_PER_SECOND)),
        "size": 0,
        "channel": random.choice((CHANNEL_REST, CHANNEL_GRPC)),
        "session": random.choice(sessions) if sessions and random.random() < 0.3 else 0,
        "agent": 0,
    }
    return tuple((fields | changes).values())


def _terms(world: World, order_type: int) -> dict[str, int]:
    """Return side, type, price and quantity of an order."""
    random = world.random
    price_e8 = PRICE_E8 + random.randint(-6, 6) * TICK_E8
    if random.random() < 0.06:
        price_e8 = random.choice(_ODD_PRICES)
    if not order_type:
        order_type = LIMIT_MAKER if random.random() < 0.15 else LIMIT
    quantity_e8 = random.choice(_QUANTITIES[:-3] if random.random() < 0.9 else _QUANTITIES)
    terms = {
        "side": random.choice((BUY, SELL)),
        "order_type": order_type,
        "time_in_force": random.choice((GTC, GTC, GTC, GTC, GTC, IOC, FOK))
        if order_type == LIMIT
        else 0,
        "price_e8": 0 if order_type == MARKET else price_e8,
        "quantity_e8": quantity_e8,
        "quote_quantity_e8": 0,
    }
    if order_type == MARKET and random.random() < 0.4:
        terms["quantity_e8"] = 0
        terms["quote_quantity_e8"] = random.randint(15, 600) * E8 + random.randrange(E8)
    return terms


def _name(world: World) -> str:
    """Return a client order id: often none, sometimes one that was used before."""
    random = world.random
    return random.choice(("", "", f"c{random.randrange(12)}", f"n{random.randrange(10**9)}"))


def _flags(world: World) -> int:
    return world.random.choice((0, 0, FLAG_ALGO))


def _place(
    world: World,
    key: Key,
    endpoint: int = Endpoint.ORDER_PLACE,
    /,
    order_type: int = 0,
    flags: int = 0,
    **head: Any,
) -> Place:
    random = world.random
    return Place(
        *_head(world, key, endpoint, **head),
        symbol=random.choice(SYMBOLS),
        **_terms(world, order_type),
        client_order_id=_name(world),
        stp_mode=random.choice(_STP),
        flags=flags | _flags(world),
    )


def _stale(world: World, key: Key) -> Place:
    """Return an order whose timestamp is around the edges of what is admitted."""
    random, now_ns = world.random, world.clock.receive_ns()
    age_ns = random.choice((2, 5, 60, -1, -10)) * NS_PER_SECOND + random.choice((-1, 0, 1))
    window_ns = random.choice((0, 2, 60)) * NS_PER_SECOND + random.choice((0, 1))
    timestamp_ns = random.choice((now_ns - age_ns, now_ns - age_ns, now_ns - age_ns, 0, -1, 1))
    return _place(world, key, timestamp_ns=timestamp_ns, recv_window_ns=window_ns)


def _unsigned(world: World, key: Key) -> Event:
    """Return a request that is not authenticated as its endpoint asks."""
    random = world.random
    number = key.number if random.random() < 0.5 else 0
    auth = random.choice(_NO_AUTH)
    if random.random() < 0.5:
        return _place(world, key, key=number, auth=auth)
    return Query(*_head(world, key, Endpoint.ACCOUNT, key=number, auth=auth))


def _about_an_order(world: World, kind: str) -> Event:
    """Return a cancel, amend or replacement of an order: most often one that is open."""
    random, orders = world.random, world.referee.orders
    there = orders.open if orders.open and random.random() < 0.85 else orders.every
    order = random.choice(list(there.values())) if there else None
    key = _key_for(world, order)
    order_id = order.order_id if order is not None else random.randint(1, 50)
    named = order.client_order_id if order is not None else "nobody"
    how = random.random()
    names = (order_id, "") if how < 0.6 else (0, named) if how < 0.85 else (order_id, named)
    if how > 0.97:
        names = order_id, "another"
    symbol = order.symbol if order is not None and random.random() < 0.95 else 1
    if kind == "cancel":
        head = _head(world, key, Endpoint.ORDER_CANCEL)
        return Cancel(*head, symbol, *names, restriction=random.choice(_RESTRICTIONS))
    if kind == "amend":
        return _amend(world, key, order, symbol, names)
    return Replace(
        *_head(world, key, Endpoint.ORDER_CANCEL_REPLACE),
        symbol,
        *names,
        **_terms(world, MARKET if random.random() < 0.1 else 0),
        client_order_id=_name(world),
        stp_mode=random.choice(_STP),
        flags=_flags(world),
        allow_failure=random.random() < 0.4,
        restriction=random.choice(_RESTRICTIONS),
    )


def _key_for(world: World, order: ModelOrder | None) -> Key:
    """Return a key of the order's account, now and then another."""
    random = world.random
    if order is None or random.random() < 0.05:
        return random.choice(KEYS)
    own = [key for key in TRADING_KEYS if ACCOUNT_OF[key.number] == order.account]
    return random.choice(own)


def _amend(
    world: World, key: Key, order: ModelOrder | None, symbol: int, names: tuple[int, str]
) -> Amend:
    random = world.random
    quantity_e8 = random.choice((0, *_QUANTITIES))
    price_e8 = random.choice((0, 0, PRICE_E8 + random.randint(-6, 6) * TICK_E8))
    if order is not None and random.random() < 0.5:
        quantity_e8 = max(order.quantity_e8 + random.choice((-1, 0, 1)) * STEP_E8, STEP_E8)
        if random.random() < 0.2:
            quantity_e8 = order.filled_e8 + random.choice((0, STEP_E8))
    head = _head(world, key, Endpoint.ORDER_AMEND)
    keeps = random.random() < 0.3
    return Amend(*head, symbol, *names, quantity_e8, price_e8, "", keeps)
