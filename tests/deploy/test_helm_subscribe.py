"""`helm test`: its pod reaches a fanout, and its script sees what an EventSource sees."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis

from shared.journal.keys import Keys
from tests.deploy.charts import CHART, by_name, is_hook, rendered, values_of
from tests.deploy.fanouts import Fanouts
from tests.deploy.gateways import gateway
from tests.deploy.manifests import Document
from tests.fanout.replicas import ALICE
from tests.fanout.tokens import REQUIRED, token
from tests.support.name_server import name_server
from tests.support.waiting import free_port

LOGIN = ('test.tokenSecret.name="headrace-test"',)


def hooks(overlay: str, sets: tuple[str, ...] = ()) -> dict[tuple[str, str], Document]:
    return by_name([d for d in rendered(*values_of(overlay), sets=sets) if is_hook(d)])


async def run(overlay: str, port: int, secret: str = "") -> tuple[int, str]:
    """Run the command of the pod with its environment. Returns the exit code and the last line."""
    pod = hooks(overlay, LOGIN if secret else ())["Pod", "headrace-test"]
    (container,) = pod["spec"]["containers"]
    environment = {each["name"]: each.get("value", secret) for each in container["env"]}
    environment["URL"] = environment["URL"].replace("headrace-fanout:8080", f"127.0.0.1:{port}")
    environment["SECONDS"] = "20"
    program, *arguments = container["command"]
    assert program == "python"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", *arguments,  # only Python's own library
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode().splitlines()[-1]


@pytest.mark.io(cached=True)
@pytest.mark.parametrize("overlay", ["production", "dev"])
def test_a_fanout_admits_the_pod_and_no_policy_limits_it(overlay: str) -> None:
    found = hooks(overlay)
    labels = found["Pod", "headrace-test"]["metadata"]["labels"]
    policy = found["NetworkPolicy", "headrace-test"]
    (rule,) = policy["spec"]["ingress"]
    assert rule["from"][0]["podSelector"]["matchLabels"].items() <= labels.items()
    documents = by_name(rendered(*values_of(overlay)))
    fanout = documents["Deployment", "headrace-fanout"]["spec"]["template"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= fanout.items()
    weights = [int(d["metadata"]["annotations"].get("helm.sh/hook-weight", 0)) for d in
               (policy, found["Pod", "headrace-test"])]  # fmt: skip
    assert weights[0] < weights[1], "the policy comes first"
    services = [d for (kind, _), d in documents.items() if kind == "Service"]
    assert not any(s["spec"]["selector"].items() <= labels.items() for s in services)
    nothing = documents["NetworkPolicy", "headrace-nothing"]["spec"]["podSelector"]["matchLabels"]
    assert not nothing.items() <= labels.items()


@pytest.mark.io(cached=True)
def test_the_pod_runs_the_script_of_the_chart() -> None:
    (container,) = hooks("dev")["Pod", "headrace-test"]["spec"]["containers"]
    assert container["command"][:2] == ["python", "-c"]
    assert container["command"][2] == (CHART / "files/subscribe.py").read_text()
    assert container["image"] == "headrace-fanout:dev"


async def test_without_login_the_first_frame_is_seen_through_the_gateway(
    tmp_path: Path, redis_url: str, keys: Keys
) -> None:
    async with name_server({}) as names, Fanouts(redis_url, keys, names) as fanouts:
        await fanouts.start()
        async with gateway(tmp_path, names, API="fanout:8080") as front:
            code, line = await run("dev", front.port)
            assert (code, "connected at position " in line) == (0, True), line
            code, line = await run("production", front.port)
            assert "a client without a token was accepted" in line, "AUTH_MODE is wrong"
            assert code == 1


async def test_with_login_a_token_is_needed(
    tmp_path: Path, redis: Redis, redis_url: str, keys: Keys
) -> None:
    await redis.set(keys.epoch, 1)  # the API creates it
    async with name_server({}) as names, Fanouts(redis_url, keys, names) as fanouts:
        await fanouts.start(**REQUIRED)
        async with gateway(tmp_path, names, API="fanout:8080") as front:
            assert (await run("production", front.port))[0] == 0
            good = token(ALICE, scope="events:all")
            code, line = await run("production", front.port, good)
            assert (code, "connected at position " in line) == (0, True), line
            code, line = await run("production", front.port, f"{good}x")
            assert (code, "401" in line) == (1, True), line
            assert (await run("dev", front.port))[0] == 1, "AUTH_MODE=open, but it asks for a token"


@pytest.mark.io
async def test_it_fails_without_a_fanout(tmp_path: Path) -> None:
    async with name_server({}) as names, gateway(tmp_path, names) as front:
        code, line = await run("dev", front.port)
        assert (code, "the first frame is not `connected`" in line) == (1, True), line
        assert "overload" in line
    code, line = await run("dev", free_port())
    assert (code, "refused" in line) == (1, True), line
