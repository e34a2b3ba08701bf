"""An S3 server over HTTP in a thread of this process: moto's."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch
from urllib.request import Request, urlopen

from moto.server import ThreadedMotoServer

BUCKET = "archive"


@contextmanager
def s3_server() -> Iterator[str]:
    """Yields the endpoint. The environment has what obstore needs to use it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    try:
        with urlopen(Request(f"{endpoint}/{BUCKET}", method="PUT"), timeout=10):
            pass
        with patch.dict(os.environ, environment(endpoint)):
            yield endpoint
    finally:
        server.stop()


def environment(endpoint: str) -> dict[str, str]:
    """The variables that obstore reads, for a store at this endpoint."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
