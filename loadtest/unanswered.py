"""Why a target gave no answer, in words: an exception's own text is often none or far too much."""

import os

import aiohttp


def reason(error: Exception) -> str:
    """Return what happened instead of an answer over HTTP or a WebSocket."""
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"it answers the WebSocket's handshake with HTTP {error.status}"
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(
        error, aiohttp.ClientSSLError
    ):
        number = error.os_error.errno or 0
        said = os.strerror(number) if number > 0 else error.os_error.strerror
        return f"can't connect: {said or error}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"no answer: {str(error) or type(error).__name__}"
