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


class Handlers:
    """What each endpoint does, on one control process."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._control = work.control

    def alive(self) -> dict[str, Any]:
        """The control process is here: its pid."""
        return {"pid": os.getpid()}

    def status(self) -> dict[str, Any]:
        """Applications, services, pools, members in three words, rates, conditions."""
        return self._work.watch.status()

    def ready(self) -> dict[str, Any]:
        """Whether every engine has confirmed and every check has had a result; else what is waited for."""
        waiting = self._work.watch.waiting()
        return {"ready": not waiting, "waiting": waiting}

    def revisions(self) -> dict[str, Any]:
        """What was applied, newest first."""
        return {"revisions": self._control.revisions()}

    def plan(self, body: models.DocumentBody) -> dict[str, Any]:
        """The steps an apply of this document would take; changes nothing."""
        return self._control.plan(body.text, body.file, body.place)

    def apply(self, body: models.ApplyBody, request: Request) -> dict[str, Any]:
        """A new revision; answers when every engine has confirmed it."""
        return self._control.apply(body.text, body.file, who=who(request), why=body.why, confirm=body.confirm_seconds, folder=body.place)

    def undo(self, body: models.UndoBody, request: Request) -> dict[str, Any]:
        """Back to the revision before."""
        return self._control.undo(who=who(request), why=body.why)

    def confirm(self, body: models.Nothing, request: Request) -> dict[str, Any]:
        """Keeps the revision that waits for it."""
        return self._control.confirm(who=who(request))

    def override(self, body: models.OverrideBody, request: Request) -> dict[str, Any]:
        """Lays a temporary word over members."""
        return self._control.override(body.object, body.word, who=who(request), why=body.why, seconds=body.seconds)

    def lift(self, object: models.Name) -> dict[str, Any]:
        """Takes the overrides off members."""
        return self._control.lift(object)

    def explain(self, body: models.ExplainBody) -> dict[str, Any]:
        """Which rule, pool and member would take a message, and why not the others."""
        return dict(self._control.explain(body.application, body.service, body.facts))

    def down(self, body: models.Nothing) -> dict[str, Any]:
        """Stops traffic and everything else."""
        return self._work.down()


def routes(work: Work) -> tuple[Route, ...]:
    """The table."""
    handlers = Handlers(work)
    return (
        Route("GET", "/v1/status", "owner", handlers.status),
        Route("GET", "/v1/alive", "owner", handlers.alive),
        Route("GET", "/v1/ready", "owner", handlers.ready),
        Route("GET", "/v1/revisions", "owner", handlers.revisions),
        Route("POST", "/v1/plan", "owner", handlers.plan),
        Route("POST", "/v1/apply", "owner", handlers.apply),
        Route("POST", "/v1/undo", "owner", handlers.undo),
        Route("POST", "/v1/confirm", "owner", handlers.confirm),
        Route("POST", "/v1/overrides", "owner", handlers.override),
        Route("DELETE", "/v1/overrides", "owner", handlers.lift),
        Route("POST", "/v1/explain", "owner", handlers.explain),
        Route("POST", "/v1/down", "owner", handlers.down),
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
