"""Traces of real processes, sent to a collector made of a socket and OTLP's own messages."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from shared.journal.keys import Keys
from shared.runtime.otel import ids_of
from tests.deploy.dockerfile import ROOT
from tests.fanout.replicas import ALICE, BOB, CONTRACT, SUBSCRIBE
from tests.support.processes import ServiceProcess, running, start
from tests.support.sse_client import SseClient
from tests.support.waiting import until


@dataclass
class Collector:
    """The received spans, by the service that sent them."""

    url: str = ""
    spans: list[tuple[str, Span]] = field(default_factory=list)

    def named(self, name: str) -> list[tuple[str, Span]]:
        return [(service, span) for service, span in self.spans if span.name == name]

    async def take(self, request: web.Request) -> web.Response:
        """POST /v1/traces."""
        message = ExportTraceServiceRequest.FromString(await request.read())
        for resource in message.resource_spans:
            (service,) = (
                a.value.string_value
                for a in resource.resource.attributes
                if a.key == "service.name"
            )
            self.spans += [(service, s) for scope in resource.scope_spans for s in scope.spans]
        return web.Response()


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    async with TestServer(app) as server:
        collector.url = str(server.make_url("")).rstrip("/")
        yield collector


@pytest.fixture
def environment(redis_url: str, keys: Keys, collector: Collector) -> Callable[..., dict[str, str]]:
    def environment(service: str, **more: str) -> dict[str, str]:
        return {
            "REDIS_URL": redis_url,
            "NAMESPACE": keys.namespace,
            "CONTRACTS": CONTRACT,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_SERVICE_NAME": f"headrace-{service}",
        } | more

    return environment


async def create(api: ServiceProcess) -> None:
    body = {
        "sender": ALICE,
        "recipient": BOB,
        "tokenAddress": CONTRACT,
        "ratePerSecond": "5",
        "depositedAmount": "1000",
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{api.port}/v1/streams", json=body) as response,
    ):
        assert response.status == 201, await response.text()


async def subscribed(fanout: ServiceProcess) -> SseClient:
    """A client of a fanout that is ready."""

    async def connected() -> SseClient | None:
        client = await SseClient.connect(fanout.port, f"{SUBSCRIBE}?all=true")
        await client.wait(1)
        if client.named("overload"):
            client.close()
            return None
        return client

    client = await until(connected)
    assert client
    return client


async def test_one_trace_leads_from_the_commit_to_the_last_write(
    collector: Collector, environment: Callable[..., dict[str, str]]
) -> None:
    async with (
        running("services.api", **environment("api")) as api,
        running("services.fanout", **environment("fanout")) as fanout,
    ):
        await api.ready()
        client = await subscribed(fanout)
        await create(api)
        (event,) = await client.wait(1, "stream.created")
        await until(lambda: collector.named("commit") and collector.named("deliver"))
        await until(lambda: collector.named("POST /v1/streams"), what="the request's span")
        client.close()

    ((committer, commit),) = collector.named("commit")
    ((deliverer, deliver),) = collector.named("deliver")
    assert (committer, deliverer) == ("headrace-api", "headrace-fanout")
    assert commit.trace_id == deliver.trace_id
    assert deliver.parent_span_id == commit.span_id
    assert commit.parent_span_id == b""
    assert commit.start_time_unix_nano < deliver.end_time_unix_nano
    assert deliver.start_time_unix_nano // 1000 == event.json["publishedAt"]
    facts = {a.key: a.value.string_value or a.value.int_value for a in deliver.attributes}
    assert facts == {
        "headrace.position": event.own_id,
        "headrace.type": "stream.created",
        "headrace.reached": 1,
    }
    ((_, request),) = collector.named("POST /v1/streams")
    assert [link.span_id for link in commit.links] == [request.span_id]
    assert not [span.name for _, span in collector.spans if "subscribe" in span.name]


async def test_a_share_of_the_events_is_the_same_share_everywhere(
    collector: Collector, environment: Callable[..., dict[str, str]]
) -> None:
    half = {"OTEL_TRACES_SAMPLER_ARG": "0.5"}
    async with (
        running("services.api", **environment("api", **half)) as api,
        running("services.fanout", **environment("fanout", **half)) as fanout,
    ):
        await api.ready()
        client = await subscribed(fanout)
        for _ in range(40):
            await create(api)
        await client.wait(40, "stream.created")

        def same() -> bool:
            commits, deliveries = collector.named("commit"), collector.named("deliver")
            traces = [{span.trace_id for _, span in spans} for spans in (commits, deliveries)]
            return traces[0] == traces[1] != set()

        for process in (api, fanout):  # the rest is sent at the end
            process.signal()
            await process.ended()
        client.close()
    assert same()
    assert 5 < len(collector.named("commit")) < 35


@given(st.lists(st.from_regex(r"\d{1,19}-\d{1,16}", fullmatch=True), unique=True))
def test_ids_follow_from_the_position_alone(positions: list[str]) -> None:
    ids = [ids_of(position) for position in positions]
    assert ids == [ids_of(position) for position in positions]
    assert len(set(ids)) == len(ids)
    assert all(0 < each.trace < 1 << 128 and 0 < each.span < 1 << 64 for each in ids)


@pytest.mark.io
def test_without_a_collector_nothing_of_it_is_imported() -> None:
    code = (
        "import sys; from shared.runtime import tracing as traces; import services.fanout.app;"
        "traces.start_tracing();"
        "traces.record_commits([('1-1', 'x')], 1); traces.record_delivery('1-1', 'x', 1.0, 2.0, 1);"
        "sys.exit('shared.runtime.otel' in sys.modules)"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=clean, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


async def test_without_the_extra_a_service_says_so_and_works(
    environment: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    (tmp_path / "opentelemetry.py").write_text("raise ImportError('not here')\n")
    hidden = environment("fanout", PYTHONPATH=f"{tmp_path}:{ROOT}")
    fanout = await start("services.fanout", **hidden)
    try:
        await fanout.listening()
        (said,) = fanout.log_lines("traces_off")
        assert "headrace[otel]" in said["meaning"]
        (await subscribed(fanout)).close()
    finally:
        fanout.signal()
        assert await fanout.ended() == 0
