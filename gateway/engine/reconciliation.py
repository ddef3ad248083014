"""Bringing a restarted gate and its engine process to one view of orders and balances.

A gate takes up its engine by sequence number, and then knows everything the engine has told since.
It can't know what its own record lost: commands that left before a loss of power took their
records, or cancels that passed unrecorded because no record could be written any more. So before
it serves, it states what it believes, and the engine ends and tells what differs.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from gateway.engine.names import GateNames
from gateway.wire.ordergate.v1 import engine_pb2 as wire
from rules.book import Book

ASK_AGAIN_SECONDS: Final = 0.005
"""Pause before a gate that is told news of the engine asks again."""


class Reconciled(NamedTuple):
    """What the comparison came to."""

    highest_order_id: int = 0
    """The highest order id the engine has ever accepted of a gate."""
    ended: int = 0
    """Orders the gate believed open and the engine did not have, or had with other terms."""
    unknown: int = 0
    """Orders the gate did not know, which the engine cancelled."""
    adjusted: int = 0
    """Balances that differed."""

    @property
    def differs(self) -> bool:
        """Whether anything was not as the gate believed."""
        return bool(self.ended or self.unknown or self.adjusted)


def add_balances(
    message: wire.GateHello | wire.Reconcile,
    names: GateNames,
    balances: Iterable[tuple[int, int, int]],
) -> None:
    """Put the totals of (account, asset, total) into a message."""
    for account, asset, total_e8 in balances:
        message.balances.add(
            account=names.account_name(account),
            asset=names.asset_name(asset),
            total_e8=total_e8,
        )


def statement(
    book: Book, names: GateNames, balances: Iterable[tuple[int, int, int]]
) -> wire.Reconcile:
    """Return what a gate believes of its open orders and balances."""
    message = wire.Reconcile(last_seq=book.engine_seq)
    for order in book.orders.values():
        message.orders.add(
            order_id=order.order_id,
            price_e8=order.price_e8,
            quantity_e8=order.quantity_e8,
            filled_e8=order.filled_e8,
        )
    add_balances(message, names, balances)
    return message


class Reconciliation:
    """Asks until the engine has compared. `told` is given each answer, from the link.

    `state` returns the message that says what the gate believes now, or None while it waits for
    results; `tell` sends it and returns whether the link is up.
    """

    def __init__(
        self, state: Callable[[], wire.Reconcile | None], tell: Callable[[wire.GateItem], bool]
    ) -> None:
        self._state = state
        self._tell = tell
        self._answer: asyncio.Future[wire.Reconciled | None] | None = None

    def told(self, answer: wire.Reconciled | None) -> None:
        """Take up an answer, or (None) that the link broke before it came."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    async def run(self) -> Reconciled:
        """Return what the comparison came to."""
        while True:
            stated = self._state()
            if stated is not None and self._tell(wire.GateItem(reconcile=stated)):
                self._answer = asyncio.get_running_loop().create_future()
                answer = await self._answer
                if answer is not None and not answer.again:
                    return Reconciled(
                        answer.highest_order_id, answer.ended, answer.unknown, answer.adjusted
                    )
            await asyncio.sleep(ASK_AGAIN_SECONDS)
