"""Problems: every error of a request becomes problem+json and reveals no internals."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import aiohttp
import pytest
from aiohttp import web
from pytest_aiohttp import AiohttpClient
from structlog.testing import capture_logs

from shared.redis.client import connect
from shared.web.problems import Goodbye, Problem, Slug, problem_middleware, unavailable
from tests.support.waiting import free_port

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def ask(aiohttp_client: AiohttpClient) -> Callable[..., Awaitable[Any]]:
    """Request an app with one given handler. Returns status, headers and document."""

    async def asked(
        handler: Handler, path: str = "/x", method: str = "GET"
    ) -> tuple[aiohttp.ClientResponse, Any]:
        app = web.Application(middlewares=[problem_middleware])
        app.router.add_get("/x", handler)
        client = await aiohttp_client(app)
        response = await client.request(method, path, allow_redirects=False)
        problem = response.content_type == "application/problem+json"
        return response, await response.json(content_type=None) if problem else None

    return asked


async def fine(_: web.Request) -> web.Response:
    return web.Response(text="ok")


def raising(error: BaseException) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        raise error

    return handler


async def test_a_successful_response_is_unchanged(ask: Callable[..., Awaitable[Any]]) -> None:
    response, document = await ask(fine)
    assert (response.status, document) == (200, None)


async def test_a_problem_shows_its_invalid_fields_and_extra_members(
    ask: Callable[..., Awaitable[Any]],
) -> None:
    mistakes = [{"field": "amount", "detail": "must be above 0"}]
    problem = Problem(
        422, Slug.INVALID, "one field is wrong", errors=mistakes, headers={"Retry-After": "2"},
        function="withdraw",
    )  # fmt: skip
    response, document = await ask(raising(problem))
    assert response.status == 422
    assert response.headers["Retry-After"] == "2"
    assert document == {
        "type": "/problems/invalid",
        "title": "Invalid",
        "status": 422,
        "detail": "one field is wrong",
        "function": "withdraw",
        "errors": mistakes,
    }


async def test_a_problem_without_invalid_fields_has_no_list_of_errors(
    ask: Callable[..., Awaitable[Any]],
) -> None:
    _, document = await ask(raising(Problem(409, Slug.STALE_VERSION, "read again")))
    assert document["title"] == "Stale version"
    assert "errors" not in document


async def test_an_unknown_path_is_404(ask: Callable[..., Awaitable[Any]]) -> None:
    response, document = await ask(fine, path="/nowhere")
    assert (response.status, document["type"]) == (404, "/problems/not-found")
    assert document["status"] == 404


async def test_405_lists_the_allowed_methods(
    ask: Callable[..., Awaitable[Any]],
) -> None:
    response, document = await ask(fine, method="PUT")
    assert (response.status, document["type"]) == (405, "/problems/method-not-allowed")
    assert response.headers["Allow"] == "GET,HEAD"


@pytest.mark.parametrize(
    ("error", "slug"),
    [
        (web.HTTPBadRequest(text="no JSON"), Slug.MALFORMED),
        (web.HTTPRequestEntityTooLarge(10, 20), Slug.TOO_LARGE),
        (web.HTTPUnsupportedMediaType(), Slug.UNSUPPORTED_MEDIA_TYPE),
        (web.HTTPTeapot() if hasattr(web, "HTTPTeapot") else web.HTTPGone(), Slug.HTTP),
    ],
)
async def test_an_http_error_of_aiohttp_gets_a_slug(
    ask: Callable[..., Awaitable[Any]], error: web.HTTPException, slug: Slug
) -> None:
    response, document = await ask(raising(error))
    assert response.status == error.status == document["status"]
    assert document["type"] == f"/problems/{slug}"
    assert document["detail"]


async def test_a_redirection_passes_unchanged(ask: Callable[..., Awaitable[Any]]) -> None:
    response, document = await ask(raising(web.HTTPFound("/docs")))
    assert (response.status, response.headers["Location"], document) == (302, "/docs", None)


async def test_an_unexpected_error_is_logged_and_reveals_nothing(
    ask: Callable[..., Awaitable[Any]],
) -> None:
    with capture_logs() as logs:
        response, document = await ask(raising(KeyError("the secret")))
    assert (response.status, document["type"]) == (500, "/problems/internal")
    assert "secret" not in str(document)
    (entry,) = [entry for entry in logs if entry["event"] == "request_failed"]
    assert (entry["method"], entry["path"], entry["exc_info"]) == ("GET", "/x", True)


async def test_an_unavailable_redis_is_503_with_retry_after(
    ask: Callable[..., Awaitable[Any]],
) -> None:
    redis = connect(f"redis://127.0.0.1:{free_port()}/0", timeout=0.5)

    async def handler(_: web.Request) -> web.Response:
        await redis.get("x")
        raise AssertionError("there is no Redis")

    with capture_logs() as logs:
        response, document = await ask(handler)
    await redis.aclose()
    assert (response.status, document["type"]) == (503, "/problems/unavailable")
    assert int(response.headers["Retry-After"]) > 0
    assert "127.0.0.1" not in str(document)
    assert "redis_unreachable" in [entry["event"] for entry in logs]


def test_unavailable_has_retry_after() -> None:
    problem = unavailable("later", retry_after=7)
    assert (problem.status, problem.headers) == (503, {"Retry-After": "7"})


@pytest.mark.parametrize("slug", [*Slug, *Goodbye])
def test_slugs_are_lower_case_words(slug: str) -> None:
    assert re.fullmatch(r"[a-z]+([-_][a-z]+)*", slug)
