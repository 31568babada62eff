"""A real browser, driven as the WebDriver standard says, and real servers for it to look at."""

import base64
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="neither Chromium nor its driver is installed")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


@dataclass(frozen=True)
class Page:
    """A browser window, driven as the WebDriver standard says."""

    session: str

    def call(self, method: str, path: str, **content: Any) -> Any:
        """One command."""
        answer = httpx.request(
            method, self.session + path, json=content if method == "POST" else None, timeout=60
        ).json()
        assert not (isinstance(answer["value"], dict) and "error" in answer["value"]), answer
        return answer["value"]

    def find(self, css: str) -> list[str]:
        """The elements that match, as paths."""
        found = self.call("POST", "/elements", using="css selector", value=css)
        return [f"/element/{element[ELEMENT]}" for element in found]

    def text(self, css: str = "body") -> str:
        """What the first match shows."""
        return str(self.call("GET", f"{self.find(css)[0]}/text"))

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        return self.call("POST", "/execute/sync", script=f"return {script}", args=[])

    def picture(self) -> bytes:
        """What the window shows, as PNG."""
        return base64.b64decode(self.call("GET", "/screenshot"))


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert process.poll() is None, "the process ended before it answered"
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"{url} did not answer within {seconds} seconds")


@pytest.fixture
def open_page(tmp_path: Path) -> Iterator[Callable[[int, int], Page]]:
    """Open a browser window of a size."""
    port = free_port()
    driver = subprocess.Popen([str(DRIVER), f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(f"http://127.0.0.1:{port}/status", driver)
    pages: list[Page] = []

    def start(width: int, height: int) -> Page:
        flags = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--hide-scrollbars", f"--window-size={width},{height}",
            f"--user-data-dir={tmp_path / f'profile{len(pages)}'}",
        ]  # fmt: skip
        options = {"binary": CHROMIUM, "args": flags}
        # A window is never narrower than some 500 points; a phone is emulated.
        if width < 500:
            options["mobileEmulation"] = {"deviceMetrics": {"width": width, "height": height, "pixelRatio": 2.0}}
        wanted = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}
        answer = httpx.post(f"http://127.0.0.1:{port}/session", json={"capabilities": wanted}, timeout=120).json()
        assert "sessionId" in answer["value"], answer
        pages.append(Page(f"http://127.0.0.1:{port}/session/{answer['value']['sessionId']}"))
        return pages[-1]

    yield start
    for page in pages:
        page.call("DELETE", "")
    driver.terminate()
    driver.wait(20)


def log_in(page: Page, address: str, key: str) -> None:
    page.call("POST", "/url", url=address)
    page.call("POST", f"{page.find('#key')[0]}/value", text=key)
    page.call("POST", f"{page.find('main button')[0]}/click")


def keep(page: Page, name: str) -> None:
    """Keep the picture where KEEP_PICTURES_IN says, for the documentation; else only see that there is one."""
    picture = page.picture()
    assert picture.startswith(b"\x89PNG")
    folder = os.environ.get("KEEP_PICTURES_IN")
    if folder:
        (Path(folder) / name).write_bytes(picture)
