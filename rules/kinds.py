"""Types of events by which rules tell what they are given, as constants.

Events are never compiled. Where compiled code names a class that is not compiled, it looks the name
up in the module's dictionary each time; a constant of a compiled module it knows.
"""

from typing import Final

from rules.events import (
    ActOnCase,
    Amend,
    BulkCancel,
    Cancel,
    CancelAll,
    ClearBan,
    CommandResult,
    EngineSession,
    MarketOrder,
    MarketTrade,
    OrderEnded,
    OrderReduced,
    OrderTrade,
    OwnerClassChanged,
    Place,
    PostFees,
    Query,
    RecordSpace,
    Reference,
    RefusedAggregate,
    RefusedRequest,
    Replace,
    TradeBust,
)

ACT_ON_CASE: Final = ActOnCase
AMEND: Final = Amend
BULK_CANCEL: Final = BulkCancel
CANCEL: Final = Cancel
CANCEL_ALL: Final = CancelAll
CLEAR_BAN: Final = ClearBan
COMMAND_RESULT: Final = CommandResult
ENGINE_SESSION: Final = EngineSession
MARKET_ORDER: Final = MarketOrder
MARKET_TRADE: Final = MarketTrade
ORDER_ENDED: Final = OrderEnded
ORDER_REDUCED: Final = OrderReduced
ORDER_TRADE: Final = OrderTrade
OWNER_CLASS_CHANGED: Final = OwnerClassChanged
PLACE: Final = Place
POST_FEES: Final = PostFees
QUERY: Final = Query
RECORD_SPACE: Final = RecordSpace
REFERENCE: Final = Reference
REFUSED_AGGREGATE: Final = RefusedAggregate
REFUSED_REQUEST: Final = RefusedRequest
REPLACE: Final = Replace
TRADE_BUST: Final = TradeBust
