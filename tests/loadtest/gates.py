"""Gates and engines as processes of their own, for runs against them."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from loadtest.control import RestControl
from loadtest.keys import read_keys, write_keys
from loadtest.prepare import prepare_gate
from loadtest.protocols import protocol_of
from loadtest.protocols.senders import Ways
from loadtest.samples import ACCEPTED, Samples
from loadtest.signing import ED25519, Key
from loadtest.target import parse_target
from loadtest.units import NS_PER_MS, NS_PER_SECOND
from loadtest.workload import Placement

ROOT: Final = Path(__file__).parents[2]
START_SECONDS: Final = 60.0


@contextmanager
def started(*arguments: str) -> Iterator[bytes]:
    """Run a command that serves until it is told to stop; yields its ready line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    try:
        assert select.select([process.stdout], [], [], START_SECONDS)[0]
        yield process.stdout.readline()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stdout.close()


@contextmanager
def demo(directory: Path) -> Iterator[dict[str, Any]]:
    """Run a demo; yields its ready line, with the file that holds it as `keys_file`."""
    command = ("demo", "--port", "0", "--json", "--rulebook", "bench")
    with started(*command, "--data", str(directory / "data")) as line:
        (directory / "ready.json").write_bytes(line)
        yield json.loads(line) | {"keys_file": directory / "ready.json"}


@contextmanager
def quiet(directory: Path) -> Iterator[dict[str, Any]]:
    """Run a gate of `load prepare` without a moving market, so that its record is a run's alone.

    Both symbols have a bid and an ask. Yields its ready line with `keys_file`.
    """
    config = prepare_gate(directory, 4, 0, 0, grpc_port=0, kind=ED25519)
    text = config.read_text()
    assert "demo_market = true" in text
    config.write_text(text.replace("demo_market = true", ""))
    with started("serve", "-c", str(config)) as line:
        ready = json.loads(line)
        # At the end of a run the open orders of its keys are cancelled, but not these.
        *trading, quoting = read_keys(directory / "keys.json")
        write_keys(directory / "keys.json", tuple(trading))
        asyncio.run(_quote(ready["rest"], quoting))
        yield ready | {"keys_file": directory / "keys.json"}


async def _quote(rest: str, key: Key) -> None:
    """Place a bid and an ask for each symbol."""
    target = parse_target(rest)
    orders = []
    for symbol, bid, ask in (("BTCUSDT", "64999", "65001"), ("ETHUSDT", "3199", "3201")):
        for buys, price in ((True, bid), (False, ask)):
            name = f"quote-{symbol}-{price}"
            orders.append(Placement(len(orders), 0, key, symbol, buys, False, price, "0.5", name))
    async with RestControl(rest) as control:
        epoch_ns = await control.server_time_ms() * NS_PER_MS
        protocol = protocol_of(target, [key], 1)
        senders = protocol.senders(Ways(1, 10 * NS_PER_SECOND), [])
        await senders.connect()
        samples = Samples(array("q", [0] * len(orders)))
        await senders.run(samples, protocol.rendered(orders, epoch_ns), 0)
        await senders.close()
        assert samples.counts[ACCEPTED] == len(orders), samples.label_names


@contextmanager
def engine() -> Iterator[str]:
    """Run an engine process; yields where it listens."""
    with started("engine", "--port", "0", "--json") as line:
        yield json.loads(line)["engine"]
