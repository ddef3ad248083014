"""Asking a gate while nobody else does, with the record followed up to each answer."""

from collections import Counter
from random import Random

from gateway.journal import Record
from rules.values import (
    DEFINE_OWNER,
    SCOPE_ACCOUNT,
    SCOPE_KEY,
    SCOPE_OWNER,
    SCOPE_SYMBOL,
)
from tests.kill import rest
from tests.kill.asks import Ask, Seen
from tests.kill.course import Course
from tests.kill.processes import GateProcess, decision_ids
from tests.kill.venue import Party
from tests.sim.orders import ModelOrder


class Questions:
    """A quiet gate and its record.

    `seen` has every answer, `counts` how much was found carried over.
    """

    def __init__(
        self, gate: GateProcess, course: Course, chance: Random, counts: Counter[str]
    ) -> None:
        self.seen: list[Seen] = []
        self.gate = gate
        self.course = course
        self.chance = chance
        self.counts = counts

    async def ask(self, party: Party, ask: Ask) -> Seen:
        """Ask on a connection of its own, and follow the record up to the decision."""
        client = rest.RestClient(self.gate, party, self.seen.append)
        try:
            seen = await client.ask(ask)
        finally:
            await client.close()
        self.course.follow(self._seq(seen))
        return seen

    def record(self, seen: Seen) -> Record:
        """Return the record of an answer."""
        record = self.course.life(self.gate.run.name).records.get(self._seq(seen))
        assert record is not None, f"it is not in the record: {seen}"
        return record

    def decided_ns(self, seen: Seen) -> int:
        """Return the core's time of a decision."""
        return self.record(seen).now_ns

    def open_orders(self, party: Party, symbol: str = "") -> list[ModelOrder]:
        """Return the open orders of a party's account, as the record has them."""
        account = self.course.number(party.account)
        number = self.symbol(symbol) if symbol else 0
        return [
            order
            for order in self.course.orders.open.values()
            if order.account == account and number in (0, order.symbol)
        ]

    def free(self, party: Party, symbol: str = "") -> list[ModelOrder]:
        """Return those of its open orders that no stop says anything about, with a name."""
        key = self.course.replica.directory.keys[party.api_key].key
        return [
            order
            for order in self.open_orders(party, symbol)
            if order.client_order_id and not self.course.stops.state_of(key, order.symbol)
        ]

    def symbol(self, name: str) -> int:
        """Return the number of a symbol."""
        return self.course.replica.directory.symbols[name].symbol

    def symbol_name(self, number: int) -> str:
        """Return the name of a symbol."""
        return self.course.replica.directory.symbols_by_number[number].name

    def subject_name(self, scope: int, subject: int) -> str:
        """Return the name of what was stopped."""
        directory = self.course.replica.directory
        if scope == SCOPE_OWNER:
            return directory.name(DEFINE_OWNER, subject)
        if scope == SCOPE_SYMBOL:
            return self.symbol_name(subject)
        if scope == SCOPE_ACCOUNT:
            return directory.accounts_by_number[subject].name
        assert scope == SCOPE_KEY
        return directory.keys_by_number[subject].name

    def _seq(self, seen: Seen) -> int:
        seq = decision_ids(self.gate.data, self.gate.run.name).decode(seen.decision_id)
        assert seq is not None
        return seq
