"""The page for sales: who is hot, why, and a button to say "I take care". No script, nothing from elsewhere."""

from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from core.model_settings import ModelName
from scoring.reasons import Language
from serving.alerts import acknowledge
from serving.authorisation import Parts
from serving.leads import hot_leads
from serving.messages import CLEAN
from serving.page_texts import PAGE_TEXTS
from serving.runtime import Runtime
from serving.sessions import LIFETIME, Login

router = APIRouter(include_in_schema=False)
_FOLDER = Path(__file__).parent
_COOKIE = "kizashi_session"
_LANGUAGE_COOKIE = "kizashi_language"
_SHOWN = 100
_CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_templates = Environment(
    loader=FileSystemLoader(_FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@router.get("/")
def show_page(request: Request, parts: Parts) -> Response:
    """The hot leads, or the login for whom nobody knows."""
    language = _language(request, parts)
    login = _login(request, parts)
    if login is None:
        return _html("login.html", language, 200, failed=False)
    leads = hot_leads(parts.workspace, parts.database, parts.lookup, _model(parts), language, _SHOWN)
    zone = ZoneInfo(parts.settings.timezone)

    def local(moment: datetime | str) -> str:
        """A moment as the business reads it."""
        known = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        return known.astimezone(zone).strftime("%Y-%m-%d %H:%M")

    return _html("hot_leads.html", language, 200, leads=leads, login=login, local=local, cut=len(leads) == _SHOWN)


@router.post("/login")
def log_in(request: Request, parts: Parts, key: Annotated[str, Form(max_length=200)] = "") -> Response:
    """Begin a session with a key that has the scope `sales`."""
    _refuse_foreign(request)
    caller = parts.keys.identify(key.strip()) if key.strip() else None
    if caller is None or "sales" not in caller.scopes:
        return _html("login.html", _language(request, parts), 401, failed=True)
    login = parts.sessions.begin(caller)
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(
        _COOKIE,
        login.token,
        max_age=int(LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/logout")
def log_out(request: Request, parts: Parts, form_token: Annotated[str, Form(max_length=200)] = "") -> Response:
    """End the session."""
    login = _sure_login(request, parts, form_token)
    parts.sessions.end(login.token)
    answer = RedirectResponse("/", status_code=303)
    answer.delete_cookie(_COOKIE, httponly=True, samesite="strict")
    return answer


@router.post("/acknowledge")
def take_lead(
    request: Request,
    parts: Parts,
    alert_id: Annotated[str, Form(max_length=36, pattern=CLEAN)] = "",
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Say "I take care" of a lead."""
    login = _sure_login(request, parts, form_token)
    with parts.database.engine() as engine:
        acknowledge(engine, alert_id, login.caller.name, clock=parts.clock)
    return RedirectResponse("/", status_code=303)


@router.get("/language/{language}")
def choose_language(language: Language) -> Response:
    """Show the pages in Japanese or English from now on."""
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(_LANGUAGE_COOKIE, language, max_age=365 * 86_400, httponly=True, samesite="strict")
    return answer


@router.get("/static/sales.css")
def style_sheet() -> Response:
    """The pages' style."""
    return FileResponse(_FOLDER / "static" / "sales.css", media_type="text/css")


def _model(parts: Runtime) -> ModelName:
    return parts.settings.models.names[0]


def _language(request: Request, parts: Runtime) -> Language:
    chosen = request.cookies.get(_LANGUAGE_COOKIE)
    if chosen == "ja":
        return "ja"
    return "en" if chosen == "en" else parts.settings.locale


def _login(request: Request, parts: Runtime) -> Login | None:
    token = request.cookies.get(_COOKIE)
    return parts.sessions.find(token) if token else None


def _sure_login(request: Request, parts: Runtime, form_token: str) -> Login:
    _refuse_foreign(request)
    login = _login(request, parts)
    if login is None:
        raise HTTPException(401, "nobody is logged in")
    if not login.accepts(form_token):
        raise HTTPException(403, "the form is not from this page; load the page again")
    return login


def _refuse_foreign(request: Request) -> None:
    """Browsers say from where a form is sent; one from another site is not ours."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "the form is not from this page")


def _html(template: str, language: Language, status: int, **values: object) -> Response:
    page = _templates.get_template(template).render(text=PAGE_TEXTS[language], language=language, **values)
    return HTMLResponse(page, status, headers={"Content-Security-Policy": _CONTENT_POLICY})
