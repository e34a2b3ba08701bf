"""The settings of services that read the archive."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from shared.archive.settings import ArchiveSettings


@pytest.mark.parametrize("url", ["", "file:///data/archive", "s3://b/p", "gs://b", "az://c/p"])
def test_an_archive_is_in_an_object_store(url: str) -> None:
    assert ArchiveSettings(archive_url=url).archive_url == url


@pytest.mark.parametrize(
    "url", ["/data", "file://data", "https://user:secret@h/", "s4://b", "s3://", "file:///"]
)
def test_other_urls_are_refused_without_their_secrets(url: str) -> None:
    with pytest.raises(ValidationError, match="expected file:///") as caught:
        ArchiveSettings(archive_url=url)
    (error,) = caught.value.errors()
    assert "secret" not in error["msg"]
