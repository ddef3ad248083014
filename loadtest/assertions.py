"""Conditions on a run: `p99<5ms`, `errors<0.1%`, `throughput>=950`."""

import operator
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from loadtest.recorder import ALL, percentile_ns
from loadtest.results import Latency, Run
from loadtest.samples import ACCEPTED, ERROR, REFUSED
from loadtest.units import LoadTestError, duration_text, parse_duration_ns

_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_SHARES: Final = {"accepted": ACCEPTED, "refused": REFUSED, "errors": ERROR}
_ASSERTION: Final = re.compile(r"\s*([a-z]+[0-9.]*)\s*(<=|>=|<|>)\s*(\S+)\s*")
_PERCENTILE: Final = re.compile(r"p([0-9]{1,2}(?:\.[0-9]{1,4})?|100)")
_NUMBER: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?")


class Assertion(NamedTuple):
    """One condition."""

    text: str
    metric: str
    compare: str
    value: float
    """Nanoseconds, per cent or answers per second."""

    def check(self, run: Run) -> tuple[bool, str]:
        """Tell whether a run meets it, and what was observed."""
        if self.metric == "throughput":
            return self._holds(run.throughput), f"{run.throughput:,.1f}/s"
        if self.metric in _SHARES:
            count = run.latency[_SHARES[self.metric]].count
            share = 100 * count / run.offered if run.offered else 0.0
            return self._holds(share), f"{share:.3f} %"
        if not run.latency[ACCEPTED].count and not run.latency[REFUSED].count:
            return False, "no answer"
        return self.check_times(run.latency[ALL])

    def check_times(self, latency: Latency) -> tuple[bool, str]:
        """Tell whether a distribution meets it, and what was observed; for metrics of time."""
        observed = time_metric_ns(latency, self.metric)
        return self._holds(observed), duration_text(observed)

    def _holds(self, observed: float) -> bool:
        return _OPERATORS[self.compare](observed, self.value)


def parse_assertion(text: str) -> Assertion:
    """Return a condition; raises LoadTestError saying what would be taken."""
    match = _ASSERTION.fullmatch(text)
    if match is None:
        raise LoadTestError(f"`{text}` is not a condition such as p99<5ms or errors<0.1%")
    metric, compare, value = match.groups()
    if metric == "throughput":
        number = value.removesuffix("/s")
    elif metric in _SHARES:
        if not value.endswith("%"):
            raise LoadTestError(f"`{text}`: {metric} is a share, write it as 0.1%")
        number = value[:-1]
    elif metric in ("mean", "max") or _PERCENTILE.fullmatch(metric):
        return Assertion(text.strip(), metric, compare, parse_duration_ns(value))
    else:
        raise LoadTestError(
            f"`{text}`: there is no `{metric}`; use p50, p99, p99.9 (any percentile), mean, max, "
            "accepted, refused, errors or throughput"
        )
    if not _NUMBER.fullmatch(number):
        raise LoadTestError(f"`{text}`: `{value}` is not a number")
    return Assertion(text.strip(), metric, compare, float(number))


def parse_bound(text: str) -> Assertion:
    """Return a condition on times alone with an upper bound; raises LoadTestError."""
    bound = parse_assertion(text)
    if bound.metric in (*_SHARES, "throughput") or bound.compare not in ("<", "<="):
        raise LoadTestError(f"`{text}` is not an upper bound of times such as p99<1ms")
    return bound


def time_metric_ns(latency: Latency, metric: str) -> float:
    """Return `mean`, `max` or a percentile such as `p99.9` of a distribution."""
    if metric == "mean":
        return latency.mean_ns
    if metric == "max":
        return latency.max_ns
    return percentile_ns(latency, metric[1:])
