"""Tariff files: every fault at once, with its line."""

import pytest

from gateway.tariffs import load_tariff, shipped_tariffs
from rules.fees.models import MODELS
from rules.fees.tariff import TariffError, read_tariff

GOOD = """
description = "x"
source = "y"
currency = "EUR"
"""
ALLOWANCE = """
[allowance]
count = { cancels = "1" }
limit = "10"
fee = "0.01"
"""


def errors(text: str) -> list[str]:
    """Return what is wrong with a tariff."""
    with pytest.raises(TariffError) as caught:
        read_tariff("mine", text, "mine.toml")
    return caught.value.errors


@pytest.mark.parametrize("name", shipped_tariffs())
def test_shipped_tariffs_load_and_name_their_source(name: str) -> None:
    """Each says where it was published, and, since it is read by us, how it is read."""
    tariff = load_tariff(name)
    assert tariff.file.source
    assert tariff.file.note
    assert tariff.columns


def test_every_model_is_shipped() -> None:
    """There is an example of each model."""
    assert {load_tariff(name).model_name for name in shipped_tariffs()} == set(MODELS)


def test_every_fault_at_once() -> None:
    """Structure and meaning are reported together, each in its line."""
    text = (
        'description = ""\nsource = "y"\ncurency = "EUR"\ncurrency = "eur"\n'
        'utc_offset = "9:00"\nplaces = 9\n[allowance]\ncount = { cancel = "1" }\n'
        'limit = 10\nfee = "0.000000001"\n'
    )
    assert errors(text) == [
        "mine.toml:1: description: is empty",
        "mine.toml:3: curency: unknown field; did you mean `currency`?",
        "mine.toml:4: currency: `eur` is not a currency such as EUR or USDT",
        "mine.toml:5: utc_offset: `9:00` is not an offset from UTC such as +09:00, at most 14 hours",
        "mine.toml:6: places: 9 is more than 8 places",
        (
            "mine.toml:9: allowance.limit: number 10 where a decimal number as text, such as 12 or "
            '0.05, is expected; write "10"'
        ),
        "mine.toml:10: allowance.fee: `0.000000001` has more than 8 decimal places",
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (GOOD, "one model is wanted of slabs, allowance, lump, cancel_tax, age_curve, sell_tax"),
        (GOOD + ALLOWANCE + '[sell_tax]\nrate = "0.1"', "there are allowance, sell_tax"),
        (GOOD + '[sell_tax]\nrate = "1.00000001"', "more than all that was sold"),
        ('name = "other"' + GOOD + ALLOWANCE, "`other` is not the file's name; write `mine`"),
        ('cap_per = "owner"' + GOOD + ALLOWANCE, "cap_per: there is no cap"),
        ('utc_offset = "+14:01"' + GOOD + ALLOWANCE, "`+14:01` is not an offset"),
        (GOOD + '[relief]\nnot_from = "3"' + ALLOWANCE, "no waivers it could end"),
        (GOOD + "[relief]\nwaivers = 1\nfree_exceedances = 1" + ALLOWANCE, "exclude each other"),
        (
            'cap = "1"\ncap_per = "owner"' + GOOD + "[relief]\nwaivers = 1" + ALLOWANCE,
            "a cap for each owner and waivers exclude each other",
        ),
        (
            GOOD + '[slabs]\ncount = { average_price = "1" }\nbase = {}\nslabs = []',
            "slabs.count.average_price: no column that can be counted",
        ),
        (
            GOOD + '[slabs]\ncount = { orders = "1" }\nbase = { trades = "1" }\n'
            'slabs = [{ above = "2", fee = "1" }, { above = "2", fee = "1" }]',
            "slabs.slabs[1].above: `2` is not above the slab before, `2`",
        ),
        (
            'per = "owner"' + GOOD + '[cancel_tax]\nchanged = { cancelled_fast = "1" }\n'
            'entered = { ordered_volume = "1" }\nshare = "0.6"\nrate = "0.0002"',
            "per: prices of several symbols have no average; write symbol",
        ),
        (
            GOOD + '[age_curve]\npoints = [{ age = "1s", fee = "1" }, { age = "1s", fee = "2" }]',
            "age_curve.points[1].fee: `2` is above the fee of the point before, `1`",
        ),
        (GOOD + '[age_curve]\npoints = [{ age = "0s", fee = "0" }]', "needs two points or more"),
        ("currency = ", "mine.toml:1: not TOML"),
    ],
)
def test_what_makes_no_sense(text: str, error: str) -> None:
    """Each contradiction is named."""
    assert any(error in line for line in errors(text)), errors(text)


def test_curve_must_begin_at_nothing_and_end_free() -> None:
    """Ages and both ends of a curve are checked together."""
    text = GOOD + '[age_curve]\npoints = [{ age = "1s", fee = "1" }, { age = "1s", fee = "1" }]'
    assert [line.partition("points")[2] for line in errors(text)] == [
        "[0].age: `1s` is not the age 0s",
        "[1].age: `1s` is not older than the point before, `1s`",
        "[1].fee: `1` is not 0, and the curve ends here",
    ]
