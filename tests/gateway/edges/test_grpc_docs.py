"""The code in docs/grpc.md runs as it stands."""

import re
from pathlib import Path
from typing import Any

import pytest

from rules.values import CANCELED
from tests.gateway.edges.grpc_world import KEY, SECRET, World, run

PAGE = Path(__file__).resolve().parents[3] / "docs" / "grpc.md"


def test_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    """A signed order, a refused one and a session, each as the page has it."""
    examples: dict[str, Any] = {}
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))
    exec(compile(code, str(PAGE), "exec"), examples)

    async def test(world: World) -> None:
        async with world.serve() as address:
            for name in ("place_one", "place_badly", "trade"):
                await examples[name](address, KEY, SECRET)
        assert world.core.views.orders.get(1, 1, 0, "mine").status == CANCELED  # type: ignore[union-attr]

    run(test)
    assert capsys.readouterr().out.splitlines() == [
        "order 2 ORDER_STATUS_NEW",
        "INVALID_ARGUMENT REASON_MISSING_PARAMETER order_type is missing",
        "session 1",
        "1 placed",
        "2 canceled",
    ]
