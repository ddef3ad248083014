from gateway.wire.ordergate.v1 import values_pb2 as _values_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StopScope(_message.Message):
    __slots__ = ("scope", "name")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    scope: _values_pb2.Scope
    name: str
    def __init__(self, scope: _Optional[_Union[_values_pb2.Scope, str]] = ..., name: _Optional[str] = ...) -> None: ...

class KillRequest(_message.Message):
    __slots__ = ("target", "state", "reason", "actor")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    target: StopScope
    state: _values_pb2.StopState
    reason: str
    actor: str
    def __init__(self, target: _Optional[_Union[StopScope, _Mapping]] = ..., state: _Optional[_Union[_values_pb2.StopState, str]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class KillResponse(_message.Message):
    __slots__ = ("decision_id", "state", "open_orders", "remaining")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OPEN_ORDERS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    state: _values_pb2.StopState
    open_orders: int
    remaining: int
    def __init__(self, decision_id: _Optional[str] = ..., state: _Optional[_Union[_values_pb2.StopState, str]] = ..., open_orders: _Optional[int] = ..., remaining: _Optional[int] = ...) -> None: ...

class ReleaseRequest(_message.Message):
    __slots__ = ("target", "reason", "actor")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    target: StopScope
    reason: str
    actor: str
    def __init__(self, target: _Optional[_Union[StopScope, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class ReleaseResponse(_message.Message):
    __slots__ = ("decision_id",)
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    def __init__(self, decision_id: _Optional[str] = ...) -> None: ...

class AdminStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StoppedScope(_message.Message):
    __slots__ = ("target", "state", "reason", "actor", "since_ns")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    SINCE_NS_FIELD_NUMBER: _ClassVar[int]
    target: StopScope
    state: _values_pb2.StopState
    reason: str
    actor: str
    since_ns: int
    def __init__(self, target: _Optional[_Union[StopScope, _Mapping]] = ..., state: _Optional[_Union[_values_pb2.StopState, str]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., since_ns: _Optional[int] = ...) -> None: ...

class AdminStatusResponse(_message.Message):
    __slots__ = ("rulebook", "revision", "stopped", "open_orders", "engine_connected", "engine_epoch", "now_ns")
    RULEBOOK_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    OPEN_ORDERS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_CONNECTED_FIELD_NUMBER: _ClassVar[int]
    ENGINE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    NOW_NS_FIELD_NUMBER: _ClassVar[int]
    rulebook: str
    revision: str
    stopped: _containers.RepeatedCompositeFieldContainer[StoppedScope]
    open_orders: int
    engine_connected: bool
    engine_epoch: int
    now_ns: int
    def __init__(self, rulebook: _Optional[str] = ..., revision: _Optional[str] = ..., stopped: _Optional[_Iterable[_Union[StoppedScope, _Mapping]]] = ..., open_orders: _Optional[int] = ..., engine_connected: _Optional[bool] = ..., engine_epoch: _Optional[int] = ..., now_ns: _Optional[int] = ...) -> None: ...
