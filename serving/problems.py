"""Errors as problem documents (RFC 9457): what was wrong, never what was sent and never a traceback."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from core.errors import KizashiError
from core.logs import get_logger

MEDIA_TYPE = "application/problem+json"
PROBLEM_SCHEMA = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}
PROBLEM_RESPONSES: dict[int | str, dict[str, object]] = {
    status: {"description": text, "content": {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}}
    for status, text in (
        (401, "No key, or a wrong one."),
        (403, "The key lacks the scope."),
        (404, "Not found."),
        (408, "The body did not arrive in time."),
        (413, "The body is too large."),
        (422, "The request is not as described."),
        (503, "What is needed to answer cannot be reached; try again later."),
    )
}


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: object) -> JSONResponse:
    """A problem document as a response."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(content, status, headers=headers, media_type=MEDIA_TYPE)


def install_problems(app: FastAPI) -> None:
    """Answer every error of the application with a problem document."""

    async def on_http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 - the handler is registered for this class
        return problem(error.status_code, str(error.detail), dict(error.headers or {}))

    async def on_invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - the handler is registered for this class
        # Without the value: it may be personal, and it may not even be text that can be sent back.
        faults = [
            {"place": ".".join(str(part) for part in fault["loc"]), "message": str(fault["msg"])}
            for fault in error.errors()
        ]
        clean = [{key: text.encode("utf-8", "replace").decode() for key, text in fault.items()} for fault in faults]
        return problem(422, "the request is not as described at /openapi.json", errors=clean)

    async def on_known(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, KizashiError)  # noqa: S101 - the handler is registered for this class
        if error.http_status >= 500:
            get_logger("serving").warning("request failed", reason=error.sentence)
        headers = {"Retry-After": "2"} if error.http_status == 503 else None
        return problem(error.http_status, error.sentence, headers)

    async def on_unknown(_: Request, error: Exception) -> JSONResponse:
        get_logger("serving").error("request failed unexpectedly", exc_info=error)
        return problem(500, "something went wrong here; the operator's log says what")

    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(KizashiError, on_known)
    app.add_exception_handler(Exception, on_unknown)
