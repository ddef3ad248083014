"""nautilus_trader's RiskEngine, as somebody would put it behind an order API.

One engine checks the orders of one account against a real cache, which knows the instrument and
the account's balances. It checks precision and sign of price and quantity, the smallest and the
largest quantity and value, the free balance, and the rate of orders; limits are out of reach, as in
the rulebook `bench`. What resting orders would lock is not taken from the balance: nautilus_trader's
Portfolio looks at every open order for it, which would make the yardstick dearer.

Source: nautilus_trader, `risk/engine.pyx`. Importing this module needs nautilus_trader.
"""

from decimal import Decimal
from typing import Final

from nautilus_trader.accounting.accounts.cash import CashAccount
from nautilus_trader.cache.cache import Cache
from nautilus_trader.common.component import LiveClock, MessageBus
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.execution.messages import SubmitOrder
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.enums import AccountType, OrderSide
from nautilus_trader.model.events import AccountState, OrderDenied
from nautilus_trader.model.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    StrategyId,
    Symbol,
    TraderId,
)
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import AccountBalance, Money, Price, Quantity
from nautilus_trader.model.orders import LimitOrder
from nautilus_trader.portfolio.portfolio import Portfolio
from nautilus_trader.risk.config import RiskEngineConfig
from nautilus_trader.risk.engine import RiskEngine

ENDLESS_BTC: Final = 1_000_000
ENDLESS_USDT: Final = 1_000_000_000
ORDERS_PER_SECOND_MAX: Final = 1_000_000
TRADER: Final = TraderId("GATE-001")
STRATEGY: Final = StrategyId("API-001")
INSTRUMENT: Final = InstrumentId.from_str("BTCUSDT.VENUE")
SIDES: Final = {"BUY": OrderSide.BUY, "SELL": OrderSide.SELL}


class AccountRisk:
    """Decides the orders of one account, which owns these whole numbers of each asset."""

    def __init__(self, number: int, btc: int = ENDLESS_BTC, usdt: int = ENDLESS_USDT) -> None:
        self._clock = LiveClock()
        self._passed: SubmitOrder | None = None
        self._denied = ""
        bus = MessageBus(trader_id=TRADER, clock=self._clock)
        cache = Cache()
        cache.add_instrument(_instrument())
        cache.add_account(CashAccount(_account_state(number, btc, usdt)))
        bus.register(endpoint="ExecEngine.execute", handler=self._pass)
        bus.register(endpoint="ExecEngine.process", handler=self._deny)
        self._engine = RiskEngine(
            portfolio=Portfolio(msgbus=bus, cache=cache, clock=self._clock),
            msgbus=bus,
            cache=cache,
            clock=self._clock,
            config=RiskEngineConfig(max_order_submit_rate=f"{ORDERS_PER_SECOND_MAX}/00:00:01"),
        )
        self._engine.start()
        self.execute = self._engine.execute
        """Decides one command; `outcome` says how. This call is what the benchmark times."""

    def command(self, side: str, quantity: str, price: str, name: str) -> SubmitOrder:
        """Return the command for a limit order; `side` is `BUY` or `SELL`.

        `name` must be ASCII and not empty: nautilus_trader ends the process otherwise. Raises
        ValueError or ArithmeticError when `quantity` is no positive or `price` no number.
        """
        now_ns = self._clock.timestamp_ns()
        order = LimitOrder(
            TRADER,
            STRATEGY,
            INSTRUMENT,
            ClientOrderId(name),
            SIDES[side],
            Quantity.from_str(quantity),
            Price.from_str(price),
            UUID4(),
            now_ns,
        )
        return SubmitOrder(TRADER, STRATEGY, order, UUID4(), now_ns)

    def outcome(self, command: SubmitOrder) -> str | None:
        """Return why the command that was executed last was denied, None when it passed."""
        return None if self._passed is command else self._denied

    def _pass(self, command: SubmitOrder) -> None:
        self._passed = command

    def _deny(self, event: OrderDenied) -> None:
        self._denied = event.reason


def _instrument() -> CurrencyPair:
    return CurrencyPair(
        instrument_id=INSTRUMENT,
        raw_symbol=Symbol("BTCUSDT"),
        base_currency=BTC,
        quote_currency=USDT,
        price_precision=2,
        size_precision=5,
        price_increment=Price.from_str("0.01"),
        size_increment=Quantity.from_str("0.00001"),
        min_quantity=Quantity.from_str("0.00001"),
        max_quantity=Quantity.from_str("9000.00000"),
        min_notional=Money(5, USDT),
        max_notional=Money(9_000_000, USDT),
        maker_fee=Decimal("0.001"),
        taker_fee=Decimal("0.001"),
        ts_event=0,
        ts_init=0,
    )


def _account_state(number: int, btc: int, usdt: int) -> AccountState:
    return AccountState(
        account_id=AccountId(f"VENUE-{number}"),
        account_type=AccountType.CASH,
        base_currency=None,
        reported=True,
        balances=[
            AccountBalance(Money(total, asset), Money(0, asset), Money(total, asset))
            for asset, total in ((BTC, btc), (USDT, usdt))
        ],
        margins=[],
        info={},
        event_id=UUID4(),
        ts_event=0,
        ts_init=0,
    )
