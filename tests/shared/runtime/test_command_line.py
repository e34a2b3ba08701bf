"""The command line of a service: serve, one command, `--help`, `--version`, or exit code 2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared import __version__
from shared.journal.settings import JournalSettings
from shared.runtime.command_line import Command, Program, invoked_as
from tests.shared.samples import TOKEN

NAMES = [name.upper() for name in JournalSettings.model_fields]
ROOT = Path(__file__).parents[3]
SERVICES = ("services.api", "services.fanout", "services.indexer")


def program(calls: list[object]) -> Program[JournalSettings]:
    def serve(settings: JournalSettings) -> int:
        calls.append(settings.port)
        return 7

    def count(arguments: object) -> int:
        calls.append(arguments)
        return 3

    return Program(
        module="services.example",
        summary="An example.",
        settings=JournalSettings,
        serve=serve,
        commands={"count": Command("count the arguments", count)},
    )


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CONTRACTS", TOKEN)
    return monkeypatch


def test_without_arguments_the_service_runs_with_its_settings(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("PORT", "8080")
    calls: list[object] = []
    assert program(calls).main([]) == 7
    assert calls == [8080]


def test_a_command_gets_the_arguments_after_its_name() -> None:
    calls: list[object] = []
    assert program(calls).main(["count", "--help", "x"]) == 3
    assert calls == [["--help", "x"]]


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_commands_and_every_setting_even_when_a_setting_is_wrong(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    environment.setenv("PORT", "wrong")
    assert program([]).main([flag]) == 0
    usage, summary, commands, settings = capsys.readouterr().out.strip().split("\n\n")
    assert usage.splitlines() == [
        "usage: python -m services.example [--help] [--version]",
        "       python -m services.example count [--help] …",
    ]
    assert summary == "An example."
    assert commands == "Commands:\n  count  count the arguments"
    assert [line.split()[0] for line in settings.splitlines()[1:]] == NAMES


def test_an_unknown_argument_is_named_and_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert program([]).main(["--port=1"]) == 2
    assert "'--port=1'" in capsys.readouterr().err


def test_a_usage_line_shows_the_console_script_when_that_was_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["/opt/venv/bin/headrace-api", "--help"])
    assert invoked_as("services.api") == "headrace-api"
    monkeypatch.setattr("sys.argv", ["/app/services/api/__main__.py"])
    assert invoked_as("services.api") == "python -m services.api"


def ended(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT, env={"PATH": os.environ["PATH"]} | environ, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.mark.io
@pytest.mark.parametrize("module", SERVICES)
def test_every_service_prints_its_version(module: str) -> None:
    done = ended("-m", module, "--version")
    assert done.stdout == f"headrace-{module.split('.')[1]} {__version__}\n"
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.io
@pytest.mark.parametrize(
    ("arguments", "environ", "code", "text"),
    [
        ([], {"PORT": "x"}, 2, "PORT: "),
        (["--help"], {}, 0, "JOURNAL_MAX_AGE"),
        (["--help"], {}, 0, "deadletter"),
        (["--wrong"], {}, 2, "--wrong"),
        (["verify", "--help"], {}, 0, "usage: python -m services.indexer verify"),
    ],
)
def test_a_real_process_prints_the_text_and_ends_with_the_code(
    arguments: list[str], environ: dict[str, str], code: int, text: str
) -> None:
    done = ended("-m", "services.indexer", *arguments, **environ)
    assert done.returncode == code
    assert text in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
