"""A long export through each gateway: what the API sends while no event matches passes at once.

Then no gateway in front of this one sees a silent answer. test_kubernetes_traffic.py looks at the
time limits of the Gateway API.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.clients.raw_client import RawClient, get
from tests.deploy.gateways import gateway, installed_kinds, local_gateway
from tests.deploy.standin import StandIn
from tests.support.name_server import name_server
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize("kind", ["deployment", *installed_kinds()])
async def test_each_byte_passes_at_once(kind: str, api: StandIn, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        if kind == "deployment":
            names = await stack.enter_async_context(name_server({"api": ["127.0.0.1"]}))
            front = await stack.enter_async_context(gateway(tmp_path, names, API=f"api:{api.port}"))
        else:
            behind = f"127.0.0.1:{api.port}"
            front = await stack.enter_async_context(local_gateway(kind, tmp_path, [behind], behind))
        client = await RawClient.connect(front.port, get("/v1/events/export?format=parquet"))
        await until(lambda: client.body.count(0) > 2, what="three bytes")
        assert not client.closed, "the answer goes on"
        client.close()
