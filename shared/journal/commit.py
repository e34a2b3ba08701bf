"""The commit: the only way to add events to the journal.

One commit is one call of a Lua script. The script first checks the fencing token, the positions of
the events and the versions of the streams. Then it writes the states of the streams, the journal,
the message on the channel, the indexes, the progress of the source and the dead letters. When two
commits change the same stream at the same time, the script refuses the second one. Its committer
reads the stream again and decides again.

See docs/decisions/0003-one-atomic-commit.md,
docs/decisions/0012-api-waits-for-a-lost-journal.md,
docs/decisions/0033-wait-for-replicas.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from shared.domain.events import Event, EventType
from shared.domain.position import START, Position, parse_position
from shared.journal.commit_errors import ContentionError, refusal_of
from shared.journal.keys import Keys
from shared.journal.plan import (
    CommitRequest,
    IndexLimit,
    PlannedWrite,
    Retention,
    SourceProgress,
    StoredResponse,
    StreamStates,
    plan_writes,
)
from shared.journal.streams import StoredStreams
from shared.journal.topic_index import report_damaged
from shared.redis.replication import NotReplicatedError, Replicas
from shared.redis.scripts import load_script
from shared.runtime import tracing as traces
from shared.runtime.metrics import COMMITS

_SCRIPT = "".join(load_script(__package__, name) for name in ("topic_sets", "retention", "commit"))
_ATTEMPTS = 50
_NO_PROGRESS = SourceProgress()

Decide = Callable[[StreamStates], Sequence[Event]]
"""Returns the events to commit, given the stored states. It is called again after a conflict."""


@dataclass(frozen=True, slots=True)
class CommitResult:
    """The events that were written, with their positions.

    `seen` counts events that the journal already had. `stored_response` is set when an earlier
    request used the same idempotency key; then nothing was written.
    """

    writes: Sequence[PlannedWrite]
    positions: Sequence[Position]
    seen: int = 0
    stored_response: bytes | None = None


class Committer:
    """Commits to one namespace. `token` is the fencing token of the indexer, "" for the API.

    With `replicas`, a commit and a read of a stored response wait until the replicas have all
    writes. Both raise NotReplicatedError if that takes longer than a second.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        *,
        retention: Retention | None = None,
        token: str = "",
        replicas: Replicas | None = None,
    ) -> None:
        self.keys = keys
        self.streams = StoredStreams(redis, keys)
        self._retention = retention or Retention()
        self._token = token
        self._replicas = replicas or Replicas(redis)
        self._script = redis.register_script(_SCRIPT)
        self._floor = START

    def stay_above(self, position: Position) -> None:
        """Assign only positions above this one, even if Redis loses the events up to it."""
        self._floor = max(self._floor, position)

    async def stored_response(self, key: str) -> bytes | None:
        """The response that a commit stored under `key` (StoredResponse); None if there is none."""
        pipe = self._replicas.pipeline()
        pipe.get(key)
        stored: bytes | None = (await self._replicas.execute(pipe))[0]
        return stored

    async def change(
        self,
        stream_ids: Collection[str],
        decide: Decide,
        response: StoredResponse | None = None,
        *,
        fresh: bool = False,
        limit: IndexLimit | None = None,
    ) -> CommitResult:
        """Commit the events that `decide` returns for the stored states of these streams.

        The commit also stores `response`. If a response is already stored under
        `response.key`, the commit writes nothing. `fresh` says that the stream ids are new, so the
        streams are not read before the first attempt. Raises ContentionError, JournalBehindError,
        QuotaExceededError above `limit`, and whatever `decide` raises.
        """
        return await self._commit(stream_ids, decide, response=response, fresh=fresh, limit=limit)

    async def record(
        self,
        events: Sequence[Event],
        *,
        progress: Mapping[str, str],
        dead: Sequence[bytes] = (),
        after: int | None = None,
        caught_up: bool = False,
    ) -> CommitResult:
        """Commit chain events in order, with the progress of the source and dead letters.

        Events that the journal already has are skipped. SourceProgress explains `after` and
        `caught_up`. Raises FencedError, JournalInconsistentError, CursorMovedError,
        ContentionError.
        """
        positions = [e.position for e in events if e.position is not None]
        if len(positions) != len(events) or positions != sorted(set(positions)):
            raise ValueError("chain events need positions, each above the one before")
        ids = list(dict.fromkeys(e.stream_id for e in events if e.stream_id is not None))
        new = {e.stream_id for e in events if e.stream_id and e.type is EventType.STREAM_CREATED}
        source = SourceProgress(progress, after, caught_up)
        return await self._commit(ids, lambda _: events, progress=source, dead=dead, new=new)

    async def _commit(
        self,
        stream_ids: Collection[str],
        decide: Decide,
        *,
        progress: SourceProgress = _NO_PROGRESS,
        dead: Sequence[bytes] = (),
        response: StoredResponse | None = None,
        limit: IndexLimit | None = None,
        fresh: bool = False,
        new: Collection[str] = (),
    ) -> CommitResult:
        """Try again while other commits change the same streams, at most `_ATTEMPTS` times.

        `new` are the ids of the streams that these events create.
        """
        seen: set[str] = set()
        began = traces.clock()
        for attempt in range(_ATTEMPTS):
            unread = fresh and not attempt
            streams = dict.fromkeys(stream_ids) if unread else await self.streams.load(stream_ids)
            absent = [i for i, s in streams.items() if s is None and not fresh and i not in new]
            rebuilt = await self.streams.rebuild(absent)
            streams |= rebuilt
            events = [e for e in decide(streams) if str(e.position) not in seen]
            writes = plan_writes(events, streams)
            request = CommitRequest(self.keys)
            request.fill(
                writes,
                streams=streams,
                rebuilt=rebuilt,
                token=self._token,
                floor=self._raise_floor(streams),
                retention=self._retention,
                progress=progress,
                dead=dead,
                response=response,
                limit=limit,
            )
            outcome, *rest = await self._call(request)
            COMMITS.labels(outcome.decode()).inc()
            match outcome:
                case b"committed":
                    positions = self._assigned(rest)
                    types = (write.event.type for write in writes)
                    traces.record_commits(zip(map(str, positions), types, strict=True), began)
                    return CommitResult(writes, positions, len(seen))
                case b"answered":
                    return CommitResult((), (), stored_response=rest[0])
                case b"seen":
                    seen.update(p.decode() for p in rest)
                case b"conflict":
                    continue
                case _:
                    raise refusal_of(outcome, rest, progress)
        raise ContentionError(
            f"other commits changed stream {', '.join(stream_ids)} at each of {_ATTEMPTS} attempts"
        )

    async def _call(self, request: CommitRequest) -> list[bytes]:
        reply: list[bytes]
        if not self._replicas.count:
            reply = await self._script(keys=request.keys, args=request.args)
            return reply
        pipe = self._replicas.pipeline()
        await self._script(keys=request.keys, args=request.args, client=pipe)
        try:
            (reply,) = await self._replicas.execute(pipe)
        except NotReplicatedError as late:
            outcome, *rest = late.answers[0]
            if outcome == b"committed":
                self._assigned(rest)
            raise
        return reply

    def _assigned(self, reply: Sequence[bytes]) -> list[Position]:
        """Parse the positions that the script assigned, and raise the floor to them."""
        damaged, *texts = reply
        report_damaged(damaged.decode().split())
        positions = [parse_position(text.decode()) for text in texts]
        self._floor = max(self._floor, *positions, START)
        return positions

    def _raise_floor(self, streams: StreamStates) -> Position:
        for stream in streams.values():
            if stream is not None:
                self._floor = max(self._floor, parse_position(stream.position))
        return self._floor
