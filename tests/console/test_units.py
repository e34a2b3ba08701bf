"""The pure modules of the console in Node, compared with the Python code."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.events import LOSS_TYPES, EventType, Origin
from shared.domain.schedule import Schedule, ScheduleKind, Step
from shared.domain.stream import I128_MAX, Stream, StreamStatus, claimable
from shared.journal.stream_document import stream_document
from tests.support.tier import examples

HERE = Path(__file__).parent
CONSOLE = HERE.parents[1] / "services/api/console"
CLIENT = HERE.parents[1] / "clients/js/src"
SOURCES = sorted(
    path
    for folder in (CONSOLE, CLIENT)
    for path in folder.rglob("*.*")
    if path.suffix in {".js", ".css", ".ts"}
)
NODE = ["node", "--import", (HERE / "node/served.mjs").as_uri()]
"""Node with the modules where the API serves them."""


@pytest.fixture(scope="module", autouse=True)
def node() -> None:
    if not shutil.which("node"):
        word = "node is missing"
        pytest.fail(word) if os.environ.get("CI") == "true" else pytest.skip(word)


@pytest.mark.io
@pytest.mark.parametrize("file", sorted(HERE.glob("node/*.test.mjs")), ids=lambda p: p.name)
def test_tests_in_node(file: Path) -> None:
    done = subprocess.run(
        [*NODE, "--test", str(file)], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert re.search(r"^# pass [1-9]", done.stdout, re.M)


amounts = st.integers(0, I128_MAX)
times = st.integers(0, 1 << 42)  # in milliseconds below 2^53, as a clock of JavaScript is


@st.composite
def schedules(draw: st.DrawFn, start: int, deposited: int) -> Schedule:
    kind = draw(st.sampled_from(ScheduleKind))
    moments = st.integers(start, start + 10_000)
    steps = draw(st.lists(st.tuples(moments, st.integers(1, deposited + 1)), max_size=4))
    return Schedule(
        kind=kind,
        cliff_time=draw(moments) if kind.startswith("cliff") else None,
        cliff_amount=draw(st.integers(0, deposited)) if kind == "cliff_amount" else 0,
        steps=tuple(Step(*each) for each in steps) if kind == "steps" else (),
        last_time=draw(moments) if kind == "steps" else None,
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Stream, int]:
    deposited = draw(amounts)
    withdrawn = draw(st.integers(0, deposited))
    status = draw(st.sampled_from(StreamStatus))
    start = draw(times)
    schedule = draw(schedules(start, deposited))
    stream = Stream(
        id="7",
        origin=Origin.API,
        contract_id=None,
        sender="G",
        recipient="G",
        token="C",
        rate=draw(st.one_of(amounts, st.integers(0, 1000))),
        deposited=deposited,
        withdrawn=withdrawn,
        refunded=draw(st.integers(0, deposited - withdrawn)),
        start_time=start,
        last_update_time=start + draw(st.integers(-1000, 1000)) if start > 1000 else start,
        schedule=schedule,
        paused_at=start + draw(st.integers(0, 10_000)) if status is StreamStatus.PAUSED else None,
        status=status,
        created_at=start,
        updated_at=start,
    )
    return stream, draw(st.one_of(times, st.integers(start, start + 10_000)))


Ask = Callable[[dict[str, Any]], Any]


@contextmanager
def answering(script: str) -> Iterator[Ask]:
    """A Node process that answers each line of JSON with a line of JSON."""
    command = [*NODE, str(HERE / "node" / script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        questions, answers = process.stdin, process.stdout

        def ask(question: dict[str, Any]) -> Any:
            questions.write(orjson.dumps(question) + b"\n")
            questions.flush()
            return json.loads(answers.readline())

        yield ask


@pytest.fixture(scope="module")
def count() -> Iterator[Callable[[Stream, int], int | None]]:
    """The claimable amount by the module of the page, computed in a Node process."""
    with answering("claimable.mjs") as ask:
        yield lambda stream, now: ask({"stream": stream_document(stream, now), "now": now})


@pytest.fixture(scope="module")
def write() -> Iterator[Ask]:
    """The text of an amount by the module of the page, computed in a Node process."""
    with answering("numbers.mjs") as ask:
        yield ask


@pytest.mark.io
@settings(max_examples=examples(1000))
@given(case=cases())
def test_the_page_computes_the_same_amounts_as_the_api(
    count: Callable[[Stream, int], int | None], case: tuple[Stream, int]
) -> None:
    stream, now = case
    assert count(stream, now) == claimable(stream, now)


# (separator of groups, sizes of groups from the right, decimal separator), as people write numbers
LOCALES = {
    "en": (",", (3,), "."),
    "de-DE": (".", (3,), ","),
    "fr-FR": ("\u202f", (3,), ","),
    "de-AT": ("\u00a0", (3,), ","),
    "cs": ("\u00a0", (3,), ","),
    "hi-IN": (",", (3, 2), "."),
    "ar-EG": ("\u066c", (3,), "\u066b"),
    "de-CH": ("\u2019'", (3,), "."),
}


@pytest.mark.io
@settings(max_examples=examples(1000))
@given(
    locale=st.sampled_from(sorted(LOCALES)),
    value=st.one_of(amounts, st.integers(-I128_MAX - 1, 10**9), st.just(I128_MAX)),
    decimals=st.integers(0, 38),
)
def test_the_text_of_an_amount_is_exact_in_every_language(
    write: Ask, locale: str, value: int, decimals: int
) -> None:
    answer = write({"locale": locale, "value": str(value), "decimals": decimals, "digits": None})
    whole, fraction = read(answer["text"], locale)
    assert len(fraction) <= decimals
    assert fraction[2:] == fraction[2:].rstrip("0"), "no zeros that say nothing"
    sign = -1 if "-" in answer["text"] else 1
    assert sign * int(whole + fraction.ljust(decimals, "0")) == value
    if value > 0:
        assert int(answer["read"]) == value, "what is typed is read back"


@pytest.mark.io
@settings(max_examples=examples(300))
@given(value=amounts, decimals=st.integers(0, 38), data=st.data())
def test_a_running_amount_has_a_fixed_number_of_decimals_and_is_never_too_high(
    write: Ask, value: int, decimals: int, data: st.DataObject
) -> None:
    digits = data.draw(st.integers(0, decimals))
    question = {"locale": "en", "value": str(value), "decimals": decimals, "digits": digits}
    whole, fraction = read(write(question)["text"], "en")
    assert len(fraction) == digits
    assert int(whole + fraction) == value // 10 ** (decimals - digits)


def read(text: str, locale: str) -> tuple[str, str]:
    """The digits before and after the decimal separator. The groups must have their usual sizes."""
    group, sizes, point = LOCALES[locale]
    whole, _, fraction = re.sub("[-\u061c]", "", text).partition(point)
    groups = re.split(f"[{group}]", whole)[::-1]
    wanted = [sizes[min(n, len(sizes) - 1)] for n in range(len(groups))]
    assert [len(each) for each in groups[:-1]] == wanted[:-1]
    assert 1 <= len(groups[-1]) <= wanted[-1]
    return ascii_digits("".join(groups[::-1])), ascii_digits(fraction)


def ascii_digits(text: str) -> str:
    return "".join(str(int(digit)) for digit in text)


def test_the_page_listens_for_every_event_type() -> None:
    text = (CLIENT / "events.js").read_text()
    listed = re.search(r"EVENT_TYPES = Object\.freeze\(\[(.*?)\]\)", text, re.S)
    assert listed
    wanted = set(EventType) - LOSS_TYPES  # which come as `gap` and `reset`: shared.journal.wire
    assert set(re.findall(r'"([a-z_.]+)"', listed[1])) == wanted


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_each_file_is_short_and_adds_data_as_text(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 250
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)
    for example in ("http://www.w3.org/2000/svg", "https://headrace.example"):
        text = text.replace(example, "")
    assert "://" not in text


def test_the_page_preloads_the_modules_of_its_first_view() -> None:
    """Those of the other views are loaded when the view is shown."""
    wanted, found = ["app", "theme", "live"], set[Path]()
    waiting = [CONSOLE / "js" / f"{name}.js" for name in wanted]
    while waiting:
        if (path := waiting.pop()) not in found:
            found.add(path)
            imports = re.findall(r'^import .* from "(.+)";', path.read_text(), re.M)
            waiting += [_file_of(path, each) for each in imports]
    page = (CONSOLE / "index.html").read_text()
    modules = {_url_of(path) for path in found}
    assert set(re.findall(r'(?:href|src)="(/console/[^"]+\.js)">', page)) == modules


def _file_of(importer: Path, address: str) -> Path:
    """The file of an import. The API serves the client beside the folders of the console."""
    folder, name = (importer.parent / address).resolve().parts[-2:]
    return CLIENT / name if folder in ("headrace", "src") else CONSOLE / folder / name


def _url_of(path: Path) -> str:
    folder = "headrace" if path.parent == CLIENT else path.parent.name
    return f"/console/{folder}/{path.name}"
