"""Types of the clients that pytest-aiohttp creates for an application in this process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web
from aiohttp.test_utils import TestClient

WebClient: TypeAlias = TestClient[web.Request, web.Application]

StartApi: TypeAlias = Callable[..., Awaitable[WebClient]]
"""Starts an API. Settings are keyword arguments."""
