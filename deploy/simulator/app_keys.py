"""The keys of values that the handlers find in the application and in a request."""

from __future__ import annotations

from aiohttp import web

from deploy.simulator.faults.faults import Fault, Faults
from deploy.simulator.network import Network
from deploy.simulator.versions import ServerVersions

NETWORK = web.AppKey("network", Network)
VERSIONS = web.AppKey("versions", ServerVersions)
FAULTS = web.AppKey("faults", Faults)
FAULT: web.RequestKey[Fault] = web.RequestKey("fault", Fault)
"""The fault that applies to this stream."""
