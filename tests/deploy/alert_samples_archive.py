"""For promtool: what can be wrong with the archive."""

from __future__ import annotations

from tests.deploy.alert_samples_redis import REDIS_AWAY

LAG = 'headrace_archiver_lag_seconds{instance="r1"}'
FIRST = 'up{job="headrace-archiver",instance="r1"}'
SECOND = 'up{job="headrace-archiver",instance="r2"}'
ACTIVE = 'headrace_archiver_active{instance="r1"}'
READY = 'headrace_ready{job="headrace-archiver",instance="r1",part="archive"}'


def alarm(kind: str) -> str:
    """The series of an alarm of the active archiver."""
    return f'headrace_archiver_alarm{{instance="r1",kind="{kind}"}}'


KINDS = ("store", "gap", "behind", "damaged", "owner")

# Two archivers, one of them active.
WELL = {
    FIRST: "1x200",
    SECOND: "1x200",
    LAG: "12x200",
    ACTIVE: "1x200",
    'headrace_archiver_active{instance="r2"}': "0x200",
    READY: "1x200",
    **{alarm(kind): "0x200" for kind in KINDS},
}
_LAGS: dict[str, str | None] = {LAG: "12x80 12+15x120"}
_GONE: dict[str, str | None] = dict.fromkeys(
    (LAG, ACTIVE, READY, 'headrace_archiver_active{instance="r2"}', *map(alarm, KINDS)),
    "0x80 stale",
)
_FULL: dict[str, str | None] = {'headrace_redis_memory_ratio{instance="a1"}': "0.7x200"}

ARCHIVE: dict[str, tuple[dict[str, str | None], set[str]]] = {
    "there is no archive": (dict.fromkeys(WELL), set()),
    "the archive lags": (_LAGS, {"HeadraceArchiveLags"}),
    "the store is away, so the archive lags": (
        {**_LAGS, READY: "1x80 0x120", alarm("store"): "0x80 1x120"},
        {"HeadraceArchiveStoreAway"},
    ),
    "the store is away, so no archiver holds the lease": (
        {**_LAGS, ACTIVE: "1x80 0x120", READY: "1x80 0x120", alarm("store"): "0x80 1x120"},
        {"HeadraceArchiveStoreAway"},
    ),
    "Redis is away, so no archiver is active and the archive lags": (
        {**REDIS_AWAY, **_LAGS, ACTIVE: "1x80 0x120"},
        {"HeadraceRedisAway"},
    ),
    "no archiver is active": ({**_LAGS, ACTIVE: "1x80 0x120"}, {"HeadraceNoActiveArchiver"}),
    "all archivers were stopped and their names have left DNS": (
        {**_GONE, FIRST: "1x80 stale", SECOND: "1x80 stale"},
        {"HeadraceNoActiveArchiver", "HeadraceReplicaGone"},
    ),
    "events were never archived": ({alarm("gap"): "1x200"}, {"HeadraceArchiverAlarm"}),
    "the archive is damaged, so it lags": (
        {**_LAGS, READY: "0x200", alarm("damaged"): "1x200"},
        {"HeadraceArchiverAlarm"},
    ),
    "the journal is held until the memory fills": (
        {**_LAGS, **_FULL, alarm("store"): "0x80 1x120"},
        {"HeadraceArchiveStoreAway", "HeadraceJournalHeld"},
    ),
    "the memory fills with all events archived": (_FULL, {"HeadraceRedisMemory"}),
}
