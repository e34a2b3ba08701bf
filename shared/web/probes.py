"""Probes: /livez says the process runs, /readyz whether it can do its work, and if not, why."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from aiohttp import web

from shared.runtime.metrics import NAMESPACE, READY, metrics

_STARTING = "starting"


class Readiness:
    """Named parts of a service's readiness; ready when none of them has something to say.

    /readyz also shows the namespace, so that the services of an installation can be compared.
    """

    def __init__(self, *parts: str, namespace: str = "") -> None:
        self._namespace = namespace
        if namespace:
            NAMESPACE.labels(namespace).set(1)
        self._notes: dict[str, Callable[[], str | None]] = {}
        self._state: dict[str, str | None] = {}
        for part in parts:
            self.set(part, _STARTING)

    def set(self, part: str, trouble: str | None) -> None:
        """`trouble` is a sentence for the operator; None when all is well."""
        self._state[part] = trouble
        READY.labels(part).set(trouble is None)

    def note(self, kind: str, text: str | Callable[[], str | None]) -> None:
        """Tell the operator something that does not make the service unready.

        A function is called for each answer of /readyz, and returns None for no note.
        """
        self._notes[kind] = text if callable(text) else lambda: text

    @property
    def ready(self) -> bool:
        """Whether every part is well."""
        return not any(self._state.values())

    def trouble(self, *parts: str) -> str | None:
        """The trouble of the first of these parts that has one; None while it only starts."""
        said = (self._state.get(part) for part in parts)
        return next((each for each in said if each and each != _STARTING), None)

    def document(self) -> dict[str, object]:
        """The JSON object of /readyz."""
        parts = {part: trouble or "ok" for part, trouble in self._state.items()}
        notes = {kind: text for kind, look in self._notes.items() if (text := look())}
        document: dict[str, object] = {"ready": self.ready}
        if self._namespace:
            document["namespace"] = self._namespace
        document["parts"] = parts
        if notes:
            document["notes"] = notes
        return document


READINESS = web.AppKey("readiness", Readiness)


async def livez(_: web.Request) -> web.Response:
    """The loop turns."""
    return web.Response(text="ok\n")


async def readyz(request: web.Request) -> web.Response:
    """200 or 503 with each part's state."""
    readiness = request.app[READINESS]
    return web.Response(
        body=orjson.dumps(readiness.document()),
        status=200 if readiness.ready else 503,
        content_type="application/json",
    )


def add_probes(app: web.Application, readiness: Readiness) -> None:
    """The routes that every service answers."""
    app[READINESS] = readiness
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
