"""Many events at once in a real Chromium: the lists stay short and in order."""

from __future__ import annotations

import time

import pytest
from playwright.async_api import Page, expect
from stellar_sdk import Keypair

from shared.journal.commit import Committer
from tests.console.browser import User
from tests.console.crowd import chain_stream, created_event, flood, old, read_event
from tests.console.samples import create
from tests.support.installation import Installation
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

SNAPSHOTS = 400
NEW = 200  # most rows that events add to a list: stream_list.js
EVENTS = 200  # most rows of the view Live: live.js
IDS = "all => all.map((each) => each.dataset.id)"


async def arrived(whole: Installation, page: Page) -> str:
    """Wait until the page shows a stream that is created now, after all other events."""
    made = str((await create(whole))["id"])
    await page.wait_for_selector(f'.stream[data-id="{made}"]', timeout=60_000)
    return made


async def is_as_listed(whole: Installation, page: Page) -> bool:
    """Whether the first rows are the streams of the API's list, in its order."""
    _, listed = await whole.get(whole.ports.gateway, "/v1/streams?limit=25")
    rows = await page.locator(".stream").evaluate_all(IDS)
    return bool(rows[:25] == [each["id"] for each in listed["items"]])


async def test_snapshots_of_old_streams_add_no_rows(
    whole: Installation, committer: Committer, someone: User
) -> None:
    sender = Keypair.random().public_key
    for _ in range(26):  # more than a page
        await create(whole)
    page = await someone.open("#/streams")
    await page.locator(".stream").nth(24).wait_for()
    before = await page.locator(".stream").evaluate_all(IDS)
    snapshots = [old(100_000 + n, sender) for n in range(SNAPSHOTS)]
    await flood(committer, snapshots, read_event)
    await arrived(whole, page)
    rows = await page.locator(".stream").evaluate_all(IDS)
    assert not {stream.id for stream in snapshots} & set(rows)
    # The chain makes streams too. Some of them may belong between the rows that were loaded.
    assert [row for row in rows if row in before] == before
    assert rows[-1] == before[-1], "the rows that were loaded are still the last ones"
    await until(lambda: is_as_listed(whole, page), what="the order of the API's list")
    assert someone.noise == []


async def test_a_stream_that_was_created_earlier_is_put_in_its_place(
    whole: Installation, committer: Committer, someone: User
) -> None:
    """The chain is read later than the API's streams are made."""
    sender = Keypair.random().public_key
    streams = [old(200_000 + 10 * n, sender) for n in range(30)]
    await flood(committer, streams[:28], read_event)
    page = await someone.open(f"#/streams?search={sender}")
    wanted = [stream.id for stream in streams[:25]]
    await expect(page.locator(".stream")).to_have_count(25)
    between, below = old(200_005, sender), old(200_255, sender)
    await flood(committer, [between, below, *streams[28:]], created_event)
    await page.wait_for_selector(f'.stream[data-id="{between.id}"]')
    newest = chain_stream(300_000, int(time.time()), sender)
    await flood(committer, [newest], created_event)
    await page.wait_for_selector(f'.stream[data-id="{newest.id}"]')
    wanted = [newest.id, wanted[0], between.id, *wanted[1:]]
    assert await page.locator(".stream").evaluate_all(IDS) == wanted
    await page.get_by_role("button", name="More").click()
    rest = sorted([*streams[25:], below], key=lambda stream: int(stream.id))
    wanted += [stream.id for stream in rest]
    await expect(page.locator(".stream")).to_have_count(len(wanted))
    assert await page.locator(".stream").evaluate_all(IDS) == wanted


async def test_a_list_of_new_streams_stays_short_and_can_be_loaded_again(
    whole: Installation, committer: Committer, someone: User
) -> None:
    sender = Keypair.random().public_key
    await flood(committer, [old(400_000, sender)], read_event)
    page = await someone.open(f"#/streams?search={sender}")
    await page.wait_for_selector(".stream")
    live = await someone.open("#/live")
    await live.wait_for_selector(".event")
    now = int(time.time())
    streams = [chain_stream(410_000 + n, now, sender) for n in range(NEW + 50)]
    await flood(committer, streams, created_event)
    latest = streams[-1].id
    await page.wait_for_selector(f'.stream[data-id="{latest}"]', timeout=60_000)
    newest = [stream.id for stream in reversed(streams)]
    assert await page.locator(".stream").evaluate_all(IDS) == newest[: NEW + 1]
    await expect(page.get_by_text(f"only the latest {NEW + 1} streams")).to_be_visible()
    await live.wait_for_selector(f'.event:has(a[href="#/streams/{latest}"])', timeout=60_000)
    assert await live.locator(".event").count() == EVENTS
    await page.get_by_role("button", name="Load again").click()
    await expect(page.locator(".stream")).to_have_count(25)
    await page.get_by_role("button", name="More").click()
    await expect(page.locator(".stream")).to_have_count(50)
    assert await page.locator(".stream").evaluate_all(IDS) == newest[:50]


async def test_an_account_gets_a_bounded_number_of_rows_too(
    whole: Installation, committer: Committer, someone: User
) -> None:
    sender = Keypair.random().public_key
    await flood(committer, [old(500_000, sender)], read_event)
    page = await someone.open(f"#/account/{sender}")
    outgoing = page.locator('[data-list="sent"] .stream')
    await expect(outgoing).to_have_count(1)
    streams = [chain_stream(510_000 + n, int(time.time()), sender) for n in range(NEW + 50)]
    await flood(committer, streams, created_event)
    await expect(outgoing.first).to_have_attribute("data-id", streams[-1].id, timeout=60_000)
    await expect(outgoing).to_have_count(NEW + 1)
    await expect(page.get_by_text("The lists show only the latest streams.")).to_be_visible()


@pytest.mark.usefixtures("known_tokens")
async def test_amounts_outside_of_the_window_are_drawn_when_they_are_scrolled_to(
    whole: Installation, committer: Committer, someone: User
) -> None:
    sender = Keypair.random().public_key
    now = int(time.time())
    await flood(committer, [chain_stream(600_000 + n, now, sender) for n in range(25)], read_event)
    page = await someone.open(f"#/streams?search={sender}")
    counters = page.locator(".stream .counter")
    await expect(counters).to_have_count(25)
    as_of = "each => Number(each.dataset.asOf)"
    first, last = counters.first, counters.last

    async def stands() -> bool:
        return bool(await last.evaluate(as_of) < await first.evaluate(as_of))

    await until(stands, what="an amount that runs before one that does not")
    begun = await last.evaluate(as_of)

    async def runs() -> bool:
        return bool(await first.evaluate(as_of) >= begun + 4)

    await until(runs, what="a visible amount that runs")
    assert await last.evaluate(as_of) <= begun + 2, "nobody sees it"
    await last.scroll_into_view_if_needed()

    async def agrees() -> bool:
        return bool(await last.evaluate(as_of) >= begun + 4)

    await until(agrees, what="an amount that runs again")
