"""Data directories of several runs for tests of what is kept, signed and deleted."""

from pathlib import Path

from gateway.journal import start_run
from gateway.journal.seal import SealKey, make_key_files
from rules.decisions import NOTED_DECISION
from rules.events import Define, DefineAccount, RunBegan
from rules.values import DEFINE_OWNER, NS_PER_DAY

from .conftest import RULEBOOK, START_NS, abandon, sample

DAYS_NS = NS_PER_DAY
RECORDS = 40
"""Records of a run after those it begins with."""


def make_data(
    data: Path, days: tuple[int, ...], killed: tuple[int, ...] = (), records: int = RECORDS
) -> list[Path]:
    """Make a run for each of `days` after the start; those whose index is in `killed` stay open.

    Run n has an owner `owner-n` with an account `account-n`, and got as far as serving.
    """
    seq = 1
    directories = []
    for index, day in enumerate(days):
        now_ns = START_NS + day * DAYS_NS
        writer = start_run(data, RULEBOOK, now_ns, 1024, first_seq=seq)
        beginning = (
            Define(DEFINE_OWNER, 1, f"owner-{index}"),
            DefineAccount(1, f"account-{index}", 1, "", 0),
            RunBegan("", 1),
        )
        for event in beginning:
            writer.append(seq, now_ns, event, NOTED_DECISION)
            seq += 1
        for _ in range(records):
            _, _, event, decision = sample(seq)
            now_ns += 1_000
            writer.append(seq, now_ns, event, decision)
            seq += 1
        if index in killed:
            abandon(writer)
        else:
            writer.close()
        directories.append(writer.directory)
    return directories


def seal_key(directory: Path) -> SealKey:
    """Make and return a key that signs, its files in `directory`."""
    return make_key_files(directory / "seal.pem")
