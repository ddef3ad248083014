"""What one seed draws before it begins: which kinds of things happen, how often, and the limits.

Every seed leaves some kinds out and makes others frequent. Runs in which everything happens a
little reach fewer corners than runs in which few things happen a lot.
"""

from functools import cache
from random import Random
from typing import Any, Final, NamedTuple

from gateway.journal.manifest import Durability
from gateway.rulebooks import load_rulebook
from rules.rulebook import Rulebook

REQUESTS: Final = (
    "place",
    "market",
    "replace",
    "amend",
    "cancel",
    "cancel_all",
    "query",
    "malformed",
    "unsigned",
    "stale",
    "test_order",
    "burst",
)
ACTS: Final = (
    "kill",
    "stop",
    "release",
    "symbol_state",
    "ban",
    "key_switch",
    "account_switch",
    "session",
    "deposit",
    "bust",
    "foreign_order",
)
TIMES: Final = (
    *("moment", "short", "window_edge", "deadline", "resting_edge", "long", "clock_step"),
)
ENGINE_FAULTS: Final = (
    "lose_command",
    "lose_result",
    "late_result",
    "duplicate_result",
    "reorder_result",
    "disconnect",
    "new_epoch",
)
LOSSY: Final = frozenset(
    ("lose_command", "lose_result", "late_result", "reorder_result", "new_epoch")
)
"""Faults after which what the gate knows of the engine may stay behind the engine for good."""
LOSSY_EMBEDDED: Final = LOSSY | {"disconnect"}
"""The same where a link that comes back does not repeat results."""
DISK_FAULTS: Final = (
    "disk_full",
    "short_write",
    "failing_sync",
    "stall",
    "disk_broken",
    "reserve_broken",
    "disk_mended",
)
PROCESS_FAULTS: Final = ("disk_full", "disk_broken", "reserve_broken", "disk_mended")
"""Those that are faults too where nothing is synced."""
EMBEDDED, LINKED = "embedded", "linked"
PROCESS: Final = "process"
DISK: Final = "disk"


class Swarm(NamedTuple):
    """The draw of one seed. Weights are relative; what has none does not happen."""

    engine: str
    durability: Durability
    requests: dict[str, int]
    acts: dict[str, int]
    times: dict[str, int]
    faults: dict[str, int]
    disk_faults: dict[str, int]
    kinds: dict[str, float]
    """Weights of the kinds of steps."""
    reserve: bool
    """Whether there is a reserve."""
    crashes: bool
    """Whether the gate dies now and then."""
    power_losses: bool
    """Whether it may take the machine with it."""
    slice_orders: int
    """Orders one slice of a bulk cancel takes."""
    segment_bytes: int
    rulebook: Rulebook
    later: Rulebook | None
    """What some planned restarts change the rulebook to."""


def draw_swarm(random: Random) -> Swarm:
    """Return what a seed's generator draws."""
    requests = _some(random, REQUESTS, 0.6)
    requests["place"] = random.randint(4, 16)
    faults = _some(random, ENGINE_FAULTS, 0.4) if random.random() < 0.7 else {}
    acts = _some(random, ACTS, 0.6)
    if "kill" in acts or "stop" in acts:
        acts["release"] = max(acts.values())
    durability: Durability = random.choice(("process", "disk"))
    on_disk = durability == DISK
    disk_faults = {}
    faulty = DISK_FAULTS if on_disk else PROCESS_FAULTS
    if random.random() < (0.5 if on_disk else 0.2):
        disk_faults = {random.choice(faulty[:-1]): 1, random.choice(faulty): 1}
    crashes = random.random() < 0.6
    return Swarm(
        random.choice((EMBEDDED, LINKED)),
        durability,
        requests,
        acts,
        _some(random, TIMES, 0.7) or {"short": 1},
        faults,
        disk_faults,
        {
            "request": random.choice((20, 40, 60)),
            "engine": random.choice((5, 20, 40)),
            "time": random.choice((4, 12, 30)),
            "act": random.choice((0, 2, 6, 15)) if acts else 0,
            "fault": random.choice((1, 4, 10)) if faults else 0,
            "sync": random.choice((10, 40)) if on_disk else 0,
            "disk": random.choice((0.3, 3)) if disk_faults else 0,
            "crash": random.choice((0.3, 1, 3)) if crashes else 0,
            "restart": random.choice((0, 0.3, 1)),
            "snapshot": random.choice((0, 2, 6)),
        },
        random.random() < (0.9 if on_disk else 0.3),
        crashes,
        on_disk and random.random() < 0.7,
        random.choice((1, 2, 3, 256)),
        random.choice((4_096, 8_192, 65_536, 262_144)),
        *_rulebooks(random),
    )


def _rulebooks(random: Random) -> tuple[Rulebook, Rulebook | None]:
    """Return the rulebook to begin with, and another one or none."""
    resting = _resting(random)
    first = _rulebook(random, resting)
    return first, _rulebook(random, resting) if random.random() < 0.3 else None


def _mode(random: Random, enforced: float = 0.8) -> str:
    return "enforce" if random.random() < enforced else random.choice(("shadow", "off"))


def _resting(random: Random) -> dict[str, Any]:
    """Return the minimum resting time; held cancels keep theirs when the rulebook changes."""
    choice = random.choice
    return {
        "mode": _mode(random, 0.5),
        "minimum": choice(("100ms", "500ms", "2s")),
        "policy": choice(("REJECT", "REJECT", "DEFER")),
        "symbols": choice(({}, {"ETHUSDT": "250ms"})),
        "algo_only": random.random() < 0.3,
        "exempt_reducing": random.random() < 0.5,
    }


def _some(random: Random, names: tuple[str, ...], share: float) -> dict[str, int]:
    """Return weights of about `share` of the names."""
    return {name: random.choice((1, 3, 9)) for name in names if random.random() < share}


@cache
def _base() -> Rulebook:
    return load_rulebook("binance-spot-2026")


def _rulebook(random: Random, resting: dict[str, Any]) -> Rulebook:
    """Return the default rulebook with limits small enough to be met all the time."""
    choice = random.choice

    def mode(enforced: float = 0.8) -> str:
        return _mode(random, enforced)

    def windows(*limits: tuple[str, tuple[int, ...]]) -> list[dict[str, Any]]:
        return [{"interval": interval, "limit": choice(few)} for interval, few in limits]

    rules: dict[str, Any] = {
        "ban_ladder": {
            "mode": mode(),
            "refusals": choice((2, 4, 8)),
            "within": choice(("3s", "20s")),
            "first_ban": choice(("1s", "4s")),
            "longest_ban": "10s",
            "growth": choice((1, 2, 3)),
            "forgiven_after": choice(("5s", "60s")),
        },
        "raw_requests": {"mode": mode(), "windows": windows(("5s", (12, 40, 400)))},
        "request_weight": {
            "mode": mode(),
            "windows": windows(("10s", (15, 60, 600)), ("1m", (100, 2000))),
            "gate_windows": windows(("10s", (2, 5))),
        },
        "order_count": {
            "mode": mode(),
            "windows": windows(("2s", (3, 8, 100)), ("1m", (12, 60, 500))),
            "tiers": {"market_maker": windows(("2s", (5, 20, 200)), ("1m", (40, 1000)))},
            "first_fill_credit": choice((0, 1, 1, 2)),
        },
        "stop_state": {"slow_interval": choice(("10ms", "500ms"))},
        "percent_price": {"mode": mode(0.3)},
        "percent_price_by_side": {"mode": mode()},
        "min_notional": {"mode": mode(0.3)},
        "notional": {"mode": mode()},
        "max_num_orders": {"mode": mode()},
        "order_size": {"mode": mode()},
        "order_value": {"mode": mode()},
        "price_collar": {
            "mode": mode(),
            "aggressive": choice(("0.03", "0.10")),
            "passive": choice(("0.10", "0.80")),
            "stale_last": False,
            "last_max_age": choice(("2s", "1h", "1h", "1h")),
            "quote_max_age": choice(("2s", "1h", "1h", "1h")),
        },
        "price_collar_period": {"mode": mode(0.3), "aggressive": "0.05", "period": "5s"},
        "market_protection": {"mode": mode(), "distance": choice(("0.01", "0.05"))},
        "duplicate_client_order_id": {
            # Never off: two open orders of one name could not be told apart.
            "mode": "enforce",
            "among": choice(("open", "open", "window", "forever")),
            "window": "3s",
        },
        "resting_time": resting,
        "order_to_trade": {
            "mode": mode(0.3),
            "max_number": choice(("", "3")),
            "max_volume": choice(("", "5")),
            "minimum_orders": choice((5, 50)),
            "count_rejects": random.random() < 0.5,
        },
    }
    instrument = {
        "min_price": "50",
        "max_price": "200",
        "tick_size": "0.5",
        "min_quantity": "0.1",
        "max_quantity": "8",
        "step_size": "0.1",
        "market_max_quantity": choice(("0", "4")),
        "notional_min": "20",
        "notional_max": choice(("400", "9000000")),
        "notional_max_applies_to_market": random.random() < 0.5,
        "min_notional": "20",
        "bid_multiplier_up": "1.2",
        "bid_multiplier_down": "0.8",
        "ask_multiplier_up": "1.2",
        "ask_multiplier_down": "0.8",
        "percent_price_up": "1.2",
        "percent_price_down": "0.8",
        "max_num_orders": choice((2, 4, 30)),
        "max_order_quantity": choice(("0", "6")),
        "max_order_value": choice(("300", "1000000")),
        "default_stp_mode": choice(("NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "DECREMENT")),
    }
    return _base().with_changes(
        {
            "name": "simulation",
            "rules": rules,
            "instruments": {"BTCUSDT": instrument, "ETHUSDT": instrument},
        }
    )
