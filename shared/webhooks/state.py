"""What an endpoint does at the moment, from its document and its progress. Pure."""

from __future__ import annotations

from enum import StrEnum

from shared.webhooks.endpoint import Endpoint
from shared.webhooks.progress import Progress


class EndpointState(StrEnum):
    """What an endpoint does. `paused`: by its owner. `disabled`: by a dispatcher, with a reason."""

    ACTIVE = "active"
    FAILING = "failing"
    PAUSED = "paused"
    DISABLED = "disabled"


def current_progress(endpoint: Endpoint, progress: Progress | None) -> Progress | None:
    """The progress of this generation of the endpoint; None if its delivery has not begun."""
    return progress if progress and progress.generation == endpoint.generation else None


def state_of(endpoint: Endpoint, progress: Progress | None) -> EndpointState:
    """The state of an endpoint. `progress` is the stored one, None if there is none."""
    current = current_progress(endpoint, progress)
    if not endpoint.enabled:
        return EndpointState.PAUSED
    if current and current.disabled:
        return EndpointState.DISABLED
    return EndpointState.FAILING if current and current.failures else EndpointState.ACTIVE
