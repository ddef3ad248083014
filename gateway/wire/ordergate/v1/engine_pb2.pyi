from gateway.wire.ordergate.v1 import values_pb2 as _values_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GateMessage(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[GateItem]
    def __init__(self, items: _Optional[_Iterable[_Union[GateItem, _Mapping]]] = ...) -> None: ...

class GateItem(_message.Message):
    __slots__ = ("hello", "define_symbol", "define_account", "deposit", "symbol_state", "place", "cancel", "amend", "replace", "acknowledge", "reconcile")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    DEFINE_SYMBOL_FIELD_NUMBER: _ClassVar[int]
    DEFINE_ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    DEPOSIT_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_STATE_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    AMEND_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_FIELD_NUMBER: _ClassVar[int]
    RECONCILE_FIELD_NUMBER: _ClassVar[int]
    hello: GateHello
    define_symbol: SymbolDefinition
    define_account: AccountDefinition
    deposit: Deposit
    symbol_state: SymbolState
    place: PlaceOrder
    cancel: CancelOrders
    amend: AmendOrder
    replace: ReplaceOrder
    acknowledge: Acknowledgement
    reconcile: Reconcile
    def __init__(self, hello: _Optional[_Union[GateHello, _Mapping]] = ..., define_symbol: _Optional[_Union[SymbolDefinition, _Mapping]] = ..., define_account: _Optional[_Union[AccountDefinition, _Mapping]] = ..., deposit: _Optional[_Union[Deposit, _Mapping]] = ..., symbol_state: _Optional[_Union[SymbolState, _Mapping]] = ..., place: _Optional[_Union[PlaceOrder, _Mapping]] = ..., cancel: _Optional[_Union[CancelOrders, _Mapping]] = ..., amend: _Optional[_Union[AmendOrder, _Mapping]] = ..., replace: _Optional[_Union[ReplaceOrder, _Mapping]] = ..., acknowledge: _Optional[_Union[Acknowledgement, _Mapping]] = ..., reconcile: _Optional[_Union[Reconcile, _Mapping]] = ...) -> None: ...

class EngineMessage(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[EngineItem]
    def __init__(self, items: _Optional[_Iterable[_Union[EngineItem, _Mapping]]] = ...) -> None: ...

class EngineItem(_message.Message):
    __slots__ = ("hello", "result", "event", "reference", "depth", "trade", "reconciled")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    TRADE_FIELD_NUMBER: _ClassVar[int]
    RECONCILED_FIELD_NUMBER: _ClassVar[int]
    hello: EngineHello
    result: CommandResult
    event: OrderEvent
    reference: Reference
    depth: Depth
    trade: PublicTrade
    reconciled: Reconciled
    def __init__(self, hello: _Optional[_Union[EngineHello, _Mapping]] = ..., result: _Optional[_Union[CommandResult, _Mapping]] = ..., event: _Optional[_Union[OrderEvent, _Mapping]] = ..., reference: _Optional[_Union[Reference, _Mapping]] = ..., depth: _Optional[_Union[Depth, _Mapping]] = ..., trade: _Optional[_Union[PublicTrade, _Mapping]] = ..., reconciled: _Optional[_Union[Reconciled, _Mapping]] = ...) -> None: ...

class GateHello(_message.Message):
    __slots__ = ("gate", "epoch", "last_seq", "unanswered", "balances")
    GATE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    UNANSWERED_FIELD_NUMBER: _ClassVar[int]
    BALANCES_FIELD_NUMBER: _ClassVar[int]
    gate: str
    epoch: int
    last_seq: int
    unanswered: _containers.RepeatedScalarFieldContainer[int]
    balances: _containers.RepeatedCompositeFieldContainer[AccountBalance]
    def __init__(self, gate: _Optional[str] = ..., epoch: _Optional[int] = ..., last_seq: _Optional[int] = ..., unanswered: _Optional[_Iterable[int]] = ..., balances: _Optional[_Iterable[_Union[AccountBalance, _Mapping]]] = ...) -> None: ...

class AccountBalance(_message.Message):
    __slots__ = ("account", "asset", "total_e8")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    TOTAL_E8_FIELD_NUMBER: _ClassVar[int]
    account: str
    asset: str
    total_e8: int
    def __init__(self, account: _Optional[str] = ..., asset: _Optional[str] = ..., total_e8: _Optional[int] = ...) -> None: ...

class EngineHello(_message.Message):
    __slots__ = ("epoch", "last_seq", "resumed", "not_received", "reconciles")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    RESUMED_FIELD_NUMBER: _ClassVar[int]
    NOT_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    RECONCILES_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    last_seq: int
    resumed: bool
    not_received: _containers.RepeatedScalarFieldContainer[int]
    reconciles: bool
    def __init__(self, epoch: _Optional[int] = ..., last_seq: _Optional[int] = ..., resumed: _Optional[bool] = ..., not_received: _Optional[_Iterable[int]] = ..., reconciles: _Optional[bool] = ...) -> None: ...

class Reconcile(_message.Message):
    __slots__ = ("last_seq", "orders", "balances")
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    BALANCES_FIELD_NUMBER: _ClassVar[int]
    last_seq: int
    orders: _containers.RepeatedCompositeFieldContainer[KnownOrder]
    balances: _containers.RepeatedCompositeFieldContainer[AccountBalance]
    def __init__(self, last_seq: _Optional[int] = ..., orders: _Optional[_Iterable[_Union[KnownOrder, _Mapping]]] = ..., balances: _Optional[_Iterable[_Union[AccountBalance, _Mapping]]] = ...) -> None: ...

class KnownOrder(_message.Message):
    __slots__ = ("order_id", "price_e8", "quantity_e8", "filled_e8")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_E8_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_E8_FIELD_NUMBER: _ClassVar[int]
    FILLED_E8_FIELD_NUMBER: _ClassVar[int]
    order_id: int
    price_e8: int
    quantity_e8: int
    filled_e8: int
    def __init__(self, order_id: _Optional[int] = ..., price_e8: _Optional[int] = ..., quantity_e8: _Optional[int] = ..., filled_e8: _Optional[int] = ...) -> None: ...

class Reconciled(_message.Message):
    __slots__ = ("again", "highest_order_id", "ended", "unknown", "adjusted")
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    HIGHEST_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    ADJUSTED_FIELD_NUMBER: _ClassVar[int]
    again: bool
    highest_order_id: int
    ended: int
    unknown: int
    adjusted: int
    def __init__(self, again: _Optional[bool] = ..., highest_order_id: _Optional[int] = ..., ended: _Optional[int] = ..., unknown: _Optional[int] = ..., adjusted: _Optional[int] = ...) -> None: ...

class Acknowledgement(_message.Message):
    __slots__ = ("last_seq",)
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    last_seq: int
    def __init__(self, last_seq: _Optional[int] = ...) -> None: ...

class SymbolDefinition(_message.Message):
    __slots__ = ("name", "base_asset", "quote_asset", "state", "previous_close_e8", "maker_commission_ppm", "taker_commission_ppm", "lot_step_e8")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BASE_ASSET_FIELD_NUMBER: _ClassVar[int]
    QUOTE_ASSET_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_CLOSE_E8_FIELD_NUMBER: _ClassVar[int]
    MAKER_COMMISSION_PPM_FIELD_NUMBER: _ClassVar[int]
    TAKER_COMMISSION_PPM_FIELD_NUMBER: _ClassVar[int]
    LOT_STEP_E8_FIELD_NUMBER: _ClassVar[int]
    name: str
    base_asset: str
    quote_asset: str
    state: _values_pb2.SymbolTradingState
    previous_close_e8: int
    maker_commission_ppm: int
    taker_commission_ppm: int
    lot_step_e8: int
    def __init__(self, name: _Optional[str] = ..., base_asset: _Optional[str] = ..., quote_asset: _Optional[str] = ..., state: _Optional[_Union[_values_pb2.SymbolTradingState, str]] = ..., previous_close_e8: _Optional[int] = ..., maker_commission_ppm: _Optional[int] = ..., taker_commission_ppm: _Optional[int] = ..., lot_step_e8: _Optional[int] = ...) -> None: ...

class AccountDefinition(_message.Message):
    __slots__ = ("name", "owner", "tier", "flags", "enabled")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    name: str
    owner: str
    tier: str
    flags: int
    enabled: bool
    def __init__(self, name: _Optional[str] = ..., owner: _Optional[str] = ..., tier: _Optional[str] = ..., flags: _Optional[int] = ..., enabled: _Optional[bool] = ...) -> None: ...

class Deposit(_message.Message):
    __slots__ = ("account", "asset", "amount_e8", "note", "deposit_id")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_E8_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    DEPOSIT_ID_FIELD_NUMBER: _ClassVar[int]
    account: str
    asset: str
    amount_e8: int
    note: str
    deposit_id: int
    def __init__(self, account: _Optional[str] = ..., asset: _Optional[str] = ..., amount_e8: _Optional[int] = ..., note: _Optional[str] = ..., deposit_id: _Optional[int] = ...) -> None: ...

class SymbolState(_message.Message):
    __slots__ = ("symbol", "state")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    state: _values_pb2.SymbolTradingState
    def __init__(self, symbol: _Optional[str] = ..., state: _Optional[_Union[_values_pb2.SymbolTradingState, str]] = ...) -> None: ...

class PlaceOrder(_message.Message):
    __slots__ = ("command_id", "order_id", "account", "symbol", "side", "order_type", "time_in_force", "price_e8", "quantity_e8", "quote_quantity_e8", "price_limit_e8", "stp_mode", "client_order_id", "stp_group", "valid_until_ns")
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    ORDER_TYPE_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    PRICE_E8_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_E8_FIELD_NUMBER: _ClassVar[int]
    QUOTE_QUANTITY_E8_FIELD_NUMBER: _ClassVar[int]
    PRICE_LIMIT_E8_FIELD_NUMBER: _ClassVar[int]
    STP_MODE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    STP_GROUP_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_NS_FIELD_NUMBER: _ClassVar[int]
    command_id: int
    order_id: int
    account: str
    symbol: str
    side: _values_pb2.Side
    order_type: _values_pb2.OrderType
    time_in_force: _values_pb2.TimeInForce
    price_e8: int
    quantity_e8: int
    quote_quantity_e8: int
    price_limit_e8: int
    stp_mode: _values_pb2.StpMode
    client_order_id: str
    stp_group: int
    valid_until_ns: int
    def __init__(self, command_id: _Optional[int] = ..., order_id: _Optional[int] = ..., account: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[_Union[_values_pb2.Side, str]] = ..., order_type: _Optional[_Union[_values_pb2.OrderType, str]] = ..., time_in_force: _Optional[_Union[_values_pb2.TimeInForce, str]] = ..., price_e8: _Optional[int] = ..., quantity_e8: _Optional[int] = ..., quote_quantity_e8: _Optional[int] = ..., price_limit_e8: _Optional[int] = ..., stp_mode: _Optional[_Union[_values_pb2.StpMode, str]] = ..., client_order_id: _Optional[str] = ..., stp_group: _Optional[int] = ..., valid_until_ns: _Optional[int] = ...) -> None: ...

class CancelOrders(_message.Message):
    __slots__ = ("command_id", "order_ids", "cause", "restriction")
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_IDS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    RESTRICTION_FIELD_NUMBER: _ClassVar[int]
    command_id: int
    order_ids: _containers.RepeatedScalarFieldContainer[int]
    cause: _values_pb2.Cause
    restriction: _values_pb2.CancelRestriction
    def __init__(self, command_id: _Optional[int] = ..., order_ids: _Optional[_Iterable[int]] = ..., cause: _Optional[_Union[_values_pb2.Cause, str]] = ..., restriction: _Optional[_Union[_values_pb2.CancelRestriction, str]] = ...) -> None: ...

class AmendOrder(_message.Message):
    __slots__ = ("command_id", "order_id", "quantity_e8", "price_e8")
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_E8_FIELD_NUMBER: _ClassVar[int]
    PRICE_E8_FIELD_NUMBER: _ClassVar[int]
    command_id: int
    order_id: int
    quantity_e8: int
    price_e8: int
    def __init__(self, command_id: _Optional[int] = ..., order_id: _Optional[int] = ..., quantity_e8: _Optional[int] = ..., price_e8: _Optional[int] = ...) -> None: ...

class ReplaceOrder(_message.Message):
    __slots__ = ("command_id", "cancel_order_id", "place", "allow_failure", "restriction")
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    CANCEL_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    ALLOW_FAILURE_FIELD_NUMBER: _ClassVar[int]
    RESTRICTION_FIELD_NUMBER: _ClassVar[int]
    command_id: int
    cancel_order_id: int
    place: PlaceOrder
    allow_failure: bool
    restriction: _values_pb2.CancelRestriction
    def __init__(self, command_id: _Optional[int] = ..., cancel_order_id: _Optional[int] = ..., place: _Optional[_Union[PlaceOrder, _Mapping]] = ..., allow_failure: _Optional[bool] = ..., restriction: _Optional[_Union[_values_pb2.CancelRestriction, str]] = ...) -> None: ...

class EngineFill(_message.Message):
    __slots__ = ("trade_id", "price_e8", "quantity_e8", "quote_e8", "commission_e8", "commission_asset", "maker", "counter_order_id", "counter_account")
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_E8_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_E8_FIELD_NUMBER: _ClassVar[int]
    QUOTE_E8_FIELD_NUMBER: _ClassVar[int]
    COMMISSION_E8_FIELD_NUMBER: _ClassVar[int]
    COMMISSION_ASSET_FIELD_NUMBER: _ClassVar[int]
    MAKER_FIELD_NUMBER: _ClassVar[int]
    COUNTER_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    COUNTER_ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    trade_id: int
    price_e8: int
    quantity_e8: int
    quote_e8: int
    commission_e8: int
    commission_asset: str
    maker: bool
    counter_order_id: int
    counter_account: str
    def __init__(self, trade_id: _Optional[int] = ..., price_e8: _Optional[int] = ..., quantity_e8: _Optional[int] = ..., quote_e8: _Optional[int] = ..., commission_e8: _Optional[int] = ..., commission_asset: _Optional[str] = ..., maker: _Optional[bool] = ..., counter_order_id: _Optional[int] = ..., counter_account: _Optional[str] = ...) -> None: ...

class EndedOrder(_message.Message):
    __slots__ = ("order_id", "status", "filled_e8")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FILLED_E8_FIELD_NUMBER: _ClassVar[int]
    order_id: int
    status: _values_pb2.OrderStatus
    filled_e8: int
    def __init__(self, order_id: _Optional[int] = ..., status: _Optional[_Union[_values_pb2.OrderStatus, str]] = ..., filled_e8: _Optional[int] = ...) -> None: ...

class CommandResult(_message.Message):
    __slots__ = ("command_id", "order_id", "accepted", "reason", "status", "engine_ns", "fills", "ended", "prevented_e8", "replaced_refusal")
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_NS_FIELD_NUMBER: _ClassVar[int]
    FILLS_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    PREVENTED_E8_FIELD_NUMBER: _ClassVar[int]
    REPLACED_REFUSAL_FIELD_NUMBER: _ClassVar[int]
    command_id: int
    order_id: int
    accepted: bool
    reason: _values_pb2.Reason
    status: _values_pb2.OrderStatus
    engine_ns: int
    fills: _containers.RepeatedCompositeFieldContainer[EngineFill]
    ended: _containers.RepeatedCompositeFieldContainer[EndedOrder]
    prevented_e8: int
    replaced_refusal: _values_pb2.Reason
    def __init__(self, command_id: _Optional[int] = ..., order_id: _Optional[int] = ..., accepted: _Optional[bool] = ..., reason: _Optional[_Union[_values_pb2.Reason, str]] = ..., status: _Optional[_Union[_values_pb2.OrderStatus, str]] = ..., engine_ns: _Optional[int] = ..., fills: _Optional[_Iterable[_Union[EngineFill, _Mapping]]] = ..., ended: _Optional[_Iterable[_Union[EndedOrder, _Mapping]]] = ..., prevented_e8: _Optional[int] = ..., replaced_refusal: _Optional[_Union[_values_pb2.Reason, str]] = ...) -> None: ...

class OrderEvent(_message.Message):
    __slots__ = ("engine_seq", "engine_ns", "traded", "ended", "reduced", "bust", "balance", "market_order", "market_trade")
    ENGINE_SEQ_FIELD_NUMBER: _ClassVar[int]
    ENGINE_NS_FIELD_NUMBER: _ClassVar[int]
    TRADED_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    REDUCED_FIELD_NUMBER: _ClassVar[int]
    BUST_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    MARKET_ORDER_FIELD_NUMBER: _ClassVar[int]
    MARKET_TRADE_FIELD_NUMBER: _ClassVar[int]
    engine_seq: int
    engine_ns: int
    traded: OrderTraded
    ended: OrderEnded
    reduced: OrderReduced
    bust: TradeBust
    balance: BalanceAdjustment
    market_order: MarketOrder
    market_trade: MarketTrade
    def __init__(self, engine_seq: _Optional[int] = ..., engine_ns: _Optional[int] = ..., traded: _Optional[_Union[OrderTraded, _Mapping]] = ..., ended: _Optional[_Union[OrderEnded, _Mapping]] = ..., reduced: _Optional[_Union[OrderReduced, _Mapping]] = ..., bust: _Optional[_Union[TradeBust, _Mapping]] = ..., balance: _Optional[_Union[BalanceAdjustment, _Mapping]] = ..., market_order: _Optional[_Union[MarketOrder, _Mapping]] = ..., market_trade: _Optional[_Union[MarketTrade, _Mapping]] = ...) -> None: ...

class OrderTraded(_message.Message):
    __slots__ = ("order_id", "fill", "status")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    order_id: int
    fill: EngineFill
    status: _values_pb2.OrderStatus
    def __init__(self, order_id: _Optional[int] = ..., fill: _Optional[_Union[EngineFill, _Mapping]] = ..., status: _Optional[_Union[_values_pb2.OrderStatus, str]] = ...) -> None: ...

class OrderEnded(_message.Message):
    __slots__ = ("order_id", "status", "cause", "filled_e8", "prevented_e8")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    FILLED_E8_FIELD_NUMBER: _ClassVar[int]
    PREVENTED_E8_FIELD_NUMBER: _ClassVar[int]
    order_id: int
    status: _values_pb2.OrderStatus
    cause: _values_pb2.Cause
    filled_e8: int
    prevented_e8: int
    def __init__(self, order_id: _Optional[int] = ..., status: _Optional[_Union[_values_pb2.OrderStatus, str]] = ..., cause: _Optional[_Union[_values_pb2.Cause, str]] = ..., filled_e8: _Optional[int] = ..., prevented_e8: _Optional[int] = ...) -> None: ...

class OrderReduced(_message.Message):
    __slots__ = ("order_id", "quantity_e8", "cause", "prevented_e8")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_E8_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    PREVENTED_E8_FIELD_NUMBER: _ClassVar[int]
    order_id: int
    quantity_e8: int
    cause: _values_pb2.Cause
    prevented_e8: int
    def __init__(self, order_id: _Optional[int] = ..., quantity_e8: _Optional[int] = ..., cause: _Optional[_Union[_values_pb2.Cause, str]] = ..., prevented_e8: _Optional[int] = ...) -> None: ...

class TradeBust(_message.Message):
    __slots__ = ("trade_id", "symbol", "price_e8", "quantity_e8", "buy_order_id", "sell_order_id", "buy_account", "sell_account", "traded_ns", "maker_side", "buy_channel", "sell_channel")
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    PRICE_E8_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_E8_FIELD_NUMBER: _ClassVar[int]
    BUY_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SELL_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    BUY_ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SELL_ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    TRADED_NS_FIELD_NUMBER: _ClassVar[int]
    MAKER_SIDE_FIELD_NUMBER: _ClassVar[int]
    BUY_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    SELL_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    trade_id: int
    symbol: str
    price_e8: int
    quantity_e8: int
    buy_order_id: int
    sell_order_id: int
    buy_account: str
    sell_account: str
    traded_ns: int
    maker_side: _values_pb2.Side
    buy_channel: _values_pb2.Channel
    sell_channel: _values_pb2.Channel
    def __init__(self, trade_id: _Optional[int] = ..., symbol: _Optional[str] = ..., price_e8: _Optional[int] = ..., quantity_e8: _Optional[int] = ..., buy_order_id: _Optional[int] = ..., sell_order_id: _Optional[int] = ..., buy_account: _Optional[str] = ..., sell_account: _Optional[str] = ..., traded_ns: _Optional[int] = ..., maker_side: _Optional[_Union[_values_pb2.Side, str]] = ..., buy_channel: _Optional[_Union[_values_pb2.Channel, str]] = ..., sell_channel: _Optional[_Union[_values_pb2.Channel, str]] = ...) -> None: ...

class BalanceAdjustment(_message.Message):
    __slots__ = ("account", "asset", "delta_e8", "note", "deposit_id")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    DELTA_E8_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    DEPOSIT_ID_FIELD_NUMBER: _ClassVar[int]
    account: str
    asset: str
    delta_e8: int
    note: str
    deposit_id: int
    def __init__(self, account: _Optional[str] = ..., asset: _Optional[str] = ..., delta_e8: _Optional[int] = ..., note: _Optional[str] = ..., deposit_id: _Optional[int] = ...) -> None: ...

class MarketOrder(_message.Message):
    __slots__ = ("symbol", "order_id", "account", "owner", "channel", "side", "order_type", "status", "price_e8", "quantity_e8", "filled_e8")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    ORDER_TYPE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PRICE_E8_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_E8_FIELD_NUMBER: _ClassVar[int]
    FILLED_E8_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    order_id: int
    account: str
    owner: str
    channel: _values_pb2.Channel
    side: _values_pb2.Side
    order_type: _values_pb2.OrderType
    status: _values_pb2.OrderStatus
    price_e8: int
    quantity_e8: int
    filled_e8: int
    def __init__(self, symbol: _Optional[str] = ..., order_id: _Optional[int] = ..., account: _Optional[str] = ..., owner: _Optional[str] = ..., channel: _Optional[_Union[_values_pb2.Channel, str]] = ..., side: _Optional[_Union[_values_pb2.Side, str]] = ..., order_type: _Optional[_Union[_values_pb2.OrderType, str]] = ..., status: _Optional[_Union[_values_pb2.OrderStatus, str]] = ..., price_e8: _Optional[int] = ..., quantity_e8: _Optional[int] = ..., filled_e8: _Optional[int] = ...) -> None: ...

class MarketTrade(_message.Message):
    __slots__ = ("symbol", "trade_id", "price_e8", "quantity_e8", "buy_order_id", "sell_order_id", "buy_owner", "sell_owner", "buy_channel", "sell_channel", "buyer_is_maker")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_E8_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_E8_FIELD_NUMBER: _ClassVar[int]
    BUY_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SELL_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    BUY_OWNER_FIELD_NUMBER: _ClassVar[int]
    SELL_OWNER_FIELD_NUMBER: _ClassVar[int]
    BUY_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    SELL_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    BUYER_IS_MAKER_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    trade_id: int
    price_e8: int
    quantity_e8: int
    buy_order_id: int
    sell_order_id: int
    buy_owner: str
    sell_owner: str
    buy_channel: _values_pb2.Channel
    sell_channel: _values_pb2.Channel
    buyer_is_maker: bool
    def __init__(self, symbol: _Optional[str] = ..., trade_id: _Optional[int] = ..., price_e8: _Optional[int] = ..., quantity_e8: _Optional[int] = ..., buy_order_id: _Optional[int] = ..., sell_order_id: _Optional[int] = ..., buy_owner: _Optional[str] = ..., sell_owner: _Optional[str] = ..., buy_channel: _Optional[_Union[_values_pb2.Channel, str]] = ..., sell_channel: _Optional[_Union[_values_pb2.Channel, str]] = ..., buyer_is_maker: _Optional[bool] = ...) -> None: ...

class Level(_message.Message):
    __slots__ = ("price_e8", "quantity_e8")
    PRICE_E8_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_E8_FIELD_NUMBER: _ClassVar[int]
    price_e8: int
    quantity_e8: int
    def __init__(self, price_e8: _Optional[int] = ..., quantity_e8: _Optional[int] = ...) -> None: ...

class Reference(_message.Message):
    __slots__ = ("symbol", "engine_ns", "last_e8", "last_ns", "bid_e8", "bid_quantity_e8", "ask_e8", "ask_quantity_e8", "bids", "asks")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    ENGINE_NS_FIELD_NUMBER: _ClassVar[int]
    LAST_E8_FIELD_NUMBER: _ClassVar[int]
    LAST_NS_FIELD_NUMBER: _ClassVar[int]
    BID_E8_FIELD_NUMBER: _ClassVar[int]
    BID_QUANTITY_E8_FIELD_NUMBER: _ClassVar[int]
    ASK_E8_FIELD_NUMBER: _ClassVar[int]
    ASK_QUANTITY_E8_FIELD_NUMBER: _ClassVar[int]
    BIDS_FIELD_NUMBER: _ClassVar[int]
    ASKS_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    engine_ns: int
    last_e8: int
    last_ns: int
    bid_e8: int
    bid_quantity_e8: int
    ask_e8: int
    ask_quantity_e8: int
    bids: _containers.RepeatedCompositeFieldContainer[Level]
    asks: _containers.RepeatedCompositeFieldContainer[Level]
    def __init__(self, symbol: _Optional[str] = ..., engine_ns: _Optional[int] = ..., last_e8: _Optional[int] = ..., last_ns: _Optional[int] = ..., bid_e8: _Optional[int] = ..., bid_quantity_e8: _Optional[int] = ..., ask_e8: _Optional[int] = ..., ask_quantity_e8: _Optional[int] = ..., bids: _Optional[_Iterable[_Union[Level, _Mapping]]] = ..., asks: _Optional[_Iterable[_Union[Level, _Mapping]]] = ...) -> None: ...

class Depth(_message.Message):
    __slots__ = ("symbol", "update_id", "engine_ns", "bids", "asks")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    UPDATE_ID_FIELD_NUMBER: _ClassVar[int]
    ENGINE_NS_FIELD_NUMBER: _ClassVar[int]
    BIDS_FIELD_NUMBER: _ClassVar[int]
    ASKS_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    update_id: int
    engine_ns: int
    bids: _containers.RepeatedCompositeFieldContainer[Level]
    asks: _containers.RepeatedCompositeFieldContainer[Level]
    def __init__(self, symbol: _Optional[str] = ..., update_id: _Optional[int] = ..., engine_ns: _Optional[int] = ..., bids: _Optional[_Iterable[_Union[Level, _Mapping]]] = ..., asks: _Optional[_Iterable[_Union[Level, _Mapping]]] = ...) -> None: ...

class PublicTrade(_message.Message):
    __slots__ = ("symbol", "trade_id", "price_e8", "quantity_e8", "quote_e8", "engine_ns", "buyer_is_maker")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_E8_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_E8_FIELD_NUMBER: _ClassVar[int]
    QUOTE_E8_FIELD_NUMBER: _ClassVar[int]
    ENGINE_NS_FIELD_NUMBER: _ClassVar[int]
    BUYER_IS_MAKER_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    trade_id: int
    price_e8: int
    quantity_e8: int
    quote_e8: int
    engine_ns: int
    buyer_is_maker: bool
    def __init__(self, symbol: _Optional[str] = ..., trade_id: _Optional[int] = ..., price_e8: _Optional[int] = ..., quantity_e8: _Optional[int] = ..., quote_e8: _Optional[int] = ..., engine_ns: _Optional[int] = ..., buyer_is_maker: _Optional[bool] = ...) -> None: ...
