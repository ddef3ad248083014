"""An annulled trade of another channel was never counted, and is taken back from nothing."""

import pytest

from rules.conduct.order_to_trade import OrderToTrade
from rules.conduct.unfilled_ratio import UnfilledRatio
from rules.events import TradeBust
from rules.values import BUY, CHANNEL_WEB, SELL
from tests.rules.conduct.fee_desk import PLAIN, FeeDesk
from tests.rules.desk import Desk, fill
from tests.rules.order_world import ACCOUNT, OWNER, SYMBOL, e8


class AllDesk(FeeDesk):
    """A desk that counts a trade for a fee, for the order-to-trade ratio and for UFR."""

    def __init__(self) -> None:
        trades = {"count": {"trades": "1"}, "limit": "0", "fee": "1"}
        rules = {
            "cancel_fees": {"mode": "enforce", "tariffs": ["test"]},
            "order_to_trade": {"mode": "enforce"},
            "unfilled_ratio": {"mode": "enforce"},
        }
        Desk.__init__(self, rules, {"test": {**PLAIN, "allowance": trades}})

    def counted(self) -> tuple[int, int, int]:
        """Return trades of the fee, trades of the ratio, and the share unfilled in per cent."""
        (line,) = self.rule.meter(OWNER, self.book, self.now_ns)
        ratio, unfilled = (
            self.pipeline.rule(name) for name in ("order_to_trade", "unfilled_ratio")
        )
        assert isinstance(ratio, OrderToTrade)
        assert isinstance(unfilled, UnfilledRatio)
        (standing,) = unfilled.standings(OWNER, SYMBOL, None, self.now_ns)
        assert standing.ratio_e8 is not None
        trades = ratio.counts(OWNER, SYMBOL).trades
        return line.charge.assessment.measured_e8 // e8(1), trades, standing.ratio_e8 // 1_000_000


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize(("channel", "left"), [(0, (0, 0, 100)), (CHANNEL_WEB, (1, 1, 60))])
def test_only_what_came_through_the_gate_is_taken_back(
    side: int, channel: int, left: tuple[int, int, int]
) -> None:
    """An order of 10 was executed for 4. A trade of 4 is annulled: that one, or one the same
    account made on the venue's web page."""
    desk = AllDesk()
    order = desk.rest()
    desk.trade(order, fill(e8(100), e8(4), maker=True))
    assert desk.counted() == (1, 1, 60)
    accounts = (ACCOUNT, 0) if side == BUY else (0, ACCOUNT)
    channels = (channel, 0) if side == BUY else (0, channel)
    terms = (*desk.begin(), 1, SYMBOL, e8(100), e8(4), 1, 2)
    desk.send(TradeBust(*terms, *accounts, desk.now_ns, 0, *channels))
    assert desk.counted() == left
