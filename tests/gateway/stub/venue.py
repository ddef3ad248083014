"""A small venue for the tests of the matching engine: one symbol, funded accounts, short calls."""

from gateway.engine.port import AmendCommand, CancelCommand, PlaceCommand, ReplaceCommand
from gateway.stub.exchange import MatchingExchange
from rules.events import CommandResult, DefineAccount, DefineSymbol, Report
from rules.values import (
    BUY,
    CAUSE_CLIENT,
    E8,
    GTC,
    LIMIT,
    MARKET,
    SELL,
    STP_NONE,
    SYMBOL_TRADING,
)

BASE, QUOTE = 1, 2
SYMBOL = 1
ALICE, BOB, CAROL, DAVE = 1, 2, 3, 4
FUNDS = 1_000_000 * E8


class Venue:
    """An exchange whose calls fill in what a test does not care for; quantities in whole units."""

    def __init__(
        self, maker_ppm: int = 0, taker_ppm: int = 0, step_e8: int = 1, tombstones_max: int = 100
    ) -> None:
        self.exchange = MatchingExchange(tombstones_max=tombstones_max)
        self.exchange.define_symbol(
            DefineSymbol(SYMBOL, "BTCUSDT", BASE, QUOTE, SYMBOL_TRADING, 0, maker_ppm, taker_ppm),
            step_e8,
        )
        for account in (ALICE, BOB, CAROL, DAVE):
            self.exchange.define_account(DefineAccount(account, f"a{account}", account, "", 0))
            for asset in (BASE, QUOTE):
                self.exchange.deposit(account, asset, FUNDS, "", 0)
        self.now_ns = 1_000
        self.next_id = 1
        self.reports: tuple[Report, ...] = ()
        """The reports of the last command."""

    def run(self, command) -> CommandResult:
        """Carry out a command one nanosecond after the last one."""
        self.now_ns += 1
        result, self.reports = self.exchange.execute(command, self.now_ns)
        assert result.command_id == command.command_id
        assert result.engine_ns == self.now_ns
        return result

    def order(self, account, side, price, quantity, **changes) -> PlaceCommand:
        """Return a place command; price and quantity in whole units, `changes` as they are."""
        order_id = self.next_id
        self.next_id += 1
        fields = {
            "command_id": order_id + 1_000_000,
            "order_id": order_id,
            "account": account,
            "symbol": SYMBOL,
            "side": side,
            "order_type": LIMIT if price else MARKET,
            "time_in_force": GTC if price else 0,
            "price_e8": round(price * E8),
            "quantity_e8": round(quantity * E8),
            "quote_quantity_e8": 0,
            "price_limit_e8": 0,
            "stp_mode": STP_NONE,
            "client_order_id": f"c{order_id}",
        }
        fields.update(changes)
        return PlaceCommand(**fields)

    def buy(self, account, price, quantity, **changes) -> CommandResult:
        """Place a buy; price 0 makes it a market order."""
        return self.run(self.order(account, BUY, price, quantity, **changes))

    def sell(self, account, price, quantity, **changes) -> CommandResult:
        """Place a sell; price 0 makes it a market order."""
        return self.run(self.order(account, SELL, price, quantity, **changes))

    def cancel(self, *order_ids, restriction=0) -> CommandResult:
        """Cancel orders."""
        return self.run(CancelCommand(2_000_000, order_ids, CAUSE_CLIENT, restriction))

    def amend(self, order_id, quantity=0, price=0) -> CommandResult:
        """Amend an order."""
        return self.run(AmendCommand(3_000_000, order_id, round(quantity * E8), round(price * E8)))

    def replace(self, order_id, place, allow_failure=False, restriction=0) -> CommandResult:
        """Cancel one order and place another."""
        return self.run(ReplaceCommand(4_000_000, order_id, place, allow_failure, restriction))

    def depth(self):
        """Return bids and asks in whole units, best first."""
        depth = self.exchange.depth(SYMBOL, 100, self.now_ns)
        return [
            [(price / E8, quantity / E8) for price, quantity in side]
            for side in (depth.bids, depth.asks)
        ]

    def balance(self, account, asset):
        """Return (free, locked) in 1e-8 units."""
        return self.exchange.ledger.balance(account, asset)

    def check_money(self) -> None:
        """Hold that no money was made or lost, and that locks match the open orders."""
        ledger = self.exchange.ledger
        for asset in (BASE, QUOTE):
            assert ledger.total_e8(asset) == ledger.supply_e8(asset)
        locked: dict[tuple[int, int], int] = {}
        for order in self.exchange.open_orders():
            held = (order.account, QUOTE if order.side == BUY else BASE)
            locked[held] = locked.get(held, 0) + order.locked_e8
        for account, asset, free_e8, locked_e8 in ledger.all_holdings():
            assert free_e8 >= 0
            assert locked_e8 == locked.get((account, asset), 0)


def fills(result: CommandResult) -> list[tuple[float, float, int]]:
    """Return a result's fills as (price, quantity, counter order), in whole units."""
    return [(f.price_e8 / E8, f.quantity_e8 / E8, f.counter_order_id) for f in result.fills]
