"""URLs of other servers: append a path, keep the query, redact secrets. Pure.

Providers put keys into the query (`?api-key=…`), into the path (`/v1/<key>`) and before the host
(`user:password@`). All three must reach the server. None of them may reach a log.

See docs/decisions/0046-one-function-makes-client-sessions.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import SplitResult, unquote, unquote_plus, urlencode, urlsplit

_HIDDEN = "…"
_LONGEST_SEGMENT = 15
"""Characters. A longer segment of a path is treated as a key."""
_SHORTEST_SECRET = 4
"""Characters. A shorter secret would also match ordinary words, so it is not replaced."""


def append_path(base: str, path: str, **query: str | int) -> str:
    """Append `path` (which begins with `/`) to the path of `base`, and `query` to its query.

    append_path("https://h/horizon?key=K", "/ledgers/5", limit=1) is
    "https://h/horizon/ledgers/5?key=K&limit=1".
    """
    parts = urlsplit(base)
    queries = filter(None, (parts.query, urlencode(query)))
    whole = parts._replace(path=parts.path.rstrip("/") + path, query="&".join(queries), fragment="")
    return whole.geturl()


def service_of(url: str) -> str:
    """The URL of a service. `url` is this URL, or the URL of the service's /readyz."""
    parts = urlsplit(url)
    return parts._replace(path=parts.path.removesuffix("/readyz")).geturl()


def metrics_of(url: str) -> str:
    """The URL of a service's /metrics. `url` is the URL of the service or of its /readyz."""
    return append_path(service_of(url), "/metrics")


def host_of(url: str) -> str:
    """Host and port as written in the URL."""
    return _host(urlsplit(url))


def origin(url: str) -> str:
    """Scheme, host and port, such as `https://h:8443`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{_host(parts)}"


def redacted(url: str) -> str:
    """The URL for logs, errors and answers: no user, no password, no values of the query.

    A segment of the path with more than 15 characters is shortened to its first four.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(not a URL)"
    if not (parts.scheme and parts.netloc):
        return "(not a URL)"
    path = "/".join(map(_segment, parts.path.split("/"))).removesuffix("/")
    query = "&".join(map(_pair, parts.query.split("&"))) if parts.query else ""
    return f"{parts.scheme}://{_host(parts)}{path}" + (f"?{query}" if query else "")


def without_secrets(text: str, url: str) -> str:
    """`text` without the secrets in `url`. A server may repeat the URL in an error message."""
    for secret in sorted(set(_secrets(urlsplit(url))), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return text


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _segment(segment: str) -> str:
    return segment if len(segment) <= _LONGEST_SEGMENT else segment[:4] + _HIDDEN


def _pair(pair: str) -> str:
    """Hide the value of a parameter. A parameter without `=` may be a key: hide it completely."""
    name, equals, _ = pair.partition("=")
    return f"{name}={_HIDDEN}" if equals else _HIDDEN


def _secrets(parts: SplitResult) -> Iterator[str]:
    """Each secret in a URL, as written and decoded, because a server may repeat either form."""
    raw = [pair.partition("=")[2] or pair for pair in parts.query.split("&")]
    raw += parts.netloc.rpartition("@")[0].split(":", 1)
    raw += [each for each in parts.path.split("/") if len(each) > _LONGEST_SEGMENT]
    for each in raw:
        for secret in (each, unquote(each), unquote_plus(each)):
            if len(secret) >= _SHORTEST_SECRET:
                yield secret
