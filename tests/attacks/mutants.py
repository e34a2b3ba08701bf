"""Removes one safeguard against attacks, to show that a test of the suite notices it.

`MUTATION=… pytest -p tests.attacks.mutants <test>` patches the code before the test is collected.
Production code has no switch for this. Each mutant names the test that must fail.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

Patch = Callable[[pytest.MonkeyPatch], None]


class Mutant(NamedTuple):
    """A removed safeguard, and the test that notices it."""

    test: str
    patch: Patch


def _set(target: str, value: object) -> Patch:
    """Replace one name, such as `package.module.Class.method`."""
    return lambda patches: patches.setattr(target, value)


def _in_commit(old: str, new: str) -> Patch:
    """Replace a part of the commit script."""

    def patch(patches: pytest.MonkeyPatch) -> None:
        from shared.journal import commit  # noqa: PLC0415 - only this mutant needs it

        assert old in commit._SCRIPT
        patches.setattr(commit, "_SCRIPT", commit._SCRIPT.replace(old, new))

    return patch


def _in_nginx(name: str, old: str, new: str) -> Patch:
    """Replace a part of a file of the gateway, in a copy of its folder."""

    def patch(patches: pytest.MonkeyPatch) -> None:
        from tests.deploy import gateways  # noqa: PLC0415 - only these mutants need it

        folder = Path(tempfile.mkdtemp())
        atexit.register(shutil.rmtree, folder)
        shutil.copytree(gateways.NGINX, folder, dirs_exist_ok=True)
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")
        patches.setattr(gateways, "NGINX", folder)

    return patch


def _no_default_limit(patches: pytest.MonkeyPatch) -> None:
    """An account may have any number of connections, unless the operator sets a limit."""
    from services.fanout.settings import FanoutSettings  # noqa: PLC0415 - only this mutant needs it

    patches.setattr(FanoutSettings.model_fields["connections_per_user"], "default", 0)
    FanoutSettings.model_rebuild(force=True)


def _no_head_deadline(patches: pytest.MonkeyPatch) -> None:
    """A head that never ends keeps its connection, unless it is the first of the connection."""
    from shared.web.connection import Connection  # noqa: PLC0415 - only this mutant needs it

    check = Connection.check

    def without_head(self: Any, now: float) -> None:
        self._head_from = None
        check(self, now)

    patches.setattr(Connection, "check", without_head)


@asynccontextmanager
async def _free(*_: object) -> Any:
    """A change that is not counted."""
    yield


async def _from_the_journal(self: Any, position: Any) -> Any:
    """The next page of the whole journal, whatever the topics are."""
    return await self._feed.reader.after(position, 128)


async def _nothing(*_: object) -> None:
    """Do nothing."""


_FANOUT, _API = "services.fanout", "services.api"
_BYTES = "tests/api/events/test_history_bytes.py"
_SLOW = "tests/shared/web/test_connections.py"
_QUOTAS = "tests/api/streams/test_quotas.py"
_LOGINS = "tests/api/auth/test_revoked_logins.py"
_GATEWAY = "tests/deploy/test_nginx_slow.py"
_BY_TOPICS = "tests/fanout/subscribe/test_replay_by_topics.py"

MUTANTS: Mapping[str, Mutant] = {
    "logs without a limit": Mutant(
        "tests/shared/runtime/test_log_limit.py::"
        "test_a_flood_of_one_event_is_counted_and_other_events_are_logged",
        _set("shared.runtime.log_limit._LINES_PER_SECOND", 10**9),
    ),
    "metadata in characters": Mutant(
        "tests/api/streams/test_metadata.py::test_metadata_is_counted_in_bytes_of_utf_8",
        _set(f"{_API}.streams.schemas.MAX_METADATA_BYTES", 1 << 20),
    ),
    "journal without a bound of bytes": Mutant(
        "tests/shared/journal/test_retention.py::"
        "test_the_oldest_entries_are_trimmed_to_the_maximum_of_bytes",
        _in_commit("excess > 0 and math", "false and math"),
    ),
    "streams without a quota": Mutant(
        f"{_QUOTAS}::test_an_account_makes_only_so_many_streams_however_they_ended",
        _set(f"{_API}.streams.routes.stream_limit", lambda *_: None),
    ),
    "bytes without a quota": Mutant(
        f"{_QUOTAS}::test_an_account_fills_only_so_many_bytes_a_day",
        _set(f"{_API}.streams.routes.charged", _free),
    ),
    "writes until Redis is full": Mutant(
        "tests/api/http/test_unsafe_redis.py::"
        "test_from_80_percent_of_maxmemory_on_the_api_changes_no_stream",
        _set(f"{_API}.streams.memory.full_reason", lambda *_: None),
    ),
    "pages bounded in events only": Mutant(
        f"{_BYTES}::test_pages_of_large_events_end_early_and_miss_nothing",
        _set("shared.journal.read_size.ReadSize.within", lambda *_: 500),
    ),
    "searches bounded in events only": Mutant(
        f"{_BYTES}::test_a_filter_that_matches_nothing_reads_no_more_than_the_bound",
        _set("shared.journal.read_size.ReadSize.within", lambda *_: 500),
    ),
    "answers without a deadline": Mutant(
        f"{_SLOW}::test_an_answer_must_be_read_in_time",
        _set("shared.web.connection.Connection._is_late_to_read", lambda *_: False),
    ),
    "bodies without a deadline": Mutant(
        f"{_SLOW}::test_a_body_must_arrive_in_time",
        _set("shared.web.connection.Connection._refuse_body", lambda *_: None),
    ),
    "second heads without a deadline": Mutant(
        f"{_SLOW}::test_a_second_head_must_arrive_in_time", _no_head_deadline
    ),
    "unsent answers without a bound": Mutant(
        f"{_SLOW}::test_the_unsent_answers_of_all_clients_are_bounded",
        _set("shared.web.connections.Connections._fit", lambda *_: None),
    ),
    "send buffers of the kernel's size": Mutant(
        "tests/shared/web/test_listening.py::"
        "test_the_kernel_holds_little_for_a_client_that_does_not_read",
        _set("shared.web.listening._bound_unsent_bytes", lambda *_: None),
    ),
    "backlogs without a common bound": Mutant(
        "tests/fanout/connections/test_registry.py::"
        "test_the_slowest_subscribers_are_closed_when_all_need_too_much_memory",
        _set(f"{_FANOUT}.connections.slow_clients.SlowClients._fit", lambda *_: None),
    ),
    "connections without a default limit": Mutant(
        "tests/fanout/connections/test_limits.py::"
        "test_an_account_has_a_limit_unless_it_is_switched_off",
        _no_default_limit,
    ),
    "replays of the whole journal": Mutant(
        f"{_BY_TOPICS}::test_a_client_without_events_makes_the_fanout_read_no_entries",
        _set(f"{_FANOUT}.subscribe.replay.Replay._next_page", _from_the_journal),
    ),
    "replays all at once": Mutant(
        "tests/fanout/feed/test_single_flight.py::"
        "test_few_reads_run_at_once_and_callers_wait_in_their_order",
        _set(f"{_FANOUT}.feed.single_flight._PARALLEL", 1000),
    ),
    "replays without turns": Mutant(
        f"{_BY_TOPICS}::test_one_coroutine_works_in_each_iteration_of_the_event_loop",
        _set(f"{_FANOUT}.subscribe.turn.asyncio.sleep", _nothing),
    ),
    "streams of strangers in the sums": Mutant(
        "tests/api/streams/test_summary.py::"
        "test_a_stream_that_was_not_accepted_is_in_no_sum_of_its_recipient",
        _set("shared.journal.indexes.received", lambda recipient, _: f"user:{recipient}"),
    ),
    "tokens from the future": Mutant(
        f"{_LOGINS}::test_a_token_from_the_future_is_refused",
        _set("shared.auth.verifier._check_issued", lambda *_: None),
    ),
    "revocations blind to clocks ahead": Mutant(
        f"{_LOGINS}::test_a_revocation_ends_a_token_with_an_iat_ahead_of_the_clock",
        _set("shared.auth.revocations.MAX_ISSUED_AHEAD", 0.0),
    ),
    "revocations of one login only": Mutant(
        f"{_LOGINS}::test_revoking_an_account_ends_the_logins_of_its_users",
        _set("shared.auth.revocations._accounts", lambda principal: (principal.account,)),
    ),
    "topics that narrow reads only": Mutant(
        "tests/api/auth/test_narrowed_tokens.py::"
        "test_a_stream_is_created_only_by_a_token_with_the_topic_of_the_sender",
        _set("shared.auth.principal.Principal.covers", lambda *_: True),
    ),
    "short keys of RSA": Mutant(
        "tests/shared/auth/test_public_keys.py::test_another_key_is_refused_with_the_reason",
        _set("shared.auth.public_keys._MIN_RSA_BITS", 0),
    ),
    "old ciphers at nginx": Mutant(
        "tests/deploy/test_nginx_tls.py::test_only_modern_ciphers_are_accepted",
        _in_nginx("tls.conf.template", "ssl_ciphers ECDHE", "ssl_ciphers DEFAULT:ECDHE"),
    ),
    "addresses that only Python calls public": Mutant(
        "tests/api/auth/test_public_addresses.py::test_no_address_of_a_special_range_is_public",
        _set(f"{_API}.auth.public_addresses.is_public", lambda address: address.is_global),
    ),
    "heads at nginx without a deadline": Mutant(
        f"{_GATEWAY}::test_half_a_request_ends_in_time",
        _in_nginx("nginx.conf.template", "client_header_timeout ${CLIENT_SECONDS}s;", ""),
    ),
    "bodies through nginx without a deadline": Mutant(
        f"{_GATEWAY}::test_a_body_that_trickles_ends_by_the_deadline_of_the_api",
        _in_nginx("server.conf", "proxy_request_buffering off;", ""),
    ),
    "answers of nginx in files": Mutant(
        f"{_GATEWAY}::test_bodies_and_answers_are_never_written_to_files",
        _in_nginx("http.conf", "proxy_max_temp_file_size 0;", ""),
    ),
    "silent connections at nginx": Mutant(
        f"{_GATEWAY}::test_silent_connections_are_counted_from_the_start",
        _in_nginx("nginx.conf.template", "limit_conn peers ${SOCKETS_PER_IP};", ""),
    ),
    "paths that end before a line feed": Mutant(
        f"{_GATEWAY}::test_a_path_with_a_line_feed_is_no_subscription",
        _in_nginx("server.conf", r"/events/subscribe\z", "/events/subscribe$"),
    ),
}


def pytest_configure(config: pytest.Config) -> None:
    """Remove the safeguard that MUTATION names."""
    if name := os.environ.get("MUTATION"):
        patches = pytest.MonkeyPatch()
        config.add_cleanup(patches.undo)
        MUTANTS[name].patch(patches)
