"""What a recording says of each order's course: how much it offered, where it ended, what traded.

A recording is taken as fact even where it contradicts itself: an order's quantity is what was
stated or, when more was filled than that, what was filled; an order whose end is recorded more
than once lives until the last of them.
"""

from itertools import groupby
from typing import Final, NamedTuple

from gateway.flows.reader import (
    FLAG_HIDDEN,
    FLAG_MAKER,
    FLAG_RESTING,
    FLAG_TAKER,
    ROW_AMEND,
    ROW_CANCEL,
    ROW_FILL,
    ROW_NEW,
    ROW_REDUCE,
    Flow,
    FlowError,
    FlowRow,
)
from rules.values import BUY, NS_PER_MS, SELL

SIDES_APART_NS: Final = 100 * NS_PER_MS
"""The two rows of one trade, where they carry no flags, are at most so far apart."""


class Taker(NamedTuple):
    """An incoming order rebuilt from the fills of the resting orders it met."""

    first: int
    """Index of the first fill row; the others follow it directly."""
    last: int
    side: int
    price_e8: int
    """The worst price it met, so it could execute all of them."""
    quantity_e8: int


class Course(NamedTuple):
    """The course of every order; lists are indexed as the flow's rows."""

    known: list[bool]
    """Whether the row is of an order that was submitted in the recording before."""
    total_e8: list[int]
    """On new, amend and reduce rows of known orders: the order's total quantity from there on."""
    filled_e8: list[int]
    """Quantity of the order filled up to and including the row."""
    ends: list[bool]
    """Whether the order ends with this row."""
    trades: list[bool]
    """Whether the row is counted as a trade: each trade is, once."""
    takers: dict[int, Taker]
    """Rebuilt incoming orders, by the index of their first fill row."""
    counterparts: dict[int, int]
    """The other side's row of a fill, where the recording shows both sides side by side."""
    prices_e8: dict[int, int]
    """What a fill traded at, where the row states its order's own price instead."""


def chart(flow: Flow) -> Course:
    """Return the course of every order in `flow`; raises FlowError on a reduce beyond the rest."""
    rows = flow.rows
    count = len(rows)
    course = Course(
        [False] * count,
        [0] * count,
        [0] * count,
        [False] * count,
        _trades(rows),
        _takers(rows),
        _counterparts(rows),
        _prices_e8(rows),
    )
    by_order: dict[tuple[str, str], list[int]] = {}
    for index, row in enumerate(rows):
        if row.kind == ROW_NEW:
            by_order[row.symbol, row.order_id] = [index]
        else:
            indices = by_order.get((row.symbol, row.order_id))
            if indices is not None:
                indices.append(index)
    for indices in by_order.values():
        _chart_order(flow, indices, course)
    return course


def submitted(row: FlowRow) -> bool:
    """Return whether the row submits an order, and does not only show one that rested before."""
    return row.kind == ROW_NEW and row.flag != FLAG_RESTING


def _chart_order(flow: Flow, indices: list[int], course: Course) -> None:
    """Fill in the course of one order, whose rows are `indices`, the first its submission."""
    rows = flow.rows
    known = submitted(rows[indices[0]])
    needed_e8 = _needed_e8([rows[index] for index in indices])
    total_e8 = filled_e8 = 0
    cancelled = False
    for place, index in enumerate(indices):
        row = rows[index]
        course.known[index] = known
        if row.kind == ROW_FILL:
            filled_e8 += row.quantity_e8
        elif row.kind == ROW_CANCEL:
            cancelled = True
        else:
            left_e8 = row.quantity_e8
            if row.kind == ROW_REDUCE:
                left_e8 = total_e8 - filled_e8 - row.quantity_e8
                if left_e8 <= 0:
                    raise FlowError(
                        f"{flow.path}, line {row.line}: qty of a reduce takes off all that order "
                        f"`{row.order_id}` has left; accepted: less than that, or a cancel"
                    )
            total_e8 = filled_e8 + max(left_e8, needed_e8[place])
        course.total_e8[index] = total_e8
        course.filled_e8[index] = filled_e8
    course.ends[indices[-1]] = cancelled or filled_e8 == total_e8


def _needed_e8(rows: list[FlowRow]) -> list[int]:
    """Return how much is filled after each row before the next amend states a new quantity."""
    needed = [0] * len(rows)
    filled_e8 = 0
    for place in range(len(rows) - 1, -1, -1):
        row = rows[place]
        needed[place] = filled_e8
        if row.kind == ROW_AMEND:
            filled_e8 = 0
        elif row.kind == ROW_FILL:
            filled_e8 += row.quantity_e8
    return needed


def _trades(rows: list[FlowRow]) -> list[bool]:
    """Return which fill rows count as a trade.

    With flags, the resting side's rows (maker or hidden) do. Without, both sides of a trade have
    a row and the sells' are counted; a symbol that has no sell row is one side's own recording.
    """
    selling = {row.symbol for row in rows if row.kind == ROW_FILL and row.side == SELL}
    counted = []
    for row in rows:
        if row.kind != ROW_FILL or row.flag == FLAG_TAKER:
            counted.append(False)
        elif row.flag in (FLAG_MAKER, FLAG_HIDDEN):
            counted.append(True)
        else:
            counted.append(row.side == SELL or row.symbol not in selling)
    return counted


def _counterparts(rows: list[FlowRow]) -> dict[int, int]:
    """Return the other side of each fill whose two sides stand next to each other."""
    found: dict[int, int] = {}
    for index in range(len(rows) - 1):
        one, other = rows[index], rows[index + 1]
        if (
            one.kind == other.kind == ROW_FILL
            and index not in found
            and (one.flag, other.flag) in ((FLAG_TAKER, FLAG_MAKER), (FLAG_MAKER, FLAG_TAKER))
            and one.side != other.side
            and one.ts_ns == other.ts_ns
            and one.symbol == other.symbol
            and (one.price_e8, one.quantity_e8) == (other.price_e8, other.quantity_e8)
        ):
            found[index], found[index + 1] = index + 1, index
    return found


def _prices_e8(rows: list[FlowRow]) -> dict[int, int]:
    """Return the prices of trades whose two rows state two prices: that of the older order.

    A venue that reports orders, not trades, shows each side of a trade at its own order's limit.
    """
    found: dict[int, int] = {}
    entered: dict[tuple[str, str], int] = {}
    for index, row in enumerate(rows[:-1]):
        other = rows[index + 1]
        if row.kind == ROW_NEW:
            entered.setdefault((row.symbol, row.order_id), index)
        if (
            row.kind == other.kind == ROW_FILL
            and not row.flag
            and not other.flag
            and index not in found
            and row.side != other.side
            and row.symbol == other.symbol
            and row.price_e8 != other.price_e8
            and other.ts_ns - row.ts_ns <= SIDES_APART_NS
            and (row.quantity_e8 == other.quantity_e8 or not row.quantity_e8 * other.quantity_e8)
        ):
            # An order that was never entered here rested before the recording.
            first, second = (entered.get((one.symbol, one.order_id), -1) for one in (row, other))
            found[index] = found[index + 1] = row.price_e8 if first <= second else other.price_e8
    return found


def _takers(rows: list[FlowRow]) -> dict[int, Taker]:
    """Return the incoming orders of symbols whose recording shows resting sides only.

    Consecutive fills of one side at one instant are one incoming order of the other side.
    """
    shown = {row.symbol for row in rows if row.kind == ROW_FILL and row.flag == FLAG_TAKER}
    takers = {}

    def group_of(index: int) -> tuple[str, int, int] | None:
        row = rows[index]
        resting = row.kind == ROW_FILL and row.flag in (FLAG_MAKER, FLAG_HIDDEN)
        if not resting or row.symbol in shown:
            return None
        return row.symbol, row.ts_ns, row.side

    for group, indices in groupby(range(len(rows)), group_of):
        if group is None:
            continue
        fills = list(indices)
        quantity_e8 = sum(rows[index].quantity_e8 for index in fills)
        if quantity_e8:
            prices = [rows[index].price_e8 for index in fills]
            side, worst_e8 = (SELL, min(prices)) if group[2] == BUY else (BUY, max(prices))
            takers[fills[0]] = Taker(fills[0], fills[-1], side, worst_e8, quantity_e8)
    return takers
