"""Strict reading: one test for each kind of error, and all of them at once."""

from typing import Annotated, Any, Literal

import msgspec
import pytest

from rules.faults import Fault, FieldPath
from rules.strict import UNUSABLE, StrictReader
from rules.texts import (
    INTEGER_MAX,
    Count,
    DecimalText,
    DurationText,
    OrderTypeText,
    SecretText,
    StpModeText,
    SwitchableDecimalText,
)


class Inner(msgspec.Struct, frozen=True, kw_only=True):
    """A table with a required field."""

    needed: int
    flag: bool = False


class Outer(msgspec.Struct, frozen=True, kw_only=True):
    """One field of every type that can be read."""

    text: str = "default"
    number: int = 7
    count: Count = 3
    port: Annotated[int, msgspec.Meta(ge=-1, le=65_535)] = 1
    choice: Literal["a", "", "b"] = "a"
    duration: DurationText = "1s"
    decimal: DecimalText = "1"
    switchable: SwitchableDecimalText = ""
    order_type: OrderTypeText = "LIMIT"
    stp_mode: StpModeText = "NONE"
    secret: SecretText = ""
    optional: Count | None = None
    inner: Inner | None = None
    inners: tuple[Inner, ...] = ()
    pairs: tuple[tuple[Count, Count], ...] = ()
    table: dict[str, DecimalText] = {}


def read(tree: Any) -> tuple[Any, list[str]]:
    """Return what was read, and the faults as text."""
    reader = StrictReader()
    value = reader.read(tree, Outer)
    return value, [str(fault) for fault in reader.faults]


def test_good_values_are_kept() -> None:
    """Everything of the right type arrives as it is, arrays as tuples."""
    value, faults = read(
        {
            "text": "x",
            "number": -INTEGER_MAX - 1,
            "count": 0,
            "port": -1,
            "choice": "",
            "duration": "500ms",
            "decimal": "0.00000001",
            "order_type": "MARKET",
            "stp_mode": "DECREMENT",
            "optional": None,
            "inner": {"needed": 1, "flag": True},
            "inners": [{"needed": 2}],
            "pairs": [[1, 2], (3, 4)],
            "table": {"BTC": "1.5"},
        }
    )
    assert faults == []
    assert value == Outer(
        text="x",
        number=-INTEGER_MAX - 1,
        count=0,
        port=-1,
        choice="",
        duration="500ms",
        decimal="0.00000001",
        order_type="MARKET",
        stp_mode="DECREMENT",
        inner=Inner(needed=1, flag=True),
        inners=(Inner(needed=2),),
        pairs=((1, 2), (3, 4)),
        table={"BTC": "1.5"},
    )


@pytest.mark.parametrize(
    ("tree", "fault"),
    [
        ({"txt": "x"}, "txt: unknown field; did you mean `text`?"),
        ({"text": 1}, "text: number 1 where text is expected"),
        ({"text": True}, "text: true where text is expected"),
        ({"number": "1"}, "number: text `1` where a whole number is expected"),
        ({"number": True}, "number: true where a whole number is expected"),
        ({"number": 1.5}, "number: number 1.5 where a whole number is expected"),
        (
            {"number": INTEGER_MAX + 1},
            f"number: {INTEGER_MAX + 1} is too large; write {INTEGER_MAX} or less",
        ),
        ({"count": -1}, "count: -1 is too small; write 0 or more"),
        ({"port": 65_536}, "port: 65536 is too large; write 65535 or less"),
        ({"port": -2}, "port: -2 is too small; write -1 or more"),
        ({"choice": "c"}, "choice: text `c` where one of an empty text, a, b is expected"),
        ({"choice": ["a"]}, "choice: an array of 1 where one of an empty text, a, b is expected"),
        (
            {"duration": "1 s"},
            "duration: `1 s` is not a duration; write a whole number and ns, us, ms, s, m, h or d",
        ),
        ({"duration": "999999999999d"}, "duration: `999999999999d` is longer than 36500d"),
        ({"duration": 5}, "duration: number 5 where a duration such as 500ms or 10s is expected"),
        (
            {"decimal": 0.05},
            (
                "decimal: number 0.05 where a decimal number as text, such as 12 or 0.05, is expected; "
                'write "0.05"'
            ),
        ),
        ({"decimal": ""}, "decimal: `` is not a decimal number such as 12 or 0.05"),
        ({"decimal": "-1"}, "decimal: `-1` is not a decimal number such as 12 or 0.05"),
        ({"decimal": "1.000000001"}, "decimal: `1.000000001` has more than 8 decimal places"),
        (
            {"decimal": "92233720368.54775808"},
            "decimal: `92233720368.54775808` is too large to be recorded",
        ),
        ({"switchable": "x"}, "switchable: `x` is not a decimal number such as 12 or 0.05"),
        (
            {"order_type": ""},
            (
                "order_type: `` is not an order type; there are LIMIT, MARKET, LIMIT_MAKER, STOP_LOSS, "
                "STOP_LOSS_LIMIT, TAKE_PROFIT, TAKE_PROFIT_LIMIT"
            ),
        ),
        (
            {"stp_mode": "BOTH"},
            (
                "stp_mode: `BOTH` is not a mode of self-trade prevention; there are NONE, "
                "EXPIRE_TAKER, EXPIRE_MAKER, EXPIRE_BOTH, DECREMENT, TRANSFER"
            ),
        ),
        ({"secret": 12345}, "secret: the secret is not text; write it in quotes"),
        ({"optional": "1"}, "optional: text `1` where a whole number is expected"),
        ({"inner": 1}, "inner: number 1 where a table is expected"),
        ({"inner": {}}, "inner.needed: missing"),
        (
            {"inner": {"needed": 1, "flag": 1}},
            "inner.flag: number 1 where true or false is expected",
        ),
        ({"inners": {}}, "inners: a table where an array is expected"),
        (
            {"inners": [{"needed": "x"}]},
            "inners[0].needed: text `x` where a whole number is expected",
        ),
        ({"pairs": [[1, 2, 3]]}, "pairs[0]: an array of 3 where an array of 2 is expected"),
        ({"pairs": [[1, -2]]}, "pairs[0][1]: -2 is too small; write 0 or more"),
        ({"table": []}, "table: an array of 0 where a table is expected"),
        ({"table": {"B C": "x"}}, 'table."B C": `x` is not a decimal number such as 12 or 0.05'),
    ],
)
def test_one_fault(tree: dict[str, Any], fault: str) -> None:
    """Each kind of error is told with its path, its value and what would be accepted."""
    assert read(tree)[1] == [fault]


def test_all_faults_at_once_and_the_rest_is_kept() -> None:
    """Fields at fault take their defaults, elements at fault are left out."""
    value, faults = read(
        {
            "text": 1,
            "number": 9,
            "nonsense": 1,
            "inners": [{"needed": 1}, {}, {"needed": 3, "flag": "no"}],
            "table": {"a": "1", "b": "x"},
            "inner": {"flag": True},
        }
    )
    assert len(faults) == 6
    assert value == Outer(
        number=9, inners=(Inner(needed=1), Inner(needed=3)), table={"a": "1"}, inner=None
    )


@pytest.mark.parametrize("tree", [None, 3, [], "x"])
def test_what_is_no_table_is_unusable(tree: Any) -> None:
    """There is nothing to go on with, and one fault says so."""
    value, faults = read(tree)
    assert value is UNUSABLE
    assert len(faults) == 1


def test_checks_see_what_could_be_read() -> None:
    """A check of meaning is called with each table and its path, also beside other faults."""
    seen: list[tuple[Inner, FieldPath]] = []

    def check(inner: Inner, path: FieldPath) -> list[Fault]:
        seen.append((inner, path))
        return [Fault("odd", (*path, "needed"))] if inner.needed % 2 else []

    reader = StrictReader(checks={Inner: check})
    reader.read({"inners": [{"needed": 2, "flag": "x"}, {}, {"needed": 5}]}, Outer)
    assert seen == [(Inner(needed=2), ("inners", 0)), (Inner(needed=5), ("inners", 2))]
    assert [str(fault) for fault in reader.faults] == [
        "inners[0].flag: text `x` where true or false is expected",
        "inners[1].needed: missing",
        "inners[2].needed: odd",
    ]


def test_a_schema_that_cannot_be_read_is_a_bug() -> None:
    """A floating-point field raises, since no setting may be one."""

    class Floating(msgspec.Struct):
        value: float = 0.0

    with pytest.raises(TypeError, match="is not a type"):
        StrictReader().read({"value": 1.0}, Floating)
