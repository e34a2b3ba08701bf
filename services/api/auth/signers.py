"""The signers of an account, as Horizon knows them: who may log in for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import structlog

from services.api.auth.sep10 import Signers
from shared.runtime.urls import joined
from shared.web.horizon_errors import slug
from shared.web.problems import Problem, unavailable

log = structlog.get_logger()

_TIMEOUT = aiohttp.ClientTimeout(total=5.0)
_KEY = "ed25519_public_key"


class AccountSigners:
    """Asks Horizon; only answers that are surely of our network count.

    That an account does not exist lets its master key in alone, so a 404 of something that is no
    Horizon, or of one of another network, must never be taken for that.
    """

    def __init__(self, session: aiohttp.ClientSession, horizon_url: str, passphrase: str) -> None:
        self._session = session
        self._url = horizon_url
        self._passphrase = passphrase
        self._network_checked = False

    async def signers(self, account: str) -> Signers | None:
        """Keys and medium threshold of a G… account; None when there is no such account yet.

        Raises Problem 503 while Horizon cannot tell.
        """
        try:
            if not self._network_checked:
                await self._check_network()
            status, document = await self._get(f"/accounts/{account}")
            if status == 200 and document.get("account_id") == account:
                return _signers(document)
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
            raise _unable(type(error).__name__) from None
        if status == 404 and slug(document) == "not_found":
            return None
        raise _unable(f"answer {status}")

    async def _check_network(self) -> None:
        _, document = await self._get("/")
        if document["network_passphrase"] != self._passphrase:
            raise _unable("another network")
        self._network_checked = True

    async def _get(self, path: str) -> tuple[int, Mapping[str, Any]]:
        url = joined(self._url, path)
        async with self._session.get(url, timeout=_TIMEOUT, allow_redirects=False) as response:
            document = await response.json(content_type=None)
        if not isinstance(document, dict):
            raise TypeError("no JSON object")
        return response.status, document


def _signers(document: Mapping[str, Any]) -> Signers:
    """Signers of other types (hashes, pre-authorised transactions) cannot sign a challenge."""
    weights = [
        (str(signer["key"]), int(signer["weight"]))
        for signer in document["signers"]
        if signer["type"] == _KEY
    ]
    return Signers(weights, int(document["thresholds"]["med_threshold"]))


def _unable(why: str) -> Problem:
    log.warning("horizon_unable", why=why)
    return unavailable("the account's signers cannot be read from Horizon now")
