"""What happens besides requests: operators, sessions, other channels, time and engine faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from gateway.engine.faults import Fault
from rules.events import (
    ClearBan,
    SessionClosed,
    SessionOpened,
    SetState,
    SetSymbolState,
)
from rules.units import duration_ns
from rules.values import (
    BUY,
    CHANNEL_DESK,
    CHANNEL_WEB,
    CHANNEL_WEBSOCKET,
    E8,
    GTC,
    LIMIT,
    NS_PER_MS,
    NS_PER_SECOND,
    SCOPE_ACCOUNT,
    SCOPE_KEY,
    SCOPE_OWNER,
    SCOPE_SYMBOL,
    SCOPE_VENUE,
    SELL,
    STATE_ACTIVE,
    STATE_CANCEL_ONLY,
    STATE_KILLED,
    STATE_REDUCE_ONLY,
    STATE_SLOW,
    SYMBOL_AUCTION,
    SYMBOL_CANCEL_ONLY,
    SYMBOL_HALT,
    SYMBOL_TRADING,
)
from tests.sim.participants import (
    ACCOUNTS,
    ADDRESSES,
    ASSETS,
    KEYS,
    OWNERS,
    PRICE_E8,
    STEP_E8,
    SYMBOL_NAMES,
    SYMBOLS,
    TICK_E8,
)
from tests.sim.requests import cancel_of

if TYPE_CHECKING:
    from tests.sim.world import World

_WINDOWS_NS: Final = (2 * NS_PER_SECOND, 5 * NS_PER_SECOND, 10 * NS_PER_SECOND, 60 * NS_PER_SECOND)
_FAULTS: Final = {
    "lose_command": Fault.LOSE_COMMAND,
    "lose_result": Fault.LOSE_RESULT,
    "late_result": Fault.DELAY_RESULT,
    "duplicate_result": Fault.DUPLICATE_RESULT,
    "reorder_result": Fault.DELAY_RESULT,
    "disconnect": Fault.DISCONNECT,
    "new_epoch": Fault.RESTART,
}
"""What the embedded engine's own fault source calls them."""


# --- Operators and sessions -------------------------------------------------------------------


def act(world: World, kind: str) -> None:
    """Let an operator, a session or another channel do something."""
    random, now_ns = world.random, world.clock.now_ns()
    if kind in ("kill", "stop", "release"):
        _stop(world, kind)
    elif kind == "symbol_state":
        states = (SYMBOL_TRADING, SYMBOL_TRADING, SYMBOL_HALT, SYMBOL_CANCEL_ONLY, SYMBOL_AUCTION)
        world.ask(SetSymbolState(random.choice(SYMBOLS), random.choice(states), "", "operator"))
    elif kind == "ban":
        until_ns = random.choice((0, now_ns, now_ns + 1, now_ns + 3 * NS_PER_SECOND))
        world.ask(ClearBan(random.choice(ADDRESSES), until_ns, "operator"))
    elif kind == "key_switch":
        keys = world.core.directory.keys_by_number
        disabled = [key for key in keys.values() if not key.enabled]
        known = disabled[0] if disabled else keys[random.choice(KEYS).number]
        world.ask(msgspec.structs.replace(known, enabled=not known.enabled))
    elif kind == "account_switch":
        accounts = world.core.directory.accounts_by_number
        closed = [account for account in accounts.values() if not account.enabled]
        account = closed[0] if closed else accounts[random.choice(ACCOUNTS).number]
        world.ask(msgspec.structs.replace(account, enabled=not account.enabled))
    elif kind == "session":
        _session(world)
    else:
        _venue(world, kind)


def _stop(world: World, kind: str) -> None:
    random = world.random
    scope, subjects = random.choice(
        (
            (SCOPE_VENUE, (0,)),
            (SCOPE_SYMBOL, SYMBOLS),
            (SCOPE_OWNER, OWNERS),
            (SCOPE_ACCOUNT, tuple(account.number for account in ACCOUNTS)),
            (SCOPE_KEY, tuple(key.number for key in KEYS)),
        )
    )
    subject, state = random.choice(subjects), STATE_KILLED
    there = list(world.referee.orders.open.values())
    if there and scope != SCOPE_VENUE and random.random() < 0.8:
        # Mostly a scope in which there is something to stop.
        order = random.choice(there)
        subject = {
            SCOPE_SYMBOL: order.symbol,
            SCOPE_OWNER: order.owner,
            SCOPE_ACCOUNT: order.account,
            SCOPE_KEY: order.key,
        }[scope]
    if kind == "stop":
        state = random.choice((STATE_SLOW, STATE_REDUCE_ONLY, STATE_CANCEL_ONLY))
    elif kind == "release":
        state = STATE_ACTIVE
        stopped = [place for place, now in world.referee.stops.states.items() if now]
        if stopped:
            scope, subject = random.choice(stopped)
    if state == STATE_KILLED and world.swarm.crashes and random.random() < 0.5:
        # In the middle of what a kill does, where most can go wrong.
        world.fuse.arm(random.randint(1, 12))
    world.ask(SetState(scope, subject, state, "simulated", "operator"))


def _session(world: World) -> None:
    random = world.random
    if world.sessions and random.random() < 0.5:
        number = world.sessions.pop(random.randrange(len(world.sessions)))
        world.core.submit(SessionClosed(number, random.random() < 0.5))
        return
    world.last_session += 1
    world.sessions.append(world.last_session)
    key = random.choice(KEYS)
    world.core.submit(SessionOpened(world.last_session, key.number, key.address, CHANNEL_WEBSOCKET))


def _venue(world: World, kind: str) -> None:
    """Let the venue or another channel do something at the engine."""
    random, exchange, now_ns = world.random, world.exchange, world.time.utc_ns()
    if kind == "deposit":
        account, asset = random.choice(ACCOUNTS).number, random.choice(ASSETS)
        amount_e8 = random.choice((1, E8, 50 * E8, -1, -E8, -(10**12)))
        world.engine.deposit(account, asset, amount_e8, "simulated")
    elif kind == "bust":
        last = exchange.last_trade_id
        if last:
            trade_id = random.randint(max(1, last - 3), last)
            world.engine_says(exchange.bust(trade_id, now_ns))
    else:
        _, reports = exchange.enter_foreign(
            random.choice((CHANNEL_WEB, CHANNEL_DESK)),
            world.engine_account(random.choice(ACCOUNTS).number),
            world.engine_symbol(random.choice(SYMBOLS)),
            random.choice((BUY, SELL)),
            LIMIT,
            GTC,
            PRICE_E8 + random.randint(-6, 6) * TICK_E8,
            random.randint(1, 20) * STEP_E8,
            now_ns,
        )
        world.engine_says(reports)


# --- Time -------------------------------------------------------------------------------------


def pass_time(world: World, kind: str) -> None:
    """Let time pass, or the system clock be set."""
    random, now_ns = world.random, world.clock.now_ns()
    if kind == "clock_step":
        world.time.step(random.choice((-1, 1)) * random.choice((10**6, 3 * 10**8, 10**10, 10**13)))
        world.pass_ns(NS_PER_SECOND)
        return
    if kind == "moment":
        by_ns = random.choice((1, 1_000, NS_PER_MS))
    elif kind == "short":
        by_ns = random.randint(1, 400) * NS_PER_MS
    elif kind == "window_edge":
        length_ns = random.choice(_WINDOWS_NS)
        by_ns = length_ns - now_ns % length_ns + random.choice((-1, 0, 1))
    elif kind == "deadline":
        waiting = world.referee.orders.waiting.values()
        sent = [one.sent_ns for one in waiting if one.sent_ns and not one.due]
        due_ns = min(sent, default=now_ns)
        by_ns = due_ns + world.deadline_ns - now_ns + random.choice((-1, 0, 1))
    elif kind == "resting_edge":
        _to_resting_age(world)
        return
    else:
        by_ns = random.randint(1, 40) * NS_PER_SECOND
    world.pass_ns(max(by_ns, 0))


def _to_resting_age(world: World) -> None:
    """Let an order become as old as it must be, or a nanosecond less or more; then cancel it."""
    random = world.random
    resting = [order for order in world.referee.orders.open.values() if order.live_ns]
    if not resting:
        return
    order, stops = random.choice(resting), world.referee.stops
    resting_time = world.swarm.rulebook.clauses.resting_time
    name = SYMBOL_NAMES[order.symbol]
    age_ns = duration_ns(resting_time.symbols.get(name, resting_time.minimum))
    halted_ns = stops.halted_ns(order.symbol, world.clock.now_ns()) - order.halted_ns
    due_ns = order.live_ns + age_ns + halted_ns + random.choice((-1, 0, 0, 0, 1))
    world.pass_ns(max(due_ns - world.clock.now_ns(), 0))
    world.ask(cancel_of(world, order))


# --- Faults of the engine ---------------------------------------------------------------------


def break_engine(world: World, kind: str) -> bool:
    """Let something go wrong between gate and engine; tell whether there was anything to."""
    link = world.link
    if link is None:
        world.embedded_faults.force(_FAULTS[kind])
        return True
    if kind == "disconnect":
        link.disconnect()
    elif kind == "new_epoch":
        link.disconnect()
        link.process.restart()
    else:
        done: bool = getattr(link, kind)(world.random)
        return done
    return True


# --- Faults of the disk -----------------------------------------------------------------------


def break_disk(world: World, kind: str) -> None:
    """Let something go wrong with the disk of the record, or of the reserve."""
    recording = world.recording_now
    disk, reserve = world.disks.main, world.disks.reserve
    if kind == "disk_full":
        disk.full = True
    elif kind == "short_write":
        disk.short_writes = 1
    elif kind == "failing_sync":
        disk.failing_syncs = 1
    elif kind == "stall":
        if recording.commit is not None:
            recording.commit.stalled = True
    elif kind == "disk_broken":
        disk.broken = True
    elif kind == "reserve_broken":
        reserve.broken = True
        reserve.failing_syncs = 1
    else:
        recording.mend()
