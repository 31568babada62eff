"""Around every request: no body beyond the limit, careful headers, and a count of what was asked."""

import asyncio
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.metrics import Metrics
from serving.problems import problem

BODY_LIMIT = 4 * 1024 * 1024
# Less than the service allows for a whole request: whoever stops sending is told so, it is no fault of the server.
BODY_SECONDS = 20.0
# A client that is still sending cannot read an answer: so much is taken and thrown away before it is refused.
_DRAINED = 64 * 1024 * 1024
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class RequestGate:
    """The outermost layer of the application.

    The whole body is read before the application sees the request, so that one beyond the limit never reaches it.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, limit: int = BODY_LIMIT, seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._metrics = metrics
        self._limit = limit
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 500

        async def guarded_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            try:
                async with asyncio.timeout(self._seconds):
                    body = await self._body(scope, receive)
            except TimeoutError:
                refusal = problem(408, f"the body did not arrive within {self._seconds:g} seconds")
                await refusal(scope, receive, guarded_send)
                return
            if body is None:
                refusal = problem(413, f"the body is larger than {self._limit // 1024 // 1024} MiB")
                await refusal(scope, receive, guarded_send)
            else:
                await self._app(scope, _replay(body, receive), guarded_send)
        finally:
            # The route's pattern, never the path: that holds ids and addresses.
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.observe(scope["method"], route, status, time.perf_counter() - start)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body; None when it is beyond the limit."""
        declared = Headers(scope=scope).get("content-length", "0")
        too_large = declared.isdecimal() and int(declared) > self._limit
        if too_large and int(declared) > _DRAINED:
            return None
        parts: list[bytes] = []
        taken = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                break
            taken += len(message.get("body", b""))
            too_large = too_large or taken > self._limit
            if not too_large:
                parts.append(message.get("body", b""))
            if not message.get("more_body", False) or taken > _DRAINED:
                break
        return None if too_large else b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
