"""Values of the chart for tests: each value differs from its default and occurs nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Values = dict[str, Any]


def _pod(name: str) -> Values:
    """All keys of `pod`, with texts that begin with `name`."""
    return {
        "nodeSelector": {f"{name}-node": f"{name}-node-value"},
        "tolerations": [{"key": f"{name}-taint", "operator": "Exists"}],
        "affinity": {
            "podAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"topologyKey": f"{name}-topology", "labelSelector": {"matchLabels": {}}}
                ]
            }
        },
        "priorityClassName": f"{name}-priority",
        "annotations": {f"{name}-annotation": f"{name}-annotation-value"},
        "labels": {f"{name}-label": f"{name}-label-value"},
        "extraEnv": [{"name": f"{name.upper()}_ENV", "value": f"{name}-env-value"}],
        "extraVolumes": [{"name": f"{name}-volume", "secret": {"secretName": f"{name}-files"}}],
        "extraVolumeMounts": [{"name": f"{name}-volume", "mountPath": f"/{name}-mount"}],
    }


def _resources(number: int) -> Values:
    return {
        "requests": {"cpu": f"{number}1m", "memory": f"{number}2Mi"},
        "limits": {"memory": f"{number}3Mi"},
    }


def _secret(name: str) -> Values:
    return {"name": f"{name}-secret", "key": f"{name.upper()}_KEY"}


EVERYTHING: Values = {
    "settings": {
        "NETWORK_PASSPHRASE": "passphrase-value",
        "HORIZON_URL": "https://horizon-value",
        "RPC_URL": "https://rpc-value",
        "CONTRACTS": "contracts-value",
        "AUTH_MODE": "required",
        "LOG_LEVEL": "level-value",
    },
    "secrets": {
        key: _secret(key.lower())
        for key in (
            "indexerRedisUrl",
            "apiRedisUrl",
            "fanoutRedisUrl",
            "archiverRedisUrl",
            "webhooksRedisUrl",
            "feedRedisUrl",
            "jwtPrivateKey",
            "signingSeed",
            "archiveSigningSeed",
            "webhookSecretKeys",
        )
    },
    "image": {
        "registry": "registry.example:5000/path",
        "tag": "9.9.9",
        "pullPolicy": "Always",
        "pullSecrets": ["login-of-registry"],
    },
    "nameOverride": "other-name",
    "serviceAccount": {
        "create": True,
        "name": "account-name",
        "annotations": {"account-annotation": "account-value"},
    },
    "pod": _pod("every"),
    "topologySpread": {"keys": ["spread-key"], "whenUnsatisfiable": "DoNotSchedule"},
    "podDisruptionBudget": {"enabled": True, "maxUnavailable": "34%"},
    "indexer": {"repository": "image-of-indexer", "replicas": 171, "resources": _resources(71)},
    "api": {"repository": "image-of-api", "replicas": 172, "resources": _resources(72)},
    "fanout": {
        "repository": "image-of-fanout",
        "replicas": 173,
        "maxConnections": 20174,
        "drainSeconds": 2075,
        "autoscaling": {
            "type": "none",
            "minReplicas": 176,
            "maxReplicas": 177,
            "connections": 2078,
            "cpuPercent": 179,
            "keda": {
                "serverAddress": "https://prometheus-value",
                "pollingInterval": 180,
                "fallbackReplicas": 181,
            },
        },
        "resources": _resources(73),
        "pod": _pod("fanout"),
    },
    "archive": {
        "enabled": True,
        "url": "s3://archive-value",
        "secret": "archive-writes",
        "readSecret": "archive-reads",
        "cacheSize": "188Gi",
        "volume": {
            "enabled": True,
            "existingClaim": "",
            "accessModes": ["ReadWriteOnce"],
            "size": "189Gi",
            "storageClass": "archive-class",
        },
    },
    "archiver": {
        "repository": "image-of-archiver",
        "replicas": 190,
        "resources": _resources(74),
    },
    "webhooks": {
        "enabled": True,
        "repository": "image-of-webhooks",
        "replicas": 191,
        "resources": _resources(75),
    },
    "hosts": ["first.example", "second.example"],
    "ingress": {
        "enabled": True,
        "className": "ingress-class",
        "annotations": {"ingress-annotation": "ingress-value"},
        "tlsSecret": "tls-secret",
    },
    "httpRoute": {
        "enabled": True,
        "parentRefs": [{"name": "parent-gateway"}],
        "redirectParentRefs": [{"name": "redirect-gateway"}],
        "hstsSeconds": 31000182,
    },
    "networkPolicies": {
        "enabled": True,
        "redisPorts": [20183],
        "outsidePorts": [20184],
        "entranceNamespace": {"entrance-label": "entrance-value"},
        "monitoringNamespace": {"monitoring-label": "monitoring-value"},
        "extraEgress": [{"to": [{"ipBlock": {"cidr": "10.185.0.0/16"}}]}],
    },
    "monitoring": {"enabled": True, "labels": {"monitor-label": "monitor-value"}},
    "test": {
        "url": "https://test.example",
        "query": "streams=186",
        "tokenSecret": {"name": "test-secret", "key": "test-key"},
        "seconds": 2087,
    },
}
"""All values except `simulated`, which replaces the secrets of Redis."""


def scalars(value: object) -> Iterator[str]:
    """All texts and numbers, as text."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from scalars(each)
    elif not isinstance(value, bool):
        yield str(value)
