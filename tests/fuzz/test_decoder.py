"""The fuzz target runs: for seconds under atheris where it is installed, and on known bytes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.decoder import DECODERS, try_all
from tests.indexer.handmade import DEEP, UNKNOWN, created, meta_v3, meta_v4, proof, result

SEEDS = (created(), meta_v4([created()]), meta_v3(created()), result(proof([])), DEEP, UNKNOWN)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_cut_of_the_seeds_and_no_byte_of_theirs_altered_is_a_finding(seed: bytes) -> None:
    for at in range(0, min(len(seed), 400)):
        try_all(seed[:at])
        try_all(seed[:at] + bytes([seed[at] ^ 0xFF]) + seed[at + 1 :])


def test_a_decoder_that_raises_anything_else_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(data: bytes) -> int:
        return data[0]

    monkeypatch.setattr("tests.fuzz.decoder.DECODERS", (*DECODERS, careless))
    with pytest.raises(IndexError):
        try_all(b"")


@pytest.mark.timeout(120)
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is not installed here"
)
def test_atheris_finds_nothing_within_seconds(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for n, seed in enumerate(SEEDS):
        (corpus / str(n)).write_bytes(seed)
    command = [sys.executable, "-m", "tests.fuzz.decoder", "-max_total_time=5", str(corpus)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
