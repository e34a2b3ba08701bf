"""Who may read which history: the rules of a subscription."""

from __future__ import annotations

from services.api.errors import PermissionDeniedError
from services.api.streams.service import StreamService
from shared.auth.principal import ANYONE, Principal
from shared.domain.topics import Subscription, is_stream_id


async def require_topics(caller: Principal, wanted: Subscription, streams: StreamService) -> None:
    """Raise PermissionDeniedError unless the caller may subscribe to all these topics."""
    if caller is ANYONE:
        return
    parties = await streams.parties([t for t in wanted.topics if is_stream_id(t)])
    for topic in wanted.topics:
        if not caller.may_subscribe(topic, parties.get(topic, ())):
            raise PermissionDeniedError(f"You may not read the events of {topic!r}.")
