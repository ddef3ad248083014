from gateway.wire.ordergate.v1 import values_pb2 as _values_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Breach(_message.Message):
    __slots__ = ("rule", "reason", "limit", "observed", "retry_at_ns", "scope", "subject", "window_ns", "detail")
    RULE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_FIELD_NUMBER: _ClassVar[int]
    RETRY_AT_NS_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_NS_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    rule: str
    reason: _values_pb2.Reason
    limit: str
    observed: str
    retry_at_ns: int
    scope: _values_pb2.Scope
    subject: int
    window_ns: int
    detail: str
    def __init__(self, rule: _Optional[str] = ..., reason: _Optional[_Union[_values_pb2.Reason, str]] = ..., limit: _Optional[str] = ..., observed: _Optional[str] = ..., retry_at_ns: _Optional[int] = ..., scope: _Optional[_Union[_values_pb2.Scope, str]] = ..., subject: _Optional[int] = ..., window_ns: _Optional[int] = ..., detail: _Optional[str] = ...) -> None: ...

class Charge(_message.Message):
    __slots__ = ("rule", "tariff", "amount_e8")
    RULE_FIELD_NUMBER: _ClassVar[int]
    TARIFF_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_E8_FIELD_NUMBER: _ClassVar[int]
    rule: str
    tariff: str
    amount_e8: int
    def __init__(self, rule: _Optional[str] = ..., tariff: _Optional[str] = ..., amount_e8: _Optional[int] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("seq", "decision_id", "decided_ns", "rulebook", "revision", "event_type", "event_json", "verdict", "breaches", "shadows", "order_id", "account", "owner", "bid_e8", "ask_e8", "price_limit_e8", "until_ns", "cancels", "charges", "more", "client_order_id")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    DECIDED_NS_FIELD_NUMBER: _ClassVar[int]
    RULEBOOK_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENT_JSON_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    BREACHES_FIELD_NUMBER: _ClassVar[int]
    SHADOWS_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    BID_E8_FIELD_NUMBER: _ClassVar[int]
    ASK_E8_FIELD_NUMBER: _ClassVar[int]
    PRICE_LIMIT_E8_FIELD_NUMBER: _ClassVar[int]
    UNTIL_NS_FIELD_NUMBER: _ClassVar[int]
    CANCELS_FIELD_NUMBER: _ClassVar[int]
    CHARGES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    seq: int
    decision_id: str
    decided_ns: int
    rulebook: str
    revision: str
    event_type: str
    event_json: str
    verdict: _values_pb2.Verdict
    breaches: _containers.RepeatedCompositeFieldContainer[Breach]
    shadows: _containers.RepeatedCompositeFieldContainer[Breach]
    order_id: int
    account: str
    owner: str
    bid_e8: int
    ask_e8: int
    price_limit_e8: int
    until_ns: int
    cancels: _containers.RepeatedScalarFieldContainer[int]
    charges: _containers.RepeatedCompositeFieldContainer[Charge]
    more: bool
    client_order_id: str
    def __init__(self, seq: _Optional[int] = ..., decision_id: _Optional[str] = ..., decided_ns: _Optional[int] = ..., rulebook: _Optional[str] = ..., revision: _Optional[str] = ..., event_type: _Optional[str] = ..., event_json: _Optional[str] = ..., verdict: _Optional[_Union[_values_pb2.Verdict, str]] = ..., breaches: _Optional[_Iterable[_Union[Breach, _Mapping]]] = ..., shadows: _Optional[_Iterable[_Union[Breach, _Mapping]]] = ..., order_id: _Optional[int] = ..., account: _Optional[str] = ..., owner: _Optional[str] = ..., bid_e8: _Optional[int] = ..., ask_e8: _Optional[int] = ..., price_limit_e8: _Optional[int] = ..., until_ns: _Optional[int] = ..., cancels: _Optional[_Iterable[int]] = ..., charges: _Optional[_Iterable[_Union[Charge, _Mapping]]] = ..., more: _Optional[bool] = ..., client_order_id: _Optional[str] = ...) -> None: ...
