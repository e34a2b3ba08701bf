"""The probes /livez and /readyz, and /metrics."""

from __future__ import annotations

import pytest
from aiohttp import web
from pytest_aiohttp import AiohttpClient

from shared.runtime.metrics import READY
from shared.web.probes import Readiness, add_probes
from tests.support.web_client import WebClient


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, readiness: Readiness) -> WebClient:
    app = web.Application()
    add_probes(app, readiness)
    return await aiohttp_client(app)


@pytest.fixture
def readiness() -> Readiness:
    return Readiness("redis", "source")


def gauge(part: str) -> float:
    return READY.labels(part)._value.get()


def test_every_part_starts_as_not_ready(readiness: Readiness) -> None:
    assert not readiness.ready
    assert readiness.document() == {
        "ready": False,
        "parts": {"redis": "starting", "source": "starting"},
    }


def test_ready_when_every_part_is_ready(readiness: Readiness) -> None:
    readiness.set("redis", None)
    assert not readiness.ready
    readiness.set("source", None)
    assert readiness.ready
    readiness.set("redis", "no answer for 3 s")
    assert not readiness.ready


def test_the_first_reason_is_that_of_the_first_unready_part(readiness: Readiness) -> None:
    assert readiness.first_reason("redis", "source") is None  # still starting
    readiness.set("source", "no source")
    assert readiness.first_reason("redis") is None
    assert readiness.first_reason("redis", "source") == "no source"
    readiness.set("source", None)
    assert readiness.first_reason("redis", "source") is None


def test_a_service_without_parts_is_ready() -> None:
    assert Readiness().ready


def test_the_metric_shows_the_state_of_each_part(readiness: Readiness) -> None:
    assert gauge("redis") == 0
    readiness.set("redis", None)
    assert gauge("redis") == 1
    readiness.set("redis", "away")
    assert gauge("redis") == 0


async def test_livez_is_200_even_when_not_ready(client: WebClient) -> None:
    response = await client.get("/livez")
    assert (response.status, await response.text()) == (200, "ok\n")


async def test_readyz_is_503_with_the_reason_or_200(
    client: WebClient, readiness: Readiness
) -> None:
    readiness.set("source", None)
    readiness.set("redis", "no answer for 3 s")
    response = await client.get("/readyz")
    assert response.status == 503
    assert await response.json() == {
        "ready": False,
        "parts": {"redis": "no answer for 3 s", "source": "ok"},
    }
    readiness.set("redis", None)
    response = await client.get("/readyz")
    assert response.status == 200
    assert (await response.json())["ready"] is True


async def test_metrics_are_prometheus_text(client: WebClient, readiness: Readiness) -> None:
    readiness.set("redis", None)
    response = await client.get("/metrics")
    assert response.content_type == "text/plain"
    assert 'headrace_ready{part="redis"} 1.0' in await response.text()
