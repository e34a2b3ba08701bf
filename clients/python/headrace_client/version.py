"""The version of the package."""

from __future__ import annotations

__version__ = "0.1.0"

USER_AGENT = f"headrace-client/{__version__}"
"""How the client names itself to a server. A ticket is valid for one address and one User-Agent."""
