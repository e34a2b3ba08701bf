"""Login: a wallet proves that it owns an account (SEP-10) and gets a token.

The `jti` of a token is the hash of its challenge, and each challenge gives only one login. A
refreshed token has the same `jti`. So if a `jti` is revoked, the whole login ends: all its tokens
and live connections.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from services.api.auth.client_domains import FetchToml, is_public_name, signing_key
from services.api.auth.settings import ANY_DOMAIN, CHALLENGE_SECONDS, LoginSettings
from services.api.auth.signers import AccountSigners
from services.api.auth.tokens import MAX_TOKEN_SECONDS, TokenIssuer
from services.api.errors import (
    ClientDomainRejectedError,
    FeatureDisabledError,
    LoginRejectedError,
)
from shared.auth.claims import principal_of
from shared.auth.principal import Principal, Scope
from shared.auth.revocations import Revocation, RevocationStore
from shared.auth.verifier import Verifier
from shared.redis.clock import Clock

if TYPE_CHECKING:
    from services.api.auth.sep10 import LoginServer

_CLOCK_TOLERANCE = 300  # seconds that stellar-sdk allows between the clocks of wallet and server
_KEPT_CLAIMS = ("auth_time", "client_domain", "topics")  # a refreshed token keeps these


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token and its `exp` in Unix seconds."""

    token: str
    expires: int

    def document(self) -> dict[str, object]:
        """The JSON object that the client gets."""
        return {"token": self.token, "expiresAt": self.expires}


class LoginService:
    """Makes challenges, and issues, refreshes and ends tokens.

    `fetch` reads the stellar.toml of a domain. `clock` is Redis' clock: the `iat` of a token is
    compared with the epoch of the data, which is a time of Redis' clock too.
    """

    def __init__(
        self,
        settings: LoginSettings,
        passphrase: str,
        *,
        verifier: Verifier,
        sessions: RevocationStore,
        signers: AccountSigners,
        fetch: FetchToml,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._passphrase = passphrase
        self._verifier = verifier
        self._sessions = sessions
        self._signers = signers
        self._fetch = fetch
        self._clock = clock
        self._issuer = TokenIssuer(settings, clock)
        if settings.signing_seeds:
            # Import sep10 now. A later import would block the event loop for 0.4 s.
            import services.api.auth.sep10  # noqa: F401, PLC0415

    @property
    def servers(self) -> list[LoginServer]:
        """Our side of the login, with each seed of SIGNING_SEED. The first one signs.

        Raises FeatureDisabledError if SIGNING_SEED is not set.
        """
        if not self._settings.signing_seeds:
            raise FeatureDisabledError(
                "Wallets cannot log in to this API, because it has no signing key (SIGNING_SEED)."
            )
        from services.api.auth import sep10  # noqa: PLC0415 - see sep10.py

        return [
            sep10.LoginServer.from_seed(
                seed,
                home_domain=self._settings.home_domain,
                web_auth_domain=self._settings.login_host,
                passphrase=self._passphrase,
            )
            for seed in self._settings.signing_seeds
        ]

    async def challenge(
        self, account: str, *, memo: int | None, client_domain: str | None
    ) -> dict[str, object]:
        """A transaction for the wallet to sign.

        Raises FeatureDisabledError, ClientDomainRejectedError.
        """
        server, key = self.servers[0], None
        from services.api.auth import sep10  # noqa: PLC0415 - see sep10.py

        # If CLIENT_DOMAINS is empty, ignore the parameter client_domain. SEP-10 allows this.
        domain = client_domain.lower() if client_domain and self._settings.client_domains else None
        if domain:
            key = await self._client_key(domain)
        envelope = sep10.build(
            server,
            account,
            now=int(self._clock()),
            memo=memo,
            client_domain=domain,
            client_key=key,
        )
        return {"transaction": envelope, "network_passphrase": self._passphrase}

    async def _client_key(self, domain: str) -> str:
        allowed = self._settings.client_domains
        if domain not in allowed and ANY_DOMAIN not in allowed:
            raise ClientDomainRejectedError(
                f"client_domain: this API does not accept the domain {domain[:64]}."
            )
        if not is_public_name(domain):
            raise ClientDomainRejectedError(
                "client_domain: must be a public host name of at most 63 characters."
            )
        return await signing_key(domain, self._fetch)

    async def token(self, envelope: str) -> IssuedToken:
        """A token for a signed challenge.

        Raises FeatureDisabledError, ChallengeRejectedError, HorizonUnavailableError.
        """
        servers = self.servers
        from services.api.auth import sep10  # noqa: PLC0415 - see sep10.py

        server, challenge = sep10.read(servers, envelope)
        signers = await self._signers.of(challenge.address)
        sep10.verify(server, challenge, signers)
        await self._sessions.spend_challenge(
            challenge.digest,
            issued=challenge.issued,
            seconds=CHALLENGE_SECONDS + _CLOCK_TOLERANCE,
        )
        user = Principal(challenge.subject, frozenset((Scope.STREAMS_WRITE,)))
        claims: dict[str, object] = {"auth_time": int(self._clock())}
        if challenge.client_domain:
            claims["client_domain"] = challenge.client_domain
        issued = self._issuer.issue(
            user.account,
            user.scopes,
            seconds=self._settings.login_seconds,
            token_id=challenge.digest,
            claims=claims,
            earliest=await self._sessions.first_valid_issue(user),
        )
        return IssuedToken(*issued)

    async def refresh(self, token: str) -> IssuedToken:
        """Exchange a valid token for one that expires later.

        A token can be refreshed until `session_seconds` after the login. Then the wallet must log
        in again, because the account's signers may have changed. Raises Problem 401,
        LoginRejectedError, FeatureDisabledError.
        """
        claims = await self._verifier.claims(token)
        principal = principal_of(claims)
        await self._sessions.check(principal)
        login_time, now = claims.get("auth_time"), int(self._clock())
        left = 0
        # Tokens of another issuer can have `auth_time` too (OpenID Connect). Do not refresh these.
        if isinstance(login_time, int) and self._verifier.is_own(token):
            left = login_time + self._settings.session_seconds - now
        if left <= 0:
            raise LoginRejectedError(
                "This token cannot be refreshed: the login is too long ago, or the token does not "
                "come from a login. Log in again."
            )
        issued = self._issuer.issue(
            principal.account,
            principal.scopes,
            seconds=min(self._settings.login_seconds, left),
            token_id=principal.token_id,
            claims={name: claims[name] for name in _KEPT_CLAIMS if name in claims},
            earliest=principal.issued,
        )
        return IssuedToken(*issued)

    async def logout(self, token: str) -> None:
        """End the login of a token: this token and all refreshed tokens of the same login.

        Raises Problem 401, LoginRejectedError.
        """
        principal = await self._verifier.verify(token)
        await self._sessions.check(principal)
        if not principal.token_id:
            raise LoginRejectedError("This token has no `jti`, so it cannot be ended.")
        await self._sessions.revoke(
            Revocation(token_id=principal.token_id), seconds=MAX_TOKEN_SECONDS
        )

    async def exchange(self, principal: Principal) -> IssuedToken:
        """A token for the principal of an API key. The token expires no later than the key.

        Raises FeatureDisabledError.
        """
        left = self._settings.login_seconds
        if principal.expires is not None:
            left = max(1, min(left, int(principal.expires - self._clock())))
        issued = self._issuer.issue(
            principal.account,
            principal.scopes,
            seconds=left,
            token_id=principal.token_id,
            earliest=await self._sessions.first_valid_issue(principal),
        )
        return IssuedToken(*issued)

    def toml(self) -> str:
        """The stellar.toml (SEP-1): where wallets log in, and which key signs the challenges."""
        server = self.servers[0]
        host = server.web_auth_domain
        local = host.partition(":")[0] in ("localhost", "127.0.0.1")
        values = {
            "VERSION": "2.7.0",
            "NETWORK_PASSPHRASE": self._passphrase,
            "SIGNING_KEY": server.keypair.public_key,
            "WEB_AUTH_ENDPOINT": f"{'http' if local else 'https'}://{host}/v1/auth",
        }
        return "".join(f"{name} = {_toml_string(value)}\n" for name, value in values.items())


def _toml_string(text: str) -> str:
    """The text as a TOML basic string. A JSON string is also a valid TOML string."""
    return orjson.dumps(text).decode()
