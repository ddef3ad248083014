"""Exported tables say exactly what the record says, in every format, and hide what is masked."""

import csv
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from gateway.commands import log
from gateway.journal import read_run
from gateway.logview.exporting import BATCH_ROWS, SUMMARY_NAME, export, write_tables
from gateway.logview.masking import ACTIONS, FIELDS, Mask, MaskError, mask_rules
from gateway.logview.parquet import batch_of, schema_of
from gateway.logview.query import Query
from gateway.logview.rows import Rows
from gateway.logview.sources import source_of
from gateway.logview.tables import TABLES, Column, Table
from rules.events import CommandResult, OrderTrade

from .record_world import ACCOUNT, BIG, CLIENT_IDS, E8, NAMES, OTHER, OWNER, World, record

HMAC_KEY = b"a key of some length"
SECRETS = [name for names in NAMES.values() for name in names]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a record that has one of everything."""
    return record(tmp_path_factory.mktemp("record") / "data")


def exported(world: World, directory: Path, form: Any, **more: Any) -> dict[str, list[Any]]:
    """Export all tables and return their rows as dictionaries."""
    query = more.pop("query", Query())
    export(source_of(world.data), query, directory, form, **more)
    return {name: READERS[form](directory / f"{name}.{form}") for name in TABLES}


def read_parquet(path: Path) -> list[Any]:
    """Return the rows of a Parquet file; times as nanoseconds."""
    table = pq.read_table(path)
    columns = {}
    for name in table.column_names:
        column = table[name]
        if str(column.type).startswith("timestamp"):
            assert str(column.type) == "timestamp[ns, tz=UTC]"
            column = column.cast("int64")
        columns[name] = column.to_pylist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def read_csv(path: Path) -> list[Any]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_json_lines(path: Path) -> list[Any]:
    """Return the rows of a JSON lines file, without its first line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()][1:]


READERS: dict[str, Callable[[Path], list[Any]]] = {
    "parquet": read_parquet,
    "csv": read_csv,
    "jsonl": read_json_lines,
}


def invoke(*arguments: object) -> Result:
    """Run `ordergate log` with these arguments."""
    app = typer.Typer()
    app.command("nothing")(lambda: None)
    log.register(app)
    return CliRunner().invoke(app, ["log", *map(str, arguments)])


def test_parquet_is_the_record(world: World, tmp_path: Path) -> None:
    """Counts, sums, times and exact amounts read back from Parquet are those of the record."""
    rows = exported(world, tmp_path, "parquet")
    records = list(read_run(world.writer.directory))
    assert [row["seq"] for row in rows["decisions"]] == [found.seq for found in records]
    assert [row["time"] for row in rows["decisions"]] == [found.now_ns for found in records]
    breaches = sum(len(r.decision.breaches) + len(r.decision.shadows) for r in records)
    assert len(rows["breaches"]) == breaches == 4
    fills = [fill for r in records if isinstance(r.event, CommandResult) for fill in r.event.fills]
    fills += [r.event.fill for r in records if isinstance(r.event, OrderTrade)]
    sold = [row for row in rows["trades"] if row["kind"] == "fill"]
    for column in ("price", "quantity", "quote", "commission"):
        total = sum(getattr(fill, f"{column}_e8") for fill in fills)
        assert sum(row[column] for row in sold) == Decimal(total).scaleb(-8)
    bids = [r.decision.bid_e8 for r in records if r.decision.bid_e8]
    assert sum(row["bid"] for row in rows["decisions"] if row["bid"]) == Decimal(sum(bids)) / E8
    charges = [charge.amount_e8 for r in records for charge in r.decision.charges]
    charged = [row["charged"] for row in rows["decisions"] if row["charged"]]
    assert sum(charged) == Decimal(sum(charges)) / E8


def test_the_largest_amounts_are_exact(world: World, tmp_path: Path) -> None:
    """A price of 63 bits keeps every digit, and so does a limit that has more."""
    for form in READERS:
        rows = exported(world, tmp_path / form, form)
        (refused,) = (row for row in rows["decisions"] if row["rule"] == "order_size")
        assert str(refused["price"]) == "92233720368.54775807"
        assert Decimal(refused["quantity"]) == Decimal("0.00000005")
        assert refused["observed"] == str(BIG)
        assert {row["observed"] for row in rows["breaches"]} >= {str(BIG), "20", "2"}


def test_amounts_beyond_63_bits_are_exact_in_parquet() -> None:
    """Sums may have more digits than a column of whole numbers, up to all the type has."""
    columns = Table("sums", "Sums", (Column("sum", "amount", "A sum"),))
    values = (2**63 - 1, 2**63, 10**38 - 1, None)
    batch = batch_of(columns, [(value,) for value in values], schema_of(columns))
    sums = batch["sum"].to_pylist()
    assert [None if one is None else int(f"{one:f}".replace(".", "")) for one in sums] == list(
        values
    )


def test_formats_agree(world: World, tmp_path: Path) -> None:
    """CSV and JSON lines hold the values that Parquet holds."""
    parquet = exported(world, tmp_path / "p", "parquet")
    text = exported(world, tmp_path / "c", "csv")
    lines = exported(world, tmp_path / "j", "jsonl")
    for name, table in TABLES.items():
        assert len(parquet[name]) == len(text[name]) == len(lines[name]) > 0
        for one, two, three in zip(parquet[name], text[name], lines[name], strict=True):
            for column in table.columns:
                value, shown, given_ = one[column.name], two[column.name], three[column.name]
                if value is None:
                    assert (shown, given_) == ("", None)
                elif column.kind == "amount":
                    assert value == Decimal(shown) == Decimal(given_)
                elif column.kind == "time":
                    assert shown == given_
                    assert shown.endswith(f"{value % 10**9:09d}Z")
                elif column.kind == "flag":
                    assert (shown, given_) == (str(value).lower(), value)
                else:
                    assert (shown, given_) == (str(value), value)


def test_orders_tell_their_lives(world: World, tmp_path: Path) -> None:
    """Each order has one row: what it was, what became of it, why it ended."""
    orders = {row["order_id"]: row for row in exported(world, tmp_path, "parquet")["orders"]}
    killed, expired, still_open = orders[1], orders[2], orders[3]
    assert (killed["status"], killed["cause"], killed["owner"]) == ("CANCELED", "KILL", OWNER)
    assert (killed["filled"], killed["fills"], killed["amends"]) == (Decimal("0.25"), 1, 1)
    assert killed["last_quantity"] == Decimal(E8 // 3) / E8
    assert killed["placed"] < killed["accepted"] < killed["first_fill"] < killed["ended"]
    assert (expired["status"], expired["cause"], expired["owner"]) == ("EXPIRED", "ENGINE", OTHER)
    assert (expired["side"], expired["filled_quote"]) == ("SELL", Decimal("6780.86419725"))
    assert (still_open["status"], still_open["ended"]) == ("NEW", None)
    assert not still_open["unknown"]


def test_filters_choose_the_rows(world: World, tmp_path: Path) -> None:
    """With a filter only rows of what matches are there, orders with their whole life."""
    rows = exported(world, tmp_path, "parquet", query=Query(owner=OTHER))
    assert {row["owner"] for row in rows["decisions"]} <= {OTHER, OWNER}
    assert [row["order_id"] for row in rows["orders"]] == [2, 3]
    assert [row["kind"] for row in rows["trades"] if row["owner"] == OTHER] == ["fill"]
    assert not rows["breaches"]
    one = exported(world, tmp_path, "csv", query=Query(client_order_id=CLIENT_IDS[0]))
    assert {row["order_id"] for row in one["orders"]} == {"1"}


def test_rows_leave_memory_in_batches(world: World) -> None:
    """More rows than a batch come in several, in order, with none lost."""
    source = source_of(world.data)
    batches: list[list[Any]] = []
    write_tables(
        source, Query(), lambda name, rows: batches.append(list(rows)), ["decisions"], Mask()
    )
    assert len(batches) == 1 < BATCH_ROWS
    rows = Rows(["decisions"])
    assert list(rows.tables) == ["decisions"]


def test_summary_says_what_was_exported(world: World, tmp_path: Path) -> None:
    """export.json lists runs, filters, masks, files with their digests."""
    done = invoke(
        *("export", "--data", world.data, "-o", tmp_path / "x", "--format", "csv", "--json"),
        *("--account", ACCOUNT, "--mask", "account=erase", "--table", "orders"),
    )
    assert done.exit_code == 0, done.output
    summary = json.loads((tmp_path / "x" / SUMMARY_NAME).read_text())
    assert summary == json.loads(done.stdout)
    assert summary["about"]["masked"]["erased"] == ["account", "text"]
    assert summary["about"]["filters"] == {"account": None}
    (file,) = summary["files"]
    assert (file["table"], file["rows"]) == ("orders", 1)
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == [SUMMARY_NAME, "orders.csv"]


def test_without_the_extra(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyarrow and DuckDB the message says how to install them, and nothing is made."""
    output = tmp_path / "tables"
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "gateway.logview.parquet", None)
        parquet = invoke("export", "--data", world.data, "-o", output)
        assert not output.exists()
        as_csv = invoke("export", "--data", world.data, "-o", output, "--format", "csv")
        patched.setitem(sys.modules, "gateway.logview.sql", None)
        sql = invoke("sql", "SELECT 1", "--data", world.data)
    assert (parquet.exit_code, as_csv.exit_code, sql.exit_code) == (2, 0, 2)
    for result in (parquet, sql):
        assert "pip install --editable '.[export]'" in result.stderr


def test_an_export_that_fails_leaves_no_directory(world: World, tmp_path: Path) -> None:
    """A directory that was made for an export goes again; one that was there stays."""
    (tmp_path / "kept").mkdir()
    for name in ("made", "kept"):
        with pytest.raises(KeyError):
            exported(world, tmp_path / name, "csv", tables=("no such table",))
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_files_that_are_there_are_kept(world: World, tmp_path: Path) -> None:
    """An export replaces another only when it is told to."""
    arguments = ("export", "--data", world.data, "-o", tmp_path, "--format", "jsonl")
    assert invoke(*arguments).exit_code == 0
    again = invoke(*arguments)
    assert again.exit_code == 2
    assert "orders.jsonl" in again.output
    assert invoke(*arguments, "--force").exit_code == 0


@pytest.mark.parametrize("form", list(READERS))
@pytest.mark.parametrize("action", ["erase", "pseudonym"])
def test_masking_leaves_nothing(world: World, tmp_path: Path, form: Any, action: str) -> None:
    """With every field masked no name and no free text is anywhere in the bytes; else they are."""
    mask = Mask(dict.fromkeys(FIELDS, action), HMAC_KEY)
    names = {*(f"{table}.{form}" for table in TABLES), SUMMARY_NAME}
    seen = {}
    for folder, masked in ((tmp_path / "masked", mask), (tmp_path / "open", None)):
        export(source_of(world.data), Query(owner=OWNER), folder, form, mask=masked)
        assert {path.name for path in folder.iterdir()} == names
        content = b"".join(path.read_bytes() for path in folder.iterdir())
        for path in folder.glob("*.parquet"):
            content += json.dumps(read_parquet(path), default=str).encode()
        seen[masked] = {secret for secret in SECRETS if secret.encode() in content}
    assert seen[mask] == set()
    assert seen[None] >= {OWNER, ACCOUNT, NAMES["key"][0], NAMES["text"][0]}


@settings(max_examples=25, deadline=None)
@given(
    actions=st.dictionaries(
        st.sampled_from(FIELDS), st.sampled_from(["keep", "erase", "pseudonym", "network"])
    )
)
def test_masked_fields_never_show(
    tmp_path_factory: pytest.TempPathFactory, world: World, actions: dict[str, str]
) -> None:
    """Whatever is masked, its originals are gone; what is kept is still there."""
    rules = {f: "erase" if a == "network" and f != "address" else a for f, a in actions.items()}
    mask = Mask(rules, HMAC_KEY)
    directory = tmp_path_factory.mktemp("masked")
    export(source_of(world.data), Query(), directory, "jsonl", mask=mask)
    content = b"".join(path.read_bytes() for path in directory.iterdir())
    for field, names in NAMES.items():
        hidden = field not in mask.fields("keep")
        for name in names:
            if hidden:
                assert name.encode() not in content, (field, name)
    if "keep" in mask.fields("keep") and not mask.active:
        assert all(name.encode() in content for name in SECRETS)


def test_pseudonyms_join_tables(world: World, tmp_path: Path) -> None:
    """One name has one pseudonym under a key, in all tables, and another under another key."""
    rules = {"owner": "pseudonym", "address": "network"}
    rows = exported(world, tmp_path, "jsonl", mask=Mask(rules, HMAC_KEY))
    orders = {row["order_id"]: row["owner"] for row in rows["orders"]}
    assert {row["owner"] for row in rows["breaches"]} == {orders[1]}
    assert orders[2] == orders[3] != orders[1]
    addresses = {row["address"] for row in rows["decisions"]}
    assert addresses >= {"203.0.113.0/24", "2001:db8:77::/48"}
    other = exported(world, tmp_path, "jsonl", mask=Mask(rules, HMAC_KEY + b"!"))
    assert {row["owner"] for row in other["orders"]}.isdisjoint(orders.values())
    assert {row["account"] for row in rows["orders"]} >= {ACCOUNT}


def test_masking_is_told_in_the_files(world: World, tmp_path: Path) -> None:
    """Parquet metadata and the first JSON line name what was erased."""
    mask = Mask({"key": "erase", "owner": "pseudonym"}, HMAC_KEY)
    kept = ["account", "address", "client_order_id", "agent", "algo", "actor"]
    told = {"erased": ["key", "text"], "pseudonyms": ["owner"], "networks": [], "kept": kept}
    export(source_of(world.data), Query(), tmp_path, "parquet", mask=mask)
    metadata = pq.read_schema(tmp_path / "trades.parquet").metadata[b"ordergate"]
    assert msgspec.json.decode(metadata)["masked"] == told
    export(source_of(world.data), Query(), tmp_path, "jsonl", mask=mask)
    first = (tmp_path / "trades.jsonl").read_text().splitlines()[0]
    assert json.loads(first)["masked"] == told


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"secret": "erase"}, "`secret` can't be masked"),
        ({"owner": "hide"}, "`hide` is nothing"),
        ({"owner": "network"}, "only an address has a network"),
        ({"owner": "pseudonym"}, "at least 16 bytes"),
    ],
)
def test_rules_that_cannot_be_used(rules: dict[str, str], told: str) -> None:
    """A masking rule at fault is named, with what would be accepted."""
    with pytest.raises(MaskError, match=told):
        Mask(rules, bytes(15))
    assert set(ACTIONS) == {"keep", "erase", "pseudonym", "network"}


def test_rules_from_a_file(world: World, tmp_path: Path) -> None:
    """Masking rules come from TOML, the key from a file or the environment."""
    assert mask_rules('owner = "erase"') == {"owner": "erase"}
    with pytest.raises(MaskError):
        mask_rules("owner =")
    rules, key = tmp_path / "mask.toml", tmp_path / "key"
    rules.write_text('owner = "pseudonym"\n')
    key.write_bytes(HMAC_KEY)
    arguments = ("export", "--data", world.data, "--format", "csv", "--mask", rules)
    without = invoke(*arguments, "-o", tmp_path / "a")
    assert without.exit_code == 2
    assert "--mask-key" in without.output
    assert invoke(*arguments, "-o", tmp_path / "a", "--mask-key", key).exit_code == 0
    assert OWNER not in (tmp_path / "a" / "orders.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--format", "xml"), "`xml` is not a format"),
        (("--table", "fills"), "`fills` is not a table"),
        (("--mask", "owner=x"), "`x` is nothing"),
        (("--verdict", "maybe"), "`maybe`"),
    ],
)
def test_bad_options(world: World, tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    """What can't be done is said before anything is written."""
    done = invoke("export", "--data", world.data, "-o", tmp_path / "out", *arguments)
    assert done.exit_code == 2
    assert told in done.output
    assert not (tmp_path / "out").exists()


def test_what_can_not_be_used_is_named(world: World, tmp_path: Path) -> None:
    """A place, a format, a table or a rule that there is not ends with code 2 and its name."""
    file = tmp_path / "file"
    file.write_text("")
    ask = ("export", "--data", world.data, "-o")
    for arguments, told in (
        ((file / "inside",), "Not a directory"),
        ((tmp_path / "x", "--format", "xml"), "`xml` is not a format"),
        ((tmp_path / "x", "--table", "fills"), "`fills` is not a table"),
        ((tmp_path / "x", "--mask", "rules.toml"), "`rules.toml` is neither a masking rule"),
        ((tmp_path / "x", "--owner", "nobody"), "no owner is called `nobody`"),
    ):
        result = invoke(*ask, *arguments)
        assert result.exit_code == 2, told
        assert told in result.stderr
        assert not isinstance(result.exception, OSError)
