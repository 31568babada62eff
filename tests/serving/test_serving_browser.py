"""The sales page in a real browser, on a real server, in both languages and at the width of a phone."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from core.alert_tables import Alert
from core.database import open_database
from tests.browser import Page, free_port, keep, log_in, needs_browser, wait_for

ROOT = Path(__file__).parents[2]
pytestmark = needs_browser


@pytest.fixture
def address(own_served: Any) -> Iterator[str]:
    """A server over the company, about whose best hot lead sales was told."""
    best = next(row for row in own_served.scores if row["hot"])
    engine = open_database(own_served.settings, own_served.workspace)
    with Session(engine) as session, session.begin():
        figures = {key: best[key] for key in ("customer_id", "probability", "score", "grade", "evidence", "as_of")}
        session.add(
            Alert(
                alert_id="a-1", model="lead", reasons=[], model_version="1", state="open",
                created_at=best["as_of"], released_at=best["as_of"], **figures,
            )
        )  # fmt: skip
    engine.dispose()
    port = free_port()
    program = (
        "import sys; from pathlib import Path; import uvicorn; from core.clock import SystemClock;"
        "from core.settings import load_settings; from core.storage import Workspace;"
        "from serving.app import create_app, guarded; from serving.runtime import Runtime;"
        "settings = load_settings(Path(sys.argv[1]));"
        "runtime = Runtime.open(settings, Workspace(settings.home), SystemClock());"
        "uvicorn.run(guarded(create_app(), runtime), port=int(sys.argv[2]), log_level='error')"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(own_served.config), str(port)], cwd=ROOT)
    try:
        wait_for(f"http://127.0.0.1:{port}/livez", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def test_sales_sees_and_takes_a_hot_lead(own_served: Any, address: str, open_page: Callable[..., Page]) -> None:
    page = open_page(1100, 1000)
    log_in(page, address, own_served.keys["sales"])
    assert "ホットリード" in page.text("h1")
    hot = [row for row in own_served.scores if row["hot"]]
    assert len(page.find(".lead")) == len(hot)
    assert hot[0]["reason_1"] in page.text(".lead")
    assert len(page.find("footer button")) == 1
    assert page.run("getComputedStyle(document.querySelector('.lead')).display") == "grid"  # the style sheet is allowed
    keep(page, "page-ja.png")
    page.call("POST", f"{page.find('footer button')[0]}/click")
    assert page.find("footer button") == []
    assert "対応中 sales key" in page.text(".lead")
    page.call("POST", f"{page.find('nav a')[0]}/click")
    assert "Hot leads" in page.text("h1")
    assert "Taken care of by sales key" in page.text(".lead")
    keep(page, "page-en.png")


def test_the_page_fits_a_phone(own_served: Any, address: str, open_page: Callable[..., Page]) -> None:
    page = open_page(360, 740)
    log_in(page, address, own_served.keys["sales"])
    assert page.run("document.documentElement.scrollWidth") <= 360
    assert page.run("document.querySelector('footer button').getBoundingClientRect().height") >= 44
    keep(page, "phone-ja.png")
