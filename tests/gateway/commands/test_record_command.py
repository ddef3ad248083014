"""`ordergate record` and `ordergate log verify`: what they do, print, and end with."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from gateway.__main__ import build
from gateway.data_lock import DataLock
from gateway.journal import JournalWriter, read_run
from gateway.journal.encryption import KEY_FILE_VARIABLE, KEY_VARIABLE
from gateway.journal.manifest import make_run_directory, new_manifest, read_manifest
from gateway.journal.segment import segment_numbers
from gateway.journal.upkeep import Upkeep, keep_up, main, upkeep_command
from rules.decisions import NOTED_DECISION
from rules.events import Define, RunBegan
from rules.rulebook import parse_rulebook
from rules.values import DEFINE_OWNER, NS_PER_DAY

START_NS = 1_760_000_000_000_000_000
RULEBOOK = parse_rulebook("plain", {"plain": ""})


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a data directory with three runs of 21 records, the second one left open."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.setenv(KEY_FILE_VARIABLE, "")
    seq = 1
    for number in range(3):
        now_ns = START_NS + number * NS_PER_DAY
        directory = make_run_directory(tmp_path / "data", now_ns)
        manifest = new_manifest(directory.name, RULEBOOK, now_ns, 1024)
        writer = JournalWriter(directory, manifest, first_seq=seq)
        writer.append(seq, now_ns, RunBegan("", 1), NOTED_DECISION)
        for index in range(20):
            seq += 1
            event = Define(DEFINE_OWNER, index + 1, f"owner-{number}-{index} {'x' * 60}")
            writer.append(seq, now_ns + index, event, NOTED_DECISION)
        seq += 1
        if number == 1:
            writer._supply._wait()
            writer._segment.close(writer._segment.size)
        else:
            writer.close()
    return tmp_path / "data"


def runs(data: Path) -> list[str]:
    """Return the run ids."""
    return sorted(path.name for path in data.iterdir() if path.is_dir())


def invoke(*arguments: object) -> Result:
    """Run `ordergate` with these arguments."""
    return CliRunner().invoke(build(), [str(argument) for argument in arguments])


def record(data: Path, *arguments: object, code: int = 0) -> Any:
    """Return what `ordergate record ... --json` prints; it must end with `code`."""
    result = invoke("record", *arguments, "--data", data, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def verify(data: Path, *arguments: object, code: int = 0) -> list[dict[str, Any]]:
    """Return what `ordergate log verify --all --json` prints."""
    result = invoke("log", "verify", "--data", data, "--all", "--json", *arguments)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_compress_and_status(data: Path) -> None:
    """All but the newest closed segments are compressed, and the status says so."""
    before = record(data, "status")
    closed = sum(run["closed"] for run in before)
    done = record(data, "compress", "--keep-plain", 2)
    assert len(done["changed"]) == closed - 2
    assert record(data, "compress", "--keep-plain", 2)["changed"] == []
    after = record(data, "status")
    assert sum(run["segments"].get("compressed", 0) for run in after) == closed - 2
    assert sum(sum(run["bytes"].values()) for run in after) < sum(
        sum(run["bytes"].values()) for run in before
    )
    assert [run["records"] for run in verify(data)] == [21, 21, 21]
    assert record(data, "compress", "--keep-plain", 0, "--older-than", "10000d") == {
        "changed": [],
        "problems": [],
    }
    told = invoke("record", "compress", "--data", data).stdout
    assert "1 segment compressed: " in told
    assert told.endswith("; 1 closed segment left as before (--keep-plain 1)\n")
    told = invoke("record", "compress", "--data", data, "--older-than", "1d").stdout
    assert told == (
        "0 segments compressed; 1 closed segment left as before (--keep-plain 1, --older-than 1d)\n"
    )
    told = invoke("record", "compress", "--data", data, "--keep-plain", 0).stdout
    assert told.startswith("1 segment compressed: ")
    assert "left" not in told
    assert "compressed" in invoke("record", "status", "--data", data).stdout


def test_encrypt_needs_its_key(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encryption asks for a key, and reading for the same one: without it exit 2."""
    result = invoke("record", "encrypt", "--data", data)
    assert result.exit_code == 2
    assert KEY_VARIABLE in result.stderr
    key = tmp_path / "record.key"
    assert invoke("record", "key", "encryption", key).exit_code == 0
    assert invoke("record", "key", "encryption", key).exit_code == 2
    with monkeypatch.context() as given:
        given.setenv(KEY_FILE_VARIABLE, "other")
        done = record(data, "encrypt", "--keep-plain", 0, "--key-file", key)
    assert {changed["form"] for changed in done["changed"]} == {"encrypted"}
    assert [run["exit_code"] for run in verify(data, code=2)] == [2, 2, 2]
    assert invoke("log", "query", "--data", data).exit_code != 0
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(key))
    assert [run["exit_code"] for run in verify(data)] == [0, 0, 0]
    assert invoke("log", "query", "--data", data).exit_code == 0


def test_sign_and_verify(data: Path, tmp_path: Path) -> None:
    """Signed segments verify with the public key alone; a changed one is corrupt and named."""
    key = tmp_path / "seal.pem"
    made = invoke("record", "key", "seal", key, "--json")
    key_id = json.loads(made.stdout)["key_id"]
    done = record(data, "sign", "--key", key)
    assert done["key_id"] == key_id
    assert done["signed"]
    found = verify(data, "--public-key", f"{key}.pub", "--require-signatures")
    assert all(run["unsigned"] == [] for run in found)
    text = invoke("log", "verify", "--data", data, "--public-key", f"{key}.pub").stdout
    assert "signed: " in text
    path = data / runs(data)[0] / "000002.seg.sig"
    path.write_bytes(path.read_bytes().replace(b"segment 2", b"segment 3"))
    result = invoke("log", "verify", "--data", data, "--all", "--public-key", f"{key}.pub")
    assert result.exit_code == 1
    assert "segment 2" in result.stderr
    assert invoke("log", "verify", "--data", data, "--require-signatures").exit_code == 2
    assert invoke("log", "verify", "--data", data, "--public-key", key).exit_code == 2


def test_signatures_are_not_damage(data: Path, tmp_path: Path) -> None:
    """A missing signature, and one of another key, end with 1 and advice of their own."""
    for name in ("right", "wrong"):
        assert invoke("record", "key", "seal", tmp_path / name).exit_code == 0
    strict = ("log", "verify", "--data", data, "--require-signatures", "--public-key")
    unsigned = invoke(*strict, tmp_path / "right.pub")
    assert unsigned.exit_code == 1
    assert "not signed: sign what is closed" in unsigned.stderr
    assert "right public key?" not in unsigned.stderr
    record(data, "sign", "--key", tmp_path / "right")
    assert invoke(*strict, tmp_path / "right.pub").exit_code == 0
    other = invoke(*strict, tmp_path / "wrong.pub")
    assert other.exit_code == 1
    assert "is this the right public key?" in other.stderr
    assert "record sign" not in other.stderr
    for result in (unsigned, other):
        assert "the gate starts on this run" in result.stderr
        assert "quarantine" not in result.stderr
        assert "corrupt" not in result.stderr
    [found] = verify(data, "--public-key", tmp_path / "wrong.pub", code=1)[-1:]
    assert {finding["kind"] for finding in found["findings"]} == {"signature"}
    newest = runs(data)[-1]
    assert invoke("record", "quarantine", newest, "--data", data, "--reason", "x").exit_code == 2


def test_damage_and_a_missing_signature(data: Path, tmp_path: Path) -> None:
    """Damage keeps its own advice beside that on signatures, which then promises no start."""
    assert invoke("record", "key", "seal", tmp_path / "key").exit_code == 0
    path = data / runs(data)[2] / "000002.seg"
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)
    key = ("--public-key", tmp_path / "key.pub", "--require-signatures")
    result = invoke("log", "verify", "--data", data, *key)
    assert result.exit_code == 1
    assert "record sign" in result.stderr
    assert "record quarantine" in result.stderr
    assert "the gate starts" not in result.stderr


def test_repair(data: Path) -> None:
    """A torn end is cut and counted, and what was left open is closed; only without a gate."""
    run = data / runs(data)[1]
    path = max(run.glob("0*.seg"))
    content = path.read_bytes().rstrip(b"\x00")
    path.write_bytes(content + b"\xff\x00\x00\x00torn")
    text = invoke("log", "verify", "--data", data, "--run", run.name)
    assert text.exit_code == 0
    assert f"ordergate record repair {run.name}" in text.stdout
    lock = DataLock(data)
    assert invoke("record", "repair", run.name, "--data", data).exit_code == 2
    lock.release()
    done = record(data, "repair", run.name)
    assert (done["torn"]["bytes"], done["torn"]["offset"]) == (8, len(content))
    assert done["closed"] == [path.name]
    again = record(data, "repair", run.name)
    assert (again["run"], again["torn"], again["closed"]) == (run.name, None, [])
    assert invoke("record", "repair", "--data", data).stdout == "nothing to repair\n"
    assert [run["torn_bytes"] for run in verify(data)] == [0, 0, 0]


def test_repair_of_all_that_was_left_open(data: Path) -> None:
    """Without a run's name every killed run is closed, and its last segment can be compressed."""
    _, killed, third = runs(data)
    (data / killed / "prepared.seg").write_bytes(bytes(1024))
    opened = max((data / killed).glob("0*.seg")).name
    [done, newest] = record(data, "repair")
    assert (done["run"], done["closed"], done["removed"]) == (killed, [opened], ["prepared.seg"])
    assert (newest["run"], newest["closed"], newest["removed"]) == (third, [], [])
    assert not (data / killed / "prepared.seg").exists()
    assert read_manifest(data / killed).status == "running"
    record(data, "compress", "--keep-plain", 0)
    assert list((data / killed).glob("*.seg")) == []
    assert [run["records"] for run in verify(data)] == [21, 21, 21]
    assert [run["run"] for run in record(data, "repair")] == [third]


def test_repair_goes_on_after_a_damaged_run(data: Path) -> None:
    """Damage in one run ends with 1 and keeps no other run from being repaired."""
    _, killed, newest = runs(data)
    path = data / newest / "000001.seg"
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)
    assert [run["run"] for run in record(data, "repair", code=1)] == [killed]
    assert all(read_manifest(data / killed).sealed(n) for n in segment_numbers(data / killed))


def test_damage_prints_what_to_do(data: Path) -> None:
    """Corruption ends with 1, the place and instructions; quarantine sets the run aside."""
    run = data / runs(data)[2]
    path = run / "000002.seg"
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)
    result = invoke("log", "verify", "--data", data)
    assert result.exit_code == 1
    assert f"{path} at byte" in result.stderr
    assert f"record quarantine {run.name} --data {data}" in result.stderr
    assert "power" not in result.stderr, "the run was closed, so power is no explanation"
    assert invoke("record", "repair", "--data", data).exit_code == 1
    assert (
        invoke("record", "quarantine", runs(data)[0], "--data", data, "--reason", "x").exit_code
        == 2
    )
    done = record(data, "quarantine", run.name, "--reason", "disk")
    assert done["path"] == str(data / "quarantine" / run.name)
    assert not run.exists()
    assert verify(data)[-1]["exit_code"] == 0


def test_quarantine_says_what_is_left_to_go_on_from(data: Path) -> None:
    """The run that is left last is named; after the last of them there is none."""
    left = runs(data)
    while left:
        path = data / left[0] / "000001.seg"
        content = bytearray(path.read_bytes())
        content[300] ^= 1
        path.write_bytes(content)
        told = invoke("record", "quarantine", left[0], "--data", data, "--reason", "disk")
        assert told.exit_code == 0, told.output
        goes_on = f"carries on from run {left[-1]}," if left[1:] else "No run is left: "
        assert goes_on in told.stdout
        left = left[1:]


def test_power_loss_is_explained(data: Path) -> None:
    """Damage in a run with `process` durability that was not closed may come from lost power."""
    run = data / runs(data)[1]
    path = run / "000001.seg"
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)
    result = invoke("log", "verify", "--data", data, "--run", run.name)
    assert result.exit_code == 1
    assert "power" in result.stderr


def test_retention_dry_run_and_apply(data: Path) -> None:
    """Without --apply nothing goes; a held run stays whatever is asked."""
    first, second, third = runs(data)
    added = record(data, "hold", "add", "--run", first, "--reason", "case 7", "--actor", "counsel")
    assert (added["hold"], added["actor"], added["runs"]) == ("hold-1", "counsel", [first])
    plan = record(data, "retain", "1d")
    assert [removal["run"] for removal in plan["removals"]] == [second]
    assert not plan["applied"]
    assert len(list(read_run(data / second))) == 21
    assert "give --apply" in invoke("record", "retain", "1d", "--data", data).stdout
    applied = record(data, "retain", "1d", "--apply", "--actor", "officer")
    assert applied["applied"]
    assert {kept["run"]: kept["because"] for kept in applied["kept"]} == {
        first: "hold-1: case 7",
        third: "the next start needs it",
    }
    found = verify(data)
    assert [run["deleted_records"] for run in found] == [0, 21, 0]
    assert "deleted by retention" in invoke("log", "verify", "--data", data, "--all").stdout
    record(data, "hold", "remove", "hold-1", "--reason", "settled")
    assert record(data, "hold", "list") == []
    assert [e["action"] for e in record(data, "hold", "list", "--all")] == ["add", "remove"]
    assert "case 7" in invoke("record", "hold", "list", "--all", "--data", data).stdout
    assert [r["run"] for r in record(data, "retain", "1d", "--apply")["removals"]] == [first]


@pytest.mark.parametrize(
    "arguments",
    [
        ("retain", "soon"),
        ("retain", "0s"),
        ("hold", "add", "--reason", "nothing named"),
        ("hold", "add", "--reason", "r", "--run", "20000101T000000.000000000Z"),
        ("hold", "add", "--reason", "r", "--from", "yesterday"),
        ("hold", "remove", "hold-9", "--reason", "r"),
        ("compress", "--older-than", "long"),
        ("repair", "20000101T000000.000000000Z"),
        ("quarantine", "20000101T000000.000000000Z", "--reason", "r"),
        ("sign", "--key", "missing.pem"),
    ],
)
def test_bad_input_ends_with_2(data: Path, arguments: tuple[str, ...]) -> None:
    """What can't be done as asked ends with 2 and a message, and changes nothing."""
    result = invoke("record", *arguments, "--data", data)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("ordergate: ")


def test_missing_directory_ends_with_2(tmp_path: Path) -> None:
    """A directory that is not there is named."""
    for arguments in (("status",), ("compress",), ("retain", "1d"), ("hold", "list")):
        result = invoke("record", *arguments, "--data", tmp_path / "none")
        assert result.exit_code == 2
        assert "none" in result.stderr


def test_a_hold_that_fits_nothing_is_told(data: Path) -> None:
    """A misspelt owner shows at once; the hold is in force all the same."""
    arguments = ("record", "hold", "add", "--owner", "nobody", "--reason", "r", "--data", data)
    result = invoke(*arguments)
    assert result.exit_code == 0
    assert "hold-1 is in force; it holds 0 of 3 runs" in result.stdout
    assert "nothing there is now fits the hold" in result.stderr


def test_upkeep_of_a_gate(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the gate has done in the background is signed first, then compressed, then deleted."""
    key = tmp_path / "seal.pem"
    invoke("record", "key", "seal", key)
    wanted = Upkeep(seal_key=str(key), compress=True, keep_plain=0, retention="1d")
    assert wanted.anything
    assert not Upkeep().anything
    first, _, third = runs(data)
    invoke("record", "hold", "add", "--run", first, "--reason", "r", "--data", data)
    assert keep_up(data, wanted, START_NS + 100 * NS_PER_DAY) == []
    found = verify(data, "--public-key", f"{key}.pub")
    assert [run["deleted_records"] for run in found] == [0, 21, 0]
    assert found[0]["unsigned"] == found[2]["unsigned"] == []
    assert {run["run"]: run["segments"] for run in record(data, "status")}[third] == {
        "compressed": found[2]["sealed"]
    }
    assert str(data) in upkeep_command(data, wanted)
    options = msgspec.json.encode(Upkeep(retention="soon")).decode()
    for arguments in ([str(data), options], [str(data), "{"], [str(data)], []):
        assert main(arguments) == 2
        assert capsys.readouterr().err.startswith("upkeep: ")
    path = data / first / "000001.seg.zst"
    path.write_bytes(path.read_bytes()[:-1])
    options = msgspec.json.encode(Upkeep(encrypt=True)).decode()
    assert main([str(data), options]) == 2
