"""What a gate must still know after a restart, asked of it from outside while nobody else asks."""

import asyncio
import time
from typing import Final

from gateway.usages import account_subjects
from rules.decisions import DEFERRED
from rules.reasons import Reason
from rules.units import decimal_e8, duration_ns
from rules.values import (
    BUY,
    DEFINE_ADDRESS,
    NS_PER_MS,
    NS_PER_SECOND,
    SCOPE_NAMES,
    SIDE_NAMES,
    STATE_NAMES,
)
from tests.kill.asks import ACCEPTED, ACCOUNT, CANCEL, DEPTH, OPEN, PLACE, REFUSED, Ask, Seen
from tests.kill.operators import Operator
from tests.kill.questions import Questions
from tests.kill.venue import ACCOUNTS, GREEDY_PARTY, REST_PARTIES, SYMBOLS, WATCHERS, Party

SETTLE_SECONDS: Final = 20.0
FAR_PRICE: Final = "57000"
"""Where an order rests without being executed."""


class Arrival:
    """One restarted gate and what it is asked; `counts` says how much was found carried over."""

    def __init__(self, questions: Questions, life: int) -> None:
        self._questions = questions
        self._course = questions.course
        self._counts = questions.counts
        self._chance = questions.chance
        self._life = life
        self._operator: Operator

    async def check(self, releases: bool = True) -> None:
        """Ask everything; afterwards most stopped scopes are released, if that is wanted."""
        course = self._course
        course.follow()
        self._operator = Operator(self._questions.gate, lambda _: None)
        try:
            self._counts["held cancels carried over"] += course.held()
            await self.settled()
            await self._books()
            await self._accounts()
            await self._standing()
            await self._limits()
            await self._addresses()
            await self._names()
            await self._ages()
            await self._order_counts()
            if releases:
                await self._release()
        finally:
            await self._operator.close()

    # --- Waiting ------------------------------------------------------------------------------

    async def settled(self) -> None:
        """Return once nothing waits for the engine's word any more; fails when that takes long."""
        course = self._course
        ends = time.monotonic() + SETTLE_SECONDS
        while True:
            course.follow()
            if course.linked and not course.unsettled() and not course.overdue():
                return
            if time.monotonic() > ends:
                waiting = course.unsettled()[:5] if course.linked else "the engine"
                raise AssertionError(f"after {SETTLE_SECONDS} s it still waits for {waiting}")
            await asyncio.sleep(0.05)

    # --- Orders and money ---------------------------------------------------------------------

    async def _books(self) -> None:
        """The engine's book is the gate's: its depth is what the open orders add up to."""
        ends = time.monotonic() + SETTLE_SECONDS
        for symbol in SYMBOLS:
            while True:
                seen = await self._questions.ask(WATCHERS[0], Ask(DEPTH, symbol))
                told = {
                    side: {decimal_e8(price): decimal_e8(left) for price, left in levels}
                    for side, levels in seen.body.items()
                    if side in ("bids", "asks")
                }
                mine = self._levels(symbol)
                if told == mine or time.monotonic() > ends:
                    self._course.check(told == mine, f"the engine has {told}, the book {mine}")
                    break
                await asyncio.sleep(0.1)

    def _levels(self, symbol: str) -> dict[str, dict[int, int]]:
        number = self._questions.symbol(symbol)
        levels: dict[str, dict[int, int]] = {"bids": {}, "asks": {}}
        for order in self._course.orders.open.values():
            if order.symbol == number:
                side = levels["bids" if order.side == BUY else "asks"]
                left_e8 = order.quantity_e8 - order.filled_e8
                side[order.price_e8] = side.get(order.price_e8, 0) + left_e8
        return levels

    async def _accounts(self) -> None:
        """Every account has the orders, the money and the reservations the record gives it."""
        for party in WATCHERS:
            for symbol in SYMBOLS:
                self._orders(party, symbol, await self._questions.ask(party, Ask(OPEN, symbol)))
            self._money(party, await self._questions.ask(party, Ask(ACCOUNT)))

    def _orders(self, party: Party, symbol: str, seen: Seen) -> None:
        assert seen.told == ACCEPTED, seen
        told = {
            order["orderId"]: (
                order["clientOrderId"],
                order["side"],
                decimal_e8(order["price"]),
                decimal_e8(order["executedQty"]),
            )
            for order in seen.body
        }
        mine = {
            order.order_id: (
                order.client_order_id,
                SIDE_NAMES[order.side],
                order.price_e8,
                order.filled_e8,
            )
            for order in self._questions.open_orders(party, symbol)
        }
        self._counts["orders carried over"] += len(mine)
        self._course.check(told == mine, f"{party.account} has {told}, of the record {mine}")

    def _money(self, party: Party, seen: Seen) -> None:
        assert seen.told == ACCEPTED, seen
        course, directory = self._course, self._course.replica.directory
        account = course.number(party.account)
        reserved = course.orders.reserved()
        told = {
            line["asset"]: (decimal_e8(line["free"]), decimal_e8(line["locked"]))
            for line in seen.body["balances"]
        }
        for (owner, asset), total_e8 in course.orders.totals.items():
            if owner == account:
                held_e8 = reserved.get((account, asset), 0)
                mine = (total_e8 - held_e8, held_e8)
                name = directory.asset_name(asset)
                found = told.get(name, (0, 0))
                course.check(found == mine, f"{party.account} has {found} {name}, not {mine}")
                self._counts["balances carried over"] += 1

    # --- What limits and operators have left ----------------------------------------------------

    async def _standing(self) -> None:
        """Stops and bans stand as they did."""
        course = self._course
        status = await self._operator.get("/admin/v1/status")
        course.follow()
        told = {(line["scope"], line["subject"], line["state"]) for line in status["stops"]}
        mine = {
            (SCOPE_NAMES[scope], self._questions.subject_name(scope, subject), STATE_NAMES[state])
            for (scope, subject), state in course.stops.states.items()
            if state
        }
        course.check(told == mine, f"stopped are {told}, of the record {mine}")
        self._counts["stops carried over"] += len(mine)

    async def _limits(self) -> None:
        """Counters of fees, ratios and windows are where the record takes them."""
        course = self._course
        for account in ACCOUNTS:
            answer = await self._operator.get("/admin/v1/limits", account=account)
            course.follow()
            pipeline = course.replica.pipeline
            mine = [
                (usage.rule, usage.label, usage.window_ns, usage.resets_ns, usage.used)
                for scope, subject in account_subjects(pipeline.book, course.number(account))
                for rule in pipeline.rules
                for usage in pipeline.usage(rule.name, scope, subject, answer["now_ns"])
                if not usage.scaled_e8
            ]
            told = [
                tuple(line[name] for name in ("rule", "label", "window_ns", "resets_ns", "used"))
                for line in answer["limits"]
                if isinstance(line["used"], int)
            ]
            course.check(set(mine) <= set(told), f"{account}: {set(mine) - set(told)} not told")
            self._counts["limits carried over"] += sum(bool(line[-1]) for line in mine)

    async def _addresses(self) -> None:
        """Weights and bans of addresses go on."""
        course = self._course
        for party in (*REST_PARTIES, GREEDY_PARTY):
            seen = await self._questions.ask(party, Ask(ACCOUNT))
            number = course.replica.directory.known(DEFINE_ADDRESS, party.address)
            now_ns = self._questions.decided_ns(seen)
            banned = now_ns < course.rates.banned_until(number)
            course.check((seen.http == 418) is banned, f"banned is {banned}: {seen}")
            self._counts["bans carried over"] += banned
            length_ns = 60 * NS_PER_SECOND
            if (now_ns + NS_PER_SECOND) // length_ns == now_ns // length_ns:
                used = course.rates.weight.used(number, length_ns, now_ns)
                told = int(dict(seen.headers)["x-mbx-used-weight-1m"])
                course.check(told == used, f"{party.address} used {used}: {seen}")
                self._counts["weights carried over"] += 1

    async def _names(self) -> None:
        """A client order id that is open still can't be given again."""
        for party in WATCHERS:
            named = self._questions.free(party)
            for order in self._chance.sample(named, min(len(named), 2)):
                symbol = self._questions.symbol_name(order.symbol)
                price = FAR_PRICE if symbol == SYMBOLS[0] else "2800"
                again = Ask(PLACE, symbol, "BUY", "LIMIT", price, "0.01", order.client_order_id)
                seen = await self._questions.ask(party, again)
                found = {breach.reason for breach in self._questions.record(seen).decision.breaches}
                known = Reason.DUPLICATE_CLIENT_ORDER_ID in found
                self._course.check(known and seen.told == REFUSED, f"it is taken already: {seen}")
                self._counts["names refused"] += 1

    async def _ages(self) -> None:
        """An order too young to be cancelled is as old as the record says, not younger."""
        course = self._course
        minimum_ns = duration_ns("10m")
        for party in WATCHERS:
            young = self._questions.free(party, SYMBOLS[1])
            for order in self._chance.sample(young, min(len(young), 2)):
                held = order.order_id in course.orders.deferred
                ask = Ask(CANCEL, SYMBOLS[1], target=order.client_order_id)
                seen = await self._questions.ask(party, ask)
                record = self._questions.record(seen)
                age_ns = record.now_ns - order.live_ns
                if age_ns >= minimum_ns or held:
                    continue
                if record.decision.verdict == DEFERRED:
                    good = record.decision.until_ns == order.live_ns + minimum_ns
                else:
                    told = seen.body.get("ordergate", {})
                    good = told.get("reason") == Reason.MINIMUM_RESTING_TIME.name
                    good = good and told.get("observed") == age_ns // NS_PER_MS
                course.check(good, f"its age is {age_ns} ns: {seen} {record}")
                self._counts["ages carried over"] += 1

    async def _order_counts(self) -> None:
        """The order count of an account goes on."""
        course = self._course
        for number, party in enumerate(WATCHERS):
            name = f"count-{self._life}-{number}"
            ask = Ask(PLACE, SYMBOLS[0], "BUY", "LIMIT", FAR_PRICE, "0.001", name)
            seen = await self._questions.ask(party, ask)
            course.follow()
            account = course.number(party.account)
            now_ns = self._questions.decided_ns(seen)
            for label, length_ns in (("10s", 10 * NS_PER_SECOND), ("1d", duration_ns("1d"))):
                told = int(dict(seen.headers)[f"x-mbx-order-count-{label}"])
                if (now_ns + NS_PER_SECOND) // length_ns == now_ns // length_ns:
                    used = course.rates.orders.used(account, length_ns, now_ns)
                    course.check(told == used, f"{party.account} used {used}: {seen}")
                    self._counts["order counts carried over"] += 1

    async def _release(self) -> None:
        """Let most of what is stopped go on."""
        for (scope, subject), state in list(self._course.stops.states.items()):
            if state and self._chance.random() < 0.8:
                name = self._questions.subject_name(scope, subject)
                await self._operator.release(SCOPE_NAMES[scope], name)
