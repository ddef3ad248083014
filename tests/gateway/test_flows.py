"""Recorded flows: reading, what is said of each order, and who it is assigned to."""

import gzip
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.flows.course import chart
from gateway.flows.participants import MARKET, Participants
from gateway.flows.reader import Flow, FlowError, read_flow
from gateway.flows.venue import TopOfBook, listings
from rules.values import BUY, CHANNEL_INTERNAL, CHANNEL_REST, E8, SELL

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "tests" / "data" / "independentreserve_2022-04-03.csv.gz"
RECORDINGS = Path(os.environ.get("ORDERGATE_FLOWS", ROOT.parent / "shared" / "flows"))
HEADER = "ts_ns,event,order_id,side,price,qty,flag,symbol"
GOOD = "5,new,a,buy,10,2,,ABC"


def recording(name: str) -> Flow:
    """Return one of the recordings that may not be shipped, or skip."""
    path = RECORDINGS / name
    if not path.exists():
        pytest.skip(f"{path} is not here; set ORDERGATE_FLOWS to the folder of recordings")
    return read_flow(path)


def flow_of(tmp_path: Path, *lines: str, header: str = HEADER) -> Flow:
    """Return the flow of a file with these lines."""
    path = tmp_path / "flow.csv"
    path.write_text("\n".join((header, *lines)) + "\n")
    return read_flow(path)


def test_shipped_recording_has_its_published_figures() -> None:
    """Rows, submissions, cancels and the cancels of orders from before the recording."""
    flow = read_flow(SHIPPED)
    course = chart(flow)
    cancels = [index for index, row in enumerate(flow.rows) if row.kind == "cancel"]
    assert len(flow.rows) == 1_663
    assert sum(row.kind == "new" for row in flow.rows) == 831
    assert len(cancels) == 832
    assert sum(course.known[index] for index in cancels) == 770
    assert sum(course.trades) == 0
    assert (flow.rows[1].price_e8, flow.rows[1].quantity_e8) == (0, 0)


@pytest.mark.parametrize(
    ("name", "events", "cancels_known", "trades", "takers"),
    [
        ("nasdaq_GOOG_2012-06-21_depth10.csv.gz", 147_916, 62_131, 11_678, 7_983),
        ("bitstamp_BTCUSD_2015-05-01.csv.gz", 50_425, 24_174, 575, 0),
    ],
)
def test_recordings_have_their_published_figures(
    name: str, events: int, cancels_known: int, trades: int, takers: int
) -> None:
    """Rebuilt incoming orders and trades, each counted once."""
    flow = recording(name)
    course = chart(flow)
    known = [
        index for index, row in enumerate(flow.rows) if row.kind == "cancel" and course.known[index]
    ]
    assert (len(flow.rows), len(known)) == (events, cancels_known)
    assert (sum(course.trades), len(course.takers)) == (trades, takers)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("5,new,a,buy,10,2,,ABC", "line 3: order_id `a` was submitted on line 2 already"),
        ("4,new,b,buy,10,2,,ABC", "line 3: ts_ns `4` is before the line above"),
        ("-5,new,b,buy,10,2,,ABC", "line 3: ts_ns `-5`"),
        ("5.0,new,b,buy,10,2,,ABC", "line 3: ts_ns `5.0`"),
        ("9223372036854775808,new,b,buy,10,2,,ABC", "line 3: ts_ns `9223372036854775808`"),
        ("5,place,b,buy,10,2,,ABC", "line 3: event `place`; accepted: new, cancel"),
        ("5,new,b,bid,10,2,,ABC", "line 3: side `bid`; accepted: buy or sell"),
        ("5,new,b,buy,1e1,2,,ABC", "line 3: price `1e1`"),
        ("5,new,b,buy,-1,2,,ABC", "line 3: price `-1`"),
        ("5,new,b,buy,0.000000001,2,,ABC", "line 3: price `0.000000001`"),
        ("5,new,b,buy,92233720368.54775808,2,,ABC", "line 3: price `92233720368.54775808`"),
        ("5,new,b,buy,,2,,ABC", "line 3: price `` of a new; accepted: a price above 0"),
        ("5,new,b,buy,0,2,,ABC", "line 3: price `0` of a new"),
        ("5,cancel,b,buy,0,2,,ABC", "line 3: price `0` of a cancel"),
        ("5,new,b,buy,10,0,,ABC", "line 3: qty `0` of a new; accepted: a quantity above 0"),
        ("5,amend,a,buy,10,,,ABC", "line 3: qty `` of a amend"),
        ("5,reduce,a,buy,10,,,ABC", "line 3: qty `` of a reduce"),
        ("5,fill,a,buy,10,,,ABC", "line 3: qty `` of a fill"),
        ("5,fill,a,buy,10,1,X,ABC", "line 3: flag `X`; accepted: S, M, T, H, C or nothing"),
        ("5,cancel,0,buy,10,1,,ABC", "line 3: order_id `0` with event `cancel`"),
        ("5,new,b,buy,10,2,H,ABC", "line 3: order_id `b` with event `new` and flag `H`"),
        ("5,new,,buy,10,2,,ABC", "line 3: order_id ``"),
        ("5,new,b,buy,10,2,,A C", "line 3: symbol `A C`"),
        ("5,new,b,buy,10,2,ABC", "line 3: 7 fields; accepted: 8, as the header has"),
        ('5,new,"b,buy,10,2,,ABC', "can't be read: unexpected end of data"),
    ],
)
def test_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    """File, line and value, and what would be accepted."""
    with pytest.raises(FlowError) as caught:
        flow_of(tmp_path, GOOD, line)
    assert str(caught.value).startswith(str(tmp_path / "flow.csv"))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (HEADER.replace(",flag", ""), "line 1: column `flag` is missing"),
        (
            HEADER + ",colour",
            "line 1: column `colour` is unknown; accepted: account,key,ip,channel",
        ),
        (HEADER + ",key,key", "line 1: column `key` stands twice"),
    ],
)
def test_bad_header_is_named(tmp_path: Path, header: str, message: str) -> None:
    """A column that is missing, unknown or there twice."""
    with pytest.raises(FlowError, match=r"flow\.csv") as caught:
        flow_of(tmp_path, header=header)
    assert message in str(caught.value)


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    """A missing file, a folder, an empty file, a cut archive and one that is no text."""
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(SHIPPED.read_bytes()[:5_000])
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    damaged = tmp_path / "damaged.csv.gz"
    damaged.write_bytes(gzip.compress(b"ts_ns")[:10] + b"\xff" * 40)
    for path in (tmp_path / "none.csv", tmp_path, empty, cut, binary, damaged):
        with pytest.raises(FlowError) as caught:
            read_flow(path)
        assert str(path) in str(caught.value)


def test_optional_columns_and_order_of_columns(tmp_path: Path) -> None:
    """Columns are found by name; account, key, ip and channel are optional."""
    header = "symbol,flag,qty,price,side,order_id,event,ts_ns,account,key,ip,channel"
    flow = flow_of(
        tmp_path,
        "ABC,,2,10,buy,a,new,5,acc,k1,10.0.0.7,rest",
        "ABC,,,,buy,a,cancel,6,,,,",
        header=header,
    )
    assert flow.columns == ("account", "key", "ip", "channel")
    first, second = flow.rows
    assert (first.account, first.key, first.ip) == ("acc", "k1", "10.0.0.7")
    assert (first.channel, second.channel) == (CHANNEL_REST, CHANNEL_INTERNAL)
    sender = Participants("flow")
    assert sender.of(second) != sender.of(first)
    again = Participants("flow")
    assert again.of(first) == again.of(second)


@pytest.mark.parametrize(
    ("line", "message"),
    [("ABC,10.0.0.x,rest", "ip `10.0.0.x`"), ("ABC,10.0.0.1,fax", "channel `fax`")],
)
def test_bad_optional_values(tmp_path: Path, line: str, message: str) -> None:
    """An address and a channel are checked like every other field."""
    with pytest.raises(FlowError) as caught:
        flow_of(tmp_path, "5,new,a,buy,10,2,," + line, header=HEADER + ",ip,channel")
    assert message in str(caught.value)


def test_course_of_an_amended_and_filled_order(tmp_path: Path) -> None:
    """An amend states what is left, so the total is that and what was filled before."""
    flow = flow_of(
        tmp_path,
        GOOD,
        "6,fill,a,buy,10,0.5,,ABC",
        "7,amend,a,buy,11,3,,ABC",
        "8,reduce,a,buy,11,1,,ABC",
        "9,fill,a,buy,11,2,,ABC",
    )
    course = chart(flow)
    assert course.total_e8 == [2 * E8, 2 * E8, 35 * E8 // 10, 25 * E8 // 10, 25 * E8 // 10]
    assert course.filled_e8 == [0, E8 // 2, E8 // 2, E8 // 2, 25 * E8 // 10]
    assert course.ends == [False, False, False, False, True]


def test_more_filled_than_stated_raises_the_quantity(tmp_path: Path) -> None:
    """Recorded fills are fact: the order was as large as what was filled of it."""
    flow = flow_of(
        tmp_path,
        GOOD,
        "6,fill,a,buy,10,1.5,,ABC",
        "7,fill,a,buy,10,1,,ABC",
        "8,new,b,sell,9,1,,ABC",
    )
    course = chart(flow)
    assert course.total_e8[0] == 25 * E8 // 10
    assert course.ends == [False, False, True, False]


def test_order_lives_until_its_last_recorded_end(tmp_path: Path) -> None:
    """Of two recorded cancels the second ends it."""
    flow = flow_of(tmp_path, GOOD, "6,cancel,a,buy,10,2,,ABC", "7,cancel,a,buy,10,2,,ABC")
    assert chart(flow).ends == [False, False, True]
    assert chart(flow).known == [True, True, True]


def test_reduce_of_everything_left_is_bad_input(tmp_path: Path) -> None:
    """It would leave an order of nothing; a cancel says that."""
    flow = flow_of(tmp_path, GOOD, "6,reduce,a,buy,10,2,,ABC")
    with pytest.raises(FlowError, match="line 3: qty of a reduce takes off all"):
        chart(flow)


def test_orders_resting_at_the_start_are_not_submissions(tmp_path: Path) -> None:
    """Their cancels are not known cancels."""
    flow = flow_of(tmp_path, "5,new,a,buy,10,2,S,ABC", "6,cancel,a,buy,10,2,,ABC")
    course = chart(flow)
    assert course.known == [False, False]
    assert course.ends == [False, True]


def test_trades_are_counted_once(tmp_path: Path) -> None:
    """Flagged: the resting side's rows. Unflagged: sells. One-sided: what there is."""
    rows = ("5,fill,1,buy,10,1,M,A", "5,fill,2,sell,10,1,T,A", "5,fill,0,sell,10,1,H,A")
    assert chart(flow_of(tmp_path, *rows)).trades == [True, False, True]
    rows = ("5,fill,1,buy,10,1,,B", "5,fill,2,sell,10,0,,B", "5,fill,3,buy,10,1,,C")
    assert chart(flow_of(tmp_path, *rows)).trades == [False, True, True]


def test_takers_are_rebuilt_from_consecutive_fills(tmp_path: Path) -> None:
    """Equal time and side make one incoming order, at the worst price it met."""
    flow = flow_of(
        tmp_path,
        "5,fill,1,buy,10,1,M,A",
        "5,fill,0,buy,9,2,H,A",
        "5,fill,3,sell,11,1,M,A",
        "6,fill,4,sell,11,1,M,A",
        "6,fill,5,sell,12,1,M,A",
    )
    takers = chart(flow).takers
    assert [(taker.side, taker.price_e8 // E8) for taker in takers.values()] == [
        (SELL, 9),
        (BUY, 11),
        (BUY, 12),
    ]
    assert [taker.quantity_e8 // E8 for taker in takers.values()] == [3, 1, 2]
    assert [(taker.first, taker.last) for taker in takers.values()] == [(0, 1), (2, 2), (3, 4)]


def test_takers_are_not_rebuilt_where_they_are_recorded(tmp_path: Path) -> None:
    """Neither with taker rows nor where both sides of a trade have a row."""
    flagged = flow_of(tmp_path, "5,fill,1,buy,10,1,M,A", "5,fill,2,sell,10,1,T,A")
    assert chart(flagged).takers == {}
    unflagged = flow_of(tmp_path, "5,fill,1,buy,10,1,,A", "5,fill,2,sell,10,1,,A")
    assert chart(unflagged).takers == {}


def test_filters_are_those_the_orders_keep(tmp_path: Path) -> None:
    """Tick and step divide every price and quantity; nothing is outside the bounds."""
    flow = flow_of(
        tmp_path,
        "5,new,a,buy,10.5,0.06,,AB-EUR",
        "6,new,b,sell,12,0.1,,AB-EUR",
        "7,fill,a,buy,10.5,0.02,,AB-EUR",
    )
    listing = listings(flow, chart(flow))["AB-EUR"]
    changes = listing.changes()
    assert (changes["tick_size"], changes["step_size"]) == ("1.5", "0.02")
    assert (changes["max_price"], changes["max_quantity"]) == ("12", "0.1")
    assert changes["notional_min"] == "0.63"
    assert listing.assets() == ("AB", "EUR")
    assert listing.opening_price_e8 == 105 * E8 // 10


def test_opening_price_without_trades_is_the_median(tmp_path: Path) -> None:
    """So that one far-off order does not set the level of a symbol."""
    flow = flow_of(
        tmp_path, *(f"5,new,{n},buy,{p},1,,ABCUSD" for n, p in enumerate((1, 9, 100), 1))
    )
    listing = listings(flow, chart(flow))["ABCUSD"]
    assert listing.opening_price_e8 == 9 * E8
    assert listing.assets() == ("ABC", "USD")


@pytest.mark.parametrize("owners", ["two", "hash:0", "hash:", "hash:65537", "hash:1x"])
def test_bad_owners(owners: str) -> None:
    """The value is named with what would be accepted."""
    with pytest.raises(ValueError, match=f"owners `{owners}`; accepted:"):
        Participants(owners)


def test_owners_are_assigned_the_same_way_every_time() -> None:
    """By a digest of the id: not by Python's `hash`, which changes with every process."""
    rows = read_flow(SHIPPED).rows
    spread = [Participants("hash:16").of(row).account for row in rows]
    assert spread == [Participants("hash:16").of(row).account for row in rows]
    assert set(spread) == {f"owner-{number}" for number in range(16)}
    assert spread[0] == "owner-5"
    assert {Participants("one").of(row) for row in rows} == {MARKET}


@given(
    st.lists(
        st.tuples(st.sampled_from([BUY, SELL]), st.integers(1, 9), st.integers(1, 3)), max_size=40
    ),
    st.data(),
)
def test_top_of_book_agrees_with_sorting(
    added: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    """Best prices and quantities, whatever is added and taken off; None while they cross."""
    top = TopOfBook()
    levels: dict[tuple[int, int], int] = {}
    for side, price, quantity in added:
        top.add(side, price, quantity, 1)
        levels[side, price] = levels.get((side, price), 0) + quantity
        if data.draw(st.booleans()):
            chosen = data.draw(st.sampled_from(sorted(levels)))
            top.add(*chosen, -levels.pop(chosen), 1)
        bids = {price: size for (side, price), size in levels.items() if side == BUY}
        asks = {price: size for (side, price), size in levels.items() if side == SELL}
        bid, ask = max(bids, default=0), min(asks, default=0)
        if bid and ask and bid >= ask:
            assert top.best(1) is None
        else:
            assert top.best(1) == (bid, bids.get(bid, 0), ask, asks.get(ask, 0))


def test_a_lasting_crossing_drops_the_older_level() -> None:
    """After a second, not a nanosecond before; what is left at both sides is what came later."""
    second = 1_000_000_000
    top = TopOfBook()
    top.add(BUY, 12, 1, 1)
    top.add(BUY, 11, 1, 2)
    top.add(BUY, 8, 1, 3)
    assert top.best(3) == (12, 1, 0, 0)
    top.add(SELL, 10, 5, 4)
    assert top.best(5) is None
    assert top.best(4 + second) is None
    assert top.best(5 + second) == (8, 1, 10, 5)
    top.add(BUY, 12, -1, 6 + second)
    assert top.best(6 + second) == (8, 1, 10, 5)
    top.add(BUY, 9, 2, 7 + second)
    assert top.best(7 + second) == (9, 2, 10, 5)
