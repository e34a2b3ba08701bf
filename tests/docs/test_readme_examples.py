"""The examples of README.md, with an installation that has the parts of `make run`."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.async_api import Page, Route

from tests.docs.blocks import ADDRESS, Shell, typed
from tests.operations.pages import block as operations_block
from tests.support.fenced import ROOT, Block, fenced
from tests.support.installation import Installation
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]

PAGE = "README.md"
RUN, SUBSCRIBE, RESUME, LIST, MAKE, PAUSE, PYTHON, WORK, COMPOSE = fenced(PAGE, "sh")
(SCRIPT,) = fenced(PAGE, "js")
(MY_PAGE,) = fenced(PAGE, "html")
RESET = "event: reset\ndata: {}\n\n"


def lines(block: Block) -> list[str]:
    return [line for line in block.text.splitlines() if line]


def frames(text: str) -> list[dict[str, Any]]:
    """The data of the events of payment streams and contracts."""
    return [json.loads(data) for data in re.findall(r"^event: \w+\.\w+\ndata: (.*)$", text, re.M)]


async def test_make_run_is_what_the_tests_start() -> None:
    """tests/system/test_make_run.py runs the command behind `make run`."""
    assert RUN.text.startswith("make run ")
    recipe = re.search(r"^run: .*\n\t@exec (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert recipe
    assert recipe[1] == "$(BIN)/python -m deploy.local.run"


@pytest.mark.parametrize("command", lines(SUBSCRIBE))
async def test_a_subscription_is_accepted(shell: Shell, command: str) -> None:
    await shell.shows(command, '"type":"connected"')


async def test_the_subscription_to_everything_shows_events(shell: Shell) -> None:
    everything = lines(SUBSCRIBE)[0]

    async def some() -> list[dict[str, Any]]:
        return frames(await shell.watched(everything, seconds=2))

    assert await until(some, seconds=60, what="an event")


async def test_the_resume_continues_after_an_event_of_every_run(
    shell: Shell, whole: Installation
) -> None:
    (command,) = lines(RESUME)
    position = re.search(r"Last-Event-ID: ([\d-]+)", command)
    assert position

    async def history() -> list[str]:
        path = "/v1/events?all=true&order=asc&limit=50"
        _, answer = await whole.get(whole.ports.gateway, path)
        return [event["id"] for event in answer["items"]]

    async def passed() -> bool:
        return position[1] in (await history())[:-1]

    await until(passed, seconds=60, what=f"an event {position[1]}, and another one")

    async def resumed() -> list[str]:
        text = await shell.watched(command)
        assert "event: reset" not in text
        return [event["id"] for event in frames(text)]

    seen = await until(resumed, seconds=60, what="events")
    everything = await history()
    after = everything[everything.index(position[1]) + 1 :]
    shorter = min(len(seen), len(after))
    assert seen[:shorter] == after[:shorter]


async def test_streams_are_listed(shell: Shell) -> None:
    listed = json.loads(await shell.done(LIST.text))
    assert {stream["status"] for stream in listed["items"]} <= {"active"}


async def test_your_page_shows_your_stream(page: Page, shell: Shell, address: str) -> None:
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    file = shell.folder / "my.html"
    file.write_text(typed(MY_PAGE, {ADDRESS: address}), encoding="utf-8")
    await page.goto(file.as_uri())
    await page.wait_for_selector("text=live")
    made = json.loads(await shell.done(MAKE.text))["id"]
    await page.wait_for_selector(f"#{made}:has-text('active')")
    await page.reload()
    await page.wait_for_selector(f"#{made}:has-text('active')")
    await shell.done(typed(PAUSE, {"ID": made}))
    await page.wait_for_selector(f"#{made}:has-text('paused')")
    assert wrong == []


async def test_the_script_prints_withdrawals(page: Page, address: str) -> None:
    printed: list[str] = []
    page.on("console", lambda message: printed.append(message.text))
    await page.add_script_tag(content=typed(SCRIPT, {ADDRESS: address}))
    await until(lambda: printed, seconds=90, what="a withdrawal")
    assert all(re.fullmatch(r"\d+ \d+ (\d+|not known)", line) for line in printed), printed


async def test_the_script_loads_the_page_again_after_a_reset(page: Page, address: str) -> None:
    async def reset(route: Route) -> None:
        await route.fulfill(content_type="text/event-stream", body=RESET)

    await page.route("**/subscribe*", reset)
    async with page.expect_event("load"):
        await page.add_script_tag(content=typed(SCRIPT, {ADDRESS: address}))


async def test_the_script_says_that_it_was_refused(page: Page, address: str) -> None:
    printed: list[str] = []
    page.on("console", lambda message: printed.append(message.text))
    account = re.search(r"G[A-Z2-7]{55}", SCRIPT.text)
    assert account
    wrong = typed(SCRIPT, {ADDRESS: address, account[0]: "G…"})
    await page.add_script_tag(content=wrong)
    await until(lambda: [line for line in printed if line.startswith("refused")])


async def test_the_python_client_shows_events(shell: Shell, address: str) -> None:
    """tests/clients/packages/python/test_package.py installs the package."""
    install, _, tail = PYTHON.text.strip().partition(" && ")
    assert install == ".venv/bin/pip install ./clients/python"
    assert tail.startswith(".venv/bin/headrace tail ")
    source = f"PYTHONPATH={ROOT / 'clients/python'} python -m headrace_client"
    command = f"{tail.replace('.venv/bin/headrace', source, 1)} --url http://{address} --count 2"
    shown = (await shell.done(command)).splitlines()
    assert len(shown) == 2
    assert all(re.match(r"[\d-]{10} [\d:]{8}Z  \w+\.\w+ ", line) for line in shown), shown


async def test_the_commands_for_compose_are_those_of_the_page_install() -> None:
    """tests/deploy/test_topology.py runs what they start."""
    install = operations_block("install.md", "try it out with compose")
    assert lines(COMPOSE) == install.text.splitlines()[:2]
    assert WORK.text.startswith("make check")
