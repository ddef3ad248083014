"""`ordergate fees`: counts in, statement out, and every fault of a counts file."""

import csv
import io
import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from gateway.__main__ import build
from gateway.fees.counts_file import CountsError, read_counts
from gateway.tariffs import load_tariff, shipped_tariffs
from rules import fee_clauses
from rules.fees.counts import DECIMAL_COLUMNS, WHOLE_COLUMNS
from rules.fees.tariff import TariffError

ROOT = Path(__file__).resolve().parents[2]
BORSA = "borsa-italiana-2012-mta"
COUNTS = """\
owner,symbol,day,orders,modifies,cancels,trades
bob,ENI,2012-04-02,100,0,99,2
acme,ENI,2012-04-02,1000,0,999,1
acme,ISP,2012-04-03,500,0,0,0
"""


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    """A good counts file."""
    return written(tmp_path, COUNTS)


def written(folder: Path, text: str) -> Path:
    """Return a file with `text`."""
    path = folder / "counts.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def run(*arguments: str | Path, code: int = 0) -> str:
    """Run `ordergate fees …`; return what it prints, on standard error where it fails."""
    done = CliRunner(env={"COLUMNS": "200"}).invoke(build(), ["fees", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.stderr if code else done.stdout


def errors(folder: Path, text: str, *tariffs: str) -> list[str]:
    """Return what is wrong with counts, without the file's name."""
    path = written(folder, text)
    with pytest.raises(CountsError) as caught:
        read_counts(path, [load_tariff(name) for name in tariffs or (BORSA,)])
    return [line.removeprefix(f"{path}:") for line in caught.value.errors]


# --- Statements -----------------------------------------------------------------------------------


def test_statement_as_json(counts: Path) -> None:
    """All of a line, by owner and symbol, with totals and the tariff's source.

    acme in ENI: 400 x 0.01 + 500 x 0.02 + 999 x 0.025 = 38.975; in ISP without a trade
    400 x 0.01 = 4.00.
    """
    statement = json.loads(run("statement", "--counts", counts, "--tariff", BORSA, "--json"))
    assert [terms["tariff"] for terms in statement["tariffs"]] == [BORSA]
    assert "2 April 2012" in statement["tariffs"][0]["source"]
    assert statement["lines"][0] == {
        "tariff": BORSA,
        "owner": "acme",
        "symbol": "ENI",
        "period": "2012-04-02",
        "measured": "1999",
        "base": "1",
        "ratio": "1999",
        "excess": "1899",
        "slabs": [
            {"slab": "100-500", "excess": "400", "amount": "4.00"},
            {"slab": "500-1000", "excess": "500", "amount": "10.00"},
            {"slab": "above 1000", "excess": "999", "amount": "24.975"},
        ],
        "fee": "38.975",
        "cap": "1000.00",
        "cut_by_cap": "0.00",
        "waived": "0.00",
        "relief": "",
        "amount": "38.975",
        "currency": "EUR",
    }
    assert [(line["owner"], line["symbol"], line["ratio"]) for line in statement["lines"]] == [
        ("acme", "ENI", "1999"),
        ("acme", "ISP", "500"),
        ("bob", "ENI", "99.5"),
    ]
    assert statement["totals"] == [
        {"owner": "acme", "currency": "EUR", "amount": "42.975"},
        {"owner": "bob", "currency": "EUR", "amount": "0.00"},
    ]
    assert statement["sums"] == [{"owner": None, "currency": "EUR", "amount": "42.975"}]


def test_statement_as_csv(counts: Path) -> None:
    """The same lines as CSV, with the slabs in which something lies."""
    text = run("statement", "--counts", counts, "--tariff", BORSA, "--csv")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["amount"] for line in lines] == ["38.975", "4.00", "0.00"]
    assert (
        lines[0]["slabs"] == "100-500: 400 = 4.00; 500-1000: 500 = 10.00; above 1000: 999 = 24.975"
    )
    assert lines[2]["slabs"] == ""


def test_statement_as_table(counts: Path) -> None:
    """The table shows source, ratio, slabs, amounts and totals."""
    text = run("statement", "--counts", counts, "--tariff", BORSA)
    for part in ("source: Borsa Italiana", "1999/1 = 1999", "500-1000: 500 = 10.00", "42.975 EUR"):
        assert part in text


def test_table_shows_what_was_let_off(tmp_path: Path) -> None:
    """Cap and waiver stand below the slabs."""
    text = "owner,symbol,day,orders,modifies,cancels,trades,traded_volume\n"
    path = written(tmp_path, text + "[b]acme,K200,2015-05-04,200000,0,0,100,10000\n")
    shown = run(
        "statement", "--counts", path, "--tariff", BORSA, "--tariff", "krx-excess-quotes-2015"
    )
    # 40,000 x 0.01 + 50,000 x 0.02 + 100,000 x 0.025 = 3,900.
    assert "above the cap: -2900.00" in shown
    assert "waiver 1 of 2: -1000000" in shown
    assert "[b]acme" in shown


def test_several_tariffs_and_currencies(counts: Path) -> None:
    """Each tariff has its lines, totals are by owner and currency, and a name twice is one."""
    arguments = ["--tariff", BORSA, "--tariff", "punitive-cancels", "--tariff", BORSA]
    statement = json.loads(run("statement", "--counts", counts, *arguments, "--json"))
    assert len(statement["lines"]) == 6
    assert [(total["owner"], total["currency"]) for total in statement["totals"]] == [
        ("acme", "EUR"),
        ("acme", "USDT"),
        ("bob", "EUR"),
        ("bob", "USDT"),
    ]


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_the_same_again(counts: Path, tmp_path: Path, form: str) -> None:
    """Rows and columns in another order give the same bytes."""
    first = run("statement", "--counts", counts, "--tariff", BORSA, form)
    rows = [line.split(",")[::-1] for line in COUNTS.splitlines()]
    other = tmp_path / "other.csv"
    other.write_text("\n".join(",".join(row) for row in [rows[0], *rows[:0:-1]]), encoding="utf-8")
    assert run("statement", "--counts", other, "--tariff", BORSA, form) == first


def test_own_tariff(counts: Path, tmp_path: Path) -> None:
    """A tariff of one's own is a file beside the counts."""
    path = tmp_path / "mine.toml"
    path.write_text(shipped_tariffs()["punitive-cancels"].replace("10000", "998"), encoding="utf-8")
    statement = json.loads(run("statement", "--counts", counts, "--tariff", path, "--json"))
    assert statement["sums"] == [{"owner": None, "currency": "USDT", "amount": "0.01"}]


def test_no_rows(tmp_path: Path) -> None:
    """A header alone is a statement of nothing."""
    path = written(tmp_path, COUNTS.splitlines()[0])
    statement = json.loads(run("statement", "--counts", path, "--tariff", BORSA, "--json"))
    assert statement["lines"] == statement["totals"] == []
    assert statement["sums"][0]["amount"] == "0.00"


def test_times_fall_into_the_calendar(tmp_path: Path) -> None:
    """23:30 UTC is the next day in Milan, and hours of one day are one line."""
    text = "owner,symbol,day,orders,modifies,cancels,trades\n"
    text += "acme,ENI,2012-04-02T23:30:00Z,60,0,0,1\nacme,ENI,2012-04-03T08:00:00Z,60,0,0,0\n"
    arguments = ["--counts", written(tmp_path, text), "--tariff", BORSA, "--json"]
    (line,) = json.loads(run("statement", *arguments))["lines"]
    assert (line["period"], line["measured"], line["amount"]) == ("2012-04-03", "120", "0.20")


# --- Faults ---------------------------------------------------------------------------------------


def test_every_fault_of_the_rows_at_once(tmp_path: Path) -> None:
    """File, line, column and value of each."""
    text = """\
owner,symbol,day,orders,modifies,cancels,trades,average_price,exempt_orders
,ENI,2012-04-31,-1,0.5,,1e3,5,0
acme,ENI,2012-04-02,1,1,1,1,1.123456789,3
acme,ENI,2012-04-02
acme,ENI,2012-04-03,1,1,1,1,1,3
bob,ENI,1969-12-31,1,1,1,1,1,0
bob,ENI,2012-04-03T09:00:00Z,1,1,1,1,1,0
bob,ENI,2012-04-03T09:00:00,1,1,1,1,1,0
acme,ENI,2012-04-03,1,1,1,1,1,0
"""
    whole = "is not a whole number, 0 or more, of at most 20 digits"
    assert errors(tmp_path, text) == [
        "2: owner: is empty",
        "2: day: `2012-04-31` is not a day such as 2026-01-31 or a time such as 2026-01-31T09:00:00Z",
        f"2: orders: `-1` {whole}",
        f"2: modifies: `0.5` {whole}",
        "2: cancels: is empty; write 0 for none",
        f"2: trades: `1e3` {whole}",
        "3: average_price: `1.123456789` has more than 8 decimal places",
        "4: the row has 3 cells and the header 9",
        "5: exempt_orders: `3` is more than orders and modifies, 2",
        "6: day: `1969-12-31` is not between 1970-01-01 and 9998-12-31",
        "7: day: `2012-04-03T09:00:00Z` is a time and line 5 has a day; write one kind throughout",
        (
            "8: day: `2012-04-03T09:00:00` is not a day such as 2026-01-31 or a time such as "
            "2026-01-31T09:00:00Z"
        ),
        "9: day: `2012-04-03` of this owner and symbol is in line 5 too",
    ]


def test_faults_of_the_header(tmp_path: Path) -> None:
    """Unknown, double and missing columns, those missing with the tariff that needs them."""
    text = "owner,symbol,orders,orders,cancel,cancels_under_1000ms\n"
    assert errors(tmp_path, text, "punitive-cancels", "age-priced-cancels") == [
        "1: orders: the header has the column twice",
        "1: cancel: unknown column; did you mean `cancels`?",
        (
            "1: cancels_under_1000ms: unknown column; write the age the shortest way, such as "
            "cancels_under_500ms"
        ),
        "1: the header has no column `day`",
        "1: the header has no column `cancels`, needed by punitive-cancels",
        "1: the header has no column `cancels_under_5s`, needed by age-priced-cancels",
    ]


def test_the_same_time_written_otherwise_is_double(tmp_path: Path) -> None:
    """09:00 in Korea is midnight UTC."""
    text = "owner,symbol,day,cancels\na,B,2026-01-01T00:00:00Z,1\na,B,2026-01-01T09:00:00+09:00,1\n"
    (error,) = errors(tmp_path, text, "punitive-cancels")
    assert error.endswith("of this owner and symbol is in line 2 too")


@pytest.mark.parametrize(
    ("day", "good"),
    [
        ("1969-12-31", False),
        ("1970-01-01", True),
        ("1970-01-01T00:00:00+14:00", True),
        ("0001-01-01T00:00:00+14:00", False),
        ("9998-12-31T23:59:59-14:00", True),
        ("9999-12-31T23:59:59-14:00", False),
    ],
)
def test_ends_of_the_calendar(tmp_path: Path, day: str, good: bool) -> None:
    """Days that every calendar can hold are taken, others are refused."""
    text = f"owner,symbol,day,sold_value\nacme,A,{day},1\n"
    if good:
        arguments = ["--counts", written(tmp_path, text), "--tariff", "china-stamp-2023"]
        assert "0.0005 CNY" in run("statement", *arguments)
    else:
        assert "is not between" in errors(tmp_path, text, "china-stamp-2023")[0]


def test_cancels_by_age_are_not_more_than_cancels(tmp_path: Path) -> None:
    """5 and 5 of 9 can't be; of 10 they can."""
    text = "owner,symbol,day,cancels,cancels_under_1s,cancels_under_5s\na,B,2026-01-01,{},5,5\n"
    assert errors(tmp_path, text.format(9), "age-priced-cancels") == [
        "2: cancels: `9` is less than the cancels by age, 10"
    ]
    assert read_counts(written(tmp_path, text.format(10)), [load_tariff("age-priced-cancels")])


def test_broken_files(tmp_path: Path) -> None:
    """A file that isn't there, isn't text or isn't CSV is named."""
    tariffs = [load_tariff(BORSA)]
    with pytest.raises(CountsError, match="No such file"):
        read_counts(tmp_path / "none.csv", tariffs)
    with pytest.raises(CountsError, match="Is a directory"):
        read_counts(tmp_path, tariffs)
    path = tmp_path / "latin.csv"
    path.write_bytes(b"owner,symbol,day\n\xe9,ENI\n")
    with pytest.raises(CountsError, match="not UTF-8 text"):
        read_counts(path, tariffs)
    assert any("2: " in error for error in errors(tmp_path, COUNTS.splitlines()[0] + '\n"a"b,'))
    assert "1: the header has no column `owner`" in errors(tmp_path, "")


def test_quoted_lines_and_a_byte_order_mark(tmp_path: Path) -> None:
    """What spreadsheets write is read: a mark, CRLF, quotes, an empty line; lines are counted."""
    text = (
        '\ufeffowner,symbol,day,cancels\r\n"a\nb",ENI,2026-01-01,"1"\r\n\r\nc,ENI,2026-01-01,x\r\n'
    )
    (error,) = errors(tmp_path, text, "punitive-cancels")
    assert error.startswith("5: cancels: `x`")


def test_bad_input_ends_with_code_2(counts: Path) -> None:
    """An unknown tariff, both forms, and faulty counts."""
    message = run("statement", "--counts", counts, "--tariff", "borsa-italiana-2012", code=2)
    assert "no tariff `borsa-italiana-2012`; did you mean `borsa-italiana-2012-m" in message
    both = ["--counts", counts, "--tariff", BORSA, "--json", "--csv"]
    assert "exclude each other" in run("statement", *both, code=2)
    of_one = ["--counts", counts, "--tariff", BORSA, "--owner", "acme"]
    assert "choose from a record" in run("statement", *of_one, code=2)
    message = run("statement", "--counts", counts, "--tariff", "china-stamp-2023", code=2)
    assert f"{counts}:1: the header has no column `sold_value`" in message
    with pytest.raises(TariffError, match="No such file"):
        load_tariff("nowhere.toml")


def test_the_examples_of_the_document() -> None:
    """acme: 38.975 for ENI, nothing for ISP with 720 messages to 12 trades; 499 x 0.02 by the other.

    bob on the second day has 129,000 messages to 40 trades: 16,000 x 0.01 above 4,000, 20,000 x 0.02
    above 20,000, 89,000 x 0.025 above 40,000 = 160 + 400 + 2,225, cut to 1,000 by the cap.
    """
    examples = ROOT / "examples"
    own = examples / "cancels-above-500.toml"
    both = ["--tariff", BORSA, "--tariff", own]
    answer = json.loads(run("statement", "--counts", examples / "counts.csv", *both, "--json"))
    amounts = {
        (line["tariff"], line["owner"], line["symbol"], line["period"]): line["amount"]
        for line in answer["lines"]
    }
    assert amounts[BORSA, "acme", "ENI", "2026-03-02"] == "38.975"
    assert amounts[BORSA, "acme", "ISP", "2026-03-02"] == "0.00"
    assert amounts[BORSA, "bob", "ENI", "2026-03-03"] == "1000.00"
    assert amounts["cancels-above-500", "acme", "ENI", "2026-03-02"] == "9.98"


def test_two_tariffs_of_one_name_are_refused(counts: Path, tmp_path: Path) -> None:
    """A statement could not tell them apart."""
    path = tmp_path / f"{BORSA}.toml"
    path.write_text(shipped_tariffs()[BORSA], encoding="utf-8")
    message = run("statement", "--counts", counts, "--tariff", BORSA, "--tariff", path, code=2)
    assert f"two tariffs are named `{BORSA}`" in message


# --- Tariffs and documents ------------------------------------------------------------------------


def test_tariffs_list() -> None:
    """Every shipped tariff, as table and as JSON."""
    assert [one["tariff"] for one in json.loads(run("tariffs", "list", "--json"))] == list(
        shipped_tariffs()
    )
    assert "krx-excess-quotes-2015" in run("tariffs", "list")


@pytest.mark.parametrize("name", shipped_tariffs())
def test_tariffs_show(name: str) -> None:
    """Source and columns, as text and as JSON."""
    tariff = load_tariff(name)
    text = run("tariffs", "show", name)
    assert tariff.file.source in text
    assert ", ".join(tariff.columns) in text
    shown = json.loads(run("tariffs", "show", name, "--json"))
    assert (shown["name"], shown["model"]) == (name, tariff.model_name)
    assert shown["columns"] == tariff.columns


def test_document_names_everything() -> None:
    """docs/fees.md has every setting, column and shipped tariff."""
    text = (ROOT / "docs" / "fees.md").read_text(encoding="utf-8")
    names = [*shipped_tariffs(), *WHOLE_COLUMNS, *DECIMAL_COLUMNS]
    for struct in vars(fee_clauses).values():
        if isinstance(struct, type) and issubclass(struct, msgspec.Struct):
            names += struct.__struct_fields__
    missing = [name for name in names if f"`{name}`" not in text and f"`[{name}]`" not in text]
    for table in ("relief", "counting"):
        missing = [name for name in missing if f"`{table}.{name}`" not in text and name != table]
    assert missing == []
