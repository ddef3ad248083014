"""Fields of order-entry messages into integers and texts, and the first fault found.

Nothing here raises on what a client sent. Whatever is wrong is kept as the message's one fault,
the first found, and the reading goes on with a neutral value.
"""

import re
from typing import Any, Final, TypeAlias

import msgspec

from gateway.dialects.native.desk import Caller, NativeCore
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from rules.reasons import Reason
from rules.values import (
    AUTH_OK,
    DEFINE_ALGO,
    FLAG_ALGO,
    FLAG_MARKET_MAKING,
    FLAG_TEST,
    INT63_MAX,
    LIMIT,
    LIMIT_MAKER,
    MARKET,
    ORDER_TYPE_NAMES,
    RESTRICT_ONLY_PARTIALLY_FILLED,
    SELL,
    STP_MODE_NAMES,
    TIME_IN_FORCE_NAMES,
)

CLIENT_ID_FORM: Final = "[a-zA-Z0-9_-]{1,36}"
_CLIENT_ID: Final = re.compile(CLIENT_ID_FORM)
_DETAIL_MAX: Final = 256
_ALGO_MAX: Final = 64
_NS_PER_MICROSECOND: Final = 1_000
_TIME_DIGITS: Final = re.compile("[0-9]{1,20}")

# Which fields each order type needs beside symbol, side and type, and which it may not have.
# Stop and take-profit orders need a stop price, which this dialect does not carry.
_MANDATORY: Final = {
    LIMIT: ("time_in_force", "quantity_e8", "price_e8"),
    MARKET: (),
    LIMIT_MAKER: ("quantity_e8", "price_e8"),
}
_FORBIDDEN: Final = {
    LIMIT: ("quote_quantity_e8",),
    MARKET: ("time_in_force", "price_e8"),
    LIMIT_MAKER: ("time_in_force", "quote_quantity_e8"),
}
_AMOUNTS: Final = (
    ("price_e8", Reason.PRICE_MIN),
    ("quantity_e8", Reason.QUANTITY_MIN),
    ("quote_quantity_e8", Reason.NOTIONAL_MIN),
)


class Fault(msgspec.Struct, frozen=True, gc=False):
    """Why a request could not be understood."""

    reason: Reason
    detail: str = ""
    """The field or value at fault."""
    expected: str = ""
    """What would have been accepted."""


Terms: TypeAlias = tuple[int, int, int, int, int, int, str, int, int, int]
"""What a new order is to be, as the fields of Place and Replace from `side` to `algo`."""
_NO_TERMS: Final[Terms] = (0, 0, 0, 0, 0, 0, "", 0, 0, 0)


class Reading:
    """One message being read, and the first fault found in it."""

    __slots__ = ("_caller", "_core", "_symbol_name", "fault")

    def __init__(self, core: NativeCore, caller: Caller) -> None:
        self._core = core
        self._caller = caller
        self._symbol_name = ""
        self.fault: Fault | None = None

    def fail(self, reason: Reason, detail: str = "", expected: str = "") -> None:
        """Note a fault, unless there is one already."""
        if self.fault is None:
            self.fault = Fault(reason, detail[:_DETAIL_MAX], expected)

    def missing(self, field: str) -> None:
        """Note that a field was not given."""
        self.fail(Reason.MISSING_PARAMETER, field)

    def unexpected(self, field: str) -> None:
        """Note that a field was given that must not be."""
        self.fail(Reason.UNEXPECTED_PARAMETER, field)

    def symbol(self, name: str) -> int:
        """Return the number of a symbol."""
        if not name:
            self.missing("symbol")
            return 0
        found = self._core.directory.symbols.get(name)
        if found is None:
            self.fail(Reason.UNKNOWN_SYMBOL, name)
            return 0
        self._symbol_name = name
        return found.symbol

    def order_names(self, message: Any, id_field: str, client_field: str) -> tuple[int, str]:
        """Return order id and client order id, of which at least one must be given."""
        order_id: int = getattr(message, id_field)
        if not order_id and not getattr(message, client_field):
            self.missing(f"{id_field}, {client_field}")
        if order_id < 0:
            self.fail(Reason.PARAMETER_OUT_OF_RANGE, id_field, f"1 to {INT63_MAX}")
        return order_id, self.client_id(message, client_field)

    def client_id(self, message: Any, field: str) -> str:
        """Return a client order id: up to 36 letters, digits, `-` and `_`."""
        value: str = getattr(message, field)
        if value and _CLIENT_ID.fullmatch(value) is None:
            self.fail(Reason.ILLEGAL_CHARACTERS, field, CLIENT_ID_FORM)
        return value

    def restriction(self, restriction: int) -> int:
        """Return the restriction of a cancel."""
        if not 0 <= restriction <= RESTRICT_ONLY_PARTIALLY_FILLED:
            self.fail(Reason.INVALID_PARAMETER, "restriction", "ONLY_NEW or ONLY_PARTIALLY_FILLED")
        return restriction

    def terms(self, message: wire.PlaceRequest) -> Terms:
        """Return the terms of a new order, after its symbol has been read."""
        side, order_type, time_in_force = message.side, message.order_type, message.time_in_force
        price_e8, quantity_e8 = message.price_e8, message.quantity_e8
        usual = (
            order_type == LIMIT
            and 0 < side <= SELL
            and 0 < time_in_force < len(TIME_IN_FORCE_NAMES)
            and price_e8 > 0
            and quantity_e8 > 0
            and not message.stp_mode
            and not message.HasField("quote_quantity_e8")
        )
        if not usual or self.fault is not None:
            self._check_codes(message)
            if self.fault is not None:
                return _NO_TERMS
            self._check_combination(message, order_type)
            self._check_amounts(message)
        filters = self._core.rulebook.filters(self._symbol_name)
        if order_type not in filters.order_types:
            self.fail(Reason.UNSUPPORTED_ORDER_TYPE, ORDER_TYPE_NAMES[order_type])
        stp_mode = 0 if usual else message.stp_mode
        if stp_mode and stp_mode not in filters.stp_modes:
            self.fail(Reason.INVALID_STP_MODE, STP_MODE_NAMES[stp_mode])
        algo = message.algo
        return (
            side,
            order_type,
            time_in_force,
            price_e8,
            quantity_e8,
            0 if usual else message.quote_quantity_e8,
            self.client_id(message, "client_order_id"),
            stp_mode,
            _flags(message),
            self._algo(algo) if algo else 0,
        )

    def _check_codes(self, message: wire.PlaceRequest) -> None:
        """Note a code that is missing or does not exist."""
        if not message.side:
            self.missing("side")
        elif not 0 < message.side <= SELL:
            self.fail(Reason.INVALID_SIDE, str(message.side), "BUY or SELL")
        if not message.order_type:
            self.missing("order_type")
        elif not 0 < message.order_type < len(ORDER_TYPE_NAMES):
            self.fail(Reason.INVALID_ORDER_TYPE, str(message.order_type))
        elif message.order_type not in _MANDATORY:
            self.fail(Reason.UNSUPPORTED_ORDER_TYPE, ORDER_TYPE_NAMES[message.order_type])
        if not 0 <= message.time_in_force < len(TIME_IN_FORCE_NAMES):
            self.fail(Reason.INVALID_TIME_IN_FORCE, str(message.time_in_force))
        if not 0 <= message.stp_mode < len(STP_MODE_NAMES):
            self.fail(Reason.INVALID_PARAMETER, "stp_mode", ", ".join(STP_MODE_NAMES[1:]))

    def _check_combination(self, message: wire.PlaceRequest, order_type: int) -> None:
        """Note what the order type needs and lacks, or has and may not have."""
        for field in _MANDATORY[order_type]:
            if not _given(message, field):
                self.missing(field)
        for field in _FORBIDDEN[order_type]:
            if _given(message, field):
                self.unexpected(field)
        if order_type == MARKET:
            given = message.HasField("quantity_e8") + message.HasField("quote_quantity_e8")
            if given == 2:
                self.fail(Reason.INVALID_ORDER_COMBINATION, "quantity_e8, quote_quantity_e8")
            elif given == 0:
                self.missing("quantity_e8, quote_quantity_e8")

    def _check_amounts(self, message: wire.PlaceRequest) -> None:
        """Note amounts below 0, and given ones that are 0, for the reason of their filter."""
        for field, too_small in _AMOUNTS:
            value = getattr(message, field)
            if value < 0:
                self.fail(Reason.PARAMETER_OUT_OF_RANGE, field, f"1 to {INT63_MAX}")
            elif value == 0 and _given(message, field):
                self.fail(too_small, field, "above 0")

    def _algo(self, text: str) -> int:
        """Return the number of an algorithm; strangers don't get to define one."""
        if len(text) > _ALGO_MAX:
            self.fail(Reason.PARAMETER_OUT_OF_RANGE, "algo", f"at most {_ALGO_MAX} characters")
        if self.fault is not None or self._caller.auth != AUTH_OK:
            return self._core.directory.known(DEFINE_ALGO, text)
        return self._core.directory.algo(text)


def recordable_id(text: str) -> str:
    """Return a client order id for the record of a refused request, empty when it is none."""
    return text if _CLIENT_ID.fullmatch(text) else ""


def time_ns(microseconds: int) -> int:
    """Return a client's time in ns; -1 when it can't be one, the most that fits when too large."""
    return -1 if microseconds < 0 else min(microseconds * _NS_PER_MICROSECOND, INT63_MAX)


def text_time_ns(text: str) -> int:
    """Return a client's time, written in microseconds, in ns; 0 when empty, -1 when malformed."""
    if not text:
        return 0
    return time_ns(int(text)) if _TIME_DIGITS.fullmatch(text) else -1


def _flags(message: wire.PlaceRequest) -> int:
    return (
        (FLAG_TEST if message.test else 0)
        | (FLAG_ALGO if message.algo else 0)
        | (FLAG_MARKET_MAKING if message.market_making else 0)
    )


def _given(message: Any, field: str) -> bool:
    if field == "time_in_force":
        return bool(message.time_in_force)
    return bool(message.HasField(field))
