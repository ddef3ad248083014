from gateway.wire.ordergate.v1 import values_pb2 as _values_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LimitUnit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIMIT_UNIT_COUNT: _ClassVar[LimitUnit]
    LIMIT_UNIT_E8: _ClassVar[LimitUnit]
    LIMIT_UNIT_NANOSECOND: _ClassVar[LimitUnit]
LIMIT_UNIT_COUNT: LimitUnit
LIMIT_UNIT_E8: LimitUnit
LIMIT_UNIT_NANOSECOND: LimitUnit

class PlaceRequest(_message.Message):
    __slots__ = ("symbol", "side", "order_type", "time_in_force", "price_e8", "quantity_e8", "quote_quantity_e8", "client_order_id", "stp_mode", "test", "algo", "market_making")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    ORDER_TYPE_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    PRICE_E8_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_E8_FIELD_NUMBER: _ClassVar[int]
    QUOTE_QUANTITY_E8_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    STP_MODE_FIELD_NUMBER: _ClassVar[int]
    TEST_FIELD_NUMBER: _ClassVar[int]
    ALGO_FIELD_NUMBER: _ClassVar[int]
    MARKET_MAKING_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    side: _values_pb2.Side
    order_type: _values_pb2.OrderType
    time_in_force: _values_pb2.TimeInForce
    price_e8: int
    quantity_e8: int
    quote_quantity_e8: int
    client_order_id: str
    stp_mode: _values_pb2.StpMode
    test: bool
    algo: str
    market_making: bool
    def __init__(self, symbol: _Optional[str] = ..., side: _Optional[_Union[_values_pb2.Side, str]] = ..., order_type: _Optional[_Union[_values_pb2.OrderType, str]] = ..., time_in_force: _Optional[_Union[_values_pb2.TimeInForce, str]] = ..., price_e8: _Optional[int] = ..., quantity_e8: _Optional[int] = ..., quote_quantity_e8: _Optional[int] = ..., client_order_id: _Optional[str] = ..., stp_mode: _Optional[_Union[_values_pb2.StpMode, str]] = ..., test: _Optional[bool] = ..., algo: _Optional[str] = ..., market_making: _Optional[bool] = ...) -> None: ...

class Fill(_message.Message):
    __slots__ = ("trade_id", "price_e8", "quantity_e8", "quote_e8", "commission_e8", "commission_asset", "maker")
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_E8_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_E8_FIELD_NUMBER: _ClassVar[int]
    QUOTE_E8_FIELD_NUMBER: _ClassVar[int]
    COMMISSION_E8_FIELD_NUMBER: _ClassVar[int]
    COMMISSION_ASSET_FIELD_NUMBER: _ClassVar[int]
    MAKER_FIELD_NUMBER: _ClassVar[int]
    trade_id: int
    price_e8: int
    quantity_e8: int
    quote_e8: int
    commission_e8: int
    commission_asset: str
    maker: bool
    def __init__(self, trade_id: _Optional[int] = ..., price_e8: _Optional[int] = ..., quantity_e8: _Optional[int] = ..., quote_e8: _Optional[int] = ..., commission_e8: _Optional[int] = ..., commission_asset: _Optional[str] = ..., maker: _Optional[bool] = ...) -> None: ...

class PlaceResponse(_message.Message):
    __slots__ = ("decision_id", "symbol", "order_id", "client_order_id", "status", "executed_e8", "executed_quote_e8", "fills", "prevented_e8", "transact_time_ns", "ended_reason")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    EXECUTED_E8_FIELD_NUMBER: _ClassVar[int]
    EXECUTED_QUOTE_E8_FIELD_NUMBER: _ClassVar[int]
    FILLS_FIELD_NUMBER: _ClassVar[int]
    PREVENTED_E8_FIELD_NUMBER: _ClassVar[int]
    TRANSACT_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    ENDED_REASON_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    symbol: str
    order_id: int
    client_order_id: str
    status: _values_pb2.OrderStatus
    executed_e8: int
    executed_quote_e8: int
    fills: _containers.RepeatedCompositeFieldContainer[Fill]
    prevented_e8: int
    transact_time_ns: int
    ended_reason: _values_pb2.Reason
    def __init__(self, decision_id: _Optional[str] = ..., symbol: _Optional[str] = ..., order_id: _Optional[int] = ..., client_order_id: _Optional[str] = ..., status: _Optional[_Union[_values_pb2.OrderStatus, str]] = ..., executed_e8: _Optional[int] = ..., executed_quote_e8: _Optional[int] = ..., fills: _Optional[_Iterable[_Union[Fill, _Mapping]]] = ..., prevented_e8: _Optional[int] = ..., transact_time_ns: _Optional[int] = ..., ended_reason: _Optional[_Union[_values_pb2.Reason, str]] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("symbol", "order_id", "orig_client_order_id", "client_order_id", "restriction")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ORIG_CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    RESTRICTION_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    order_id: int
    orig_client_order_id: str
    client_order_id: str
    restriction: _values_pb2.CancelRestriction
    def __init__(self, symbol: _Optional[str] = ..., order_id: _Optional[int] = ..., orig_client_order_id: _Optional[str] = ..., client_order_id: _Optional[str] = ..., restriction: _Optional[_Union[_values_pb2.CancelRestriction, str]] = ...) -> None: ...

class CanceledOrder(_message.Message):
    __slots__ = ("order_id", "client_order_id", "status", "executed_e8", "pending_until_ns", "charge_e8", "charge_currency")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    EXECUTED_E8_FIELD_NUMBER: _ClassVar[int]
    PENDING_UNTIL_NS_FIELD_NUMBER: _ClassVar[int]
    CHARGE_E8_FIELD_NUMBER: _ClassVar[int]
    CHARGE_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    order_id: int
    client_order_id: str
    status: _values_pb2.OrderStatus
    executed_e8: int
    pending_until_ns: int
    charge_e8: int
    charge_currency: str
    def __init__(self, order_id: _Optional[int] = ..., client_order_id: _Optional[str] = ..., status: _Optional[_Union[_values_pb2.OrderStatus, str]] = ..., executed_e8: _Optional[int] = ..., pending_until_ns: _Optional[int] = ..., charge_e8: _Optional[int] = ..., charge_currency: _Optional[str] = ...) -> None: ...

class CancelResponse(_message.Message):
    __slots__ = ("decision_id", "symbol", "order", "transact_time_ns")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    TRANSACT_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    symbol: str
    order: CanceledOrder
    transact_time_ns: int
    def __init__(self, decision_id: _Optional[str] = ..., symbol: _Optional[str] = ..., order: _Optional[_Union[CanceledOrder, _Mapping]] = ..., transact_time_ns: _Optional[int] = ...) -> None: ...

class ReplaceRequest(_message.Message):
    __slots__ = ("order_id", "orig_client_order_id", "order", "cancel_client_order_id", "allow_failure", "restriction")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ORIG_CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    CANCEL_CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ALLOW_FAILURE_FIELD_NUMBER: _ClassVar[int]
    RESTRICTION_FIELD_NUMBER: _ClassVar[int]
    order_id: int
    orig_client_order_id: str
    order: PlaceRequest
    cancel_client_order_id: str
    allow_failure: bool
    restriction: _values_pb2.CancelRestriction
    def __init__(self, order_id: _Optional[int] = ..., orig_client_order_id: _Optional[str] = ..., order: _Optional[_Union[PlaceRequest, _Mapping]] = ..., cancel_client_order_id: _Optional[str] = ..., allow_failure: _Optional[bool] = ..., restriction: _Optional[_Union[_values_pb2.CancelRestriction, str]] = ...) -> None: ...

class ReplaceResponse(_message.Message):
    __slots__ = ("decision_id", "canceled", "placed", "place_refusal")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    CANCELED_FIELD_NUMBER: _ClassVar[int]
    PLACED_FIELD_NUMBER: _ClassVar[int]
    PLACE_REFUSAL_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    canceled: CanceledOrder
    placed: PlaceResponse
    place_refusal: Refusal
    def __init__(self, decision_id: _Optional[str] = ..., canceled: _Optional[_Union[CanceledOrder, _Mapping]] = ..., placed: _Optional[_Union[PlaceResponse, _Mapping]] = ..., place_refusal: _Optional[_Union[Refusal, _Mapping]] = ...) -> None: ...

class CancelAllRequest(_message.Message):
    __slots__ = ("symbol",)
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    def __init__(self, symbol: _Optional[str] = ...) -> None: ...

class CancelAllResponse(_message.Message):
    __slots__ = ("decision_id", "orders", "more", "transact_time_ns")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    TRANSACT_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    orders: _containers.RepeatedCompositeFieldContainer[CanceledOrder]
    more: bool
    transact_time_ns: int
    def __init__(self, decision_id: _Optional[str] = ..., orders: _Optional[_Iterable[_Union[CanceledOrder, _Mapping]]] = ..., more: _Optional[bool] = ..., transact_time_ns: _Optional[int] = ...) -> None: ...

class StatusRequest(_message.Message):
    __slots__ = ("symbol", "order_id", "client_order_id")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    order_id: int
    client_order_id: str
    def __init__(self, symbol: _Optional[str] = ..., order_id: _Optional[int] = ..., client_order_id: _Optional[str] = ...) -> None: ...

class OrderState(_message.Message):
    __slots__ = ("symbol", "order_id", "client_order_id", "side", "order_type", "time_in_force", "price_e8", "quantity_e8", "quote_quantity_e8", "status", "executed_e8", "executed_quote_e8", "prevented_e8", "placed_time_ns", "update_time_ns", "unknown")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    ORDER_TYPE_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    PRICE_E8_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_E8_FIELD_NUMBER: _ClassVar[int]
    QUOTE_QUANTITY_E8_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    EXECUTED_E8_FIELD_NUMBER: _ClassVar[int]
    EXECUTED_QUOTE_E8_FIELD_NUMBER: _ClassVar[int]
    PREVENTED_E8_FIELD_NUMBER: _ClassVar[int]
    PLACED_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    order_id: int
    client_order_id: str
    side: _values_pb2.Side
    order_type: _values_pb2.OrderType
    time_in_force: _values_pb2.TimeInForce
    price_e8: int
    quantity_e8: int
    quote_quantity_e8: int
    status: _values_pb2.OrderStatus
    executed_e8: int
    executed_quote_e8: int
    prevented_e8: int
    placed_time_ns: int
    update_time_ns: int
    unknown: bool
    def __init__(self, symbol: _Optional[str] = ..., order_id: _Optional[int] = ..., client_order_id: _Optional[str] = ..., side: _Optional[_Union[_values_pb2.Side, str]] = ..., order_type: _Optional[_Union[_values_pb2.OrderType, str]] = ..., time_in_force: _Optional[_Union[_values_pb2.TimeInForce, str]] = ..., price_e8: _Optional[int] = ..., quantity_e8: _Optional[int] = ..., quote_quantity_e8: _Optional[int] = ..., status: _Optional[_Union[_values_pb2.OrderStatus, str]] = ..., executed_e8: _Optional[int] = ..., executed_quote_e8: _Optional[int] = ..., prevented_e8: _Optional[int] = ..., placed_time_ns: _Optional[int] = ..., update_time_ns: _Optional[int] = ..., unknown: _Optional[bool] = ...) -> None: ...

class StatusResponse(_message.Message):
    __slots__ = ("decision_id", "order")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    order: OrderState
    def __init__(self, decision_id: _Optional[str] = ..., order: _Optional[_Union[OrderState, _Mapping]] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("decision_id", "reason", "rule", "scope", "limit", "observed", "retry_at_ns", "retryable", "text", "window_ns", "detail", "expected", "order_id", "unknown", "others", "unit")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_FIELD_NUMBER: _ClassVar[int]
    RETRY_AT_NS_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_NS_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    OTHERS_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    reason: _values_pb2.Reason
    rule: str
    scope: _values_pb2.Scope
    limit: str
    observed: str
    retry_at_ns: int
    retryable: bool
    text: str
    window_ns: int
    detail: str
    expected: str
    order_id: int
    unknown: bool
    others: _containers.RepeatedCompositeFieldContainer[Refusal]
    unit: LimitUnit
    def __init__(self, decision_id: _Optional[str] = ..., reason: _Optional[_Union[_values_pb2.Reason, str]] = ..., rule: _Optional[str] = ..., scope: _Optional[_Union[_values_pb2.Scope, str]] = ..., limit: _Optional[str] = ..., observed: _Optional[str] = ..., retry_at_ns: _Optional[int] = ..., retryable: _Optional[bool] = ..., text: _Optional[str] = ..., window_ns: _Optional[int] = ..., detail: _Optional[str] = ..., expected: _Optional[str] = ..., order_id: _Optional[int] = ..., unknown: _Optional[bool] = ..., others: _Optional[_Iterable[_Union[Refusal, _Mapping]]] = ..., unit: _Optional[_Union[LimitUnit, str]] = ...) -> None: ...

class Logon(_message.Message):
    __slots__ = ("api_key", "timestamp_us", "recv_window_us", "signature", "agent")
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_US_FIELD_NUMBER: _ClassVar[int]
    RECV_WINDOW_US_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    api_key: str
    timestamp_us: int
    recv_window_us: int
    signature: str
    agent: str
    def __init__(self, api_key: _Optional[str] = ..., timestamp_us: _Optional[int] = ..., recv_window_us: _Optional[int] = ..., signature: _Optional[str] = ..., agent: _Optional[str] = ...) -> None: ...

class SessionEntry(_message.Message):
    __slots__ = ("sequence", "place", "cancel", "replace", "cancel_all", "status")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    CANCEL_ALL_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    place: PlaceRequest
    cancel: CancelRequest
    replace: ReplaceRequest
    cancel_all: CancelAllRequest
    status: StatusRequest
    def __init__(self, sequence: _Optional[int] = ..., place: _Optional[_Union[PlaceRequest, _Mapping]] = ..., cancel: _Optional[_Union[CancelRequest, _Mapping]] = ..., replace: _Optional[_Union[ReplaceRequest, _Mapping]] = ..., cancel_all: _Optional[_Union[CancelAllRequest, _Mapping]] = ..., status: _Optional[_Union[StatusRequest, _Mapping]] = ...) -> None: ...

class SessionRequest(_message.Message):
    __slots__ = ("logon", "timestamp_us", "recv_window_us", "entries")
    LOGON_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_US_FIELD_NUMBER: _ClassVar[int]
    RECV_WINDOW_US_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    logon: Logon
    timestamp_us: int
    recv_window_us: int
    entries: _containers.RepeatedCompositeFieldContainer[SessionEntry]
    def __init__(self, logon: _Optional[_Union[Logon, _Mapping]] = ..., timestamp_us: _Optional[int] = ..., recv_window_us: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[SessionEntry, _Mapping]]] = ...) -> None: ...

class LogonAccepted(_message.Message):
    __slots__ = ("decision_id", "session", "server_time_us")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SERVER_TIME_US_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    session: int
    server_time_us: int
    def __init__(self, decision_id: _Optional[str] = ..., session: _Optional[int] = ..., server_time_us: _Optional[int] = ...) -> None: ...

class SessionAnswer(_message.Message):
    __slots__ = ("sequence", "placed", "canceled", "replaced", "canceled_all", "status", "refused")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PLACED_FIELD_NUMBER: _ClassVar[int]
    CANCELED_FIELD_NUMBER: _ClassVar[int]
    REPLACED_FIELD_NUMBER: _ClassVar[int]
    CANCELED_ALL_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    placed: PlaceResponse
    canceled: CancelResponse
    replaced: ReplaceResponse
    canceled_all: CancelAllResponse
    status: StatusResponse
    refused: Refusal
    def __init__(self, sequence: _Optional[int] = ..., placed: _Optional[_Union[PlaceResponse, _Mapping]] = ..., canceled: _Optional[_Union[CancelResponse, _Mapping]] = ..., replaced: _Optional[_Union[ReplaceResponse, _Mapping]] = ..., canceled_all: _Optional[_Union[CancelAllResponse, _Mapping]] = ..., status: _Optional[_Union[StatusResponse, _Mapping]] = ..., refused: _Optional[_Union[Refusal, _Mapping]] = ...) -> None: ...

class SessionResponse(_message.Message):
    __slots__ = ("logon", "answers")
    LOGON_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    logon: LogonAccepted
    answers: _containers.RepeatedCompositeFieldContainer[SessionAnswer]
    def __init__(self, logon: _Optional[_Union[LogonAccepted, _Mapping]] = ..., answers: _Optional[_Iterable[_Union[SessionAnswer, _Mapping]]] = ...) -> None: ...
