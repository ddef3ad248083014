"""Result files that were cut, edited or written by others: read whole, or refused with a reason."""

import base64
import copy
import io
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadtest.assertions import parse_assertion
from loadtest.compare import compare, read_side, unlike
from loadtest.files import load, save
from loadtest.machines import merged
from loadtest.page import page
from loadtest.results import FORMAT, Audit
from loadtest.samples import ACCEPTED, ERROR, REFUSED
from loadtest.terminal import print_comparisons, print_results
from loadtest.units import LoadTestError
from tests.loadtest.test_figures import results_of, run_of

Place = tuple[str | int, ...]
RUN: Final = run_of(begun_utc_ns=1)
WHOLE: Final = msgspec.to_builtins(
    results_of(
        RUN,
        RUN,
        assertions=(("p99<1ms", True, "1 ms"),),
        audit=Audit(answers=1, without_id=0, not_audited=("x",), faults=()),
    )
)
ODD: Final = st.sampled_from(
    [
        None,
        True,
        -1,
        0,
        1,
        2**63 - 1,
        -(2**63),
        1.5,
        1e308,
        "",
        "x",
        "HISTFAAAAA",
        [],
        {},
        [0],
        [{}],
    ]
)


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Yield the place of every value within a document."""
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list | tuple):
        pairs = enumerate(value)
    for name, each in pairs:
        yield (*at, name)
        yield from places(each, (*at, name))


PLACES: Final = list(places(WHOLE))


def changed(place: Place, value: Any, *, removed: bool) -> bytes:
    """Return the document with one value changed, or left out."""
    document = msgspec.json.decode(msgspec.json.encode(WHOLE))
    inner = document
    for name in place[:-1]:
        inner = inner[name]
    if removed:
        del inner[place[-1]]
    else:
        inner[place[-1]] = copy.deepcopy(value)
    return msgspec.json.encode(document)


def everything(path: Path, other: Path) -> None:
    """Do all that is done with result files."""
    results = load(path)
    page(results)
    with redirect_stdout(io.StringIO()):
        print_results(results)
    with suppress(LoadTestError):
        merged([path, other])
    files, runs = read_side(path)
    print_comparisons(compare(runs, runs * 3), 1, 3, unlike(files, files), paired=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.sampled_from(PLACES), ODD, st.booleans())
def test_any_changed_file_is_shown_or_refused(
    tmp_path: Path, place: Place, value: Any, removed: bool
) -> None:
    """Nothing but a reason comes of a value that is missing or another."""
    whole, other = tmp_path / "whole.json", tmp_path / "changed.json"
    whole.write_bytes(msgspec.json.encode(WHOLE))
    other.write_bytes(changed(place, value, removed=removed))
    with suppress(LoadTestError):
        everything(other, whole)
    with suppress(LoadTestError):
        everything(whole, other)


@given(st.one_of(st.binary(max_size=60), st.integers(0, 200)))
def test_any_histogram_is_one_or_is_refused(tmp_path_factory: Any, data: bytes | int) -> None:
    """What can't be decoded, or counts other requests, is told."""
    latency = RUN.latency["all"]
    text = latency.histogram[:data] if isinstance(data, int) else base64.b64encode(data).decode()
    odd = RUN.latency | {"all": msgspec.structs.replace(latency, histogram=text)}
    path = tmp_path_factory.mktemp("files") / "odd.json"
    save(results_of(msgspec.structs.replace(RUN, latency=odd)), path)
    if text == latency.histogram:
        assert load(path)
    else:
        with pytest.raises(LoadTestError, match="run 1 has a distribution whose histogram"):
            load(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format":1}', b"\xff", b'"x"'])
def test_what_is_no_result_file(tmp_path: Path, content: bytes) -> None:
    """The message names the file."""
    path = tmp_path / "none.json"
    path.write_bytes(content)
    with pytest.raises(LoadTestError, match=r"none\.json: is no result file"):
        load(path)


def test_a_later_format_is_told_as_such(tmp_path: Path) -> None:
    """Whatever else it holds: that is what the format is for."""
    path = tmp_path / "later.json"
    path.write_bytes(b'{"format":"ordergate-load/2","figures":[]}')
    with pytest.raises(LoadTestError, match=f"has format `ordergate-load/2`; {FORMAT} can be read"):
        load(path)


def test_times_of_no_answer_hold_no_condition(tmp_path: Path) -> None:
    """A target that answers nothing is not fast; one refusal is an answer."""
    nothing = RUN.latency[ERROR]
    empty = msgspec.structs.replace(nothing, count=0)
    dead = msgspec.structs.replace(
        RUN, latency={"all": nothing, ERROR: nothing, ACCEPTED: empty, REFUSED: empty}
    )
    assert parse_assertion("p99<5s").check(dead) == (False, "no answer")
    assert parse_assertion("max<5s").check(dead) == (False, "no answer")
    assert parse_assertion("errors>99%").check(dead)[0] is False
    latency = dead.latency | {REFUSED: RUN.latency[REFUSED]}
    refusing = msgspec.structs.replace(dead, latency=latency)
    assert parse_assertion("p99<5s").check(refusing)[0]
    path = tmp_path / "dead.json"
    save(results_of(dead), path)
    page(load(path))
