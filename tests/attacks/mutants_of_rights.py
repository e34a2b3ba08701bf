"""Safeguards of rights, tokens and keys, each with the test that notices its removal."""

from __future__ import annotations

import re
from typing import Any

import pytest

from shared.auth.principal import ANYONE
from tests.attacks.patches import Mutant, in_nginx, replaced

_API = "services.api"
_LOGINS = "tests/api/auth/test_revoked_logins.py"
_DENIALS = "tests/api/auth/test_denials.py"
_NARROWED = "tests/api/auth/test_narrowed_tokens.py"
_WEBHOOKS = "tests/api/webhooks/test_rights.py"
_TICKETS = "tests/fanout/subscribe/test_tickets.py"
_TLS = "tests/deploy/test_nginx_tls.py"


def _tell_unknown_streams(patches: pytest.MonkeyPatch) -> None:
    """Anybody who tries to change a stream learns whether it exists."""
    from services.api import errors  # noqa: PLC0415 - only this mutant needs it
    from services.api.auth import permissions  # noqa: PLC0415

    check = permissions.require_read

    def require_read(principal: Any, stream_id: str, stream: Any) -> Any:
        if stream is None:
            raise errors.StreamNotFoundError(stream_id)
        return check(principal, stream_id, stream)

    patches.setattr(permissions, "require_read", require_read)


def _name_the_party(patches: pytest.MonkeyPatch) -> None:
    """A refusal names the account that may do what was refused."""
    from services.api import errors  # noqa: PLC0415 - only this mutant needs it
    from services.api.auth import permissions  # noqa: PLC0415

    def require_account(principal: Any, account: str, rule: str) -> None:
        raise errors.PermissionDeniedError(f"{rule}: {account} is the sender")

    patches.setattr(permissions, "_require_account", require_account)


def _any_use(patches: pytest.MonkeyPatch) -> None:
    """A key for encryption checks tokens too."""
    from shared.auth import public_keys  # noqa: PLC0415 - only this mutant needs it

    parse = public_keys.parse_key
    patches.setattr(
        public_keys, "parse_key", lambda d: parse({k: v for k, v in d.items() if k != "use"})
    )


async def _ready(*_: object) -> None:
    """A service without keys is ready."""


RIGHTS: dict[str, Mutant] = {
    "tokens from the future": Mutant(
        f"{_LOGINS}::test_a_token_from_the_future_is_refused",
        replaced("shared.auth.verifier._check_issued", lambda *_: None),
    ),
    "revocations blind to clocks ahead": Mutant(
        f"{_LOGINS}::test_a_revocation_ends_a_token_with_an_iat_ahead_of_the_clock",
        replaced("shared.auth.revocations.MAX_ISSUED_AHEAD", 0.0),
    ),
    "revocations of one login only": Mutant(
        f"{_LOGINS}::test_revoking_an_account_ends_the_logins_of_its_users",
        replaced("shared.auth.revocations.accounts_of", lambda principal: (principal.account,)),
    ),
    "topics that narrow reads only": Mutant(
        "tests/api/auth/test_narrowed_tokens.py::"
        "test_a_stream_is_created_only_by_a_token_with_the_topic_of_the_sender",
        replaced("shared.auth.principal.Principal.covers", lambda *_: True),
    ),
    "short keys of RSA": Mutant(
        "tests/shared/auth/test_public_keys.py::test_another_key_is_refused_with_the_reason",
        replaced("shared.auth.public_keys._MIN_RSA_BITS", 0),
    ),
    "admins beyond their topics": Mutant(
        f"{_NARROWED}::test_an_admin_with_topics_gets_no_rights_beyond_them",
        replaced("shared.auth.principal.Principal.is_admin", lambda self: "admin" in self.scopes),
    ),
    "connections of revoked users": Mutant(
        "tests/fanout/connections/test_expiry_live.py",
        replaced(
            "services.fanout.connections.expiry.accounts_of",
            lambda principal: (principal.account,),
        ),
    ),
    "cookies that change something": Mutant(
        "tests/api/auth/test_cookies.py::"
        "test_an_empty_header_does_not_let_a_cookie_change_anything",
        replaced(f"{_API}.auth.authentication._READING_METHODS", frozenset({"GET", "POST"})),
    ),
    "refusals that tell which streams exist": Mutant(
        f"{_DENIALS}::test_a_foreign_stream_and_an_unknown_one_get_the_same_403",
        _tell_unknown_streams,
    ),
    "refusals that name a party": Mutant(
        f"{_DENIALS}::test_a_party_may_read_but_is_not_told_who_the_other_party_is",
        _name_the_party,
    ),
    "webhooks that a login leads elsewhere": Mutant(
        f"{_WEBHOOKS}::test_a_login_cannot_lead_the_events_of_all_accounts_elsewhere",
        replaced(f"{_API}.webhooks.reading.require_changeable", lambda *_: None),
    ),
    "webhooks that a change makes wider": Mutant(
        f"{_WEBHOOKS}::test_a_change_gives_a_webhook_no_more_than_it_was_made_with",
        replaced(f"{_API}.webhooks.service.rights_of", lambda _: ANYONE),
    ),
    "secrets that a repeated request shows to others": Mutant(
        "tests/api/webhooks/test_secrets.py"
        "::test_a_repetition_shows_no_secret_to_who_may_not_change_the_webhook",
        replaced(f"{_API}.webhooks.repeating.require_changeable", lambda *_: None),
    ),
    "webhooks of each login": Mutant(
        "tests/api/webhooks/test_quotas.py::test_all_logins_of_an_account_count_together",
        replaced("shared.webhooks.store.account_of_login", lambda login: login),
    ),
    "webhooks that anybody may read": Mutant(
        f"{_WEBHOOKS}::test_a_foreign_webhook_looks_like_an_unknown_one",
        replaced(f"{_API}.webhooks.rights.may_read", lambda *_: True),
    ),
    "keys for encryption": Mutant(
        "tests/shared/auth/test_public_keys.py::test_another_key_is_refused_with_the_reason",
        _any_use,
    ),
    "ready without keys": Mutant(
        "tests/shared/auth/test_jwks.py::test_the_readiness_tells_whether_there_are_keys",
        replaced("shared.auth.public_keys.PublicKeys.check", _ready),
    ),
    "incomplete sets taken for complete": Mutant(
        "tests/fanout/subscribe/test_jwks.py::test_an_incomplete_set_makes_no_key_invalid",
        replaced("shared.auth.public_keys.PublicKeys.incomplete", False),
    ),
    "cookies by plain HTTP": Mutant(
        f"{_TICKETS}::test_the_cookie_is_secure_if_the_request_came_by_tls",
        replaced("services.fanout.subscribe.authorization.came_by_tls", lambda *_: False),
    ),
    "heads with any characters": Mutant(
        "tests/fanout/test_sse.py::test_the_head_refuses_other_characters_than_visible_ascii",
        replaced("services.fanout.sse._HEADER_VALUE", re.compile("(?s).*")),
    ),
    "plain HTTP without a redirect": Mutant(
        f"{_TLS}::test_plain_http_is_redirected",
        in_nginx("nginx.conf.template", '~^http: "${REDIRECT}";', ""),
    ),
    "TLS without HSTS": Mutant(
        f"{_TLS}::test_answers_by_tls_have_hsts",
        in_nginx("nginx.conf.template", '~^https: "max-age=${HSTS_SECONDS}";', ""),
    ),
    "addresses that only Python calls public": Mutant(
        "tests/shared/web/test_public_addresses.py::test_no_address_of_a_special_range_is_public",
        replaced("shared.web.public_addresses.is_public", lambda address: address.is_global),
    ),
    "old ciphers at nginx": Mutant(
        "tests/deploy/test_nginx_tls.py::test_only_modern_ciphers_are_accepted",
        in_nginx("tls.conf.template", "ssl_ciphers ECDHE", "ssl_ciphers DEFAULT:ECDHE"),
    ),
}
