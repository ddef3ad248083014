"""The benchmark of edge processes measures what it says."""

from tests.bench.edges import Kind, measured, ratios


def test_the_core_is_measured_with_and_without_edges() -> None:
    """Orders are accepted by both, edges are found, and the ratio is the core's own."""
    lines = [measured(Kind(edges, "auto"), connections=8, requests=256) for edges in (0, 1)]
    assert [line["accepted_share"] for line in lines] == [1, 1]
    assert [line["edges_us"] > 0 for line in lines] == [False, True]
    (compared,) = ratios(lines)
    assert compared["ratio"] == round(lines[1]["core_us"] / lines[0]["core_us"], 2)
