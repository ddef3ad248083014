"""The admin port takes few connections, so that it never takes the record's descriptors."""

import asyncio
from pathlib import Path

from gateway.edges.admin import CONNECTIONS_MAX
from tests.gateway.edges.admin_world import run, serving

ASKED = b"GET /healthz HTTP/1.1\r\nHost: gate\r\n\r\n"


async def heard(port: int) -> bool:
    """Connect and ask; return whether there is an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(ASKED)
        async with asyncio.timeout(10):
            return (await reader.read(4)) == b"HTTP"
    except ConnectionError:
        return False
    finally:
        writer.close()


def test_no_more_connections_than_are_allowed(tmp_path: Path) -> None:
    """One too many is closed unheard; those that are open go on, and make room when they end."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            opened = [
                await asyncio.open_connection("127.0.0.1", world.port)
                for _ in range(CONNECTIONS_MAX)
            ]
            for reader, writer in opened:
                writer.write(ASKED)
                assert await reader.readuntil(b"\r\n\r\n")
            assert not await heard(world.port)
            for _, writer in opened:
                writer.close()
            async with asyncio.timeout(10):
                while not await heard(world.port):
                    await asyncio.sleep(0.01)

    run(scenario())
