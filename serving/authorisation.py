"""Who calls, by key, and whether they may."""

import base64
import binascii
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from serving.keys import Caller, Scope
from serving.runtime import Runtime

# How a key may be sent, for the description at /openapi.json.
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "basic": {"type": "http", "scheme": "basic", "description": "The key is the password; any user name will do."},
}


def runtime_of(request: Request) -> Runtime:
    """The parts of this process.

    Raises:
        HTTPException: 503 while the process starts.
    """
    runtime = request.app.state.runtime
    if runtime is None:
        raise HTTPException(503, "the service is starting")
    assert isinstance(runtime, Runtime)  # noqa: S101 - the state of an application is untyped
    return runtime


Parts = Annotated[Runtime, Depends(runtime_of)]


def presented_key(request: Request) -> str | None:
    """The key of a request: in `Authorization: Bearer`, as basic password, or in `X-API-Key`."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer" and value:
        return value
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return decoded.partition(":")[2] or None
    return request.headers.get("x-api-key") or None


def caller_with(scope: Scope) -> Callable[[Request, Runtime], Caller]:
    """A dependency that lets only callers with the scope pass."""

    def authorise(request: Request, parts: Parts) -> Caller:
        key = presented_key(request)
        caller = parts.keys.identify(key) if key else None
        if caller is None:
            # The same words for no key and a wrong one: nothing is learnt from trying.
            raise HTTPException(401, "a valid key is needed", {"WWW-Authenticate": 'Bearer realm="kizashi"'})
        if scope not in caller.scopes:
            raise HTTPException(403, f"the key lacks the scope {scope}")
        return caller

    return authorise


ScoreCaller = Annotated[Caller, Depends(caller_with("score"))]
SalesCaller = Annotated[Caller, Depends(caller_with("sales"))]
