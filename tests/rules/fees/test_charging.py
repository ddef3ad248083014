"""Lines of a statement: grouping, caps, waivers, free exceedances, and the calendar."""

from datetime import datetime

import pytest

from gateway.tariffs import shipped_tariffs
from rules.fees.counts import CountRow
from rules.fees.tariff import Tariff, read_tariff
from rules.units import decimal_text
from tests.rules.fees.fee_world import amounts, lines, row, values_e8

KRX = "krx-excess-quotes-2015"
EUREX = "eurex-excessive-usage"


def changed(name: str, old: str, new: str) -> Tariff:
    """Return a shipped tariff with a part of its text replaced."""
    text = shipped_tariffs()[name]
    assert old in text
    return read_tariff(name, text.replace(old, new))


def krx(day: str, quotes: int, contracts: int = 1000, symbol: str = "K200") -> CountRow:
    """Return a day of a product at the Korea Exchange."""
    return row(symbol=symbol, day=day, orders=quotes, traded_volume=contracts)


def eurex(day: str, transactions: int, symbol: str = "FDAX") -> CountRow:
    """Return a day of a product at Eurex, without volume, so with the limit 100,000."""
    return row(symbol=symbol, day=day, orders=transactions, passive_volume=0, aggressive_volume=0)


@pytest.mark.parametrize(
    ("orders", "amount", "cut"),
    [(40_439, "999.975", "0"), (40_440, "1000", "0"), (40_441, "1000", "0.025")],
)
def test_cap_to_the_order(orders: int, amount: str, cut: str) -> None:
    """1 trade: EUR 4 + 10 up to 1,000 messages; 986 / 0.025 = 39,440 more reach EUR 1,000."""
    (line,) = lines("borsa-italiana-2012-mta", [row(orders=orders, trades=1)])
    assert decimal_text(line.amount_e8) == amount
    assert decimal_text(line.cut_by_cap_e8) == cut


def test_cap_of_an_owner_is_over_all_symbols() -> None:
    """ENEL: 14 + 18,880 x 0.025 = 486. ENI: 14 + 38,880 x 0.025 = 986, of which 514 are left.

    Another day and another owner have a cap of their own.
    """
    rows = [
        row(symbol="ENI", orders=39_880, trades=1),
        row(symbol="ENEL", orders=19_880, trades=1),
        row(symbol="ENI", day="2012-04-03", orders=39_880, trades=1),
        row(owner="bob", symbol="ENI", orders=39_880, trades=1),
    ]
    assert amounts("borsa-italiana-2012-mta", rows) == ["486", "514", "986", "986"]


def test_cap_of_a_line() -> None:
    """With a cap for each line each symbol may reach it."""
    tariff = changed("borsa-italiana-2012-mta", 'cap_per = "owner"', 'cap_per = "line"')
    rows = [row(symbol=symbol, orders=100_000, trades=1) for symbol in ("ENI", "ENEL")]
    assert amounts(tariff, rows) == ["1000", "1000"]


def test_two_waivers_a_month() -> None:
    """Four days of 100,000 quotes: the first two are waived; the next month begins anew."""
    days = ["2015-05-04", "2015-05-06", "2015-05-07", "2015-05-29", "2015-06-01"]
    found = lines(KRX, [krx(day, 100_000, 5000) for day in reversed(days)])
    assert [line.period for line in found] == days
    assert [decimal_text(line.amount_e8) for line in found] == ["0", "0", "1000000", "1000000", "0"]
    assert [line.relief for line in found] == [
        "waiver 1 of 2",
        "waiver 2 of 2",
        "",
        "",
        "waiver 1 of 2",
    ]


@pytest.mark.parametrize(
    ("quotes", "amount"), [(149_999, "0"), (150_000, "1000000"), (150_001, "1000000")]
)
def test_no_waiver_from_five_times_the_limit(quotes: int, amount: str) -> None:
    """2,000 contracts: 150,000 quotes are the ratio 75 exactly, which is not waived."""
    assert amounts(KRX, [krx("2015-05-04", quotes, 2000)]) == [amount]


def test_what_is_never_waived_uses_no_waiver() -> None:
    """A day at the ratio 75 is charged, and the two after it are waived."""
    rows = [krx("2015-05-04", 150_000, 2000)]
    rows += [krx(f"2015-05-0{day}", 100_000, 5000) for day in (6, 7, 8)]
    assert amounts(KRX, rows) == ["1000000", "0", "0", "1000000"]


def test_a_day_below_the_limit_uses_no_waiver() -> None:
    """Only charges are waived."""
    rows = [krx("2015-05-04", 99_999, 5000)]
    rows += [krx(f"2015-05-0{day}", 100_000, 5000) for day in (6, 7, 8)]
    assert [line.relief for line in lines(KRX, rows)][:2] == ["", "waiver 1 of 2"]


def test_waivers_are_for_each_product() -> None:
    """Two products have two waivers each, and with waivers for each owner two together."""
    rows = [
        krx(f"2015-05-0{day}", 100_000, 5000, symbol)
        for day in (4, 6)
        for symbol in ("K200", "KTB3")
    ]
    assert amounts(KRX, rows) == ["0"] * 4
    together = changed(KRX, "waivers = 2", 'waivers = 2\nper = "owner"')
    assert amounts(together, rows) == ["0", "1000000", "0", "1000000"]


@pytest.mark.parametrize(
    ("days", "expected"),
    [(2, ["0"] * 2), (3, ["0"] * 3), (4, ["0.01"] * 4), (5, ["0.01"] * 5)],
)
def test_eurex_charges_all_from_the_fourth_exceedance(days: int, expected: list[str]) -> None:
    """Up to three exceedances in a month are accidental; four make all of them systematic."""
    rows = [eurex(f"2026-03-0{day}", 100_001) for day in range(1, days + 1)]
    assert amounts(EUREX, rows) == expected


def test_eurex_counts_by_product_and_month() -> None:
    """Three days of one month, one of another product and one of another month stay free."""
    rows = [eurex(f"2026-03-0{day}", 100_001) for day in (1, 2, 3)]
    rows += [eurex("2026-03-04", 100_001, "FESX"), eurex("2026-04-01", 100_001)]
    rows += [eurex("2026-03-05", 100_000)]
    found = lines(EUREX, rows)
    assert {decimal_text(line.amount_e8) for line in found} == {"0"}
    assert [line.relief for line in found if line.symbol == "FDAX"] == [
        *["3 of 3 free exceedances"] * 3,
        "",
        "1 of 3 free exceedances",
    ]


def test_a_month_is_one_line_over_all_symbols() -> None:
    """Nasdaq Nordic: 500 + 400 orders, 1 + 2 trades: 900 - 750 = 150 x 0.01 = EUR 1.50."""
    rows = [
        row(symbol="NOKIA", day="2011-07-01", orders=500, trades=1),
        row(symbol="UPM", day="2011-07-31", orders=400, trades=2),
        row(symbol="UPM", day="2011-08-01", orders=250, trades=1),
    ]
    found = lines("nasdaq-nordic-2011", rows)
    assert [(line.symbol, line.period) for line in found] == [("", "2011-07"), ("", "2011-08")]
    assert amounts("nasdaq-nordic-2011", rows) == ["1.5", "0"]


@pytest.mark.parametrize(
    ("time", "period"),
    [
        ("2015-05-31T14:59:59Z", "2015-05-31"),
        ("2015-05-31T15:00:00Z", "2015-06-01"),
        ("2015-06-01T00:00:01+09:00", "2015-06-01"),
        ("2015-05-31T10:00:00-05:00", "2015-06-01"),
    ],
)
def test_a_time_falls_on_a_day_of_the_calendar(time: str, period: str) -> None:
    """In Korea, nine hours ahead, June begins at 15:00 UTC."""
    values = values_e8(orders=1, modifies=0, cancels=0, traded_volume=1)
    (line,) = lines(KRX, [CountRow("acme", "K200", datetime.fromisoformat(time), values)])
    assert line.period == period


def test_parts_of_a_day_are_added_up() -> None:
    """50,000 quotes before noon and after it are 100,000 on one day."""
    values = values_e8(orders=50_000, modifies=0, cancels=0, traded_volume=1)
    times = ["2015-05-04T01:00:00Z", "2015-05-04T05:00:00Z"]
    rows = [CountRow("acme", "K200", datetime.fromisoformat(time), values) for time in times]
    (line,) = lines(KRX, rows)
    assert decimal_text(line.assessment.fee_e8) == "1000000"
