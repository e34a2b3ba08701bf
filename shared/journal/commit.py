"""The commit: the only way that an event gets into the journal.

One Lua call checks and writes everything together: fencing token, positions already used, stream
versions; then stream states, journal, announcement on the channel, indexes, progress of the source,
dead letters. Two that race never both win: the loser reads again and decides anew.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from shared.domain.errors import HeadraceError
from shared.domain.events import Event, EventType
from shared.domain.position import START, Position, parse_position
from shared.journal.keys import Keys
from shared.journal.plan import (
    CommitRequest,
    PlannedWrite,
    Retention,
    SourceProgress,
    StoredResponse,
    StreamStates,
    plan_writes,
)
from shared.journal.streams import StoredStreams
from shared.redis.replication import NotReplicatedError, Replicas
from shared.redis.scripts import load_script
from shared.runtime import tracing as traces
from shared.runtime.metrics import COMMITS

_SCRIPT = load_script(__package__, "commit")
_ATTEMPTS = 50
_NOTHING = SourceProgress()

Decide = Callable[[StreamStates], Sequence[Event]]
"""From the stored states to the events; called again when a race was lost."""


class CommitError(HeadraceError):
    """The journal did not take a commit; nothing of it was written."""


class FencedError(CommitError):
    """Another indexer is active; this one must stop writing."""


class JournalInconsistentError(CommitError):
    """A chain event is missing inside the kept journal while later ones are there: never guess."""


class JournalBehindError(CommitError):
    """Redis may have lost writes and the indexer has not brought them back yet; try again."""


class CursorMovedError(CommitError):
    """The stored cursor is not the one that was read from: Redis lost writes. Read from there."""


class ContentionError(CommitError):
    """Others changed the same streams each time; try again later."""


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What was written: each event with its position, and how many had been there already.

    `stored_response` is set when an earlier request used the same key; then nothing was written.
    """

    writes: Sequence[PlannedWrite]
    positions: Sequence[Position]
    seen: int = 0
    stored_response: bytes | None = None


class Committer:
    """Commits to one namespace. `token` is the indexer's fencing token, "" for the API.

    Where there are `replicas` to wait for, whatever writes or tells what was written raises
    Unconfirmed when they are late.
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
        """Give out no position up to this one, even when Redis loses what is there."""
        self._floor = max(self._floor, position)

    async def stored_response(self, key: str) -> bytes | None:
        """What was answered under a key (shared.journal.plan.StoredResponse), if anything."""
        pipe = self._replicas.pipeline()
        pipe.get(key)
        stored: bytes | None = (await self._replicas.execute(pipe))[0]
        return stored

    async def change(
        self,
        stream_ids: Collection[str],
        decide: Decide,
        answer: StoredResponse | None = None,
        *,
        fresh: bool = False,
    ) -> CommitResult:
        """Commit what `decide` makes of the stored states; what it raises passes through.

        `answer` is kept with it, unless there is one already. Ids that are `fresh`, made up just
        now, are not looked for first. Raises ContentionError when a race was lost too often,
        JournalBehindError.
        """
        return await self._commit(stream_ids, decide, answer=answer, fresh=fresh)

    async def record(
        self,
        events: Sequence[Event],
        *,
        progress: Mapping[str, str],
        dead: Sequence[bytes] = (),
        after: int | None = None,
        caught_up: bool = False,
    ) -> CommitResult:
        """Commit chain events in order, with the source's progress and dead letters.

        Events that the journal has already are left out. `after` and `caught_up` are as in
        Progress. Raises FencedError, JournalInconsistentError, CursorMovedError, ContentionError.
        """
        positions = [e.position for e in events if e.position is not None]
        if len(positions) != len(events) or positions != sorted(set(positions)):
            raise ValueError("chain events need positions, each above the one before")
        ids = list(dict.fromkeys(e.stream_id for e in events if e.stream_id is not None))
        new = {e.stream_id for e in events if e.stream_id and e.type is EventType.STREAM_CREATED}
        made = SourceProgress(progress, after, caught_up)
        return await self._commit(ids, lambda _: events, read=made, dead=dead, new=new)

    async def _commit(
        self,
        stream_ids: Collection[str],
        decide: Decide,
        *,
        read: SourceProgress = _NOTHING,
        dead: Sequence[bytes] = (),
        answer: StoredResponse | None = None,
        fresh: bool = False,
        new: Collection[str] = (),
    ) -> CommitResult:
        seen: set[str] = set()
        began = traces.clock()
        for attempt in range(_ATTEMPTS):
            unseen = fresh and not attempt
            streams = dict.fromkeys(stream_ids) if unseen else await self.streams.load(stream_ids)
            absent = [i for i, s in streams.items() if s is None and not fresh and i not in new]
            gone = await self.streams.rebuild(absent)
            streams |= gone
            events = [e for e in decide(streams) if str(e.position) not in seen]
            writes = plan_writes(events, streams)
            request = CommitRequest(self.keys)
            request.fill(
                writes,
                streams=streams,
                gone=gone,
                token=self._token,
                floor=self._raise_floor(streams),
                retention=self._retention,
                progress=read,
                dead=dead,
                answer=answer,
            )
            outcome, *rest = await self._call(request)
            COMMITS.labels(outcome.decode()).inc()
            match outcome:
                case b"committed":
                    positions = self._given(rest)
                    kinds = (write.event.type for write in writes)
                    traces.record_commits(zip(map(str, positions), kinds, strict=True), began)
                    return CommitResult(writes, positions, len(seen))
                case b"answered":
                    return CommitResult((), (), stored_response=rest[0])
                case b"seen":
                    seen.update(p.decode() for p in rest)
                case b"fenced":
                    raise FencedError(
                        f"the indexer {rest[0].decode() or '(none)'} is active, not this"
                    )
                case b"disorder":
                    raise JournalInconsistentError(_DISORDER.format(rest[0].decode()))
                case b"behind":
                    raise JournalBehindError(
                        f"the journal does not reach {rest[0].decode()} again yet"
                    )
                case b"unsettled":
                    raise JournalBehindError(_UNSETTLED)
                case b"moved":
                    raise CursorMovedError(_MOVED.format(rest[0].decode() or "gone", read.after))
                case b"conflict":
                    continue
                case _:
                    raise AssertionError(f"commit.lua answered {outcome!r}, which is not known")
        raise ContentionError(
            f"streams {', '.join(stream_ids)} changed {_ATTEMPTS} times meanwhile"
        )

    async def _call(self, request: CommitRequest) -> list[bytes]:
        answer: list[bytes]
        if not self._replicas.count:
            answer = await self._script(keys=request.keys, args=request.args)
            return answer
        pipe = self._replicas.pipeline()
        await self._script(keys=request.keys, args=request.args, client=pipe)
        try:
            (answer,) = await self._replicas.execute(pipe)
        except NotReplicatedError as late:
            outcome, *rest = late.answers[0]
            if outcome == b"committed":
                self._given(rest)
            raise
        return answer

    def _given(self, places: Sequence[bytes]) -> list[Position]:
        """Positions that were given out; none up to the highest is given again."""
        positions = [parse_position(place.decode()) for place in places]
        self._floor = max(self._floor, *positions, START)
        return positions

    def _raise_floor(self, streams: StreamStates) -> Position:
        for stream in streams.values():
            if stream is not None:
                self._floor = max(self._floor, parse_position(stream.position))
        return self._floor


_DISORDER = (
    "event {} is not in the journal although later ones are; the journal must be rebuilt from the "
    "chain (docs/operations.md)"
)
_UNSETTLED = "Redis was restarted or failed over: the indexer has not caught up with the chain"
_MOVED = "the stored cursor is {}, not {}: Redis lost writes, which are read again from there"
