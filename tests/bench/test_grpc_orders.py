"""The benchmark of orders over gRPC measures what it says."""

from tests.bench.grpc_orders import BATCHED, ECHO, GATE, SINGLE, UNARY, measure_all


def test_gate_and_echo_are_measured() -> None:
    """Every way of sending is measured with both servers, and the gate accepts the orders."""
    lines = measure_all(orders=200, rounds=1)
    found = [(line["how"], line["server"]) for line in lines]
    assert found == [(how, server) for how in (UNARY, SINGLE, BATCHED) for server in (ECHO, GATE)]
    for line in lines:
        assert line["cpu_us"] > 0
        # A call of its own may be overtaken by the next one: its cancel then finds no order.
        assert line["accepted_share"] >= (0.9 if line["how"] == UNARY else 1)
