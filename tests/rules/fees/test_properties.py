"""What holds for every count: more cancels never cost less, no cliffs, nothing negative."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.tariffs import load_tariff, shipped_tariffs
from rules.fees.charging import charges
from rules.fees.counts import CountRow
from rules.fees.tariff import Tariff
from rules.texts import read_decimal
from rules.units import decimal_e8
from rules.values import E8
from tests.rules.fees.fee_world import assess

TARIFFS = [load_tariff(name) for name in shipped_tariffs()]
SLABS = [tariff for tariff in TARIFFS if tariff.model_name == "slabs"]
CANCELS = {"cancels", "cancelled_fast", "cancelled_volume", "cancels_under_5s"}
KEYS = st.tuples(
    st.sampled_from(("acme", "bob")),
    st.sampled_from(("A", "B")),
    st.dates(date(2026, 1, 29), date(2026, 2, 3)),
)
NUMBERS = st.one_of(st.integers(0, 300), st.integers(0, 400_000))
named = pytest.mark.parametrize("tariff", TARIFFS, ids=lambda tariff: tariff.name)


def table(data: st.DataObject, tariff: Tariff) -> list[CountRow]:
    """Draw rows with the tariff's columns: few owners, symbols and days, none twice."""
    keys = data.draw(st.lists(KEYS, min_size=1, max_size=6, unique=True))
    return [
        CountRow(*key, {column: data.draw(NUMBERS) * E8 for column in tariff.columns})
        for key in keys
    ]


def total_e8(tariff: Tariff, rows: list[CountRow]) -> int:
    """Return what is charged altogether."""
    return sum(line.amount_e8 for line in charges(tariff, rows))


@pytest.mark.parametrize(
    "tariff",
    [tariff for tariff in TARIFFS if CANCELS & set(tariff.columns)],
    ids=lambda tariff: tariff.name,
)
@settings(max_examples=40)
@given(data=st.data())
def test_more_cancels_never_cost_less(tariff: Tariff, data: st.DataObject) -> None:
    """One row's cancels raised, with every cap and waiver: the total does not fall."""
    rows = table(data, tariff)
    (column,) = CANCELS & set(tariff.columns)
    index = data.draw(st.integers(0, len(rows) - 1))
    more = dict(rows[index].values_e8)
    more[column] += data.draw(NUMBERS) * E8
    raised = [*rows[:index], rows[index]._replace(values_e8=more), *rows[index + 1 :]]
    assert total_e8(tariff, raised) >= total_e8(tariff, rows)


@named
@settings(max_examples=40)
@given(data=st.data())
def test_nothing_is_negative(tariff: Tariff, data: st.DataObject) -> None:
    """Cap, waiver and amount are 0 or more, add up to the fee, and the cap holds."""
    charged_e8: dict[tuple[str, str], int] = {}
    for line in charges(tariff, table(data, tariff)):
        parts = (line.cut_by_cap_e8, line.waived_e8, line.amount_e8)
        assert min(parts) >= 0
        assert sum(parts) == line.assessment.fee_e8
        assert bool(line.relief) == bool(line.waived_e8) or tariff.file.relief.free_exceedances
        key = (line.owner, line.period)
        charged_e8[key] = charged_e8.get(key, 0) + line.amount_e8
    if tariff.cap_e8 is not None:
        assert max(charged_e8.values()) <= tariff.cap_e8


@named
@settings(max_examples=40)
@given(data=st.data())
def test_order_of_rows_does_not_matter(tariff: Tariff, data: st.DataObject) -> None:
    """Any order of the same rows gives the same lines."""
    rows = table(data, tariff)
    assert charges(tariff, data.draw(st.permutations(rows))) == charges(tariff, rows)


@pytest.mark.parametrize("tariff", SLABS, ids=lambda tariff: tariff.name)
@settings(max_examples=40)
@given(messages=st.integers(0, 5000), trades=st.integers(0, 9))
def test_slabs_are_marginal(tariff: Tariff, messages: int, trades: int) -> None:
    """The fee is what each message pays for itself, so one more never makes others dearer."""
    clause = tariff.clause
    first = next(iter(clause.count))
    counted: dict[str, int | str] = dict.fromkeys(tariff.columns, 0)
    counted |= {first: messages, "trades": trades}
    slabs = [(int(slab.above) * max(trades, 1), decimal_e8(slab.fee)) for slab in clause.slabs]
    one_by_one = 0
    for message in range(1, messages + 1):
        fees_e8 = [fee_e8 for start, fee_e8 in slabs if message > start]
        one_by_one += fees_e8[-1] if fees_e8 else 0
    fee_e8 = assess(tariff, counted).fee_e8
    assert fee_e8 == one_by_one
    step_e8 = assess(tariff, counted | {first: messages + 1}).fee_e8 - fee_e8
    assert 0 <= step_e8 <= read_decimal(clause.slabs[-1].fee)
