"""`helm test`: opens an EventSource and waits for its first frame.

It has the settings URL, SECONDS, AUTH_MODE and, if there is one, TOKEN. It needs only Python's own
library, because it runs in the image of the fanout as `python -c`. Exit code 1 means that it
failed; the reason is the last line.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable


def first_frame(lines: Iterable[bytes]) -> dict[str, str]:
    """The fields of the first SSE frame, or nothing. An empty line ends a frame."""
    fields: dict[str, str] = {}
    for line in lines:
        text = line.decode().rstrip("\r\n")
        if not text and "data" in fields:
            return fields
        name, _, value = text.partition(":")
        if name:
            fields[name] = value.removeprefix(" ")
    return {}


def opened(url: str, token: str, seconds: float) -> http.client.HTTPResponse:
    """The answer to the subscription. Raises OSError if there is none within `seconds`."""
    headers = {"Accept": "text/event-stream"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, headers=headers)
    response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=seconds)
    return response


def check(url: str, token: str, *, login: bool, seconds: float) -> str:
    """What was seen. Raises OSError or ValueError if it is not what a client must see."""
    try:
        with opened(url, token, seconds) as response:
            frame = first_frame(response)
    except urllib.error.HTTPError as error:
        if error.code == 401 and login and not token:
            return "401, as it must be without a token: test.tokenSecret tests a whole subscription"
        raise
    message = json.loads(frame.get("data", "{}"))
    if message.get("type") != "connected":
        raise ValueError(f"the first frame is not `connected`: {frame}")
    if login and not token:
        raise ValueError("AUTH_MODE=required, but a client without a token was accepted")
    return f"connected at position {message['position']}"


if __name__ == "__main__":
    given = os.environ
    try:
        seen = check(
            given["URL"],
            given.get("TOKEN", ""),
            login=given.get("AUTH_MODE") == "required",
            seconds=float(given.get("SECONDS", "30")),
        )
    except (OSError, ValueError) as error:
        sys.exit(f"failed: {given['URL']}: {error}")
    print(f"passed: {given['URL']}: {seen}")
