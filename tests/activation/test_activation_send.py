import asyncio
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from activation.address import is_public
from activation.channel import Channel, open_channels
from activation.outbox import Answered
from activation.send import send
from core.activation_settings import ActivationSettings
from core.errors import ConfigurationError

SECRETS = {"HOOK_SECRET": "whsec_" + "a" * 44, "OLD_SECRET": "whsec_" + "b" * 44}


def opened(**channel: Any) -> Channel:
    settings = ActivationSettings(
        channels=[{"kind": "webhook", "name": "crm", "secret_env": ["HOOK_SECRET"], **channel}]
    )
    return open_channels(settings, SECRETS)[0]


def post(channel: Channel, resolver: Any = None) -> Answered:
    now = datetime.now(UTC)
    extra = {} if resolver is None else {"resolver": resolver}
    return asyncio.run(send(channel, "msg_1", '{"a":"あ"}', now, **extra))


def resolver_of(*answers: tuple[str, ...]) -> Any:
    left = list(answers)

    async def resolver(host: str, port: int) -> tuple[str, ...]:
        resolver.asked.append(host)
        return left.pop(0)

    resolver.asked = []
    return resolver


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - an address to refuse, nothing is bound to it
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_private_address_is_refused_by_default_without_a_connection(make_receiver: Any) -> None:
    receiver = make_receiver()
    assert post(opened(url=receiver.url, allow_http=True)) == Answered(None, "private_address")
    by_name = receiver.url.replace("127.0.0.1", "localhost")
    assert post(opened(url=by_name, allow_http=True)) == Answered(None, "private_address")
    mixed = resolver_of(("8.8.8.8", "127.0.0.1"))
    assert post(opened(url=by_name, allow_http=True), mixed) == Answered(None, "private_address")
    assert receiver.received == []


def test_the_name_is_looked_up_once_and_that_answer_is_connected_to(make_receiver: Any) -> None:
    receiver = make_receiver()
    port = receiver.url.split(":")[2].split("/")[0]
    rebinding = resolver_of(("127.0.0.1",), ("10.0.0.1",))
    channel = opened(url=f"http://hooks.example.test:{port}/x", allow_http=True, allow_private_addresses=True)
    assert post(channel, rebinding) == Answered(200)
    assert rebinding.asked == ["hooks.example.test"]
    (request,) = receiver.received
    assert request.headers["Host"] == f"hooks.example.test:{port}"


def test_the_signature_is_the_one_that_the_standard_library_of_receivers_accepts(make_receiver: Any) -> None:
    receiver = make_receiver()
    channel = opened(
        url=receiver.url, secret_env=["HOOK_SECRET", "OLD_SECRET"], allow_http=True, allow_private_addresses=True
    )
    assert post(channel).delivered
    (request,) = receiver.received
    for secret in SECRETS.values():
        assert Webhook(secret).verify(request.body, request.headers) == {"a": "あ"}
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "c" * 44).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRETS["HOOK_SECRET"]).verify(request.body + " ", request.headers)
    assert request.headers["webhook-id"] == "msg_1"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(make_receiver: Any, status: int) -> None:
    elsewhere = make_receiver()
    receiver = make_receiver((status, {"Location": elsewhere.url}))
    answered = post(opened(url=receiver.url, allow_http=True, allow_private_addresses=True))
    assert answered == Answered(status, f"http_{status}")
    assert not answered.delivered
    assert elsewhere.received == []


@pytest.fixture
def raw_server() -> Iterator[Callable[..., int]]:
    """A TCP server on 127.0.0.1 that treats each connection as it is told."""
    listeners = []

    def start(talk: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        if context is not None:
                            with context.wrap_socket(connection, server_side=True) as secured:
                                talk(secured)
                        else:
                            talk(connection)
                    except OSError:
                        continue

        threading.Thread(target=accept, daemon=True).start()
        port: int = listener.getsockname()[1]
        return port

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def read_request(connection: socket.socket) -> None:
    """To the end: closing a connection with unread data resets it, and the answer is lost."""
    request = b""
    while not request.endswith(b"}"):
        request += connection.recv(4096)


def test_the_time_out_covers_a_receiver_that_answers_byte_by_byte(raw_server: Any) -> None:
    def drip(connection: socket.socket) -> None:
        for letter in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200:
            connection.sendall(bytes([letter]))
            time.sleep(0.05)

    channel = opened(
        url=f"http://127.0.0.1:{raw_server(drip)}/", allow_http=True, allow_private_addresses=True, timeout_seconds=0.5
    )
    began = time.monotonic()
    assert post(channel) == Answered(None, "timeout")
    assert time.monotonic() - began < 3


def test_what_is_no_http_or_not_there_is_a_failure(raw_server: Any) -> None:
    def greet(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"SSH-2.0-x\r\n\r\n")

    port = raw_server(greet)
    nonsense = opened(url=f"http://127.0.0.1:{port}/", allow_http=True, allow_private_addresses=True)
    assert post(nonsense).error == "RemoteProtocolError"
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    absent = opened(url=f"http://127.0.0.1:{closed}/", allow_http=True, allow_private_addresses=True)
    assert post(absent) == Answered(None, "ConnectError")


def certificate(folder: Path, host: str) -> tuple[Path, ssl.SSLContext]:
    key, chain = folder / f"{host}.key", folder / f"{host}.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(chain)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return chain, context


def test_https_checks_the_certificate_of_the_name_though_it_connects_to_an_address(
    raw_server: Any, tmp_path: Path
) -> None:
    def answer(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    chain, context = certificate(tmp_path, "hooks.example.test")
    port = raw_server(answer, context)
    local: Any = {"ca_file": chain, "allow_private_addresses": True}
    good = opened(url=f"https://hooks.example.test:{port}/", **local)
    assert post(good, resolver_of(("127.0.0.1",))) == Answered(200)
    other_name = opened(url=f"https://other.example.test:{port}/", **local)
    assert post(other_name, resolver_of(("127.0.0.1",))) == Answered(None, "ConnectError")
    unknown_issuer = opened(url=f"https://hooks.example.test:{port}/", allow_private_addresses=True)
    assert post(unknown_issuer, resolver_of(("127.0.0.1",))) == Answered(None, "ConnectError")


def test_retry_after_is_read_in_both_forms(make_receiver: Any) -> None:
    receiver = make_receiver((429, {"Retry-After": "7"}), (503, {"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}))
    channel = opened(url=receiver.url, allow_http=True, allow_private_addresses=True)
    assert post(channel) == Answered(429, "http_429", timedelta(seconds=7))
    late = post(channel)
    assert late.retry_after is not None
    assert late.retry_after > timedelta(days=365)


def test_all_missing_variables_are_named_at_once_and_no_value_is_shown() -> None:
    settings = ActivationSettings(
        channels=[
            {"kind": "webhook", "name": "crm", "url": "https://x.example/", "secret_env": ["MISSING", "SHORT", "ODD"]},
            {"kind": "slack", "name": "sales", "url_env": "SLACK"},
            {"kind": "slack", "name": "team", "url_env": "PLAIN"},
        ]
    )
    variables = {"SHORT": "whsec_c2hvcnQ=", "ODD": "topsecret", "PLAIN": "http://hooks.example/topsecret"}
    with pytest.raises(ConfigurationError) as caught:
        open_channels(settings, variables)
    sentence = caught.value.sentence
    assert "has 5 faults" in sentence
    for words in ("MISSING is not set", "SHORT holds 5 bytes", "ODD does not begin", "SLACK: it is", "PLAIN: the addr"):
        assert words in sentence
    assert "topsecret" not in sentence


def test_a_channel_does_not_print_what_came_from_the_environment() -> None:
    settings = ActivationSettings(
        channels=[
            {"kind": "webhook", "name": "crm", "url": "https://x.example/", "secret_env": ["HOOK_SECRET"]},
            {"kind": "slack", "name": "sales", "url_env": "SLACK"},
        ]
    )
    shown = repr(open_channels(settings, {**SECRETS, "SLACK": "https://hooks.example/services/topsecret"}))
    assert SECRETS["HOOK_SECRET"] not in shown
    assert "topsecret" not in shown
