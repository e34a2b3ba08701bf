"""A dispatcher with one safeguard removed (tests.chaos.mutants)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.webhooks.delivering import progress_writer
from services.webhooks.sending import signing
from shared.webhooks.attempts import Attempt


def progress_unstored() -> None:
    """The next delivery begins although the progress is not stored."""

    async def forget(*_: Any) -> bool:
        return True

    progress_writer.ProgressWriter.write = forget  # type: ignore[method-assign,assignment]


def failures_taken() -> None:
    """A delivery that failed counts as acknowledged."""
    Attempt.was_taken = property(lambda _: True)  # type: ignore[method-assign,assignment]


def signatures_of_another_body() -> None:
    """The signature is not that of the body."""
    headers = signing.Signer.headers

    def other(self: Any, endpoint: Any, message_id: str, body: bytes, now: float) -> dict[str, str]:
        return headers(self, endpoint, message_id, body + b" ", now)

    signing.Signer.headers = other  # type: ignore[method-assign]


_PATCHES = (progress_unstored, failures_taken, signatures_of_another_body)
OF_WEBHOOKS: dict[str, tuple[str, Callable[[], None]]] = {
    patch.__name__: ("services.webhooks", patch) for patch in _PATCHES
}
