"""The archiver's settings."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from shared.archive.settings import ArchiveSettings
from shared.domain.strkeys import is_secret_seed
from shared.journal.settings import JournalSettings


class ArchiverSettings(ArchiveSettings, JournalSettings):
    """All settings of the archiver, read from environment variables."""

    archive_signing_seed: SecretStr = Field(
        SecretStr(""),
        description="secret seed (S…) of the key that signs the archive's manifests; empty = they "
        "are not signed",
    )
    archive_segment_bytes: int = Field(
        10_000_000, ge=1_000, description="about how large a segment becomes before it is written"
    )
    archive_seconds: float = Field(
        10.0, gt=0, description="seconds until an event is written to the archive at the latest"
    )
    archive_keep_days: int = Field(
        0, ge=0, description="days that the archive keeps an event; 0 = for ever"
    )
    archive_lease_seconds: float = Field(
        10.0, gt=0.2, description="seconds until a standby takes over from a dead archiver"
    )

    @field_validator("archive_url")
    @classmethod
    def _required(cls, value: str) -> str:
        if not value:
            raise ValueError("not set; expected file:///…, s3://…, gs://… or az://…")
        return value

    @field_validator("archive_signing_seed")
    @classmethod
    def _seed(cls, value: SecretStr) -> SecretStr:
        if value and not is_secret_seed(value.get_secret_value()):  # no seed in the error
            raise ValueError("expected a valid secret seed: S… with a correct checksum")
        return value

    @property
    def seed(self) -> str | None:
        """The secret seed that signs; None if manifests are not signed."""
        return self.archive_signing_seed.get_secret_value() or None

    @property
    def public_key(self) -> str | None:
        """The public key (G…) of the seed."""
        if self.seed is None:
            return None
        from stellar_sdk import Keypair  # noqa: PLC0415 - only an archiver with a seed needs it

        return Keypair.from_secret(self.seed).public_key
