"""Who may read which history: the rules of a subscription."""

from __future__ import annotations

from services.api.errors import PermissionDeniedError
from services.api.streams.service import StreamService
from shared.auth.principal import ANYONE, Principal, Scope
from shared.domain.topics import ALL, Subscription, is_stream_id


async def require_topics(
    caller: Principal, wanted: Subscription, streams: StreamService, location: str = "parameter"
) -> None:
    """Raise PermissionDeniedError unless the caller may subscribe to all these topics.

    `location` says where the request names its topics: in a "parameter" of the query, or at a JSON
    "pointer" of the body.
    """
    if caller is ANYONE:
        return
    parties = await streams.parties([t for t in wanted.topics if is_stream_id(t)])
    for topic in wanted.topics:
        if not caller.may_subscribe(topic, parties.get(topic, ())):
            raise _denied(caller, topic, location)


def _denied(caller: Principal, topic: str, location: str) -> PermissionDeniedError:
    needs_scope = topic == ALL and not caller.may_see_all()
    if needs_scope:
        message = f"The events of all accounts need a token with the scope {Scope.EVENTS_ALL}."
        detail = f"needs a token with the scope {Scope.EVENTS_ALL}"
    else:
        message = f"You may not read the events of {topic!r}."
        detail = f"has {topic}, which you may not read"
    name = "all" if topic == ALL else "streams" if is_stream_id(topic) else "users"
    where = f"/{name}" if location == "pointer" else name
    return PermissionDeniedError(message, [{location: where, "detail": detail}])
