"""For promtool: the series of a healthy installation, and how each problem changes them."""

from __future__ import annotations

from tests.deploy.alert_samples_archive import ARCHIVE
from tests.deploy.alert_samples_archive import WELL as ARCHIVE_WELL
from tests.deploy.alert_samples_redis import MAX, REDIS, STEADY, USED
from tests.deploy.alert_samples_webhooks import WEBHOOKS
from tests.deploy.alert_samples_webhooks import WELL as WEBHOOKS_WELL

SKEW = 'headrace_clock_skew_seconds{job="headrace-api",instance="a1"}'
REPLICA_LAG = 'headrace_fanout_replica_lag_seconds{instance="f1"}'

ASKED = 'headrace_ready{job="headrace-api",instance="a1",part="http://fanout:8080/readyz"}'

# A healthy installation: two indexers, one of them active, two fanouts, an API, two archivers, two
# dispatchers of webhooks.
WELL = {
    **ARCHIVE_WELL,
    **WEBHOOKS_WELL,
    'up{job="headrace-fanout",instance="f1"}': "1x200",
    'up{job="headrace-fanout",instance="f2"}': "1x200",
    'up{job="headrace-api",instance="a1"}': "1x200",
    'up{job="headrace-indexer",instance="i1"}': "1x200",
    'up{job="headrace-indexer",instance="i2"}': "1x200",
    'headrace_redis_up{instance="a1"}': "1x200",
    'headrace_redis_up{instance="f1"}': "1x200",
    'headrace_redis_memory_ratio{instance="a1"}': "0.3x200",
    USED: "300+1x200",
    MAX: "1000000x200",
    'headrace_redis_problem{instance="a1",problem="evicts"}': "0x200",
    'headrace_redis_problem{instance="a1",problem="no_aof"}': "0x200",
    'headrace_ready{job="headrace-fanout",instance="f1",part="feed"}': "1x200",
    'headrace_ready{job="headrace-api",instance="a1",part="redis"}': "1x200",
    SKEW: "-1x200",
    'headrace_namespace{job="headrace-api",instance="a1",name="x"}': "1x200",
    'headrace_namespace{job="headrace-fanout",instance="f1",name="x"}': "1x200",
    'headrace_namespace{job="headrace-fanout",instance="f2",name="x"}': "1x200",
    'headrace_namespace{job="headrace-indexer",instance="i1",name="x"}': "1x200",
    'headrace_namespace{job="headrace-indexer",instance="i2",name="next"}': "1x200",
    'headrace_task_failures_total{job="headrace-fanout",task="feed"}': "3x200",
    'headrace_indexer_active{instance="i1"}': "1x200",
    'headrace_indexer_active{instance="i2"}': "0x200",
    'headrace_indexer_ledger_closed_seconds{instance="i1"}': "-5+15x200",
    'headrace_indexer_ledger_closed_seconds{instance="i2"}': "0x200",
    'headrace_indexer_source_errors_total{kind="dropped"}': STEADY,
    'headrace_indexer_source_errors_total{kind="unreachable"}': "7x200",
    'headrace_indexer_dead_letters_total{instance="i1"}': "2x200",
    'process_start_time_seconds{instance="i1"}': "-7200x200",
    'headrace_commits_total{outcome="committed"}': STEADY,
    'headrace_commits_total{outcome="conflict"}': STEADY,
    'headrace_commits_total{outcome="behind"}': "4x200",
    'headrace_losses_total{what="everything"}': "0x200",
    'headrace_losses_total{what="entry"}': "3x200",
    'headrace_fanout_connections{instance="f1"}': "7000x200",
    'headrace_fanout_turned_away_total{reason="draining"}': STEADY,
    'headrace_fanout_turned_away_total{reason="full"}': "9x200",
    'process_open_fds{job="headrace-fanout",instance="f1"}': "7000x200",
    'process_max_fds{job="headrace-fanout",instance="f1"}': "32768x200",
    'headrace_fanout_publish_to_write_seconds_bucket{le="0.01"}': STEADY,
    'headrace_fanout_publish_to_write_seconds_bucket{le="+Inf"}': STEADY,
    'headrace_fanout_loop_lag_seconds{instance="f1"}': "0.01x200",
    'headrace_fanout_fill_ins_total{instance="f1"}': "5x200",
    REPLICA_LAG: "2x200",
    'headrace_fanout_disconnects_total{reason="slow"}': "0+1x200",
    'headrace_fanout_disconnects_total{reason="gone"}': STEADY,
    'headrace_fanout_replays_total{outcome="ring"}': STEADY,
    'headrace_fanout_replays_total{outcome="gap"}': "1x200",
    'headrace_api_requests_total{status="200"}': "0+100x200",
    'headrace_api_requests_total{status="500"}': "0+1x200",
    'headrace_api_request_seconds_bucket{le="0.1"}': STEADY,
    'headrace_api_request_seconds_bucket{le="+Inf"}': STEADY,
}
# The changed series of each problem, and the alerts that must fire. None: the series is absent.
TROUBLE: dict[str, tuple[dict[str, str | None], set[str]]] = {
    **REDIS,
    **ARCHIVE,
    **WEBHOOKS,
    "a replica was stopped and its name has left DNS": (
        {'up{job="headrace-fanout",instance="f2"}': "1x100 stale"},
        {"HeadraceReplicaGone"},
    ),
    "a replica was replaced by another": (
        {
            'up{job="headrace-fanout",instance="f2"}': "1x100 stale",
            'up{job="headrace-fanout",instance="f3"}': "_x102 1x98",
        },
        set(),
    ),
    "the last replica was stopped and its name has left DNS": (
        {'up{job="headrace-api",instance="a1"}': "1x100 stale"},
        {"HeadraceReplicaGone", "HeadraceServiceGone"},
    ),
    "a replica is away, and the API that asks it is not ready": (
        {'up{job="headrace-fanout",instance="f2"}': "1x100 0x100", ASKED: "1x100 0x100"},
        {"HeadraceDown"},
    ),
    "a replica is not ready": (
        {'headrace_ready{job="headrace-api",instance="a1",part="redis"}': "0x200"},
        {"HeadraceNotReady"},
    ),
    "the API alone does not reach a replica": ({ASKED: "0x200"}, {"HeadraceNotReady"}),
    "a clock is ahead": (
        {SKEW: "3600x200", 'headrace_ready{job="headrace-api",part="clock"}': "0x200"},
        {"HeadraceClockSkew"},
    ),
    "a clock is behind": ({SKEW: "-6x200"}, {"HeadraceClockSkew"}),
    "the API is in another namespace than the fanouts": (
        {
            'headrace_namespace{job="headrace-api",instance="a1",name="x"}': None,
            'headrace_namespace{job="headrace-api",instance="a1",name="y"}': "1x200",
        },
        {"HeadraceNamespacesDiffer"},
    ),
    "a fanout is in another namespace than the indexers": (
        {
            'headrace_namespace{job="headrace-fanout",instance="f2",name="x"}': None,
            'headrace_namespace{job="headrace-fanout",instance="f2",name="y"}': "1x200",
        },
        {"HeadraceNamespacesDiffer"},
    ),
    "a task fails": (
        {'headrace_task_failures_total{job="headrace-fanout",task="feed"}': "0+1x200"},
        {"HeadraceTaskFailing"},
    ),
    "the indexer needs an operator": (
        {'headrace_indexer_alarm{kind="gap"}': "1x200"},
        {"HeadraceIndexerAlarm"},
    ),
    "no indexer is active": (
        {'headrace_indexer_active{instance="i1"}': "0x200"},
        {"HeadraceNoActiveIndexer"},
    ),
    "no indexer is there": (
        {
            'headrace_indexer_active{instance="i1"}': None,
            'headrace_indexer_active{instance="i2"}': None,
        },
        {"HeadraceNoActiveIndexer"},
    ),
    "two indexers are active": (
        {'headrace_indexer_active{instance="i2"}': "1x200"},
        {"HeadraceTwoActiveIndexers"},
    ),
    "the indexer is behind": (
        {'headrace_indexer_ledger_closed_seconds{instance="i1"}': "-5x200"},
        {"HeadraceIndexerBehind"},
    ),
    "the source fails": (
        {'headrace_indexer_source_errors_total{kind="unreachable"}': "0+1x200"},
        {"HeadraceSourceFailing"},
    ),
    "an event was not decoded": (
        {'headrace_indexer_dead_letters_total{instance="i1"}': "2x60 3x140"},
        {"HeadraceDeadLetters"},
    ),
    "Redis lost writes": (
        {'headrace_commits_total{outcome="behind"}': "4x114 5x86"},
        {"HeadraceJournalLostWrites"},
    ),
    "Redis lost writes for the first time": (
        {'headrace_commits_total{outcome="moved"}': "0x114 1x86"},
        {"HeadraceJournalLostWrites"},
    ),
    "Redis was emptied": (
        {
            'headrace_losses_total{what="everything"}': "0x114 1x86",
            'headrace_losses_total{what="event"}': "0x115 9x85",
            'headrace_commits_total{outcome="moved"}': "0x113 1x87",
        },
        {"HeadraceDataLost"},
    ),
    "fanouts are full": (
        {'headrace_fanout_turned_away_total{reason="full"}': STEADY},
        {"HeadraceFanoutFull"},
    ),
    "descriptors are scarce": (
        {'process_max_fds{job="headrace-fanout",instance="f1"}': "8000x200"},
        {"HeadraceDescriptorsScarce"},
    ),
    "deliveries are slow": (
        {
            'headrace_fanout_publish_to_write_seconds_bucket{le="0.01"}': "0x200",
            'headrace_fanout_publish_to_write_seconds_bucket{le="10"}': STEADY,
        },
        {"HeadraceDeliverySlow"},
    ),
    "a loop is late": (
        {'headrace_fanout_loop_lag_seconds{instance="f1"}': "2x200"},
        {"HeadraceLoopLate"},
    ),
    "a replica of Redis is late": ({REPLICA_LAG: "0x100 0+15x100"}, {"HeadraceReplicaLate"}),
    "the channel loses messages": (
        {'headrace_fanout_fill_ins_total{instance="f1"}': STEADY},
        {"HeadraceChannelLossy"},
    ),
    "many subscribers are slow": (
        {'headrace_fanout_disconnects_total{reason="slow"}': "0+100x200"},
        {"HeadraceSlowSubscribers"},
    ),
    "many subscribers were slow at once, for the first time": (
        {'headrace_fanout_disconnects_total{reason="slow"}': "0x108 400x92"},
        {"HeadraceSlowSubscribers"},
    ),
    "clients come back too late": (
        {'headrace_fanout_replays_total{outcome="gap"}': STEADY},
        {"HeadraceHistoryTooShort"},
    ),
    "the API fails": (
        {'headrace_api_requests_total{status="500"}': STEADY},
        {"HeadraceApiFailing"},
    ),
    "the API is slow": (
        {
            'headrace_api_request_seconds_bucket{le="0.1"}': "0x200",
            'headrace_api_request_seconds_bucket{le="5"}': STEADY,
        },
        {"HeadraceApiSlow"},
    ),
}
