"""Reports of an engine in another process come over the wire as they are."""

from gateway.engine.report_codec import event_message, read_event
from rules.events import TradeBust
from rules.values import BUY, CHANNEL_DESK, CHANNEL_WEB, SELL


class Numbers:
    """Names that are their numbers."""

    def symbol(self, name: str) -> int:
        return int(name or 0)

    def symbol_name(self, number: int) -> str:
        return str(number)

    account = asset = owner = symbol
    account_name = asset_name = owner_name = symbol_name


def test_an_annulled_trade() -> None:
    """Sides and channels stay where they are."""
    for maker_side, channels in ((BUY, (0, CHANNEL_WEB)), (SELL, (CHANNEL_DESK, 0))):
        bust = TradeBust(3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, maker_side, *channels)
        message = event_message(Numbers(), bust)
        assert read_event(Numbers(), message.event) == bust
