"""The addresses of replicas, and to which of them each host name leads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack

from tests.deploy.replica import Running
from tests.support.name_server import NameServer
from tests.support.programs import loopback
from tests.support.tcp_proxy import TcpProxy


class Addresses:
    """Addresses on loopback. `running` has the replicas of each service, now and later.

    `first` is the number of the first address.
    """

    def __init__(
        self, names: NameServer, running: Mapping[str, Sequence[Running]], first: int
    ) -> None:
        self._names = names
        self._running = running
        self._count = first - 1
        self._reserved: dict[str, str] = {}
        self._given: set[str] = set()
        self._former: dict[str, list[TcpProxy]] = {}
        self._stack = AsyncExitStack()

    def next(self, name: str) -> str:
        """The address of a new replica."""
        return self._reserved.pop(name, "") or self._new()

    def first(self, name: str) -> str:
        """The address of the first replica. If none runs yet, the address that it will have."""
        running = [replica.address for replica in self._running.get(name, ())]
        return running[0] if running else self._reserved.setdefault(name, self._new())

    def put(self, text: str, services: Iterable[str], environment: Mapping[str, str]) -> str:
        """Replace host names by addresses, for programs that cannot ask a name server of ours."""
        if "RESOLVER" in environment:
            return text.replace("127.0.0.11", f"127.0.0.1:{self._names.port}")
        for name in services:
            mentioned = rf"(?<![^/@]){name}(?=:\d{{2,5}}(?:\W|$))"  # a port, and no password
            if re.search(mentioned, text):
                self._given.add(self.first(name))
                text = re.sub(mentioned, self.first(name), text)
        return text

    def tell(self) -> None:
        """Tell the name server which replicas there are."""
        self._names.addresses = {
            each: [replica.address for replica in replicas]
            for each, replicas in self._running.items()
        }

    async def forget(self, name: str, replica: Running) -> None:
        """A replica is gone. Programs that got its address reach another one, as by the name."""
        self.tell()
        if not self._running[name]:
            return
        former = self._former.setdefault(name, [])
        if replica.address in self._given:
            proxy = TcpProxy(8080, int(replica.environment["PORT"]), replica.address)
            former.append(await self._stack.enter_async_context(proxy))
        for each in former:
            each.target_host = self.first(name)

    async def close(self) -> None:
        """Close what listens at former addresses."""
        await self._stack.aclose()

    def _new(self) -> str:
        self._count += 1
        return f"{loopback()}.{self._count}"
