"""Connections never take the descriptors the record needs."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.descriptors import RESERVED, each_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("limit", "fitting"),
    [
        (2 * 100 + RESERVED, 100),
        (2 * 100 + RESERVED - 1, 99),
        (2 * 100 + RESERVED + 1, 100),
        (10**6, 100),
        (resource.RLIM_INFINITY, 100),
        (RESERVED, 1),
        (8, 1),
    ],
)
def test_what_fits_below_a_limit(limit: int, fitting: int) -> None:
    """Each of two ports gets half of what the reserve leaves, and never nothing."""
    assert each_of(limit, wanted=100, ports=2) == fitting


def test_the_limit_is_raised_as_far_as_it_may_be() -> None:
    """A process that begins with few descriptors asks for what it needs, up to what it may have."""
    code = """if True:
        import resource
        from gateway.descriptors import RESERVED, connections_that_fit
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, 700))
        print(connections_that_fit(10, 2), *resource.getrlimit(resource.RLIMIT_NOFILE))
        print(connections_that_fit(50, 2), *resource.getrlimit(resource.RLIMIT_NOFILE))
        print(connections_that_fit(1000, 2), *resource.getrlimit(resource.RLIMIT_NOFILE))
    """
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split("\n")[:3] == ["10 300 700", "50 356 700", "222 700 700"]
    assert "at most 222 connections a port, not 1000: 700 files may be open" in ran.stderr
