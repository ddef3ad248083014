"""Why a target gave no answer, in words: an exception's own text is often none or far too much."""

import os
import ssl

import aiohttp


def reason(error: Exception) -> str:
    """Return what happened instead of an answer over HTTP or a WebSocket."""
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"it answers the WebSocket's handshake with HTTP {error.status}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = error.certificate_error
        said = why.verify_message if isinstance(why, ssl.SSLCertVerificationError) else str(why)
        return f"its certificate is not trusted: {said}; SSL_CERT_FILE names another authority"
    if isinstance(error, aiohttp.ClientSSLError):
        return "it does not speak TLS as it should"
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno or 0
        said = os.strerror(number) if number > 0 else error.os_error.strerror or str(error)
        return f"can't connect: {said}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"no answer: {str(error) or type(error).__name__}"
