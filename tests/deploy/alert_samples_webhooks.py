"""For promtool: what can be wrong with webhooks."""

from __future__ import annotations

from tests.deploy.alert_samples_redis import REDIS_AWAY

FIRST = 'up{job="headrace-webhooks",instance="w1"}'
SECOND = 'up{job="headrace-webhooks",instance="w2"}'
LAG = 'headrace_webhook_lag_seconds{instance="w1"}'
FAILING = 'headrace_webhook_endpoints{instance="w1",state="failing"}'
ACTIVE = 'headrace_webhook_endpoints{instance="w1",state="active"}'
UNSIGNED = 'headrace_webhook_attempts_total{instance="w1",outcome="unsigned"}'
HALF = 'headrace_webhook_partitions{instance="w1"}'
OTHER_HALF = 'headrace_webhook_partitions{instance="w2"}'
FAILED = 'headrace_webhook_disabled_total{instance="w1",reason="failed"}'

# Two dispatchers.
WELL = {
    FIRST: "1x200",
    SECOND: "1x200",
    HALF: "32x200",
    OTHER_HALF: "32x200",
    LAG: "0.5x200",
    ACTIVE: "20x200",
    FAILING: "4x200",
    UNSIGNED: "2x200",
    FAILED: "1x200",
    'headrace_webhook_disabled_total{instance="w1",reason="gone"}': "0x200",
    'process_start_time_seconds{instance="w1"}': "-7200x200",
}
_OWN: tuple[str, ...] = (HALF, LAG, ACTIVE, FAILING, UNSIGNED, FAILED)
_GONE: dict[str, str | None] = dict.fromkeys((*_OWN, OTHER_HALF, FIRST, SECOND), "1x80 stale")
_LAGS: dict[str, str | None] = {LAG: "0.5x80 0.5+15x120"}

WEBHOOKS: dict[str, tuple[dict[str, str | None], set[str]]] = {
    "there are no webhooks": (dict.fromkeys(WELL), set()),
    "no dispatcher has half of the partitions": (
        {HALF: "32x80 0x120"},
        {"HeadraceNoDispatcher"},
    ),
    "one dispatcher has all partitions": ({HALF: "64x200", OTHER_HALF: "0x200"}, set()),
    "all dispatchers were stopped and their names have left DNS": (
        _GONE,
        {"HeadraceNoDispatcher", "HeadraceReplicaGone"},
    ),
    "Redis is away, so no dispatcher has a partition, and webhooks lag": (
        {**REDIS_AWAY, **_LAGS, HALF: "32x80 0x120", OTHER_HALF: "32x80 0x120"},
        {"HeadraceRedisAway"},
    ),
    "a key of the secrets is missing": ({UNSIGNED: "2x60 3x140"}, {"HeadraceWebhookUnsigned"}),
    "many receivers fail": ({FAILING: "8x200"}, {"HeadraceWebhooksFailing"}),
    "the only two receivers fail": ({ACTIVE: "0x200", FAILING: "2x200"}, set()),
    "webhooks lag": (_LAGS, {"HeadraceWebhooksLag"}),
    "a webhook was disabled": ({FAILED: "1x60 2x140"}, {"HeadraceWebhookDisabled"}),
}
