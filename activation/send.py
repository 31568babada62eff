"""One attempt to bring one message to its receiver."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_address

import httpx

from activation.address import RefusedAddressError, Resolver, resolve, usable_addresses
from activation.channel import Channel
from activation.outbox import Answered
from activation.signing import signature_headers

_PORTS = {"https": 443, "http": 80}


async def send(channel: Channel, message_id: str, body: str, now: datetime, resolver: Resolver = resolve) -> Answered:
    """POST the body; whatever goes wrong on the way comes back as an answer without a status.

    The answer's body is not read. The time-out covers the whole attempt, so that a receiver that answers one byte at a
    time holds up nobody.

    Args:
        channel: the receiver.
        message_id: the same on every attempt.
        body: JSON text.
        now: the time of this attempt (UTC), which the receiver compares with its own clock.
        resolver: looks up names.
    """
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Kizashi"}
    if channel.secrets:
        headers |= signature_headers(channel.secrets, message_id, now, body)
    port = channel.url.port or _PORTS[channel.url.scheme]
    try:
        async with asyncio.timeout(channel.settings.timeout_seconds):
            addresses = await usable_addresses(
                channel.url.raw_host.decode("ascii"),
                port,
                allow_private=channel.settings.allow_private_addresses,
                resolver=resolver,
            )
            return await _post(channel, addresses, headers, body.encode(), now)
    except RefusedAddressError:
        return Answered(None, "private_address")
    except TimeoutError:
        return Answered(None, "timeout")
    except (httpx.TransportError, httpx.InvalidURL, OSError, UnicodeError) as error:
        return Answered(None, type(error).__name__)


async def _post(
    channel: Channel, addresses: tuple[str, ...], headers: dict[str, str], body: bytes, now: datetime
) -> Answered:
    """Try the addresses until one takes the connection.

    The transport is used without a client: that leaves out proxies, redirects, cookies, and the client's log line,
    which would print the address with the secret in it.
    """
    last: httpx.ConnectError | None = None
    async with httpx.AsyncHTTPTransport(verify=channel.trust) as transport:
        for address in addresses:
            request = httpx.Request(
                "POST",
                channel.url.copy_with(host=address),
                headers={"Host": channel.url.netloc.decode("ascii"), **headers},
                content=body,
                # The certificate must still be the one of the name that was configured.
                extensions={"sni_hostname": channel.url.raw_host.decode("ascii")} if _is_name(channel.url) else {},
            )
            try:
                response = await transport.handle_async_request(request)
            except httpx.ConnectError as refused:
                last = refused
                continue
            await response.aclose()
            wait = retry_after(response.headers.get("Retry-After"), now)
            error = None if 200 <= response.status_code < 300 else f"http_{response.status_code}"
            return Answered(response.status_code, error, wait)
    raise last or OSError("the name has no address")


def _is_name(url: httpx.URL) -> bool:
    try:
        ip_address(url.host)
    except ValueError:
        return True
    return False


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """How long to wait, from seconds or from an HTTP date; None when the header is absent, past or unreadable.

    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> retry_after("120", now), retry_after("Thu, 01 Jan 2026 00:01:00 GMT", now), retry_after("soon", now)
    (datetime.timedelta(seconds=120), datetime.timedelta(seconds=60), None)
    """
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        # More digits than any wait needs would overflow.
        return timedelta(seconds=int(text[:9])) or None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment - now if moment > now else None
