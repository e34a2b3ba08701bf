"""Safeguards of webhooks against the URLs and the receivers of strangers, each removed."""

from __future__ import annotations

from typing import Any

import pytest

from services.webhooks.metrics import Lane
from tests.attacks.patches import Mutant, replaced

_SENDING = "services.webhooks.sending"
_TESTS = "tests/webhooks/sending"
_ANSWERS = f"{_TESTS}/test_hostile_answers.py"


def _session_with(**options: Any) -> Any:
    """Make each session of the dispatcher with these options of aiohttp."""

    def patch(patches: pytest.MonkeyPatch) -> None:
        from shared.web import client  # noqa: PLC0415 - only these mutants need it

        make = client.session
        patches.setattr(client, "session", lambda **given: make(**given | options))

    return patch


def _redirects_followed(patches: pytest.MonkeyPatch) -> None:
    import aiohttp  # noqa: PLC0415 - only this mutant needs it

    post = aiohttp.ClientSession.post
    follow = {"allow_redirects": True}
    patches.setattr(
        aiohttp.ClientSession, "post", lambda self, url, **given: post(self, url, **given | follow)
    )


def _all_secrets(self: Any, secrets: Any, _: float) -> list[Any]:
    """Sign with each secret, whether it has expired or not."""
    return [self._webhook(each.sealed) for each in secrets]


WEBHOOKS: dict[str, Mutant] = {
    "names of receivers that are not checked": Mutant(
        f"{_TESTS}/test_addresses.py::test_a_name_that_changes_to_a_private_address_is_not_followed",
        replaced("shared.web.public_resolver.is_reachable", lambda *_: True),
    ),
    "stored URLs that are not checked": Mutant(
        f"{_TESTS}/test_sender.py::test_a_stored_url_that_may_not_be_used_is_not_used",
        replaced(f"{_SENDING}.target.check_endpoint_url", lambda url, _: url),
    ),
    "names that are not checked before a proxy": Mutant(
        f"{_TESTS}/test_addresses.py::test_a_proxy_is_used_and_the_name_is_checked_before",
        replaced("shared.web.public_resolver.is_reachable", lambda *_: True),
    ),
    "redirects that are followed": Mutant(
        f"{_TESTS}/test_addresses.py::test_a_redirect_is_not_followed", _redirects_followed
    ),
    "answers that are unpacked": Mutant(
        f"{_ANSWERS}::test_an_answer_is_not_unpacked", _session_with(auto_decompress=True)
    ),
    "cookies of receivers": Mutant(
        f"{_TESTS}/test_sender.py::test_a_connection_is_used_again_and_cookies_are_not",
        _session_with(cookie_jar=None),
    ),
    "heads of answers without a bound": Mutant(
        f"{_ANSWERS}::test_the_delivery_ends",
        replaced(f"{_SENDING}.connector.MOST_HEAD_BYTES", 1 << 40),
    ),
    "bodies of answers without a deadline": Mutant(
        f"{_ANSWERS}::test_the_delivery_ends", replaced(f"{_SENDING}.answer.BODY_SECONDS", 1e6)
    ),
    "expired secrets that sign": Mutant(
        f"{_TESTS}/test_signing.py::test_an_expired_secret_signs_nothing",
        replaced(f"{_SENDING}.signing.Signer._signers", _all_secrets),
    ),
    "one lane for all receivers": Mutant(
        f"{_TESTS}/test_lanes.py::test_a_receiver_that_hangs_holds_a_healthy_place_once",
        replaced(f"{_SENDING}.lanes.LaneMemory.lane", lambda *_: Lane.HEALTHY),
    ),
    "servers without a share of the places": Mutant(
        f"{_TESTS}/test_lanes.py::test_one_server_has_a_fifth_of_the_places",
        replaced(f"{_SENDING}.lanes.SHARE_OF_A_SERVER", 1),
    ),
    "connections that are all kept": Mutant(
        f"{_TESTS}/test_connector.py::test_only_so_many_connections_are_kept",
        replaced(f"{_SENDING}.connector._Connection.should_close", False),
    ),
}
