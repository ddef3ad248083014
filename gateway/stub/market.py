"""A market that moves: seeded participants who trade through the gate like any client.

Market makers quote several levels around a fair price that walks at random near where it began;
takers trade small sizes against them. Both only see the gate's book and only act by requests, so
everything they do is decided, recorded and answered like a client's.
"""

from collections import Counter
from random import Random
from typing import Final, NamedTuple, Protocol

from gateway.directory import Directory
from gateway.engine.port import EnginePort
from gateway.outcome import Outcome, Reply
from rules.book import Book, OpenOrder, SymbolFacts
from rules.endpoints import Endpoint
from rules.events import Cancel, DefineAccount, DefineKey, DefineSymbol, Event, Place
from rules.rulebook import Rulebook
from rules.values import (
    ACCOUNT_DEMO,
    ACCOUNT_MARKET_MAKER,
    AUTH_OK,
    BUY,
    CHANNEL_INTERNAL,
    DEFINE_ALGO,
    DEFINE_ASSET,
    DEFINE_OWNER,
    E8,
    FLAG_ALGO,
    FLAG_MARKET_MAKING,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    NS_PER_MS,
    NS_PER_SECOND,
    PERMIT_READ,
    PERMIT_TRADE,
    SELL,
    SYMBOL_TRADING,
)


class DemoSymbol(NamedTuple):
    """One market of the demo."""

    name: str
    base: str
    quote: str
    price_e8: int
    """Where the fair price begins and is drawn back to."""
    order_value_e8: int
    """What a market maker's quote is worth, in quote asset."""


DEMO_SYMBOLS: Final = (
    DemoSymbol("BTCUSDT", "BTC", "USDT", 65_000 * E8, 2_000 * E8),
    DemoSymbol("ETHUSDT", "ETH", "USDT", 3_200 * E8, 1_500 * E8),
    DemoSymbol("ETHBTC", "ETH", "BTC", 3_200 * E8 // 65_000, E8 // 40),
)
COMMISSION_PPM: Final = 1_000
"""0.1 % for maker and taker."""

MAKERS_PER_SYMBOL: Final = 6
TAKERS: Final = 3
LEVELS: Final = 4
"""Quotes a market maker keeps on each side."""
REST_NS: Final = 600 * NS_PER_MS
"""Makers cancel no quote younger than this, so a minimum resting time of 500 ms holds."""
REQUOTE_PERCENT: Final = 80
TRADE_PERCENT: Final = 20
"""How likely a step moves a quote, and makes a trade, in each symbol."""
HALF_SPREAD: Final = 12_500
LEVEL_GAP: Final = 16_000
WALK: Final = 20_000
"""A fair price divided by these: distance of the best quote, of the next levels, and the widest
move of one step. Where a tick is coarser than that, the tick decides."""
PULL: Final = 3_000
"""Share of the distance to where it began that a fair price loses in each step."""
FUNDS_VALUE: Final = 5_000
"""A participant is funded with this many orders' worth of each asset, and again at half of it."""
TOP_UP_NS: Final = 10 * NS_PER_SECOND
RECV_WINDOW_NS: Final = 5 * NS_PER_SECOND


class MarketCore(Protocol):
    """What the participants need of the core."""

    book: Book
    rulebook: Rulebook

    def now_ns(self) -> int:
        """Return the core's time."""

    def submit(self, event: Event, reply: Reply | None = None) -> None:
        """Hand in one event."""


class _Participant(NamedTuple):
    account: int
    key: int
    ip: int
    flags: int
    algo: int


class _Market:
    """One symbol, who quotes it and its fair price."""

    __slots__ = ("base_asset", "fair_e8", "makers", "quote_asset", "settings", "symbol")

    def __init__(self, settings: DemoSymbol, definition: DefineSymbol) -> None:
        self.settings = settings
        self.symbol = definition.symbol
        self.base_asset = definition.base_asset
        self.quote_asset = definition.quote_asset
        self.fair_e8 = settings.price_e8
        self.makers: list[_Participant] = []


class DemoMarket:
    """The demo's participants.

    `start` defines symbols, accounts and keys where they are missing, funds them and puts up the
    first quotes; `step` is called about ten times a second. One seed and the same sequence of
    steps give the same requests. `refused` counts the participants' refused requests by reason.
    """

    def __init__(
        self,
        core: MarketCore,
        directory: Directory,
        engine: EnginePort,
        seed: int,
        symbols: tuple[DemoSymbol, ...] = DEMO_SYMBOLS,
    ) -> None:
        self.requests = 0
        self.refused: Counter[str] = Counter()
        self._core = core
        self._directory = directory
        self._engine = engine
        self._settings = symbols
        self._random = Random(seed)  # noqa: S311 (a market repeated by seed, not a secret)
        self._markets: list[_Market] = []
        self._takers: list[_Participant] = []
        self._agent = 0
        self._top_up_ns = 0

    def start(self) -> None:
        """Define what is missing, fund the participants and put up the first quotes."""
        self._agent = self._directory.agent("ordergate-demo")
        for settings in self._settings:
            market = _Market(settings, self._symbol(settings))
            facts = self._core.book.symbols[market.symbol]
            market.fair_e8 = facts.last_e8 or settings.price_e8
            for number in range(1, MAKERS_PER_SYMBOL + 1):
                name = f"demo-maker-{settings.name.lower()}-{number}"
                market.makers.append(self._participant(name, maker=True))
            self._markets.append(market)
        for number in range(1, TAKERS + 1):
            self._takers.append(self._participant(f"demo-taker-{number}", maker=False))
        self._fund()
        now_ns = self._core.now_ns()
        self._top_up_ns = now_ns + TOP_UP_NS
        for market in self._markets:
            for maker in market.makers:
                # Quotes of the run before are still there.
                quoted = len(self._core.book.open_orders(maker.account, market.symbol)) // 2
                for _ in range(LEVELS - quoted):
                    self._quote(market, maker, now_ns)

    def step(self, now_ns: int) -> None:
        """Move the fair prices, some quotes, and make some trades."""
        if now_ns >= self._top_up_ns:
            self._top_up_ns = now_ns + TOP_UP_NS
            self._fund()
        for market in self._markets:
            self._walk(market)
            moves = self._random.randrange(100) < REQUOTE_PERCENT
            trades = self._random.randrange(100) < TRADE_PERCENT
            maker = market.makers[self._random.randrange(len(market.makers))]
            taker = self._takers[self._random.randrange(len(self._takers))]
            if self._core.book.symbols[market.symbol].state != SYMBOL_TRADING:
                continue
            if moves:
                self._requote(market, maker, now_ns)
            if trades:
                self._trade(market, taker, now_ns)

    # --- Set-up -----------------------------------------------------------------------------

    def _symbol(self, settings: DemoSymbol) -> DefineSymbol:
        definition = self._directory.symbols.get(settings.name)
        if definition is None:
            definition = DefineSymbol(
                max(self._directory.symbols_by_number, default=0) + 1,
                settings.name,
                self._directory.number(DEFINE_ASSET, settings.base),
                self._directory.number(DEFINE_ASSET, settings.quote),
                SYMBOL_TRADING,
                settings.price_e8,
                COMMISSION_PPM,
                COMMISSION_PPM,
                self._core.rulebook.filters(settings.name).step_e8 or 1,
            )
            self._core.submit(definition)
        self._engine.define_symbol(definition)
        return definition

    def _participant(self, name: str, maker: bool) -> _Participant:
        directory = self._directory
        account = directory.accounts.get(name)
        if account is None:
            account = DefineAccount(
                max(directory.accounts_by_number, default=0) + 1,
                name,
                directory.number(DEFINE_OWNER, name),
                "market_maker" if maker else "default",
                ACCOUNT_DEMO | (ACCOUNT_MARKET_MAKER if maker else 0),
            )
            self._core.submit(account)
        self._engine.define_account(account)
        key = directory.keys.get(name)
        if key is None:
            key = DefineKey(
                max(directory.keys_by_number, default=0) + 1,
                name,
                account.account,
                PERMIT_READ | PERMIT_TRADE,
                (),
                0,
            )
            self._core.submit(key)
        # Every participant has an address of its own, so that none shares a limit by address.
        ip = directory.address(f"127.77.{account.account >> 8 & 255}.{account.account & 255}")
        algo = directory.number(DEFINE_ALGO, "demo-maker" if maker else "demo-taker")
        flags = FLAG_ALGO | (FLAG_MARKET_MAKING if maker else 0)
        return _Participant(account.account, key.key, ip, flags, algo)

    def _fund(self) -> None:
        """Credit every participant whose free funds are below half of what it began with."""
        for market in self._markets:
            settings = market.settings
            quote_e8 = settings.order_value_e8 * FUNDS_VALUE
            base_e8 = quote_e8 * E8 // settings.price_e8
            for participant in (*market.makers, *self._takers):
                for asset, amount_e8 in (
                    (market.base_asset, base_e8),
                    (market.quote_asset, quote_e8),
                ):
                    free_e8 = self._core.book.free_e8(participant.account, asset)
                    if free_e8 < amount_e8 // 2:
                        self._engine.deposit(
                            participant.account, asset, amount_e8 - free_e8, "demo funds"
                        )

    # --- What participants do ---------------------------------------------------------------

    def _walk(self, market: _Market) -> None:
        tick_e8 = self._core.book.symbols[market.symbol].filters.tick_e8
        widest_e8 = max(market.fair_e8 // WALK, tick_e8 // 4, 1)
        moved_e8 = self._random.randint(-widest_e8, widest_e8)
        back_e8 = (market.settings.price_e8 - market.fair_e8) // PULL
        market.fair_e8 = max(market.fair_e8 + moved_e8 + back_e8, 1)

    def _requote(self, market: _Market, maker: _Participant, now_ns: int) -> None:
        """Cancel the maker's worst placed quote that is old enough, then fill up its sides."""
        book = self._core.book
        worst: OpenOrder | None = None
        worst_distance_e8 = -1
        tick_e8 = book.symbols[market.symbol].filters.tick_e8
        ideal_e8 = (
            max(market.fair_e8 // HALF_SPREAD, tick_e8)
            + max(market.fair_e8 // LEVEL_GAP, tick_e8) * LEVELS // 2
        )
        for order in book.open_orders(maker.account, market.symbol).values():
            if not order.live or order.cancel_cause:
                continue
            if book.matchable_age_ns(order, now_ns) < REST_NS:
                continue
            sign = 1 if order.side == BUY else -1
            distance_e8 = abs(sign * (market.fair_e8 - order.price_e8) - ideal_e8)
            if distance_e8 > worst_distance_e8:
                worst, worst_distance_e8 = order, distance_e8
        if worst is not None:
            self._submit(
                Cancel(
                    Endpoint.ORDER_CANCEL,
                    *self._request(maker, now_ns),
                    market.symbol,
                    worst.order_id,
                    "",
                )
            )
        self._quote(market, maker, now_ns)

    def _quote(self, market: _Market, maker: _Participant, now_ns: int) -> None:
        """Place one quote on each side that has too few, never against the maker's own."""
        orders = self._core.book.open_orders(maker.account, market.symbol).values()
        bids = [order.price_e8 for order in orders if order.side == BUY]
        asks = [order.price_e8 for order in orders if order.side == SELL]
        facts = self._core.book.symbols[market.symbol]
        tick_e8 = facts.filters.tick_e8 or 1
        for side, own, others in ((BUY, bids, asks), (SELL, asks, bids)):
            if len(own) >= LEVELS:
                continue
            furthest_e8 = max(market.fair_e8 // LEVEL_GAP, tick_e8) * LEVELS
            # The nearer of two draws: quotes crowd towards the best price.
            distance_e8 = max(market.fair_e8 // HALF_SPREAD, tick_e8) + min(
                self._random.randint(0, furthest_e8), self._random.randint(0, furthest_e8)
            )
            if side == BUY:
                price_e8 = (market.fair_e8 - distance_e8) // tick_e8 * tick_e8
                crosses = bool(others) and price_e8 >= min(others)
            else:
                price_e8 = -(-(market.fair_e8 + distance_e8) // tick_e8) * tick_e8
                crosses = bool(others) and price_e8 <= max(others)
            if crosses:
                continue
            value_e8 = market.settings.order_value_e8 * self._random.randint(50, 150) // 100
            quantity_e8 = _quantity_e8(facts, price_e8, value_e8, False)
            self._place(market, maker, side, LIMIT, GTC, price_e8, quantity_e8, now_ns)

    def _trade(self, market: _Market, taker: _Participant, now_ns: int) -> None:
        """Take a small size, a little more often on the side that is behind the fair price."""
        facts = self._core.book.symbols[market.symbol]
        middle_e8 = (facts.bid_e8 + facts.ask_e8) // 2
        side = (
            BUY
            if self._random.randrange(100) < (60 if market.fair_e8 > middle_e8 else 40)
            else SELL
        )
        value_e8 = market.settings.order_value_e8 * self._random.randint(5, 60) // 100
        by_market = self._random.randrange(100) < 60
        if by_market:
            quantity_e8 = _quantity_e8(facts, market.fair_e8, value_e8, True)
            self._place(market, taker, side, MARKET, 0, 0, quantity_e8, now_ns)
            return
        tick_e8 = facts.filters.tick_e8 or 1
        reach_e8 = market.fair_e8 // 1_000
        if side == BUY:
            price_e8 = (market.fair_e8 + reach_e8) // tick_e8 * tick_e8
        else:
            price_e8 = -(-(market.fair_e8 - reach_e8) // tick_e8) * tick_e8
        quantity_e8 = _quantity_e8(facts, price_e8, value_e8, False)
        self._place(market, taker, side, LIMIT, IOC, price_e8, quantity_e8, now_ns)

    # --- Requests ---------------------------------------------------------------------------

    def _request(
        self, participant: _Participant, now_ns: int
    ) -> tuple[int, int, int, int, int, int, int, int, int, int]:
        """Return the common fields of a request after its endpoint."""
        return (
            participant.ip,
            participant.key,
            AUTH_OK,
            now_ns,
            now_ns,
            RECV_WINDOW_NS,
            0,
            CHANNEL_INTERNAL,
            0,
            self._agent,
        )

    def _place(
        self,
        market: _Market,
        participant: _Participant,
        side: int,
        order_type: int,
        time_in_force: int,
        price_e8: int,
        quantity_e8: int,
        now_ns: int,
    ) -> None:
        self._submit(
            Place(
                Endpoint.ORDER_PLACE,
                *self._request(participant, now_ns),
                market.symbol,
                side,
                order_type,
                time_in_force,
                price_e8,
                quantity_e8,
                0,
                flags=participant.flags,
                algo=participant.algo,
            )
        )

    def _submit(self, event: Event) -> None:
        self.requests += 1
        self._core.submit(event, self._answered)

    def _answered(self, outcome: Outcome) -> None:
        """Count refusals; participants need no other answer, they read the book."""
        if outcome.decision.breaches:
            self.refused[outcome.decision.breaches[0].reason.name] += 1
        elif outcome.result is not None and not outcome.result.accepted:
            reason = outcome.result.reason
            self.refused[reason.name if reason is not None else "UNKNOWN"] += 1


def _quantity_e8(facts: SymbolFacts, price_e8: int, value_e8: int, by_market: bool) -> int:
    """Return the quantity worth about `value_e8` that the symbol's filters allow.

    Never below what the filters ask for, with a tenth to spare where a value is the bound, as the
    price may be another by the time it is checked.
    """
    filters = facts.filters
    step_e8 = filters.step_e8 or 1
    least_e8 = filters.min_quantity_e8
    if by_market:
        if filters.market_step_e8:
            step_e8 = max(step_e8, filters.market_step_e8)
        least_e8 = max(least_e8, filters.market_min_quantity_e8)
    least_value_e8 = max(filters.min_notional_e8, filters.notional_min_e8)
    value_e8 = max(value_e8, least_value_e8 * 11 // 10)
    quantity_e8 = max(value_e8 * E8 // price_e8, least_e8)
    return -(-quantity_e8 // step_e8) * step_e8
