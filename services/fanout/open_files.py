"""The limit of open files (`nofile`): each connection needs one file descriptor."""

from __future__ import annotations

import resource

import structlog

log = structlog.get_logger()

SPARE = 1000
"""File descriptors for other things than subscribers: files, Redis, requests to /metrics."""


def ensure_open_files(connections: int) -> None:
    """Raise the limit of this process as far as `connections` subscribers need it.

    A process may raise its soft limit up to its hard limit. If the hard limit is too low, the log
    line `few_open_files` says how many connections the process can hold.
    """
    wanted = connections + SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < wanted:
        log.warning(
            "few_open_files",
            limit=soft,
            wanted=wanted,
            connections=max(0, soft - SPARE),
            advice="raise the limit `nofile` of the fanout, or lower MAX_CONNECTIONS",
        )
