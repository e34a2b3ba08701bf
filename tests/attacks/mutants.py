"""Removes one safeguard against attacks, to show that a test of the suite notices it.

`MUTATION=… pytest -p tests.attacks.mutants <test>` patches the code before the test is collected.
Production code has no switch for this. Each mutant names the test that must fail.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.attacks.mutants_of_rights import RIGHTS
from tests.attacks.mutants_of_webhooks import WEBHOOKS
from tests.attacks.patches import Mutant, in_commit, in_nginx, replaced


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
    """Carry out a change without counting it."""
    yield


async def _from_the_journal(self: Any, position: Any) -> Any:
    """The next page of the whole journal, whatever the topics are."""
    return await self._feed.reader.after(position, 128)


async def _nothing(*_: object) -> None:
    """Do nothing."""


def _matches_by_name(index: str, wanted: frozenset[str]) -> bool:
    """Take an index by change for the whole list of the filter with the same name."""
    return wanted == {index.removeprefix("updated:")}


_FANOUT, _API = "services.fanout", "services.api"
_BYTES = "tests/api/events/test_history_bytes.py"
_SLOW = "tests/shared/web/test_connections.py"
_QUOTAS = "tests/api/streams/test_quotas.py"
_SHARES = "tests/fanout/connections/test_account_shares.py"
_GATEWAY = "tests/deploy/test_nginx_slow.py"
_BY_TOPICS = "tests/fanout/subscribe/test_replay_by_topics.py"

EXHAUSTION: dict[str, Mutant] = {
    "logs without a limit": Mutant(
        "tests/shared/runtime/test_log_limit.py::"
        "test_a_flood_of_one_event_is_counted_and_other_events_are_logged",
        replaced("shared.runtime.log_limit._LINES_PER_SECOND", 10**9),
    ),
    "metadata in characters": Mutant(
        "tests/api/streams/test_metadata.py::test_metadata_is_counted_in_bytes_of_utf_8",
        replaced(f"{_API}.streams.schemas.MAX_METADATA_BYTES", 1 << 20),
    ),
    "journal without a bound of bytes": Mutant(
        "tests/shared/journal/test_retention.py::"
        "test_the_oldest_entries_are_trimmed_to_the_maximum_of_bytes",
        in_commit("excess > 0 and math", "false and math"),
    ),
    "streams without a quota": Mutant(
        f"{_QUOTAS}::test_an_account_makes_only_so_many_streams_however_they_ended",
        replaced(f"{_API}.streams.routes.stream_limit", lambda *_: None),
    ),
    "bytes without a quota": Mutant(
        f"{_QUOTAS}::test_an_account_fills_only_so_many_bytes_a_day",
        replaced(f"{_API}.streams.routes.charged", _free),
    ),
    "stored answers as large as documents": Mutant(
        "tests/api/http/test_idempotency_references.py::"
        "test_a_reference_is_stored_and_not_the_document",
        in_commit("row[2] .. top, 'EX'", "row[2] .. top .. string.rep(' ', 2000), 'EX'"),
    ),
    "damaged sets of topics": Mutant(
        "tests/shared/journal/test_damaged_topics.py::"
        "test_a_set_that_lacks_a_trimmed_entry_is_counted_once",
        in_commit("< #members then damaged[topic] = true end", "< #members then end"),
    ),
    "writes until Redis is full": Mutant(
        "tests/api/http/test_unsafe_redis.py::"
        "test_from_80_percent_of_maxmemory_on_the_api_changes_no_stream",
        replaced(f"{_API}.streams.memory.memory_reason", lambda *_: None),
    ),
    "pages bounded in events only": Mutant(
        f"{_BYTES}::test_pages_of_large_events_end_early_and_miss_nothing",
        replaced("shared.journal.read_size.ReadSize.within", lambda *_: 500),
    ),
    "lists bounded in streams only": Mutant(
        "tests/api/streams/test_listing_bytes.py",
        replaced("shared.journal.read_size.ReadSize.within", lambda *_: 500),
    ),
    "searches bounded in events only": Mutant(
        f"{_BYTES}::test_a_filter_that_matches_nothing_reads_no_more_than_the_bound",
        replaced("shared.journal.read_size.ReadSize.within", lambda *_: 500),
    ),
    "answers without a deadline": Mutant(
        f"{_SLOW}::test_an_answer_must_be_read_in_time",
        replaced("shared.web.connection.Connection._is_late_to_read", lambda *_: False),
    ),
    "bodies without a deadline": Mutant(
        f"{_SLOW}::test_a_body_must_arrive_in_time",
        replaced("shared.web.connection.Connection._refuse_body", lambda *_: None),
    ),
    "second heads without a deadline": Mutant(
        f"{_SLOW}::test_a_second_head_must_arrive_in_time", _no_head_deadline
    ),
    "heads after a body without a deadline": Mutant(
        f"{_SLOW}::test_a_half_head_right_after_a_body_ends_too",
        replaced("shared.web.connection.Connection._is_whole", lambda *_: True),
    ),
    "unsent answers without a bound": Mutant(
        f"{_SLOW}::test_the_unsent_answers_of_all_clients_are_bounded",
        replaced("shared.web.connections.Connections._fit", lambda *_: None),
    ),
    "send buffers of the kernel's size": Mutant(
        "tests/shared/web/test_listening.py::"
        "test_the_kernel_holds_little_for_a_client_that_does_not_read",
        replaced("shared.web.listening._bound_unsent_bytes", lambda *_: None),
    ),
    "backlogs without a common bound": Mutant(
        "tests/fanout/connections/test_registry.py::"
        "test_the_slowest_subscribers_are_closed_when_all_need_too_much_memory",
        replaced(f"{_FANOUT}.connections.slow_clients.SlowClients._fit", lambda *_: None),
    ),
    "unread bytes that stay in the kernel": Mutant(
        "tests/fanout/connections/test_registry.py::"
        "test_the_kernel_drops_what_a_slow_subscriber_did_not_read",
        replaced("shared.web.tcp_reset._LINGER", bytes(8)),
    ),
    "slow clients by age alone": Mutant(
        f"{_SHARES}::test_the_account_that_holds_the_most_is_closed_first",
        replaced(
            f"{_FANOUT}.connections.slow_clients._by_share",
            lambda slow: sorted(slow, key=lambda s: -s.behind_since),
        ),
    ),
    "connections of each login": Mutant(
        f"{_SHARES}::test_all_logins_of_an_account_share_its_limit",
        replaced(f"{_FANOUT}.subscribe.handler.account_of_login", lambda account: account),
    ),
    "requests of each login": Mutant(
        "tests/api/http/test_rate_limits.py::test_all_logins_of_an_account_share_its_limit",
        replaced(f"{_API}.auth.guard.account_of_login", lambda account: account),
    ),
    "bytes of many accounts of an address": Mutant(
        f"{_QUOTAS}::test_many_accounts_of_one_address_share_its_bytes",
        replaced(f"{_API}.settings.ApiSettings.write_limit", lambda *_: 0),
    ),
    "gaps without an end": Mutant(
        f"{_BY_TOPICS}::test_gaps_without_an_end_become_one",
        replaced(f"{_FANOUT}.subscribe.replay._MOST_GAPS", 1 << 40),
    ),
    "connections without a default limit": Mutant(
        "tests/fanout/connections/test_limits.py::"
        "test_an_account_has_a_limit_unless_it_is_switched_off",
        _no_default_limit,
    ),
    "replays of the whole journal": Mutant(
        f"{_BY_TOPICS}::test_a_client_without_events_makes_the_fanout_read_no_entries",
        replaced(f"{_FANOUT}.subscribe.replay.Replay._next_page", _from_the_journal),
    ),
    "replays all at once": Mutant(
        "tests/fanout/feed/test_single_flight.py::"
        "test_few_reads_run_at_once_and_callers_wait_in_their_order",
        replaced(f"{_FANOUT}.feed.single_flight._PARALLEL", 1000),
    ),
    "replays without turns": Mutant(
        f"{_BY_TOPICS}::test_one_coroutine_works_in_each_iteration_of_the_event_loop",
        replaced(f"{_FANOUT}.subscribe.turn.asyncio.sleep", _nothing),
    ),
    "streams of strangers in the sums": Mutant(
        "tests/api/streams/test_summary.py::"
        "test_a_stream_that_was_not_accepted_is_in_no_sum_of_its_recipient",
        replaced("shared.journal.indexes.received", lambda recipient, _: f"user:{recipient}"),
    ),
    "streams of strangers in a page by change": Mutant(
        "tests/api/streams/test_listing.py::"
        "test_streams_of_strangers_do_not_fill_a_page_in_order_of_the_latest_change",
        replaced(f"{_API}.streams.listing._is_whole_list", _matches_by_name),
    ),
    "events of hidden streams": Mutant(
        "tests/shared/domain/test_topics.py::"
        "test_a_recipient_gets_no_events_of_an_api_stream_that_stays_hidden",
        replaced("shared.domain.topics._is_refused", lambda _: False),
    ),
    "heads at nginx without a deadline": Mutant(
        f"{_GATEWAY}::test_half_a_request_ends_in_time",
        in_nginx("nginx.conf.template", "client_header_timeout ${CLIENT_SECONDS}s;", ""),
    ),
    "bodies through nginx without a deadline": Mutant(
        f"{_GATEWAY}::test_a_body_that_trickles_ends_by_the_deadline_of_the_api",
        in_nginx("server.conf", "proxy_request_buffering off;", ""),
    ),
    "answers of nginx in files": Mutant(
        f"{_GATEWAY}::test_bodies_and_answers_are_never_written_to_files",
        in_nginx("http.conf", "proxy_max_temp_file_size 0;", ""),
    ),
    "silent connections at nginx": Mutant(
        f"{_GATEWAY}::test_silent_connections_are_counted_from_the_start",
        in_nginx("nginx.conf.template", "limit_conn peers ${SOCKETS_PER_IP};", ""),
    ),
    "paths that end before a line feed": Mutant(
        f"{_GATEWAY}::test_a_path_with_a_line_feed_is_no_subscription",
        in_nginx("server.conf", r"/events/subscribe\z", "/events/subscribe$"),
    ),
}

MUTANTS = EXHAUSTION | RIGHTS | WEBHOOKS


def pytest_configure(config: pytest.Config) -> None:
    """Remove the safeguard that MUTATION names."""
    if name := os.environ.get("MUTATION"):
        patches = pytest.MonkeyPatch()
        config.add_cleanup(patches.undo)
        MUTANTS[name].patch(patches)
