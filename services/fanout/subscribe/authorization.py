"""Decides who may subscribe to which events.

Permissions are checked when a client subscribes, and again at each delivery (`Subscriber.wants`),
because a stream can get new parties. A refusal is 401 or 403. A native EventSource does not
reconnect after a refusal: the page has to log in again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING

from aiohttp import web

from services.fanout.subscribe.request import invalid_subscription
from shared.auth.credentials import COOKIE, TokenPlace, forbidden, token_of, unauthorized
from shared.auth.principal import ANYONE, Principal
from shared.auth.revocations import RevocationStore
from shared.auth.tickets import Tickets
from shared.domain.topics import ALL, NO_TOPICS, Subscription, is_stream_id, own_topics
from shared.journal.streams import StoredStreams
from shared.web.client_ip import came_by_tls, client_address

if TYPE_CHECKING:  # imported by services.fanout.app only if tokens are checked
    from shared.auth.verifier import Verifier

_PARAMETERS = ("access_token", "token")
"""Parameters with a token. The API reads only the first one: there, `token` is a filter."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The token of a request. If a ticket was redeemed for it, `cookie` is a Set-Cookie value."""

    token: str = field(repr=False)
    cookie: str | None = field(default=None, repr=False)


class Authorizer:
    """The rules of AUTH_MODE=required. Without a verifier (open) everyone may see everything."""

    def __init__(
        self,
        verifier: Verifier | None,
        revocations: RevocationStore,
        tickets: Tickets,
        streams: StoredStreams,
        *,
        same_site: str,
        trusted_proxies: Collection[IPv4Network | IPv6Network] = (),
    ) -> None:
        self._verifier = verifier
        self._revocations = revocations
        self._tickets = tickets
        self._streams = streams
        self._same_site = same_site
        self._trusted_proxies = trusted_proxies

    async def credentials(self, request: web.Request) -> Credentials | None:
        """The token of a request. None in AUTH_MODE=open, which needs no token.

        An EventSource reconnects with the same URL, although the ticket in the URL is used up. So
        the first response sets a cookie that replaces the ticket. Each response after which a
        client may reconnect must set this cookie. If the first response was lost, the same client
        may use the ticket once more.

        Raises Problem 401, and the errors of Redis.
        """
        if self._verifier is None:
            return None
        ticket = request.query.get("ticket")
        token = ticket and await self._tickets.redeem(ticket, self._client(request))
        if token:
            return Credentials(token, self._cookie(token, request))
        if found := token_of(request, _PARAMETERS):
            return Credentials(found.text)
        if ticket:
            raise unauthorized("the ticket was already used, or is older than 30 s: get a new one")
        raise unauthorized(
            "no token: send Authorization: Bearer, the cookie headrace_token, ?token=, or ?ticket= "
            "from POST /v1/events/ticket"
        )

    def _client(self, request: web.Request) -> str:
        """A text that identifies the client of a ticket: its address and User-Agent."""
        forwarded = request.headers.getall("X-Forwarded-For", [])
        address = client_address(request.remote, forwarded, self._trusted_proxies)
        return f"{address} {request.headers.get('User-Agent', '')}"

    async def admit(
        self, credentials: Credentials | None, subscription: Subscription
    ) -> tuple[Principal, Subscription]:
        """The principal of these credentials, and its subscription, if it may have all the topics.

        A subscription without topics is to the events of the principal's own account. Raises
        Problem 400 if this account can be no party of a stream, Problem 401, 403 or 503 (keys
        unavailable), and the errors of Redis.
        """
        if credentials is None:
            return ANYONE, subscription
        principal = await self._verified(credentials)
        if not subscription.topics:
            subscription = replace(subscription, topics=own_topics(principal.account))
        if not subscription.topics:
            raise invalid_subscription([NO_TOPICS])
        await self._check(principal, subscription.topics)
        return principal, subscription

    async def admit_admin(self, request: web.Request) -> Principal:
        """The principal of an admin's request; ANYONE in AUTH_MODE=open.

        A change needs the token in the header, because browsers add the cookie also to requests
        that other sites make (CSRF). Raises Problem 401 and 403, and the errors of Redis.
        """
        if self._verifier and request.method != "GET":
            found = token_of(request)
            if found is None or found.place is not TokenPlace.HEADER:
                raise unauthorized("a change needs the token in the header: Authorization: Bearer")
        if (credentials := await self.credentials(request)) is None:
            return ANYONE
        principal = await self._verified(credentials)
        if not principal.is_admin():
            raise forbidden("this request needs the scope admin, without the claim `topics`")
        return principal

    async def _verified(self, credentials: Credentials) -> Principal:
        assert self._verifier is not None
        principal = await self._verifier.verify(credentials.token)
        await self._revocations.check(principal)
        return principal

    def _cookie(self, token: str, request: web.Request) -> str:
        """The value of Set-Cookie. Browsers accept SameSite=None only together with Secure."""
        protocols = request.headers.getall("X-Forwarded-Proto", [])
        by_tls = request.secure or came_by_tls(request.remote, protocols, self._trusted_proxies)
        secure = "; Secure" if by_tls or self._same_site == "None" else ""
        return f"{COOKIE}={token}; Path=/; HttpOnly; SameSite={self._same_site}{secure}"

    async def _check(self, principal: Principal, topics: Collection[str]) -> None:
        streams = [topic for topic in topics if is_stream_id(topic)]
        to_load = [] if principal.may_see_all() else streams
        parties = await self._parties(to_load)
        errors = [
            {"parameter": _parameter(topic), "detail": f"{topic!r} is not visible to this account"}
            for topic in topics
            if not principal.may_subscribe(topic, parties.get(topic, ()))
        ]
        if errors:
            detail = "; ".join(error["detail"] for error in errors[:5])
            raise forbidden(detail, errors)

    async def _parties(self, stream_ids: Collection[str]) -> Mapping[str, tuple[str, str]]:
        stored = await self._streams.load(stream_ids)
        return {i: (s.sender, s.recipient) for i, s in stored.items() if s}


def _parameter(topic: str) -> str:
    if topic == ALL:
        return "all"
    return "streams" if is_stream_id(topic) else "users"
