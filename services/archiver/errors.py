"""Why the archiver stops until an operator has acted."""

from __future__ import annotations

from shared.domain.errors import HeadraceError


class ForeignArchiveError(HeadraceError):
    """The archive belongs to another network or contract. An operator must change a setting."""
