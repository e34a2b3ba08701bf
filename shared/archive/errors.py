"""The errors of the archive."""

from __future__ import annotations

from shared.domain.errors import HeadraceError


class ArchiveError(HeadraceError):
    """Something is wrong with the archive."""


class ArchiveUnavailableError(ArchiveError):
    """The store does not answer, or refuses. The same call can succeed later."""


class NotInArchiveError(ArchiveUnavailableError):
    """The store has no such object. Perhaps it was merged: refresh the catalog and try again."""


class AlreadyArchivedError(ArchiveError):
    """The object exists already: another archiver was faster. Refresh the catalog."""


class DamagedArchiveError(ArchiveError):
    """An object in the archive is not what it should be: wrong hash, order or signature."""
