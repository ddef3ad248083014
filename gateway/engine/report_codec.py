"""Results, order events and market data of the engine as messages of the link, and back."""

from collections.abc import Iterable
from typing import Any

from gateway.engine.names import Names
from gateway.engine.port import DepthSnapshot, PublicTrade
from gateway.wire.ordergate.v1 import engine_pb2 as wire
from rules.events import (
    BalanceAdjusted,
    CommandResult,
    Ended,
    Fill,
    MarketOrder,
    MarketTrade,
    OrderEnded,
    OrderReduced,
    OrderTrade,
    Reference,
    Report,
    TradeBust,
)
from rules.reasons import Reason

# --- The engine's side ------------------------------------------------------------------------


def result_message(names: Names, result: CommandResult) -> wire.EngineItem:
    """Return the message of a command's result."""
    message = wire.CommandResult(
        command_id=result.command_id,
        order_id=result.order_id,
        accepted=result.accepted,
        reason=_code(result.reason or 0),
        status=_code(result.status),
        engine_ns=result.engine_ns,
        fills=[_fill_message(names, fill) for fill in result.fills],
        ended=[
            wire.EndedOrder(
                order_id=one.order_id, status=_code(one.status), filled_e8=one.filled_e8
            )
            for one in result.ended
        ],
        prevented_e8=result.prevented_e8,
        replaced_refusal=_code(result.replaced_refusal or 0),
    )
    return wire.EngineItem(result=message)


def event_message(names: Names, report: Report) -> wire.EngineItem:
    """Return the message of a report; raises TypeError on a report the link does not know."""
    event = wire.OrderEvent(engine_seq=report.engine_seq, engine_ns=report.engine_ns)
    if isinstance(report, OrderTrade):
        event.traded.order_id = report.order_id
        event.traded.fill.CopyFrom(_fill_message(names, report.fill))
        event.traded.status = _code(report.status)
    elif isinstance(report, OrderEnded):
        event.ended.order_id = report.order_id
        event.ended.status = _code(report.status)
        event.ended.cause = _code(report.cause)
        event.ended.filled_e8 = report.filled_e8
        event.ended.prevented_e8 = report.prevented_e8
    elif isinstance(report, OrderReduced):
        event.reduced.order_id = report.order_id
        event.reduced.quantity_e8 = report.quantity_e8
        event.reduced.cause = _code(report.cause)
        event.reduced.prevented_e8 = report.prevented_e8
    elif isinstance(report, TradeBust):
        event.bust.CopyFrom(_bust_message(names, report))
    elif isinstance(report, BalanceAdjusted):
        event.balance.account = names.account_name(report.account)
        event.balance.asset = names.asset_name(report.asset)
        event.balance.delta_e8 = report.delta_e8
        event.balance.note = report.note
    elif isinstance(report, MarketOrder):
        event.market_order.CopyFrom(_market_order_message(names, report))
    elif isinstance(report, MarketTrade):
        event.market_trade.CopyFrom(_market_trade_message(names, report))
    else:
        raise TypeError(f"{type(report).__name__} has no message on the engine link")
    return wire.EngineItem(event=event)


def reference_message(names: Names, reference: Reference) -> wire.EngineItem:
    """Return the message of a reference."""
    message = wire.Reference(
        symbol=names.symbol_name(reference.symbol),
        engine_ns=reference.engine_ns,
        last_e8=reference.last_e8,
        last_ns=reference.last_ns,
        bid_e8=reference.bid_e8,
        bid_quantity_e8=reference.bid_quantity_e8,
        ask_e8=reference.ask_e8,
        ask_quantity_e8=reference.ask_quantity_e8,
        bids=_level_messages(reference.bids),
        asks=_level_messages(reference.asks),
    )
    return wire.EngineItem(reference=message)


def depth_message(names: Names, depth: DepthSnapshot) -> wire.EngineItem:
    """Return the message of a depth snapshot."""
    message = wire.Depth(
        symbol=names.symbol_name(depth.symbol),
        update_id=depth.update_id,
        engine_ns=depth.engine_ns,
        bids=_level_messages(depth.bids),
        asks=_level_messages(depth.asks),
    )
    return wire.EngineItem(depth=message)


def trade_message(names: Names, trade: PublicTrade) -> wire.EngineItem:
    """Return the message of a public trade."""
    message = wire.PublicTrade(
        symbol=names.symbol_name(trade.symbol),
        trade_id=trade.trade_id,
        price_e8=trade.price_e8,
        quantity_e8=trade.quantity_e8,
        quote_e8=trade.quote_e8,
        engine_ns=trade.engine_ns,
        buyer_is_maker=trade.buyer_is_maker,
    )
    return wire.EngineItem(trade=message)


def _fill_message(names: Names, fill: Fill) -> wire.EngineFill:
    return wire.EngineFill(
        trade_id=fill.trade_id,
        price_e8=fill.price_e8,
        quantity_e8=fill.quantity_e8,
        quote_e8=fill.quote_e8,
        commission_e8=fill.commission_e8,
        commission_asset=names.asset_name(fill.commission_asset),
        maker=fill.maker,
        counter_order_id=fill.counter_order_id,
        counter_account=names.account_name(fill.counter_account),
    )


def _bust_message(names: Names, bust: TradeBust) -> wire.TradeBust:
    return wire.TradeBust(
        trade_id=bust.trade_id,
        symbol=names.symbol_name(bust.symbol),
        price_e8=bust.price_e8,
        quantity_e8=bust.quantity_e8,
        buy_order_id=bust.buy_order_id,
        sell_order_id=bust.sell_order_id,
        buy_account=names.account_name(bust.buy_account),
        sell_account=names.account_name(bust.sell_account),
        traded_ns=bust.traded_ns,
        maker_side=_code(bust.maker_side),
        buy_channel=_code(bust.buy_channel),
        sell_channel=_code(bust.sell_channel),
    )


def _market_order_message(names: Names, order: MarketOrder) -> wire.MarketOrder:
    return wire.MarketOrder(
        symbol=names.symbol_name(order.symbol),
        order_id=order.order_id,
        account=names.account_name(order.account),
        owner=names.owner_name(order.owner),
        channel=_code(order.channel),
        side=_code(order.side),
        order_type=_code(order.order_type),
        status=_code(order.status),
        price_e8=order.price_e8,
        quantity_e8=order.quantity_e8,
        filled_e8=order.filled_e8,
    )


def _market_trade_message(names: Names, trade: MarketTrade) -> wire.MarketTrade:
    return wire.MarketTrade(
        symbol=names.symbol_name(trade.symbol),
        trade_id=trade.trade_id,
        price_e8=trade.price_e8,
        quantity_e8=trade.quantity_e8,
        buy_order_id=trade.buy_order_id,
        sell_order_id=trade.sell_order_id,
        buy_owner=names.owner_name(trade.buy_owner),
        sell_owner=names.owner_name(trade.sell_owner),
        buy_channel=_code(trade.buy_channel),
        sell_channel=_code(trade.sell_channel),
        buyer_is_maker=trade.buyer_is_maker,
    )


def _level_messages(levels: Iterable[tuple[int, int]]) -> list[wire.Level]:
    return [wire.Level(price_e8=price_e8, quantity_e8=size_e8) for price_e8, size_e8 in levels]


def _code(number: int) -> Any:
    """Return a code for an enum field: the numbers are the same, its type is only the stub's."""
    return int(number)


# --- The gate's side --------------------------------------------------------------------------


def read_result(names: Names, message: wire.CommandResult) -> CommandResult:
    """Return the result a message carries; raises ValueError on an unknown reason."""
    return CommandResult(
        message.command_id,
        message.order_id,
        message.accepted,
        _read_reason(message.reason),
        message.status,
        message.engine_ns,
        tuple(_read_fill(names, fill) for fill in message.fills),
        tuple(Ended(one.order_id, one.status, one.filled_e8) for one in message.ended),
        message.prevented_e8,
        False,
        _read_reason(message.replaced_refusal),
    )


def read_event(names: Names, message: wire.OrderEvent) -> Report:
    """Return the report a message carries; raises ValueError when it carries none."""
    begin = message.engine_seq, message.engine_ns
    kind = message.WhichOneof("event")
    if kind == "traded":
        traded = message.traded
        return OrderTrade(*begin, traded.order_id, _read_fill(names, traded.fill), traded.status)
    if kind == "ended":
        ended = message.ended
        return OrderEnded(
            *begin,
            ended.order_id,
            ended.status,
            ended.cause,
            ended.filled_e8,
            ended.prevented_e8,
        )
    if kind == "reduced":
        reduced = message.reduced
        return OrderReduced(
            *begin, reduced.order_id, reduced.quantity_e8, reduced.cause, reduced.prevented_e8
        )
    if kind == "balance":
        balance = message.balance
        return BalanceAdjusted(
            *begin,
            names.account(balance.account),
            names.asset(balance.asset),
            balance.delta_e8,
            balance.note,
        )
    if kind == "bust":
        return _read_bust(names, begin, message.bust)
    if kind == "market_order":
        return _read_market_order(names, begin, message.market_order)
    if kind == "market_trade":
        return _read_market_trade(names, begin, message.market_trade)
    raise ValueError(f"order event {message.engine_seq} carries nothing this gate knows")


def read_reference(names: Names, message: wire.Reference) -> Reference:
    """Return the reference a message carries."""
    return Reference(
        names.symbol(message.symbol),
        message.engine_ns,
        message.last_e8,
        message.last_ns,
        message.bid_e8,
        message.bid_quantity_e8,
        message.ask_e8,
        message.ask_quantity_e8,
        _read_levels(message.bids),
        _read_levels(message.asks),
    )


def read_depth(names: Names, message: wire.Depth) -> DepthSnapshot:
    """Return the depth a message carries."""
    return DepthSnapshot(
        names.symbol(message.symbol),
        message.update_id,
        message.engine_ns,
        _read_levels(message.bids),
        _read_levels(message.asks),
    )


def read_trade(names: Names, message: wire.PublicTrade) -> PublicTrade:
    """Return the public trade a message carries."""
    return PublicTrade(
        names.symbol(message.symbol),
        message.trade_id,
        message.price_e8,
        message.quantity_e8,
        message.quote_e8,
        message.engine_ns,
        message.buyer_is_maker,
    )


def _read_fill(names: Names, message: wire.EngineFill) -> Fill:
    return Fill(
        message.trade_id,
        message.price_e8,
        message.quantity_e8,
        message.quote_e8,
        message.commission_e8,
        names.asset(message.commission_asset),
        message.maker,
        message.counter_order_id,
        names.account(message.counter_account),
    )


def _read_bust(names: Names, begin: tuple[int, int], message: wire.TradeBust) -> TradeBust:
    return TradeBust(
        *begin,
        message.trade_id,
        names.symbol(message.symbol),
        message.price_e8,
        message.quantity_e8,
        message.buy_order_id,
        message.sell_order_id,
        names.account(message.buy_account),
        names.account(message.sell_account),
        message.traded_ns,
        message.maker_side,
        message.buy_channel,
        message.sell_channel,
    )


def _read_market_order(
    names: Names, begin: tuple[int, int], message: wire.MarketOrder
) -> MarketOrder:
    return MarketOrder(
        *begin,
        names.symbol(message.symbol),
        message.order_id,
        names.account(message.account),
        names.owner(message.owner),
        message.channel,
        message.side,
        message.order_type,
        message.status,
        message.price_e8,
        message.quantity_e8,
        message.filled_e8,
    )


def _read_market_trade(
    names: Names, begin: tuple[int, int], message: wire.MarketTrade
) -> MarketTrade:
    return MarketTrade(
        *begin,
        names.symbol(message.symbol),
        message.trade_id,
        message.price_e8,
        message.quantity_e8,
        message.buy_order_id,
        message.sell_order_id,
        names.owner(message.buy_owner),
        names.owner(message.sell_owner),
        message.buy_channel,
        message.sell_channel,
        message.buyer_is_maker,
    )


def _read_levels(messages: Iterable[wire.Level]) -> tuple[tuple[int, int], ...]:
    return tuple((level.price_e8, level.quantity_e8) for level in messages)


def _read_reason(number: int) -> Reason | None:
    return Reason(number) if number else None
