"""A bare grpc.aio server that sends back every message as it came: `python -m tests.bench.grpc_echo`.

It has the methods of order entry, reads no protobuf, checks nothing and records nothing: what is
left is what grpc.aio itself costs.
"""

import sys
from typing import Any

import grpc
import uvloop

METHODS = ("Place", "Cancel")


async def echo(message: bytes, context: Any) -> bytes:
    """Send one message back."""
    return message


async def echo_all(_requests: Any, context: Any) -> None:
    """Send every message of a stream back."""
    while (message := await context.read()) is not grpc.aio.EOF:
        await context.write(message)


class Echo(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Serves order entry's methods."""

    def service(self, details: Any) -> Any:
        """Return the handler of a method."""
        if details.method.endswith("/Session"):
            return grpc.stream_stream_rpc_method_handler(echo_all)
        return grpc.unary_unary_rpc_method_handler(echo)


async def serve() -> None:
    """Serve until standard input ends; the port is the first line of the output."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve())
