"""IFER: IOC and FOK orders that expire, of all of them."""

from rules.conduct.expired_ratio import ExpiredRatio
from rules.values import E8, EXPIRED, FILLED, FOK, IOC
from tests.rules.desk import Desk, fill
from tests.rules.order_world import OWNER, SYMBOL, e8, place


def desk_of() -> Desk:
    """Return a desk with the rule, judged from 4 orders on by 0.5."""
    return Desk({"expired_ratio": {"mode": "enforce", "minimum_orders": 4, "maximum": "0.5"}})


def share(desk: Desk) -> tuple[int, int]:
    """Return orders and share in 1e-8."""
    rule = desk.pipeline.rule("expired_ratio")
    assert isinstance(rule, ExpiredRatio)
    (standing,) = rule.standings(OWNER, SYMBOL, None, desk.now_ns)
    return standing.counted, standing.ratio_e8 or 0


def test_what_counts() -> None:
    """A rest that expires counts, one that self-trade prevention took does not, nor does GTC."""
    desk = desk_of()
    desk.rest()
    for time_in_force, status, filled_e8, prevented_e8 in (
        (IOC, FILLED, e8(10), 0),
        (IOC, EXPIRED, e8(4), 0),
        (IOC, EXPIRED, e8(4), e8(6)),
        (FOK, EXPIRED, 0, 0),
    ):
        order = desk.place(time_in_force=time_in_force)
        fills = (fill(e8(100), filled_e8),) if filled_e8 else ()
        desk.answer(
            order.command_id, order.order_id, status, fills=fills, prevented_e8=prevented_e8
        )
    assert share(desk) == (4, E8 // 2)
    assert desk.send(place()).breaches == ()
    (breach,) = desk.send(place()).breaches
    assert (breach.rule, breach.observed) == ("expired_ratio", E8 // 2)


def test_a_refused_order_does_not_count() -> None:
    """Only what the engine took."""
    desk = desk_of()
    order = desk.place(time_in_force=FOK)
    desk.refuse(order.command_id, 7003)
    assert share(desk) == (0, 0)


def test_a_grain_prevented_hides_no_rest() -> None:
    """Of 10, one grain meets an order of one's own and the rest finds nothing: it expired."""
    desk = desk_of()
    for prevented_e8 in (1, e8(10) - 1, e8(10)):
        order = desk.place(time_in_force=IOC)
        desk.answer(order.command_id, order.order_id, EXPIRED, prevented_e8=prevented_e8)
    assert share(desk) == (3, E8 * 2 // 3)
