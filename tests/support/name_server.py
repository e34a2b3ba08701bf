"""A DNS server on loopback. A test changes its answers, like replicas that come and go."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import cast

_A, _IN = 1, 1
_NOTHING_THERE = 3


class NameServer(asyncio.DatagramProtocol):
    """Answers queries for A records from `addresses` (RFC 1035). Other names are NXDOMAIN."""

    def __init__(self, addresses: Mapping[str, Sequence[str]]) -> None:
        self.addresses = addresses
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(answer(data, self.addresses), addr)


def answer(question: bytes, addresses: Mapping[str, Sequence[str]]) -> bytes:
    """The response to one query."""
    labels, at = [], 12
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode())
        at += 1 + length
    kind, _ = struct.unpack_from("!HH", question, at + 1)
    known = addresses.get(".".join(labels))
    found = known or () if kind == _A else ()
    code = 0 if known is not None else _NOTHING_THERE
    head = question[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(found), 0, 0)
    name_of_the_question = b"\xc0\x0c"
    records = [
        name_of_the_question + struct.pack("!HHIH", _A, _IN, 1, 4) + socket.inet_aton(address)
        for address in found
    ]
    return head + question[12 : at + 5] + b"".join(records)


@asynccontextmanager
async def name_server(addresses: Mapping[str, Sequence[str]]) -> AsyncIterator[NameServer]:
    """A server on a free port until the end of the block."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: NameServer(addresses), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()
        await asyncio.sleep(0)  # the socket closes in the next turn of the loop
