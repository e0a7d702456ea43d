"""The HTTP API and the pages of a server."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException

from litmus.errors import UserError
from litmus.inference.prediction import TOPK
from litmus.inference.serve import pages
from litmus.inference.serve.bodies import Reader
from litmus.inference.serve.guard import REPORT_POLICY, Guard
from litmus.inference.serve.images import ImageKind
from litmus.inference.serve.kind import as_plain
from litmus.inference.serve.limits import MOST_WAITING, SECONDS, Busy, TooMuch
from litmus.inference.serve.served import Served
from litmus.inference.serve.worker import Question
from litmus.record.folder import finite

log = logging.getLogger(__name__)

ALSO = "/also"  # before the addresses of the second run
MOST_TOPK = 1_000
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": what,
        "content": {"application/json": {"schema": {"type": "object", "properties": {"error": {"type": "string"}}}}},
    }
    for status, what in (
        (413, "The request is too large."),
        (422, "The network cannot use what was sent; the sentence says why."),
        (503, "It took too long, or too many requests wait."),
    )
}


def application(runs: Sequence[Served], hosts: tuple[str, ...]) -> Guard:
    """What answers requests.

    Args:
        runs: one, or two that are shown side by side.
        hosts: names by which the server is asked; empty for any.
    """
    app = FastAPI(
        title="litmus serve",
        description=f"What {runs[0].name} answers.",
        docs_url=None,  # FastAPI's own pages load scripts from elsewhere
        redoc_url=None,
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    reader = Reader()
    for prefix, run in zip(("", ALSO), runs, strict=False):
        app.include_router(_api(run, reader), prefix=prefix)
    _add_pages(app, runs)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _wrong_parameter)
    app.add_exception_handler(Exception, _internal_error)
    return Guard(app, hosts)


def _api(run: Served, reader: Reader) -> APIRouter:
    router = APIRouter(responses=ERRORS)
    body = {"requestBody": {"required": True, "content": {k: {"schema": v} for k, v in run.kind.schema.items()}}}

    @router.get("/api/run")
    async def about() -> Response:
        """What the run's network takes and answers."""
        return JSONResponse(run.facts)

    @router.post("/api/predict", openapi_extra=body)
    async def predict(request: Request, topk: int = TOPK) -> Response:
        """What the network says: an object for each input, with the keys of `litmus predict RUN --json`."""

        def ask(items: list[Any]) -> Future[Any]:
            return run.worker.ask(Question(items, min(max(topk, 1), MOST_TOPK)))

        return await _answered(request, run, reader, ask)

    @router.post("/api/explain", openapi_extra=body)
    async def explain(request: Request, target: str | None = None) -> Response:
        """Why the network says so of one input; `target` names another class, label, value or step."""

        def ask(items: list[Any]) -> Future[Any]:
            if not run.explains:
                raise UserError("Explanations require the package captum: pip install 'litmus[explain]'.")
            item = _only(items)
            return run.worker.alone(lambda: {"explanations": [as_plain(e) for e in run.kind.explain(item, target)]})

        return await _answered(request, run, reader, ask)

    if isinstance(run.kind, ImageKind):
        kind = run.kind

        @router.post("/api/activations", openapi_extra=body)
        async def activations(request: Request, topk: int = TOPK) -> Response:
            """What the network says of one image, and what each of its layers gives on the way to it."""

            def ask(items: list[Any]) -> Future[Any]:
                question = Question([_only(items)], min(max(topk, 1), MOST_TOPK))
                return run.worker.alone(lambda: kind.show_layers(question))

            return await _answered(request, run, reader, ask)

    @router.get("/report", include_in_schema=False)
    async def report() -> Response:
        if run.report is None or not run.report.is_file():
            raise HTTPException(404, "This run has no page. litmus report RUN makes it.")
        content = run.report.read_bytes()
        return Response(content, media_type="text/html", headers={"content-security-policy": REPORT_POLICY})

    return router


def _only(items: Sequence[Any]) -> Any:
    if len(items) > 1:
        raise UserError("Send one input at a time here.")
    return items[0]


async def _answered(
    request: Request, run: Served, reader: Reader, ask: Callable[[list[Any]], "Future[Any]"]
) -> Response:
    """The answer to a request, in time and within limits."""
    try:
        async with asyncio.timeout(SECONDS), reader.body(request, run.kind.largest) as body:
            answer = await asyncio.wrap_future(ask(run.kind.read(body)))
        return JSONResponse(finite(answer))
    except TooMuch:
        return _error(413, f"The request is too large: at most {run.kind.largest:,} bytes are read.")
    except UserError as error:
        return _error(422, str(error))
    except Busy:
        return _error(503, f"The server is busy: {MOST_WAITING:,} requests wait, or all are too large. Try again.")
    except TimeoutError:
        return _error(503, f"There was no answer within {SECONDS:.0f} seconds. Send less, or try again.")


def _error(status: int, sentence: str) -> JSONResponse:
    headers = {"retry-after": "1"} if status == 503 else None
    return JSONResponse({"error": sentence}, status, headers)


def _add_pages(app: FastAPI, runs: Sequence[Served]) -> None:
    found = {
        "/": (pages.play(runs), "text/html"),
        "/serve.css": (pages.style(), "text/css"),
        "/serve.js": (pages.script(), "text/javascript"),
    }
    for path, (content, kind) in found.items():
        app.add_api_route(path, _page(content, kind), include_in_schema=False)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return Response(pages.docs(runs[0], request.headers.get("host", "127.0.0.1:8000")), media_type="text/html")


def _page(content: str, kind: str) -> Callable[[], Awaitable[Response]]:
    async def page() -> Response:
        return PlainTextResponse(content, media_type=kind)

    return page


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentences = {404: f"There is nothing at {request.url.path[:200]}.", 405: "This address takes another method."}
    usual = error.detail in ("Not Found", "Method Not Allowed")
    return JSONResponse({"error": sentences[error.status_code] if usual else error.detail}, error.status_code)


async def _wrong_parameter(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = ", ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
    return _error(422, f"The address cannot be used: {found}.")


async def _internal_error(request: Request, error: Exception) -> Response:
    log.error("%s %s failed: %r", request.method, request.url.path, error, exc_info=error)
    return _error(500, "Something in litmus failed; its terminal says what.")
