"""`ordergate fees statement --counts` by every shipped tariff: a worked amount, and bad counts."""

import json
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from gateway.rulebooks import load_rulebook
from gateway.tariffs import load_tariff, shipped_tariffs
from rules.fees.counts import DECIMAL_COLUMNS, WHOLE_COLUMNS
from tests.gateway.test_fees import errors, run, written


class Worked(NamedTuple):
    """Counts of one owner and symbol, the same on each of some days, and what is charged."""

    counts: dict[str, str]
    days: int
    charged: str
    arithmetic: str


WORKED: Final = {
    "punitive-cancels": Worked(
        {"cancels": "10250"}, 1, "2.50 USDT", "(10,250 - 10,000) x 0.01 = 2.50"
    ),
    "borsa-italiana-2012-mta": Worked(
        {"orders": "1000", "modifies": "0", "cancels": "999", "trades": "1"},
        1,
        "38.975 EUR",
        "400 x 0.01 + 500 x 0.02 + 999 x 0.025 = 4 + 10 + 24.975",
    ),
    "borsa-italiana-2012-miv": Worked(
        {"orders": "400", "modifies": "0", "cancels": "100", "trades": "1"},
        1,
        "8.10 EUR",
        "160 x 0.01 + 200 x 0.02 + 100 x 0.025 = 1.60 + 4 + 2.50",
    ),
    "nasdaq-nordic-2011": Worked(
        {"orders": "1000", "modifies": "300", "trades": "5"},
        2,
        "1.00 EUR",
        "the month has 2,600 orders and 10 trades: (2,600 - 250 x 10) x 0.01",
    ),
    "nasdaq-nordic-2013": Worked(
        {"weighted_orders": "350.5", "trades": "3"}, 1, "0.505 EUR", "(350.5 - 300) x 0.01"
    ),
    "nasdaq-us-2012": Worked(
        {"weighted_orders": "1500", "trades": "1"},
        1,
        "9.50 USD",
        "900 x 0.005 + 500 x 0.01 = 4.50 + 5",
    ),
    "nse-india-2012": Worked(
        {"orders": "700", "modifies": "0", "cancels": "300", "exempt_orders": "100", "trades": "1"},
        1,
        "34.50 INR",
        "900 count: 200 x 0.01 + 250 x 0.05 + 400 x 0.05 = 2 + 12.50 + 20",
    ),
    "nse-india-2018": Worked(
        {"orders": "700", "modifies": "0", "cancels": "300", "exempt_orders": "100", "trades": "1"},
        1,
        "69.00 INR",
        "900 count: 200 x 0.02 + 250 x 0.10 + 400 x 0.10 = 4 + 25 + 40",
    ),
    "krx-excess-quotes-2015": Worked(
        {"orders": "100000", "modifies": "0", "cancels": "50000", "traded_volume": "10000"},
        3,
        "1000000 KRW",
        "150,000 / 10,000 = 15 on three days: 3 x 1,000,000, two of them waived",
    ),
    "eurex-excessive-usage": Worked(
        {
            "orders": "100000", "modifies": "0", "cancels": "3500",
            "passive_volume": "100", "aggressive_volume": "50",
        },
        4,
        "40.00 EUR",
        "limit 100,000 + 20 x 100 + 10 x 50 = 102,500; 1,000 x 0.01 on four days, none free",
    ),
    "italy-hft-tax-2013": Worked(
        {
            "cancelled_fast": "700", "modified_fast": "100",
            "ordered_volume": "1000", "average_price": "10",
        },
        1,
        "0.28 EUR",
        "(800 - 0.60 x 1,100) x 10 x 0.0002 = 140 x 10 x 0.0002",
    ),
    "france-hft-tax-2012": Worked(
        {
            "cancelled_volume": "950", "modified_volume": "0",
            "ordered_volume": "1000", "average_price": "10",
        },
        1,
        "0.15 EUR",
        "(950 - 0.80 x 1,000) x 10 x 0.0001",
    ),
    "age-priced-cancels": Worked(
        {"cancels_under_500ms": "100", "cancels_under_5s": "10"},
        1,
        "1.55 USDT",
        "100 x (0.02 + 0.01) / 2 + 10 x (0.01 + 0) / 2 = 1.50 + 0.05",
    ),
    "china-stamp-2023": Worked({"sold_value": "100000"}, 1, "50.00 CNY", "100,000 x 0.0005"),
}  # fmt: skip
"""By tariff. The arithmetic is that of the published rule."""
HUGE: Final = "9" * 20


def table(columns: dict[str, str], days: int = 1) -> str:
    """Return a counts file of one owner and symbol."""
    lines = [",".join(("owner", "symbol", "day", *columns))]
    lines += [
        ",".join(("acme", "ENI", f"2026-03-{day:02}", *columns.values()))
        for day in range(1, days + 1)
    ]
    return "\n".join(lines) + "\n"


def test_every_shipped_tariff_is_worked() -> None:
    """None is left out here."""
    assert sorted(WORKED) == sorted(shipped_tariffs())


@pytest.mark.parametrize("name", WORKED)
def test_statement(name: str, tmp_path: Path) -> None:
    """What the published rule makes of the counts; the arithmetic is in the table."""
    worked = WORKED[name]
    file = written(tmp_path, table(worked.counts, worked.days))
    answer = json.loads(run("statement", "--counts", file, "--tariff", name, "--json"))
    (total,) = answer["sums"]
    assert f"{total['amount']} {total['currency']}" == worked.charged, worked.arithmetic
    shown = run("statement", "--counts", file, "--tariff", name)
    assert worked.charged in shown


@pytest.mark.parametrize("name", WORKED)
def test_bad_counts(name: str, tmp_path: Path) -> None:
    """Each column missing, empty, negative, in words, too long: told with line, column and value."""
    columns = WORKED[name].counts
    needed = load_tariff(name).columns
    for column in columns:
        less = {other: value for other, value in columns.items() if other != column}
        if column in needed:
            assert errors(tmp_path, table(less), name) == [
                f"1: the header has no column `{column}`, needed by {name}"
            ]
        whole = column in WHOLE_COLUMNS or column.startswith("cancels_under_")
        wrong = ["", "-1", "many", "1e3", "0x10", "1_0", "NaN", "9" * 30]
        wrong.append("0.5" if whole else "0.000000001")
        for value in wrong:
            (fault,) = errors(tmp_path, table(columns | {column: value}), name)
            assert fault.startswith(f"2: {column}: "), fault
            assert f"`{value}`" in fault or value == "", fault


@pytest.mark.parametrize("name", WORKED)
def test_huge_counts(name: str, tmp_path: Path) -> None:
    """Numbers of twenty digits are computed with like others, however large the fee."""
    columns = {
        column: HUGE if column not in DECIMAL_COLUMNS else "92233720368.54775807"
        for column in WORKED[name].counts
    }
    file = written(tmp_path, table(columns, days=4))
    answer = json.loads(run("statement", "--counts", file, "--tariff", name, "--json"))
    assert len(answer["lines"]) in (1, 4)
    assert "e" not in answer["sums"][0]["amount"]


@pytest.mark.parametrize("name", WORKED)
def test_a_running_gate_can_charge_by_it(name: str, tmp_path: Path) -> None:
    """Whatever its counts need, the gate can count: a rulebook need but name the tariff."""
    path = tmp_path / "charging.toml"
    path.write_text(
        f'extends = "binance-spot-2026"\n[rules.cancel_fees]\nmode = "enforce"\ntariffs = ["{name}"]\n'
    )
    assert load_rulebook(str(path)).clauses.cancel_fees.tariffs == (name,)
