"""An S3 server over HTTP in a thread of this process: moto's."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any
from unittest.mock import patch
from urllib.request import Request, urlopen

from moto.server import ThreadedMotoServer

BUCKET = "archive"


_DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@contextmanager
def s3_server(read_only: Event | None = None) -> Iterator[str]:
    """Yields the endpoint. The environment has what obstore needs to use it.

    While `read_only` is set, each write gets the answer 403.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    try:
        with urlopen(Request(f"{endpoint}/{BUCKET}", method="PUT"), timeout=10):
            pass
        if read_only:
            served: Any = server._server
            served.app = _guarded(served.app, read_only)
        with patch.dict(os.environ, environment(endpoint)):
            yield endpoint
    finally:
        server.stop()


def _guarded(app: Wsgi, read_only: Event) -> Wsgi:
    """The application, which refuses writes while this is set."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not read_only.is_set() or environ["REQUEST_METHOD"] in {"GET", "HEAD"}:
            return app(environ, start_response)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("403 Forbidden", [("Content-Type", "application/xml")])
        return [_DENIED]

    return answer


def environment(endpoint: str) -> dict[str, str]:
    """The variables that obstore reads, for a store at this endpoint."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
