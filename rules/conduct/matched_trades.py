"""F3: trades arranged between accounts that belong together, and trades with oneself."""

from collections import deque
from typing import Any, ClassVar, NamedTuple

from rules.answers import WITH_FILLS
from rules.book import Book
from rules.decisions import ACCEPTED, Alert, Decision
from rules.events import (
    CommandResult,
    Event,
    Fill,
    MarketOrder,
    MarketTrade,
    OrderTrade,
    Place,
    Replace,
)
from rules.executions import Take, Tapes, take_of
from rules.fading import Fading
from rules.kinds import MARKET_ORDER, MARKET_TRADE, ORDER_TRADE, PLACE, REPLACE
from rules.patterns import at_least, at_most, evidence, raised, share_e8, share_of, tell
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.units import duration_ns
from rules.values import BUY, E8, FLAG_TEST, NEW, SELL


class _Side(NamedTuple):
    """One side of a trade."""

    owner: int
    interest: int
    account: int
    """0 for an order of another channel."""
    order_id: int
    """Below 0 for an order of another channel."""


_Subject = tuple[int, int, int]
"""The two interests, the smaller first, and the symbol."""


class MatchedTrades(Rule):
    """Tell owners who trade with themselves or, again and again, with each other.

    An order that trades with its own owner is an alert at once, one however many executions it has
    with him. A trade between two owners is a pair
    when their orders came at most `apart` from each other, at prices at most `ticks` apart (a
    market order is at the trade's price), the smaller at least `likeness` of the larger. So many
    `pairs` of the same two in `window` make an alert when they are `own_share` of the volume of
    each, or `symbol_share` of the symbol's, since the first of them, and the two together hold at
    most `inventory` of that volume more or less than before; counting then starts anew. Linked
    owners are judged as one, whoever of them trades with whom, and such an alert is aggravated;
    owners of whom no link is known are suspects only (`unlinked`). Nothing is refused here: orders
    that would meet are `owner_self_trade`'s. Orders of other channels count, by the drop copy.
    Source: Virtual Asset User Protection Act Art. 10(2); FSS, notice of 13 April 2026, case 3. The
    numbers are ours.
    """

    name: ClassVar[str] = "matched_trades"
    stage: ClassVar[int] = LIMIT
    applies: ClassVar[tuple[type[Event], ...]] = (
        Place,
        Replace,
        CommandResult,
        OrderTrade,
        MarketOrder,
        MarketTrade,
    )
    heeds_refused: ClassVar[bool] = False
    results: ClassVar[int] = WITH_FILLS
    source: ClassVar[str] = "VAUPA Art. 10(2); FSS notice of 13 April 2026, case 3"
    discloses: ClassVar[bool] = False

    def __init__(self, rulebook: Rulebook) -> None:
        clause = self._clause = rulebook.clauses.matched_trades
        self._apart_ns = duration_ns(clause.apart)
        self._likeness_e8 = share_e8(clause.likeness)
        self._window_ns = duration_ns(clause.window)
        self._own_share_e8 = share_e8(clause.own_share)
        self._symbol_share_e8 = share_e8(clause.symbol_share)
        self._inventory_e8 = share_e8(clause.inventory)
        self._tapes = Tapes()
        self._entries: Fading[int, tuple[int, ...]] = Fading(self._apart_ns + 1)
        """[time, record, price, quantity] of orders that came lately, by order."""
        self._volumes: Fading[tuple[int, int], list[int]] = Fading(self._window_ns)
        """[traded, bought less sold] by interest and symbol, running."""
        self._pairs: Fading[_Subject, deque[list[int]]] = Fading(self._window_ns)
        self._told: Fading[int, list[int]] = Fading(self._apart_ns + 1)
        """Orders of other channels whose trade with their own owner has been told, lately."""

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Take up an order's entry or a trade."""
        kind = type(event)
        if kind is PLACE or kind is REPLACE:
            if decision.verdict == ACCEPTED and not event.flags & FLAG_TEST:
                self._entered(decision.order_id, event.price_e8, event.quantity_e8, book, now_ns)
        elif kind is MARKET_ORDER:
            if event.status == NEW:
                self._entered(-event.order_id, event.price_e8, event.quantity_e8, book, now_ns)
        elif kind is MARKET_TRADE:
            self._tapes.add(event, None, book)
            self._market_trade(event, book, now_ns)
        else:
            take = take_of(event, book)
            self._tapes.add(event, take, book)
            if take is not None:
                self._took(take, book, now_ns)
            elif kind is ORDER_TRADE:
                order = book.order_of(event.order_id)
                if order is not None:
                    interest = book.conduct.interest_of(order.owner)
                    self._count(interest, order.symbol, order.side, event.fill.quantity_e8, now_ns)

    def _entered(
        self, order_id: int, price_e8: int, quantity_e8: int, book: Book, now_ns: int
    ) -> None:
        entry = (now_ns, book.current_seq, price_e8, quantity_e8)
        self._entries.put(order_id, entry, now_ns)

    def _count(self, interest: int, symbol: int, side: int, quantity_e8: int, now_ns: int) -> None:
        volume = self._volumes.use((interest, symbol), now_ns, _nothing)
        volume[0] += quantity_e8
        volume[1] += quantity_e8 if side == BUY else -quantity_e8

    def _took(self, take: Take, book: Book, now_ns: int) -> None:
        """Take up the executions of an order that took, and who stood on the other side."""
        conduct = book.conduct
        interest = conduct.interest_of(take.owner)
        self._count(interest, take.symbol, take.side, take.quantity_e8, now_ns)
        taker = _Side(take.owner, interest, take.account, take.order_id)
        late: dict[int, list[int]] = {}
        own: list[tuple[_Side, Fill]] = []
        for fill in take.makers:
            order = book.order_of(fill.counter_order_id) if fill.counter_order_id else None
            if order is None:
                continue
            maker = _Side(
                order.owner, conduct.interest_of(order.owner), order.account, order.order_id
            )
            # The resting side's report comes after this one.
            missing = late.setdefault(maker.interest, [0, 0])
            missing[0] += fill.quantity_e8
            missing[1] += fill.quantity_e8 if order.side == BUY else -fill.quantity_e8
            if maker.owner == taker.owner:
                own.append((maker, fill))
                continue
            self._met(
                taker, maker, take.symbol, fill.price_e8, fill.quantity_e8, late, book, now_ns
            )
        if own:
            numbers = [maker.order_id for maker, _ in own]
            quantity_e8 = sum(fill.quantity_e8 for _, fill in own)
            traded = (own[-1][1].price_e8, quantity_e8, len(own))
            self._met_himself(taker, numbers, take.symbol, traded, book, now_ns)

    def _market_trade(self, event: MarketTrade, book: Book, now_ns: int) -> None:
        """Take up a trade with a side of another channel; both owners are told."""
        symbol, quantity_e8 = event.symbol, event.quantity_e8
        sides = []
        for side, owner, order_id, channel in (
            (BUY, event.buy_owner, event.buy_order_id, event.buy_channel),
            (SELL, event.sell_owner, event.sell_order_id, event.sell_channel),
        ):
            interest = book.conduct.interest_of(owner)
            if channel and owner:
                self._count(interest, symbol, side, quantity_e8, now_ns)
            sides.append(_Side(owner, interest, 0, -order_id if channel else order_id))
        buyer, seller = sides
        if buyer.owner and buyer.owner == seller.owner:
            taker, maker = (seller, buyer) if event.buyer_is_maker else (buyer, seller)
            told = self._told.use(taker.order_id, now_ns, list)
            if not told or not taker.order_id or now_ns - told[0] > self._apart_ns:
                traded = (event.price_e8, quantity_e8, 1)
                self._met_himself(taker, [maker.order_id], symbol, traded, book, now_ns)
            told[:] = [now_ns]
        elif buyer.owner and seller.owner:
            self._met(buyer, seller, symbol, event.price_e8, quantity_e8, {}, book, now_ns)

    def _met_himself(
        self,
        taker: _Side,
        numbers: list[int],
        symbol: int,
        traded: tuple[int, int, int],
        book: Book,
        now_ns: int,
    ) -> None:
        """Tell of an order that met others of its own owner; `traded` is (price, quantity, times)."""
        price_e8, quantity_e8, times = traded
        found = [self._entries.find(number) for number in (taker.order_id, *numbers)]
        seqs = [entry[1] for entry in found if entry]
        figures = (("price_e8", price_e8), ("quantity_e8", quantity_e8), ("self_trades", times))
        sides = (taker, taker)
        self._tell(sides, symbol, 1, now_ns, [*seqs, book.current_seq], figures, book)

    def _met(
        self,
        one: _Side,
        other: _Side,
        symbol: int,
        price_e8: int,
        quantity_e8: int,
        late: dict[int, list[int]],
        book: Book,
        now_ns: int,
    ) -> None:
        """Judge one trade by its two sides; `late` is what volumes do not hold yet."""
        seqs = [
            entry[1]
            for entry in (self._entries.find(one.order_id), self._entries.find(other.order_id))
            if entry
        ]
        if one.interest != other.interest and not self._clause.unlinked:
            return
        if not self._pairs_up(one, other, symbol, price_e8, quantity_e8, book):
            return
        subject = (min(one.interest, other.interest), max(one.interest, other.interest), symbol)
        pairs = self._pairs.use(subject, now_ns, deque)
        while pairs and pairs[0][0] <= now_ns - self._window_ns:
            pairs.popleft()
        sums = self._sums(subject, late, now_ns)
        tape_e8 = self._tapes.of(symbol).quantity_e8
        before = [tape_e8 - quantity_e8, sums[0] - quantity_e8, sums[1] - quantity_e8, sums[2]]
        if subject[0] == subject[1]:
            before[1:3] = [sums[0] - 2 * quantity_e8] * 2
        pairs.append([now_ns, min(seqs), max(seqs), book.current_seq, quantity_e8, *before])
        needed = min(
            raised(self._clause.pairs, self._clause, side.account, book) for side in (one, other)
        )
        if len(pairs) >= needed:
            self._judge(subject, (one, other), pairs, [tape_e8, *sums], book)

    def _pairs_up(
        self, one: _Side, other: _Side, symbol: int, price_e8: int, quantity_e8: int, book: Book
    ) -> bool:
        """Return whether two orders look made for each other."""
        first, second = self._entries.find(one.order_id), self._entries.find(other.order_id)
        if not first or not second or abs(first[0] - second[0]) > self._apart_ns:
            return False
        tick_e8 = book.symbols[symbol].filters.tick_e8 or 1
        apart_e8 = abs((first[2] or price_e8) - (second[2] or price_e8))
        if apart_e8 > self._clause.ticks * tick_e8:
            return False
        sizes = sorted((first[3] or quantity_e8, second[3] or quantity_e8))
        return at_least(sizes[0], self._likeness_e8, sizes[1])

    def _sums(
        self, subject: _Subject, late: dict[int, list[int]], now_ns: int
    ) -> tuple[int, int, int]:
        """Return the running volume of each of the two, and what they hold together."""
        volumes: dict[int, int] = {}
        held_e8 = 0
        for interest in dict.fromkeys(subject[:2]):
            volume: list[int] = self._volumes.use((interest, subject[2]), now_ns, _nothing)
            missing: list[int] = late.get(interest, [0, 0])
            volumes[interest] = volume[0] + missing[0]
            held_e8 += volume[1] + missing[1]
        return volumes[subject[0]], volumes[subject[1]], held_e8

    def _judge(
        self,
        subject: _Subject,
        sides: tuple[_Side, _Side],
        pairs: deque[list[int]],
        now: list[int],
        book: Book,
    ) -> None:
        """Tell when the pairs are much of what the two, or the symbol, traded."""
        first = pairs[0]
        paired_e8 = sum(pair[4] for pair in pairs)
        all_e8, one_e8, other_e8 = (now[place] - first[5 + place] for place in range(3))
        linked = subject[0] == subject[1]
        part_e8 = 2 * paired_e8 if linked else paired_e8
        both_e8 = one_e8 if linked else one_e8 + other_e8
        much = at_least(part_e8, self._own_share_e8, max(one_e8, other_e8))
        flat = at_most(abs(now[3] - first[8]), self._inventory_e8, both_e8)
        if not flat or not (much or at_least(paired_e8, self._symbol_share_e8, all_e8)):
            return
        figures = (
            ("pairs", len(pairs)),
            ("own_share_e8", min(share_of(part_e8, max(one_e8, other_e8)), E8)),
            ("symbol_share_e8", min(share_of(paired_e8, all_e8), E8)),
            ("quantity_e8", paired_e8),
            ("linked", int(linked)),
        )
        seqs = [seq for pair in pairs for seq in pair[1:4]]
        self._tell(sides, subject[2], 2 if linked else 1, first[0], seqs, figures, book)
        pairs.clear()

    def _tell(
        self,
        sides: tuple[_Side, _Side],
        symbol: int,
        severity: int,
        since_ns: int,
        seqs: list[int],
        figures: tuple[tuple[str, int], ...],
        book: Book,
    ) -> None:
        """Tell one alert for each interest that took part."""
        owners = tuple(dict.fromkeys(side.owner for side in sides))
        for interest in dict.fromkeys(side.interest for side in sides):
            tell(
                book,
                Alert(
                    rule=self.name,
                    interest=interest,
                    symbol=symbol,
                    severity=severity,
                    since_ns=since_ns,
                    evidence=evidence(seqs),
                    figures=figures,
                    owners=owners,
                    shadow=self._clause.mode == "shadow",
                ),
            )

    # --- Stored -------------------------------------------------------------------------------

    def state(self) -> Any:
        """Return entries, volumes and pairs as plain values."""
        return {
            "tapes": self._tapes.state(),
            "entries": self._entries.state(int, list),
            "volumes": self._volumes.state(list, lambda volume: [str(one) for one in volume]),
            "pairs": self._pairs.state(
                list, lambda pairs: [[str(one) for one in pair] for pair in pairs]
            ),
            "told": self._told.state(int, list),
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._tapes.restore(state["tapes"])
        self._entries.restore(state["entries"], int, tuple)
        self._volumes.restore(state["volumes"], tuple, lambda volume: [int(one) for one in volume])
        self._pairs.restore(
            state["pairs"], tuple, lambda pairs: deque([int(one) for one in pair] for pair in pairs)
        )
        if "told" in state:
            self._told.restore(state["told"], int, list)


def _nothing() -> list[int]:
    return [0, 0]
