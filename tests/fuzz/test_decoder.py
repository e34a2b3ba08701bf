"""The fuzz target runs: for seconds under atheris if it is installed, and on known bytes."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from shared.chain.xdr.reader import count, opaque
from tests.fuzz.decoder import DECODERS, functions, try_all
from tests.indexer.handmade import DEEP, UNKNOWN, created, meta_v3, meta_v4, proof, result
from tests.support.tier import at_length

SEEDS = (created(), meta_v4([created()]), meta_v3(created()), result(proof([])), DEEP, UNKNOWN)


@pytest.mark.parametrize("seed", SEEDS)
def test_cut_and_altered_seeds_are_no_findings(seed: bytes) -> None:
    for at in range(0, min(len(seed), 400)):
        try_all(seed[:at])
        try_all(seed[:at] + bytes([seed[at] ^ 0xFF]) + seed[at + 1 :])


def test_a_decoder_that_raises_anything_else_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(data: bytes) -> int:
        return data[0]

    monkeypatch.setattr("tests.fuzz.decoder.DECODERS", (*DECODERS, careless))
    with pytest.raises(IndexError):
        try_all(b"")


WHEELS = sys.platform == "linux" and platform.machine() == "x86_64" and sys.version_info < (3, 14)
"""the platform for which pyproject.toml installs atheris"""


def test_only_the_decoder_is_instrumented() -> None:
    found = {*functions()}
    assert {count, opaque} <= found
    assert len(found) > 100
    packages = {f.__module__.rpartition(".")[0] for f in found}
    assert packages <= {"services.indexer", "shared.chain.xdr"}


SECONDS = at_length(2, 120)


@pytest.mark.io
@pytest.mark.timeout(120)
@pytest.mark.skipif(not WHEELS, reason="atheris has no wheel for this machine")
def test_atheris_finds_nothing_within_seconds(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for n, seed in enumerate(SEEDS):
        (corpus / str(n)).write_bytes(seed)
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.decoder",
        f"-max_total_time={SECONDS}",
        str(corpus),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS + 100, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
