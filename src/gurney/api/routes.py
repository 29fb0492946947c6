"""The one place for the API's endpoints: one table, and nothing answers that does not stand in it.

Handlers are plain functions (they run in threads: asking the guard and the engines blocks). Nothing changes on GET.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from gurney.api import models
from gurney.api.problems import MEDIA_TYPE, plain
from gurney.api.work import Work
from gurney.errors import GurneyError, InputRefused


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. `access` says who may: `owner` is the user Gurney runs as, and root (the only ones the socket lets in)."""

    method: str
    path: str
    access: str
    handler: Callable[..., Any]


def routes(work: Work) -> tuple[Route, ...]:
    """The table."""
    control = work.control

    def status() -> dict[str, Any]:
        return work.watch.status()

    def alive() -> dict[str, Any]:
        return {"pid": os.getpid()}

    def ready() -> dict[str, Any]:
        waiting = work.watch.waiting()
        return {"ready": not waiting, "waiting": waiting}

    def revisions() -> dict[str, Any]:
        return {"revisions": control.revisions()}

    def plan(body: models.DocumentBody) -> dict[str, Any]:
        return control.plan(body.text, body.file)

    def apply(body: models.ApplyBody, request: Request) -> dict[str, Any]:
        return control.apply(body.text, body.file, who=who(request), why=body.why, confirm=body.confirm_seconds)

    def undo(body: models.UndoBody, request: Request) -> dict[str, Any]:
        return control.undo(who=who(request), why=body.why)

    def confirm(body: models.Nothing, request: Request) -> dict[str, Any]:
        return control.confirm(who=who(request))

    def override(body: models.OverrideBody, request: Request) -> dict[str, Any]:
        return control.override(body.object, body.word, who=who(request), why=body.why, seconds=body.seconds)

    def lift(object: models.Name) -> dict[str, Any]:
        return control.lift(object)

    def explain(body: models.ExplainBody) -> dict[str, Any]:
        return dict(control.explain(body.application, body.service, body.facts))

    def down(body: models.Nothing) -> dict[str, Any]:
        return work.down()

    return (
        Route("GET", "/v1/status", "owner", status),
        Route("GET", "/v1/alive", "owner", alive),
        Route("GET", "/v1/ready", "owner", ready),
        Route("GET", "/v1/revisions", "owner", revisions),
        Route("POST", "/v1/plan", "owner", plan),
        Route("POST", "/v1/apply", "owner", apply),
        Route("POST", "/v1/undo", "owner", undo),
        Route("POST", "/v1/confirm", "owner", confirm),
        Route("POST", "/v1/overrides", "owner", override),
        Route("DELETE", "/v1/overrides", "owner", lift),
        Route("POST", "/v1/explain", "owner", explain),
        Route("POST", "/v1/down", "owner", down),
    )


def who(request: Request) -> str:
    """The name of the user at the other end, as the kernel says; the number when it has no name here."""
    if request.client is None:
        raise InputRefused("nobody knows who asks")
    try:
        return pwd.getpwuid(int(request.client.host)).pw_name
    except (KeyError, ValueError):
        return f"uid {request.client.host}"


def application(work: Work) -> FastAPI:
    """The ASGI application: the routes of the table, errors as problems, no documentation pages."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    for route in routes(work):
        if route.access != "owner":
            raise GurneyError(f"{route.method} {route.path} says nobody may use it")
        app.add_api_route(route.path, route.handler, methods=[route.method], response_model=None)
    app.add_exception_handler(GurneyError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _defect)
    return app


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, GurneyError)
    return JSONResponse(error.problem(), error.http_status, media_type=MEDIA_TYPE)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    said = "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()[:5])
    return JSONResponse(InputRefused(said).problem(), 422, media_type=MEDIA_TYPE)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse(plain(error.status_code, str(error.detail), "no such endpoint or method"), error.status_code, media_type=MEDIA_TYPE)


async def _defect(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse(plain(500, "a defect in Gurney", type(error).__name__), 500, media_type=MEDIA_TYPE)
