"""Stands for `docker` and `kubectl` in the shell that runs a block: it passes the words on.

The test at the other end of the socket carries the command out. This process then prints what the
command has printed, and ends with its exit code.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import sys
from typing import Any


def main(words: list[str]) -> int:
    """Pass on the program, its arguments, the folder, the variables and standard input."""
    request = {
        "words": words,
        "folder": os.getcwd(),  # noqa: PTH109 (pathlib would double the time to start)
        "environment": dict(os.environ),
        "stdin": base64.b64encode(sys.stdin.buffer.read()).decode(),
    }
    with socket.create_connection(("127.0.0.1", int(os.environ["HEADRACE_TEST_PORT"]))) as sock:
        sock.sendall(json.dumps(request).encode() + b"\n")
        with sock.makefile("rb") as answers:
            answer: dict[str, Any] = json.loads(answers.readline())
    sys.stdout.buffer.write(base64.b64decode(answer["output"]))
    sys.stderr.write(answer["errors"])
    return int(answer["code"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
