"""A recorded flow with scripted manipulators and innocents mixed into it, as a flow file.

The recording (Independent Reserve, thirty seconds of five symbols) is repeated every minute by forty
accounts. Into it come a market maker who quotes four of the symbols and retail customers who trade
with him, four manipulators after the cases of the FSS's notice of 13 April 2026, and those who look
like them: bots that buy a little all the time, a grid, a rebalance. Who is who stands in the
columns account, key, ip and channel. `python -m tests.flows` shows who is found, and writes the file.
"""

import csv
import gzip
import hashlib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

RECORDING: Final = Path(__file__).parent.parent / "data" / "independentreserve_2022-04-03.csv.gz"
HEADER: Final = (
    "ts_ns", "event", "order_id", "side", "price", "qty", "flag", "symbol",
    "account", "key", "ip", "channel",
)  # fmt: skip
SECOND: Final = 1_000_000_000
MINUTES: Final = 12
BACKGROUND_ACCOUNTS: Final = 40
RETAIL_ACCOUNTS: Final = 20

BCH, ETH, DOT, MATIC = "BCH-AUD", "ETH-AUD", "DOT-AUD", "MATIC-AUD"
MIDDLES: Final = {BCH: "505", ETH: "4712", DOT: "31.1", MATIC: "2.266"}
SPREADS: Final = {BCH: "0.5", ETH: "1", DOT: "0.01", MATIC: "0.001"}
LOTS: Final = {BCH: "1.5", ETH: "0.4", DOT: "30", MATIC: "400"}
"""What a retail customer trades at most."""

MANIPULATORS: Final = {
    "tape_painting": {"painter"},
    "fictitious_bids": {"baiter"},
    "matched_trades": {"ring-a", "ring-b", "ring-c"},
    "target_ramp": {"ramper"},
}
"""Whom each rule must find; everybody else is innocent."""


class Who(NamedTuple):
    """Who sends an order, and by which way."""

    account: str
    key: str
    ip: str
    channel: str


def who(account: str, number: int = 1, channel: str = "rest") -> Who:
    """Return an account's key `number`, or the account by hand on another channel."""
    digest = hashlib.blake2b(account.encode(), digest_size=2).digest()
    key = f"{account}-key-{number}" if channel in ("rest", "websocket", "grpc") else ""
    return Who(account, key or f"{account}-hand", f"127.2.{digest[0]}.{digest[1]}", channel)


class Order:
    """An order of the script."""

    def __init__(self, name: str, side: str, price: Decimal, symbol: str, owner: Who) -> None:
        self.name = name
        self.side = side
        self.price = price
        self.symbol = symbol
        self.owner = owner


class Script:
    """Collects the rows of what is planned, in the order of time."""

    def __init__(self, start_ns: int) -> None:
        self.rows: list[tuple[int, int, tuple[str, ...]]] = []
        self.start_ns = start_ns
        self.now_ns = start_ns
        self.makers: dict[str, Maker] = {}
        self._plan: list[tuple[int, int, Callable[[], None]]] = []
        self._named = 0

    def at(self, seconds: float, act: Callable[[], None]) -> None:
        """Plan something for a moment after the start."""
        moment_ns = self.start_ns + round(seconds * 1_000) * (SECOND // 1_000)
        self._plan.append((moment_ns, len(self._plan), act))

    def run(self) -> None:
        """Carry out everything planned; what is planned meanwhile must be later."""
        for moment_ns, _, act in sorted(self._plan):
            self.now_ns = moment_ns
            act()

    def new(self, owner: Who, symbol: str, side: str, price: Decimal, quantity: Decimal) -> Order:
        """Enter an order."""
        self._named += 1
        order = Order(f"{owner.account}-{self._named}", side, price, symbol, owner)
        self._row("new", order, price, quantity)
        return order

    def cancel(self, order: Order) -> None:
        """Cancel an order."""
        self._row("cancel", order, None, None)

    def meet(self, taker: Order, maker: Order, quantity: Decimal) -> None:
        """Let two orders trade at the resting one's price."""
        self._row("fill", taker, maker.price, quantity, "T")
        self._row("fill", maker, maker.price, quantity, "M")

    def take(self, owner: Who, symbol: str, side: str, quantity: Decimal) -> None:
        """Take from the market maker."""
        maker = self.makers[symbol].bid if side == "sell" else self.makers[symbol].ask
        self.meet(self.new(owner, symbol, side, maker.price, quantity), maker, quantity)

    def _row(
        self,
        event: str,
        order: Order,
        price: Decimal | None,
        quantity: Decimal | None,
        flag: str = "",
    ) -> None:
        texts = ["" if value is None else f"{value:f}" for value in (price, quantity)]
        self.rows.append(
            (
                self.now_ns,
                len(self.rows),
                (str(self.now_ns), event, order.name, order.side, *texts, flag, order.symbol,
                 *order.owner),
            )
        )  # fmt: skip


class Maker:
    """The market maker in one symbol: quotes both sides, anew every five seconds."""

    def __init__(self, script: Script, symbol: str) -> None:
        self._script = script
        self._symbol = symbol
        self._who = who("maker", channel="grpc")
        self.middle = Decimal(MIDDLES[symbol])
        self.spread = Decimal(SPREADS[symbol])
        self._enter()

    def _enter(self) -> None:
        enter, size = self._script.new, Decimal(2_000)
        self.bid = enter(self._who, self._symbol, "buy", self.middle - self.spread, size)
        self.ask = enter(self._who, self._symbol, "sell", self.middle + self.spread, size)

    def quote(self, middle: Decimal) -> None:
        """Move both quotes."""
        if middle != self.middle:
            self._script.cancel(self.bid)
            self._script.cancel(self.ask)
            self.middle = middle
            self._enter()


def market(script: Script, random: Random) -> None:
    """Plan the market maker, retail customers and the bots that only look suspicious."""

    def opened() -> None:
        for symbol in MIDDLES:
            script.makers[symbol] = Maker(script, symbol)

    def requote(symbol: str, ticks: int) -> None:
        step = Decimal(SPREADS[symbol]) * ticks
        script.makers[symbol].quote(Decimal(MIDDLES[symbol]) + step)

    def retail(symbol: str) -> None:
        customer = who(f"retail-{random.randrange(RETAIL_ACCOUNTS)}", channel="rest")
        lot = (Decimal(LOTS[symbol]) * random.randrange(1, 11) / 10).quantize(Decimal("0.001"))
        script.take(customer, symbol, random.choice(("buy", "sell")), lot)

    script.at(0, opened)
    for second in range(5, 60 * MINUTES, 5):
        for symbol in (BCH, ETH, DOT):
            script.at(second, lambda s=symbol, n=second // 5 % 2: requote(s, n))
    for third in range(1, 20 * MINUTES):
        for place, symbol in enumerate(MIDDLES):
            if symbol != MATIC or not 60 <= 3 * third % 300 <= 140:
                script.at(3 * third + 0.4 + 0.2 * place, lambda s=symbol: retail(s))
    for half in range(2 * MINUTES - 1):
        buyer = who("dca-bot")
        script.at(30 * half + 2, lambda b=buyer: script.take(b, DOT, "buy", Decimal(5)))
    for turn in range(10):
        for symbol in MIDDLES:
            lot = Decimal(LOTS[symbol]) * 2
            act = lambda s=symbol, q=lot: script.take(who("rebalancer"), s, "buy", q)  # noqa: E731
            script.at(202 + 2 * turn + 0.1, act)
    grid(script)


def grid(script: Script) -> None:
    """Plan a grid bot: resting orders on both sides that retail customers come to, in turn."""

    def turn(number: int) -> None:
        side, other = ("buy", "sell") if number % 2 else ("sell", "buy")
        price = Decimal("504.8") if side == "buy" else Decimal("505.2")
        resting = script.new(who("grid-bot"), BCH, side, price, Decimal("0.3"))
        script.now_ns += 2 * SECOND
        customer = who(f"retail-{number % RETAIL_ACCOUNTS}")
        script.meet(
            script.new(customer, BCH, other, price, Decimal("0.3")), resting, Decimal("0.3")
        )

    for number in range(4 * MINUTES):
        script.at(15 * number + 6.7, lambda n=number: turn(n))


def painter(script: Script) -> None:
    """Case 1: tiny orders to and fro with two keys, and a high bid by hand every minute."""

    def paint(number: int) -> None:
        side = "buy" if number % 2 == 0 else "sell"
        script.take(who("painter", 1 + number % 2), BCH, side, Decimal("0.01"))

    def high_bid() -> None:
        ask = script.makers[BCH].ask
        by_hand = script.new(
            who("painter", channel="app"), BCH, "buy", Decimal(510), Decimal("0.2")
        )
        script.meet(by_hand, ask, Decimal("0.2"))

    for number in range(440):
        script.at(60 + 0.85 * number, lambda n=number: paint(n))
    for minute in range(6):
        script.at(65.3 + 60 * minute, high_bid)


def baiter(script: Script) -> None:
    """Case 2: buys by hand, and huge bids 3, 5 and 7 per cent below that flee when it falls."""
    lures: list[Order] = []

    def bait() -> None:
        script.take(who("baiter", channel="app"), ETH, "buy", Decimal("0.5"))
        lures.extend(
            script.new(who("baiter", 2), ETH, "buy", Decimal(price), Decimal(600))
            for price in ("4568", "4474", "4380")
        )

    def flee() -> None:
        for lure in lures:
            script.cancel(lure)
        lures.clear()

    for turn in range(8):
        # The maker's middle is up from second 5 to 10 of every ten and falls at 10.
        script.at(100 + 30 * turn + 7, bait)
        script.at(100 + 30 * turn + 11, flee)


def ring(script: Script) -> None:
    """Case 3: two owners trade with each other, a third with himself; then one sells out."""

    def pair(seller: Who, buyer: Who, quantity: str) -> None:
        price = Decimal("31.105")
        resting = script.new(seller, DOT, "sell", price, Decimal(quantity))
        script.now_ns += SECOND * 3 // 10
        script.meet(script.new(buyer, DOT, "buy", price, Decimal(quantity)), resting,
                    Decimal(quantity))  # fmt: skip

    a, b = who("ring-a"), who("ring-b")
    for turn in range(9):
        seller, buyer = (a, b) if turn % 2 == 0 else (b, a)
        script.at(120 + 40 * turn + 3.3, lambda s=seller, y=buyer: pair(s, y, "25"))
    script.at(301.3, lambda: pair(who("ring-c", 1), who("ring-c", 2), "40"))
    script.at(520.3, lambda: script.take(a, DOT, "sell", Decimal(150)))


def ramper(script: Script) -> None:
    """Case 4: a sell placed by hand, buys that pull the price up to it, twice."""
    target: list[Order] = []
    step = Decimal("1.0075")

    def place() -> None:
        price = Decimal("2.43")
        target[:] = [script.new(who("ramper", channel="app"), MATIC, "sell", price, Decimal(9_000))]

    def push(number: int) -> None:
        script.take(who("ramper", 1 + number % 2), MATIC, "buy", Decimal(500))
        middle = (Decimal(MIDDLES[MATIC]) * step ** (number + 1)).quantize(Decimal("0.0001"))
        script.makers[MATIC].quote(middle)

    def sold() -> None:
        order = script.new(who("chaser"), MATIC, "buy", Decimal("2.43"), Decimal(6_000))
        script.meet(order, target[0], Decimal(6_000))
        script.cancel(target[0])

    def back() -> None:
        script.makers[MATIC].quote(Decimal(MIDDLES[MATIC]))

    for cycle in (0, 300):
        script.at(cycle + 61, place)
        for number in range(9):
            script.at(cycle + 70 + 5 * number + 0.05, lambda n=number: push(n))
        script.at(cycle + 125, sold)
        script.at(cycle + 130, back)


def background(start_ns: int) -> list[tuple[int, int, tuple[str, ...]]]:
    """Return the recording, repeated every minute, with accounts by a digest of the order's id."""
    with gzip.open(RECORDING, "rt", newline="", encoding="utf-8") as file:
        recorded = list(csv.DictReader(file))
    rows = []
    for minute in range(MINUTES):
        for place, row in enumerate(recorded):
            digest = hashlib.blake2b(row["order_id"].encode(), digest_size=4).digest()
            number = int.from_bytes(digest, "big") % BACKGROUND_ACCOUNTS
            now_ns = int(row["ts_ns"]) + minute * 60 * SECOND
            fields = {**row, "ts_ns": str(now_ns), "order_id": f"{row['order_id']}.{minute}"}
            texts = tuple(fields[name] for name in HEADER[:8])
            rows.append((now_ns, place - len(recorded), (*texts, *who(f"trader-{number}"))))
    assert all(row[0] >= start_ns for row in rows)
    return rows


def manipulation_rows() -> list[tuple[str, ...]]:
    """Return the rows of the mixed flow in the order of time; the same every time."""
    with gzip.open(RECORDING, "rt", newline="", encoding="utf-8") as file:
        start_ns = int(next(csv.DictReader(file))["ts_ns"])
    script = Script(start_ns)
    market(script, Random(20_260_413))
    for manipulator in (painter, baiter, ring, ramper):
        manipulator(script)
    script.run()
    return [row for _, _, row in sorted(background(start_ns) + script.rows)]


def write_manipulation(path: Path) -> None:
    """Write the mixed flow as a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(manipulation_rows())


def first_orders(path: Path) -> dict[tuple[str, str], int]:
    """Return when each account of a flow file first entered an order in each symbol."""
    found: dict[tuple[str, str], int] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault((row["account"], row["symbol"]), int(row["ts_ns"]))
    return found
