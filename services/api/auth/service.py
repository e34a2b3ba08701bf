"""Login: a wallet proves its account (SEP-10) and gets a token; tokens are refreshed and ended.

A token's `jti` is the hash of the challenge. Refreshing keeps it, and one challenge gives one
login, so a revocation of it ends the whole login, live connections included.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from stellar_sdk import Keypair

from services.api.auth import sep10 as challenges
from services.api.auth.client_domains import FetchToml, is_public_name, signing_key
from services.api.auth.sep10 import CHALLENGE_SECONDS, ChallengeRejectedError, LoginServer
from services.api.auth.settings import ANY_DOMAIN, LoginSettings
from services.api.auth.signers import AccountSigners
from services.api.auth.tokens import MAX_TOKEN_SECONDS, TokenIssuer
from shared.auth.credentials import unauthorized
from shared.auth.principal import Principal, Scope, principal_of
from shared.auth.revocations import Revocation, Sessions
from shared.auth.verifier import Verifier
from shared.redis.clock import Clock
from shared.web.problems import Problem, Slug

_GRACE = 300  # seconds by which stellar-sdk lets clocks differ


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token and its `exp` in Unix seconds."""

    token: str
    expires: int

    def document(self) -> dict[str, object]:
        """The JSON object of the answers."""
        return {"token": self.token, "expiresAt": self.expires}


class LoginService:
    """SEP-10 and what follows, by the settings. `fetch` reads a stellar.toml.

    `clock` is Redis' clock, as for the epoch.
    """

    def __init__(
        self,
        settings: LoginSettings,
        passphrase: str,
        *,
        verifier: Verifier,
        sessions: Sessions,
        accounts: AccountSigners,
        fetch: FetchToml,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._passphrase = passphrase
        self._verifier = verifier
        self._sessions = sessions
        self._accounts = accounts
        self._fetch = fetch
        self._clock = clock
        self._issuer = TokenIssuer(settings, clock)

    @property
    def server(self) -> LoginServer:
        """The signing side. Raises Problem 404 where wallets cannot log in."""
        seed = self._settings.signing_seed.get_secret_value()
        if not seed:
            word = "wallets cannot log in here: there is no signing key (SIGNING_SEED)"
            raise Problem(404, Slug.NOT_FOUND, word)
        return LoginServer(
            Keypair.from_secret(seed),
            self._settings.home_domain,
            self._settings.login_host,
            self._passphrase,
        )

    async def challenge(
        self, account: str, *, memo: int | None, client_domain: str | None
    ) -> dict[str, object]:
        """GET /auth: a transaction for the wallet to sign. Raises Problem 400, 404."""
        server, key = self.server, None
        # SEP-10 leaves it to the server whether it knows client domains: off, it looks away.
        domain = client_domain.lower() if client_domain and self._settings.client_domains else None
        if domain:
            key = await self._client_key(domain)
        envelope = challenges.build(
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
        try:
            if domain not in allowed and ANY_DOMAIN not in allowed:
                raise ChallengeRejectedError(f"the client domain {domain[:64]} is not known here")
            if not is_public_name(domain):
                raise ChallengeRejectedError(
                    "client_domain: expected a public host name of at most 63 letters"
                )
            return await signing_key(domain, self._fetch)
        except ChallengeRejectedError as refused:
            raise Problem(400, Slug.MALFORMED, str(refused)) from None

    async def token(self, envelope: str) -> IssuedToken:
        """POST /auth: a token for a signed challenge. Raises Problem 401, 404, 503."""
        server = self.server
        try:
            challenge = challenges.read(server, envelope)
            signers = await self._accounts.signers(challenge.address)
            challenges.verify(server, challenge, signers)
        except ChallengeRejectedError as refused:
            raise unauthorized(str(refused)) from None
        span = CHALLENGE_SECONDS + _GRACE
        await self._sessions.spend_challenge(
            challenge.digest, issued=challenge.issued, seconds=span
        )
        claims: dict[str, object] = {"auth_time": int(self._clock())}
        if challenge.client_domain:
            claims["client_domain"] = challenge.client_domain
        issued = self._issuer.issue(
            challenge.subject,
            [Scope.STREAMS_WRITE],
            seconds=self._settings.login_seconds,
            token_id=challenge.digest,
            claims=claims,
        )
        return IssuedToken(*issued)

    async def refresh(self, token: str) -> IssuedToken:
        """A token that lives longer, for one that is good still. Raises Problem 401, 404.

        Until `session_seconds` after the login, since signers may have changed meanwhile.
        """
        claims = await self._verifier.claims(token)
        principal = principal_of(claims)
        await self._sessions.check(principal)
        since, now = claims.get("auth_time"), int(self._clock())
        left = since + self._settings.session_seconds - now if isinstance(since, int) else 0
        if left <= 0:
            raise unauthorized("the login is too old to be refreshed, or was none: log in again")
        kept = {name: claims[name] for name in _KEPT if name in claims}
        issued = self._issuer.issue(
            principal.account,
            principal.scopes,
            seconds=min(self._settings.login_seconds, left),
            token_id=principal.token_id,
            claims=kept,
        )
        return IssuedToken(*issued)

    async def logout(self, token: str) -> None:
        """End the login of a token, with all that it was refreshed to. Raises Problem 401."""
        principal = await self._verifier.verify(token)
        await self._sessions.check(principal)
        if not principal.token_id:
            raise unauthorized("the token has no `jti`, by which it could be ended")
        await self._sessions.revoke(
            Revocation(token_id=principal.token_id), seconds=MAX_TOKEN_SECONDS
        )

    def exchange(self, principal: Principal) -> IssuedToken:
        """A token for an API key's principal, which lives no longer than the key. Raises 404."""
        left = self._settings.login_seconds
        if principal.expires is not None:
            left = max(1, min(left, int(principal.expires - self._clock())))
        issued = self._issuer.issue(
            principal.account, principal.scopes, seconds=left, token_id=principal.token_id
        )
        return IssuedToken(*issued)

    def toml(self) -> str:
        """/.well-known/stellar.toml (SEP-1): where wallets log in, and by whose key."""
        server = self.server
        host = server.web_auth_domain
        local = host.partition(":")[0] in ("localhost", "127.0.0.1")
        lines = {
            "VERSION": "2.7.0",
            "NETWORK_PASSPHRASE": self._passphrase,
            "SIGNING_KEY": server.keypair.public_key,
            "WEB_AUTH_ENDPOINT": f"{'http' if local else 'https'}://{host}/v1/auth",
        }
        return "".join(f"{name} = {_quoted(value)}\n" for name, value in lines.items())


_KEPT = ("auth_time", "client_domain", "topics")


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are TOML's."""
    return orjson.dumps(text).decode()
