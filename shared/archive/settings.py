"""The settings of every service that reads the archive."""

from __future__ import annotations

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from shared.runtime.urls import redacted

_SCHEMES = ("file:///", "s3://", "gs://", "az://")


def check_archive_url(value: str) -> str:
    """Validate ARCHIVE_URL. Raises ValueError; the message shows what is expected."""
    if value and (not value.startswith(_SCHEMES) or value in _SCHEMES):
        raise ValueError(f"{redacted(value)}: expected file:///…, s3://…, gs://… or az://…")
    return value.rstrip("/")


class ArchiveSettings(BaseSettings):
    """Where the archive is, and how much of it is kept on the local disk."""

    archive_url: str = Field(
        "",
        description="object store with the archive: file:///…, s3://…, gs://…, az://…; "
        "empty = no archive (the archiver needs one)",
    )
    archive_cache_dir: str = Field(
        "", description="folder for blocks of the archive; empty = a temporary folder"
    )
    archive_cache_bytes: int = Field(
        1_000_000_000, ge=0, description="about how many bytes that folder may have; 0 = no cache"
    )

    @field_validator("archive_url")
    @classmethod
    def _archive_url(cls, value: str) -> str:
        return check_archive_url(value)
