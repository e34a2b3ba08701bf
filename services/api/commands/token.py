"""`python -m services.api token` prints a token, for example for the first admin."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from services.api.auth.settings import LoginSettings
from services.api.auth.tokens import MAX_TOKEN_SECONDS, TokenIssuer
from services.api.errors import FeatureDisabledError
from shared.auth.principal import Scope
from shared.domain.strkeys import is_account
from shared.runtime.command_line import invoked_as
from shared.runtime.config import load


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"{invoked_as('services.api')} token",
        description="Print a token signed with JWT_PRIVATE_KEY or JWT_SECRET, for example for the "
        "first admin.",
    )
    parser.add_argument("--account", required=True, help="account of the token: G…, C… or M…")
    parser.add_argument(
        "--scope",
        action="append",
        choices=[*Scope],
        default=[],
        help="a scope of the token; can be repeated",
    )
    parser.add_argument("--hours", type=float, default=1.0, help="lifetime in hours (default: 1)")
    given = parser.parse_args(argv)
    if not is_account(given.account):
        parser.error("--account: expected a G…, C… or M… address with a correct checksum")
    if not 0 < given.hours * 3600 <= MAX_TOKEN_SECONDS:
        parser.error(f"--hours: must be more than 0 and at most {MAX_TOKEN_SECONDS // 3600}")
    return given


def main(argv: Sequence[str]) -> int:
    """`python -m services.api token …`: prints the token; returns the exit code."""
    given = _arguments(argv)
    issuer = TokenIssuer(load(LoginSettings))
    try:
        token, _ = issuer.issue(given.account, given.scope, seconds=int(given.hours * 3600) or 1)
    except FeatureDisabledError:
        message = "JWT_PRIVATE_KEY and JWT_SECRET are not set, so no token can be signed."
        print(message, file=sys.stderr)
        return 2
    print(token)
    return 0
