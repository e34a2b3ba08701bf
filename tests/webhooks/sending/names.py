"""Host names of receivers, for tests without a name server."""

from __future__ import annotations

import socket
from typing import Any


class Names:
    """Stands for the system's resolver. `addresses` are those of every name but `unknown`."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []
        self.unknown = ""

    def getaddrinfo(self, host: str, port: int, *_: Any) -> list[Any]:
        self.asked.append(host)
        if not self.addresses or host == self.unknown:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        kind = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(socket.AF_INET, *kind, (each, port)) for each in self.addresses]
