"""An alert reaches people: Prometheus, Alertmanager and a webhook, with the files of compose."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from pytest_aiohttp import AiohttpServer

from tests.deploy.composed import read_compose
from tests.deploy.dockerfile import ROOT
from tests.support.programs import needed
from tests.support.waiting import free_port, until

pytestmark = [pytest.mark.io, pytest.mark.timeout(60)]

DOCS = "https://docs.example/headrace/"


@asynccontextmanager
async def program(
    *command: str, health: str, environment: dict[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running program, after it answers 200 at the URL `health`."""
    process = await asyncio.create_subprocess_exec(
        *command, env={"PATH": os.environ["PATH"], **environment}, stderr=subprocess.PIPE
    )

    async def healthy() -> bool:
        assert process.returncode is None, "it ended"
        return await answers(health)

    try:
        await until(healthy, seconds=20, what=health)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


def alertmanager(folder: Path, url: str, port: int) -> dict[str, str]:
    """The environment of start.sh: as in compose, and with places on this machine."""
    service = read_compose("simulated.env", ALERT_WEBHOOK_URL=url)["services"]["alertmanager"]
    assert service["entrypoint"] == ["/bin/sh", "/etc/headrace/start.sh"]
    here = {"DATA_FOLDER": str(folder / "data"), "RUN_FOLDER": str(folder), "PORT": str(port)}
    name = needed("prometheus-alertmanager")  # the name of `alertmanager` in Debian
    return service["environment"] | here | {"HOST": "127.0.0.1", "ALERTMANAGER": name}


def copy_of(name: str, folder: Path, changes: dict[str, str]) -> Path:
    """A folder of deploy/ with texts replaced in its files."""
    target = folder / name
    shutil.copytree(ROOT / "deploy" / name, target)
    for file in target.iterdir():
        text = file.read_text()
        for pattern, replacement in changes.items():
            text = re.sub(pattern, replacement, text)
        file.write_text(text)
    return target


def prometheus_config(folder: Path, scraped: int, alertmanager: int) -> Path:
    """The configuration of compose with the addresses of this test, and scraped every second."""
    file = copy_of("prometheus", folder, {"_interval: 5s": "_interval: 1s"}) / "prometheus.yaml"
    config = yaml.safe_load(file.read_text())
    at = [{"static_configs": [{"targets": [f"127.0.0.1:{scraped}"]}], "job_name": "headrace-x"}]
    config["scrape_configs"] = at
    (sent,) = config["alerting"]["alertmanagers"]
    (found,) = sent.pop("dns_sd_configs")
    assert (found["names"], found["port"]) == (["alertmanager"], 9093), "the service of compose"
    sent["static_configs"] = [{"targets": [f"127.0.0.1:{alertmanager}"]}]
    file.write_text(yaml.safe_dump(config))
    return file


async def test_an_alert_reaches_the_webhook_with_a_link_to_its_entry_in_the_runbook(
    tmp_path: Path, aiohttp_server: AiohttpServer
) -> None:
    received: list[dict[str, Any]] = []

    async def receive(request: web.Request) -> web.Response:
        received.append(await request.json())
        return web.Response()

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text='headrace_indexer_alarm{kind="gap"} 1\n')

    app = web.Application()
    app.router.add_post("/hook", receive)
    app.router.add_get("/metrics", metrics)
    server = await aiohttp_server(app)
    assert server.port
    port, own = free_port(), free_port()
    script = copy_of("alertmanager", tmp_path, {"group_wait: 10s": "group_wait: 0s"}) / "start.sh"
    environment = alertmanager(tmp_path, f"{server.make_url('/hook')}?key=a&b=%27", port)
    config = prometheus_config(tmp_path, server.port, port)
    command = [needed("prometheus"), f"--config.file={config}"]
    command += [f"--storage.tsdb.path={tmp_path}/tsdb", f"--web.listen-address=127.0.0.1:{own}"]
    command += ["--enable-feature=expand-external-labels"]  # on by default from version 3 on
    healthy = "http://127.0.0.1:{}/-/healthy"
    async with (
        program("sh", str(script), health=healthy.format(port), environment=environment),
        program(*command, health=healthy.format(own), environment={"DOCS_URL": DOCS}),
    ):
        await until(lambda: received, seconds=30, what="the alert")
    (alert,) = received[0]["alerts"]
    assert alert["labels"]["alertname"] == "HeadraceIndexerAlarm"
    assert "docs" not in alert["labels"]
    assert alert["annotations"]["runbook_url"] == f"{DOCS}operations/alerts.md#headraceindexeralarm"


async def test_without_a_webhook_alerts_are_shown(tmp_path: Path) -> None:
    port = free_port()
    script = ROOT / "deploy/alertmanager/start.sh"
    environment = alertmanager(tmp_path, "", port)
    url = f"http://127.0.0.1:{port}"
    async with (
        program("sh", str(script), health=f"{url}/-/healthy", environment=environment),
        aiohttp.ClientSession() as session,
    ):
        alert = {"labels": {"alertname": "Test", "severity": "critical"}, "endsAt": in_an_hour()}
        async with session.post(f"{url}/api/v2/alerts", json=[alert]) as response:
            assert response.status == 200

        async def shown() -> bool:
            async with session.get(f"{url}/api/v2/alerts") as response:
                return [each["receivers"] for each in await response.json()] == [
                    [{"name": "people"}]
                ]

        await until(shown, what="the alert")
    assert check_config(tmp_path / "alertmanager.yaml") == ""


def check_config(file: Path) -> str:
    """What amtool does not like in a file; nothing if it is valid."""
    command = [needed("amtool"), "check-config", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def in_an_hour() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))


@pytest.mark.parametrize("url", ["hooks.example/x", "http://x/'", "http://x/ y", "http://x/\ny"])
def test_a_url_that_would_break_the_configuration_is_refused(tmp_path: Path, url: str) -> None:
    done = subprocess.run(
        ["sh", str(ROOT / "deploy/alertmanager/start.sh")],
        env={"PATH": os.environ["PATH"], "ALERT_WEBHOOK_URL": url, "RUN_FOLDER": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "ALERT_WEBHOOK_URL" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("severity", "repeated"), [("critical", "1h"), ("warning", "12h")], ids=lambda value: value
)
def test_critical_alerts_are_repeated_more_often(severity: str, repeated: str) -> None:
    file = ROOT / "deploy/alertmanager/alertmanager.yaml"
    command = [needed("amtool"), "config", "routes", "test", f"--config.file={file}"]
    done = subprocess.run(
        [*command, f"severity={severity}"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "people")
    route = yaml.safe_load(file.read_text())["route"]
    (critical,) = route["routes"]
    of = critical if json.dumps(severity) in str(critical["matchers"]) else route
    assert of["repeat_interval"] == repeated
