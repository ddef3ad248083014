"""One candle, and how candles are put together."""

import msgspec


class Kline(msgspec.Struct, gc=False):
    """What was traded in one period; only the view writes it."""

    open_ns: int
    """Beginning of the period."""
    end_ns: int
    """Beginning of the next period; the candle's last millisecond is the one before."""
    open_e8: int
    high_e8: int
    low_e8: int
    close_e8: int
    volume_e8: int = 0
    """In base asset."""
    quote_volume_e8: int = 0
    trades: int = 0
    taker_base_e8: int = 0
    """Volume of trades whose buyer was the taker, in base asset."""
    taker_quote_e8: int = 0
    first_trade_id: int = 0
    """0 in generated history, which has no trades of its own, and where nothing was traded."""
    last_trade_id: int = 0


def fold_kline(candle: Kline, later: Kline) -> None:
    """Put a later candle into the one that contains it."""
    if later.high_e8 > candle.high_e8:
        candle.high_e8 = later.high_e8
    if later.low_e8 < candle.low_e8:
        candle.low_e8 = later.low_e8
    candle.close_e8 = later.close_e8
    candle.volume_e8 += later.volume_e8
    candle.quote_volume_e8 += later.quote_volume_e8
    candle.trades += later.trades
    candle.taker_base_e8 += later.taker_base_e8
    candle.taker_quote_e8 += later.taker_quote_e8
    candle.first_trade_id = candle.first_trade_id or later.first_trade_id
    candle.last_trade_id = later.last_trade_id or candle.last_trade_id


def widened(candle: Kline, open_ns: int, end_ns: int) -> Kline:
    """Return a new candle over a longer period with the content of one shorter candle."""
    return Kline(
        open_ns,
        end_ns,
        candle.open_e8,
        candle.high_e8,
        candle.low_e8,
        candle.close_e8,
        candle.volume_e8,
        candle.quote_volume_e8,
        candle.trades,
        candle.taker_base_e8,
        candle.taker_quote_e8,
        candle.first_trade_id,
        candle.last_trade_id,
    )
