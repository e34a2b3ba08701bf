"""The settings of the archiver."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from stellar_sdk import Keypair

from services.archiver.settings import ArchiverSettings
from shared.journal.keys import Keys
from tests.archiver.archives import SEED, settings_of


def settings(keys: Keys, **more: object) -> ArchiverSettings:
    return settings_of("redis://localhost:1/0", keys, Path("/archive"), **more)


def test_without_a_seed_nothing_is_signed(keys: Keys) -> None:
    assert (settings(keys).seed, settings(keys).public_key) == (None, None)
    signing = settings(keys, archive_signing_seed=SEED)
    assert (signing.seed, signing.public_key) == (SEED, Keypair.from_secret(SEED).public_key)
    assert SEED not in repr(signing)


def test_a_wrong_seed_is_refused_and_not_shown(keys: Keys) -> None:
    with pytest.raises(ValidationError, match="expected a valid secret seed") as refused:
        settings(keys, archive_signing_seed=f"{SEED[:-1]}A")
    assert SEED[:-1] not in str(refused.value)


@pytest.mark.parametrize("url", ["", "/archive", "http://archive"])
def test_an_archiver_needs_a_store(keys: Keys, url: str) -> None:
    with pytest.raises(ValidationError, match="expected file:///"):
        settings(keys, archive_url=url)
