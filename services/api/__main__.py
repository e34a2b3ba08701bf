"""The API as a program: `python -m services.api`, or `headrace-api`."""

from __future__ import annotations

import sys

from services.api.commands import end_logins, seal_webhooks, token
from services.api.settings import ApiSettings
from shared.runtime import logs
from shared.runtime.command_line import Command, Program
from shared.web import server


def serve(settings: ApiSettings) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code."""
    from services.api.app import build_app  # noqa: PLC0415 - slow, and `token` does not need it

    logs.configure("api", settings.log_level)
    return server.run(lambda: build_app(settings), settings.host, settings.port)


PROGRAM = Program(
    module="services.api",
    summary="The HTTP API of Headrace: creates and changes streams, and serves their history.",
    settings=ApiSettings,
    serve=serve,
    commands={
        "token": Command(
            "print a signed access token, for example for the first admin", token.main
        ),
        "end-logins": Command("refuse all tokens that were issued until now", end_logins.main),
        "seal-webhooks": Command("encrypt the secrets of webhooks anew", seal_webhooks.main),
    },
)


def main() -> int:
    """Run the program with the arguments of the process. Returns the exit code."""
    return PROGRAM.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
