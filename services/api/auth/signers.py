"""The signers of an account, read from Horizon. They decide who may log in for the account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog

from services.api.errors import HorizonUnavailableError
from shared.runtime.urls import append_path
from shared.web.horizon_errors import slug

log = structlog.get_logger()

_TIMEOUT = aiohttp.ClientTimeout(total=5.0)
_KEY_TYPE = "ed25519_public_key"


@dataclass(frozen=True, slots=True)
class Signers:
    """The keys of an account with their weights, and the sum of weights that a login needs."""

    weights: Sequence[tuple[str, int]]
    threshold: int


class AccountSigners:
    """Reads signers from Horizon, and checks that Horizon serves our network.

    If an account does not exist, its master key alone may log in. So a wrong 404 would be
    dangerous. A 404 counts only if it has the form of Horizon's own 404, and if Horizon serves our
    network.
    """

    def __init__(self, session: aiohttp.ClientSession, horizon_url: str, passphrase: str) -> None:
        self._session = session
        self._url = horizon_url
        self._passphrase = passphrase
        self._network_checked = False

    async def of(self, account: str) -> Signers | None:
        """Signers and medium threshold of an account (G…); None if the account does not exist yet.

        Raises HorizonUnavailableError.
        """
        try:
            if not self._network_checked:
                await self._check_network()
            status, document = await self._get(f"/accounts/{account}")
            if status == 200 and document.get("account_id") == account:
                return _signers(document)
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
            raise _unavailable(type(error).__name__) from None
        if status == 404 and slug(document) == "not_found":
            return None
        raise _unavailable(f"status {status}")

    async def _check_network(self) -> None:
        _, document = await self._get("/")
        if document["network_passphrase"] != self._passphrase:
            raise _unavailable("Horizon serves another network")
        self._network_checked = True

    async def _get(self, path: str) -> tuple[int, Mapping[str, Any]]:
        url = append_path(self._url, path)
        async with self._session.get(url, timeout=_TIMEOUT, allow_redirects=False) as response:
            document = await response.json(content_type=None)
        if not isinstance(document, dict):
            raise TypeError("not a JSON object")
        return response.status, document


def _signers(document: Mapping[str, Any]) -> Signers:
    """The signers that can sign a challenge. Hashes and pre-authorised transactions cannot."""
    weights = [
        (str(signer["key"]), int(signer["weight"]))
        for signer in document["signers"]
        if signer["type"] == _KEY_TYPE
    ]
    return Signers(weights, int(document["thresholds"]["med_threshold"]))


def _unavailable(reason: str) -> HorizonUnavailableError:
    log.warning("horizon_unable", reason=reason)
    return HorizonUnavailableError("The signers of the account cannot be read from Horizon now.")
