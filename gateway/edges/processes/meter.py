"""What an edge process measures, until it has told the core."""

from bisect import bisect_left
from collections import Counter

from gateway.edges.processes.messages import Measured


class _Series:
    """The latencies of one endpoint."""

    __slots__ = ("counts", "least_ns", "most_ns", "total_ns")

    def __init__(self, buckets: int, first_ns: int) -> None:
        self.counts = [0] * buckets
        self.total_ns = 0
        self.least_ns = self.most_ns = first_ns


class EdgeMeter:
    """Counts answers; `bounds_ns` are the upper bounds of the buckets of latencies, inclusive."""

    def __init__(self, bounds_ns: tuple[int, ...]) -> None:
        self._bounds_ns = bounds_ns
        self._answers: Counter[tuple[int, int]] = Counter()
        self._series: dict[int, _Series] = {}

    def answered(self, endpoint: int, status: int, latency_ns: int) -> None:
        """Count one answered request."""
        self._answers[endpoint, status] += 1
        series = self._series.get(endpoint)
        if series is None:
            series = self._series[endpoint] = _Series(len(self._bounds_ns) + 1, latency_ns)
        series.counts[bisect_left(self._bounds_ns, latency_ns)] += 1
        series.total_ns += latency_ns
        series.least_ns = min(series.least_ns, latency_ns)
        series.most_ns = max(series.most_ns, latency_ns)

    def take(self, connections: int, refused_connections: int) -> Measured:
        """Return what was counted, and count anew."""
        answers = tuple((*key, number) for key, number in self._answers.items())
        latencies = tuple(
            (endpoint, tuple(one.counts), one.total_ns, one.least_ns, one.most_ns)
            for endpoint, one in self._series.items()
        )
        self._answers.clear()
        self._series.clear()
        return Measured(answers, latencies, connections, refused_connections)
