"""Probes: /livez shows that the process runs, /readyz that it can work or why it cannot.

See docs/decisions/0055-a-namespace-has-one-contract.md.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson
from aiohttp import web

from shared.runtime.metrics import NAMESPACE, READY, metrics

_STARTING = "starting"


class Readiness:
    """The state of a service's named parts. The service is ready when every part is ready.

    /readyz also shows the namespace. Other services compare it with their own.
    """

    def __init__(self, *parts: str, namespace: str = "") -> None:
        self._namespace = namespace
        if namespace:
            NAMESPACE.labels(namespace).set(1)
        self._notes: dict[str, Callable[[], str | None]] = {}
        self._state: dict[str, str | None] = {}
        for part in parts:
            self.set(part, _STARTING)

    def set(self, part: str, reason: str | None) -> None:
        """Set why a part is not ready, as a sentence for the operator. None: the part is ready."""
        self._state[part] = reason
        READY.labels(part).set(reason is None)

    def note(self, kind: str, text: str | Callable[[], str | None]) -> None:
        """Add a note to /readyz that does not make the service unready.

        If `text` is a function, it is called for each answer of /readyz. It returns None when there
        is no note.
        """
        self._notes[kind] = text if callable(text) else lambda: text

    @property
    def ready(self) -> bool:
        """True if every part is ready."""
        return not any(self._state.values())

    def first_reason(self, *parts: str) -> str | None:
        """The reason of the first of these parts that is not ready.

        A part that is still starting is skipped. None if each of these parts is ready or starting.
        """
        reasons = (self._state.get(part) for part in parts)
        return next((each for each in reasons if each and each != _STARTING), None)

    def document(self) -> dict[str, object]:
        """The JSON object of /readyz."""
        parts = {part: reason or "ok" for part, reason in self._state.items()}
        notes = {kind: text for kind, note in self._notes.items() if (text := note())}
        document: dict[str, object] = {"ready": self.ready}
        if self._namespace:
            document["namespace"] = self._namespace
        document["parts"] = parts
        if notes:
            document["notes"] = notes
        return document


READINESS = web.AppKey("readiness", Readiness)


async def livez(_: web.Request) -> web.Response:
    """200 while the event loop runs."""
    return web.Response(text="ok\n")


async def readyz(request: web.Request) -> web.Response:
    """200 when ready, else 503. The body shows the state of each part."""
    readiness = request.app[READINESS]
    return web.Response(
        body=orjson.dumps(readiness.document()),
        status=200 if readiness.ready else 503,
        content_type="application/json",
    )


def add_probes(app: web.Application, readiness: Readiness) -> None:
    """Add the routes /livez, /readyz and /metrics."""
    app[READINESS] = readiness
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
