"""Make the golden set of a release: small recorded runs that every later version must read.

Run as `python tools/make_golden.py VERSION [FOLDER]` once, when a version is released. Written is
`tests/golden/VERSION/`: a data directory of three runs, the reserve of one of them, keys, and
`expected.json` with what is in them. FOLDER is where the gate runs meanwhile, since the path of the
reserve stays in a manifest.
`tests/test_golden.py` reads, verifies and follows every set there is. A set is never made again:
it stands for files that are out in the world.

The first run ended, its segments are compressed, encrypted and signed. The second one continues it;
its disk was full, so it goes on in its reserve. The third one was killed in the middle of an append,
and has a snapshot from its middle.
"""

import asyncio
import errno
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgspec

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gateway.admin.administration import Administration  # noqa: E402
from gateway.admin.messages import KillRequest, ReleaseRequest  # noqa: E402
from gateway.app import Gate  # noqa: E402
from gateway.clock import ManualClock  # noqa: E402
from gateway.config import (  # noqa: E402
    AccountConfig,
    Config,
    InstrumentConfig,
    KeyConfig,
    ListenConfig,
    RecordConfig,
)
from gateway.engine.embedded import EmbeddedEngine  # noqa: E402
from gateway.journal import Run, read_run  # noqa: E402
from gateway.journal.archive import compress_segment, encrypt_segment  # noqa: E402
from gateway.journal.disk import RealDisk  # noqa: E402
from gateway.journal.encryption import KEY_FILE_VARIABLE, RecordKey, make_key_file  # noqa: E402
from gateway.journal.manifest import read_manifest, run_directories  # noqa: E402
from gateway.journal.reserve import reserve_root  # noqa: E402
from gateway.journal.seal import SealKey, make_key_files, sign_run  # noqa: E402
from gateway.journal.segment import PREPARED_NAME, segment_name, segment_numbers  # noqa: E402
from gateway.logview.sources import DECISION_KEY_NAME  # noqa: E402
from gateway.recovery import follow  # noqa: E402
from gateway.snapshots import write_snapshot  # noqa: E402
from rules.decisions import REFUSED  # noqa: E402
from rules.endpoints import Endpoint  # noqa: E402
from rules.events import (  # noqa: E402
    Amend,
    Cancel,
    CancelAll,
    Place,
    Query,
    RefusedRequest,
    Replace,
)
from rules.reasons import Reason  # noqa: E402
from rules.values import (  # noqa: E402
    AUTH_OK,
    BUY,
    CHANNEL_REST,
    E8,
    GTC,
    LIMIT,
    MARKET,
    NS_PER_MS,
    NS_PER_SECOND,
    SELL,
)

GOLDEN: Final = ROOT / "tests" / "golden"
RECORD_KEY: Final = "record.key"
"""Of a set: what its encrypted segment is read with. It is public and protects nothing."""
PUBLIC_KEY: Final = "seal.pub"
DATA: Final = "data"
START_NS: Final = 1_772_452_800 * NS_PER_SECOND
"""2026-03-02T12:00:00Z."""
SEGMENT_BYTES: Final = 6 << 10
RESERVE_BYTES: Final = 64 << 10
BYTES_MAX: Final = 200_000
ACCOUNTS: Final = ("alice", "bob")
PRICE: Final = 60_000


class HandClock(ManualClock):
    """Time that passes when it is told to."""

    def __init__(self, now_ns: int) -> None:
        super().__init__()
        self._now_ns = now_ns

    def now_ns(self) -> int:
        """Return core time."""
        return self._now_ns

    def receive_ns(self) -> int:
        """Return the receive clock: the same."""
        return self._now_ns

    def slew(self) -> None:
        """Follow no other clock."""

    def advance(self, by_ns: int) -> None:
        """Let time pass."""
        self._now_ns += by_ns


class SmallDisk(RealDisk):
    """A disk that can be full for new segments."""

    full = False

    def make_zeros(self, path: Path, size: int, synced: bool) -> None:
        """Make a file, if there is room."""
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().make_zeros(path, size, synced)


def config(data: Path) -> Config:
    """Return the configuration of a small venue that listens nowhere."""
    return Config(
        rulebook="binance-spot-2026",
        listen=ListenConfig(rest_port=-1, grpc_port=-1, admin_port=-1),
        record=RecordConfig(
            data=data,
            segment_bytes=SEGMENT_BYTES,
            durability="process",
            reserve=str(reserve_root(data)),
            reserve_bytes=RESERVE_BYTES,
            low_disk_bytes=1,
            snapshots=False,
        ),
        instruments=(
            InstrumentConfig(name="BTCUSDT", base="BTC", quote="USDT", previous_close=str(PRICE)),
        ),
        accounts=tuple(
            AccountConfig(name=name, funds={"BTC": "10", "USDT": "1000000"}) for name in ACCOUNTS
        ),
        keys=tuple(
            KeyConfig(
                name=name.ljust(64, "0"),
                account=name,
                secret=f"the secret of {name}",
                permissions=("read", "trade"),
            )
            for name in ACCOUNTS
        ),
        clock="manual",
    )


class Trader:
    """Sends requests through the core's door and lets time pass."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._core = gate.core
        self._symbol = gate.directory.symbols["BTCUSDT"].symbol
        self.orders: list[int] = []
        """Order ids given, oldest first."""

    def _head(self, endpoint: Endpoint, account: str) -> tuple[int, ...]:
        now_ns = self._gate.clock.receive_ns()
        directory = self._gate.directory
        key = directory.keys[account.ljust(64, "0")].key
        address = directory.address("192.0.2.7")
        return (
            *(int(endpoint), address, key, AUTH_OK, now_ns, now_ns, 5 * NS_PER_SECOND),
            *(0, CHANNEL_REST, 0, 0),
        )

    def ask(self, event: Any) -> Any:
        """Submit a request, let a tenth of a second pass, and return its outcome."""
        outcomes: list[Any] = []
        self._core.submit(event, outcomes.append)
        self.wait(100 * NS_PER_MS)
        return outcomes[0] if outcomes else None

    def wait(self, by_ns: int) -> None:
        """Let time pass, with everything that is due."""
        clock, engine = self._gate.clock, self._gate.engine
        assert isinstance(clock, HandClock)
        assert isinstance(engine, EmbeddedEngine)
        clock.advance(by_ns)
        self._core.tick()
        self._core.together(lambda: engine.poll(clock.now_ns()))

    def place(self, account: str, side: int, price: int, thousandths: int = 1, **terms: Any) -> int:
        """Place an order; return its id."""
        given: dict[str, Any] = {"order_type": LIMIT, "time_in_force": GTC} | terms
        head = self._head(Endpoint.ORDER_PLACE, account)
        quantity_e8 = thousandths * E8 // 1000
        book = self._core.book
        order_id = book.next_order_id
        self.ask(
            Place(
                *head,
                self._symbol,
                side,
                price_e8=price * E8,
                quantity_e8=quantity_e8,
                quote_quantity_e8=0,
                client_order_id=f"{account}-{order_id}",
                **given,
            )
        )
        self.orders.append(order_id)
        return order_id

    def cancel(self, account: str, order_id: int) -> None:
        """Cancel one order."""
        head = self._head(Endpoint.ORDER_CANCEL, account)
        self.ask(Cancel(*head, self._symbol, order_id, ""))

    def replace(self, account: str, order_id: int, price: int) -> None:
        """Cancel one order and place another."""
        head = self._head(Endpoint.ORDER_CANCEL_REPLACE, account)
        terms = (BUY, LIMIT, GTC, price * E8, E8 // 1000, 0, "replacement")
        self.ask(Replace(*head, self._symbol, order_id, "", *terms))

    def amend(self, account: str, order_id: int, thousandths: int) -> None:
        """Take quantity off an order."""
        head = self._head(Endpoint.ORDER_AMEND, account)
        self.ask(Amend(*head, self._symbol, order_id, "", thousandths * E8 // 1000))

    def cancel_all(self, account: str) -> None:
        """Cancel all orders of an account."""
        self.ask(CancelAll(*self._head(Endpoint.OPEN_ORDERS_CANCEL, account), self._symbol))

    def malformed(self, account: str) -> None:
        """Send what could not be understood."""
        head = self._head(Endpoint.ORDER_PLACE, account)
        self.ask(RefusedRequest(*head, Reason.INVALID_PARAMETER, "quantity", self._symbol))

    def read(self, account: str) -> None:
        """Ask a question."""
        self.ask(Query(*self._head(Endpoint.OPEN_ORDERS, account), self._symbol))


async def trade(trader: Trader, operator: Administration, rounds: int) -> None:
    """Do a little of everything that gets into a record."""
    for number in range(rounds):
        resting = trader.place("alice", SELL, PRICE + 10, 3)
        trader.place("bob", BUY, PRICE + 10, 1)
        trader.place("bob", BUY, 0, 1, order_type=MARKET, time_in_force=0)
        trader.amend("alice", resting, 2)
        below = trader.place("bob", BUY, PRICE - 100 - number)
        trader.replace("bob", below, PRICE - 200 - number)
        trader.cancel("bob", trader.orders[-1] + 1)
        trader.cancel("alice", 999_999)
        trader.place("alice", BUY, PRICE, 10_000_000)
        trader.place("alice", BUY, 1)
        trader.malformed("bob")
        trader.read("alice")
        trader.wait(NS_PER_SECOND)
    trader.place("bob", BUY, PRICE - 300)
    note = {"reason": "golden", "actor": "release"}
    await operator.kill(KillRequest(scope="account", subject="bob", **note))
    trader.place("bob", BUY, PRICE - 300)
    await operator.release(ReleaseRequest(scope="account", subject="bob", **note))
    trader.cancel_all("alice")
    trader.place("alice", BUY, PRICE - 400)
    # A last trade that is fresh when the next run begins, as price collars want it.
    trader.place("alice", SELL, PRICE)
    trader.place("bob", BUY, PRICE)


def lose_the_record(trader: Trader, gate: Gate, disk: SmallDisk) -> None:
    """Go on with a full disk until the record is lost, and then with cancels in the reserve."""
    disk.full = True
    while not gate.core.record_fault:
        trader.cancel("alice", trader.place("alice", BUY, PRICE - 500))
        # The last trades are fresh when the next run begins.
        trader.place("alice", SELL, PRICE)
        trader.place("bob", BUY, PRICE)
    trader.place("bob", BUY, PRICE - 500)
    trader.cancel_all("alice")
    trader.cancel_all("bob")


async def live(
    data: Path, now_ns: int, rounds: int, copy: Path | None = None, full: bool = False
) -> int:
    """Let a gate run for a while; return the time when it ended.

    With `full` its disk is full after that; with `copy`, what a kill at its end would have left is
    taken.
    """
    disk, clock = SmallDisk(), HandClock(now_ns)
    gate = Gate(config(data), clock, disk)
    try:
        await gate.start()
        trader = Trader(gate)
        await trade(trader, Administration(gate.core, gate.decision_ids), rounds)
        if full:
            lose_the_record(trader, gate, disk)
        now_ns = clock.now_ns()
        if copy is not None:
            for folder in (data, reserve_root(data)):
                shutil.copytree(folder, copy / folder.name)
    finally:
        await gate.stop()
    return now_ns


def archive(directory: Path, seal: SealKey, key: RecordKey) -> None:
    """Keep the segments of an ended run signed, compressed, and the last one encrypted."""
    sign_run(directory, read_manifest(directory), seal)
    entries = read_manifest(directory).segments
    for entry in entries[1:-1]:
        compress_segment(directory, entry)
    encrypt_segment(directory, entries[-1], key)


def tear(directory: Path) -> None:
    """Leave the last segment as a kill in the middle of an append does, and no longer than that."""
    (directory / PREPARED_NAME).unlink(missing_ok=True)
    path = directory / segment_name(segment_numbers(directory)[-1])
    content = path.read_bytes().rstrip(b"\x00")
    path.write_bytes(content + bytes(8) + b"\x94 torn" + bytes(64))


def add_snapshot(directory: Path) -> None:
    """Add a snapshot from the middle of a run."""
    run = Run(directory, read_manifest(directory))
    seqs = [record.seq for record in read_run(directory)]
    replica, _ = follow(run, until_seq=seqs[len(seqs) // 2])
    write_snapshot(directory, replica.snapshot(run.manifest.run_id))


def described(directory: Path) -> dict[str, Any]:
    """Return what a later version must find in a run."""
    events: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    digest = hashlib.sha256()
    last = None
    for record in read_run(directory):
        events[type(record.event).__name__] += 1
        if record.decision.verdict == REFUSED:
            reasons[record.decision.breaches[0].reason.name] += 1
        breaches = [
            [breach.rule, int(breach.reason), breach.limit] for breach in record.decision.breaches
        ]
        verdict = [record.seq, record.now_ns, record.decision.verdict, breaches]
        digest.update(msgspec.json.encode(verdict))
        last = record
    assert last is not None
    return {
        "first_seq": read_manifest(directory).first_seq,
        "last_seq": last.seq,
        "events": dict(sorted(events.items())),
        "refusals": dict(sorted(reasons.items())),
        "verdicts": digest.hexdigest(),
    }


def make(version: str, folder: str = "") -> None:
    """Make the set of one version."""
    target = GOLDEN / version
    if target.exists():
        raise SystemExit(f"{target} is there already; a golden set is never made again")
    target.mkdir(parents=True)
    os.environ[KEY_FILE_VARIABLE] = str(target / RECORD_KEY)
    key = make_key_file(target / RECORD_KEY)
    with tempfile.TemporaryDirectory() as spare:
        data, killed = Path(folder or spare) / DATA, Path(spare) / "killed"
        seal = make_key_files(Path(spare) / "seal.pem")
        (target / PUBLIC_KEY).write_bytes(seal.public.pem)
        ended_ns = asyncio.run(live(data, START_NS, 6))
        archive(run_directories(data)[0], seal, key)
        ended_ns = asyncio.run(live(data, ended_ns + NS_PER_SECOND, 2, full=True))
        asyncio.run(live(data, ended_ns + NS_PER_SECOND, 3, killed))
        runs = run_directories(killed / DATA)
        add_snapshot(runs[-1])
        tear(runs[-1])
        for run in runs:
            shutil.copytree(run, target / DATA / run.name)
        shutil.copy(killed / DATA / DECISION_KEY_NAME, target / DATA)
        reserve = reserve_root(killed / DATA)
        shutil.copytree(reserve / runs[1].name, reserve_root(target / DATA) / runs[1].name)
    said = {run.name: described(run) for run in run_directories(target / DATA)}
    text = json.dumps({"version": version, "runs": said}, indent=2)
    (target / "expected.json").write_text(text + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    if size > BYTES_MAX:
        raise SystemExit(f"{target} has {size} bytes; at most {BYTES_MAX} are meant to be kept")
    sys.stdout.write(f"{target}: {size} bytes\n")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit("usage: python tools/make_golden.py VERSION [FOLDER]")
    make(*sys.argv[1:])
