"""A receiver of webhooks as a real HTTP server, for the tests of what is sent."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Received:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: str


@dataclass
class Receiver:
    """A real HTTP server on 127.0.0.1: answers as scripted, then 200."""

    script: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    url: str = ""
    on_request: Callable[[], None] | None = None


def serve(receiver: Receiver) -> ThreadingHTTPServer:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            with lock:
                receiver.received.append(Received(self.path, dict(self.headers.items()), body))
                status, headers = receiver.script.pop(0) if receiver.script else (200, {})
            if receiver.on_request is not None:
                receiver.on_request()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


@pytest.fixture
def make_receiver() -> Iterator[Callable[..., Receiver]]:
    servers = []

    def make(*script: tuple[int, dict[str, str]]) -> Receiver:
        receiver = Receiver(list(script))
        servers.append(serve(receiver))
        return receiver

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()
