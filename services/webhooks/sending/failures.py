"""What went wrong when no answer came: the outcome, and a sentence for the owner.

The sentences name the host, and never the path, the query or a secret.
"""

from __future__ import annotations

import errno
import socket
import ssl
from typing import NamedTuple

import aiohttp

from services.webhooks.metrics import Outcome
from services.webhooks.sending.connector import (
    MOST_HEAD_BYTES,
    AnswerTooLongError,
    StaleConnectionError,
)
from shared.web.public_resolver import NotPublicError
from shared.webhooks.urls import OPERATOR_ALLOWS

_CERTIFICATES = {
    9: "is not valid yet",
    10: "has expired: renew it",
    18: "is self-signed: use one of a public certificate authority",
    19: "is signed by an authority that is not public",
    20: "is signed by an unknown authority: send the intermediate certificates too",
    21: "is signed by an unknown authority: send the intermediate certificates too",
    62: "is for another host name",
    64: "is for another address",
}
"""The codes of OpenSSL (x509_vfy.h)."""

_SYSTEM_ERRORS = {
    errno.ECONNREFUSED: "refused the connection: nothing listens on this port",
    errno.EHOSTUNREACH: "cannot be reached: there is no route to it",
    errno.ENETUNREACH: "cannot be reached: there is no route to its network",
    errno.ETIMEDOUT: "did not accept the connection in time",
    errno.ECONNRESET: "reset the connection",
    errno.EPIPE: "closed the connection before it had the whole request",
}
_PROXY_AWAY = "the proxy of the dispatcher cannot be reached"


class SendFailure(NamedTuple):
    """An attempt without an answer."""

    outcome: Outcome
    text: str


def failure(error: Exception, host: str, seconds: float) -> SendFailure:
    """The failure that an exception of aiohttp or of the system means.

    `seconds` is how long a receiver may take.
    """
    match error:
        case aiohttp.ConnectionTimeoutError():
            return SendFailure(Outcome.UNREACHABLE, f"{host} did not accept the connection in time")
        case TimeoutError():
            return SendFailure(Outcome.TIMEOUT, f"{host} did not answer within {seconds:g} s")
        case NotPublicError():
            return SendFailure(Outcome.FORBIDDEN, f"{error} {OPERATOR_ALLOWS}")
        case aiohttp.ClientConnectorDNSError() if isinstance(error.os_error, NotPublicError):
            return SendFailure(Outcome.FORBIDDEN, f"{error.os_error} {OPERATOR_ALLOWS}")
        case _:
            return SendFailure(Outcome.UNREACHABLE, _unreachable(error, host))


def _unreachable(error: Exception, host: str) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return _certificate(error.certificate_error, host)
        case aiohttp.ClientConnectorDNSError() if error.host.lower() != host:
            return _PROXY_AWAY
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return f"the name {host} was not found in DNS"
        case aiohttp.ClientConnectorSSLError():
            return f"no TLS connection to {host}: {_tls_reason(error.os_error)}"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy answered {error.status} when it was asked for {host}"
        case aiohttp.ClientProxyConnectionError():
            return _PROXY_AWAY
        case AnswerTooLongError():
            return f"{host} sent an answer whose head is too long: at most {MOST_HEAD_BYTES} bytes"
        case aiohttp.ServerDisconnectedError() | StaleConnectionError():
            return f"{host} closed the connection without an answer"
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return f"{host} sent no valid HTTP answer, or one with a header that is too long"
        case OSError():
            return f"{host} {_SYSTEM_ERRORS.get(error.errno or 0, 'cannot be reached')}"
        case _:
            return f"the request to {host} failed ({type(error).__name__})"


def _certificate(error: Exception, host: str) -> str:
    code = getattr(error, "verify_code", 0)
    return f"the certificate of {host} {_CERTIFICATES.get(code, 'is not valid')}"


def _tls_reason(error: OSError) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else ""
    return (reason or "the handshake failed").replace("_", " ").lower()
