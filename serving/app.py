"""The HTTP application: routes, errors and the description at /openapi.json in one place."""

from typing import Any

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from serving import lead_routes, sales_page, score_routes
from serving.authorisation import SECURITY_SCHEMES, Parts
from serving.gate import RequestGate
from serving.metrics import CONTENT_TYPE
from serving.problems import install_problems, problem
from serving.runtime import Runtime


def create_app(runtime: Runtime | None = None) -> FastAPI:
    """The application; `app.state.runtime` may be given later, until then requests are answered with 503."""
    app = FastAPI(title="Kizashi", version="1", docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.runtime = runtime
    install_problems(app)
    app.include_router(score_routes.router)
    app.include_router(lead_routes.router)
    app.include_router(sales_page.router)

    @app.get("/livez", include_in_schema=False)
    def live() -> Response:
        """The process runs."""
        return PlainTextResponse("ok\n")

    @app.get("/readyz", include_in_schema=False)
    def ready(parts: Parts) -> Response:
        """Lookups can be answered."""
        return PlainTextResponse("ok\n") if parts.is_ready else problem(503, "neither store can be reached")

    @app.get("/metrics", include_in_schema=False)
    def metrics(parts: Parts) -> Response:
        """Counts for Prometheus."""
        return Response(parts.metrics.exposition(), media_type=CONTENT_TYPE)

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = original()
            schema.setdefault("components", {})["securitySchemes"] = SECURITY_SCHEMES
            schema["security"] = [{name: []} for name in SECURITY_SCHEMES]
            app.openapi_schema = schema
        return app.openapi_schema

    original = app.openapi
    app.openapi = described  # type: ignore[method-assign]  # the way that FastAPI documents for extending the schema
    return app


def guarded(app: FastAPI, runtime: Runtime) -> ASGIApp:
    """The application behind its gate, ready to be served; the runtime is attached."""
    app.state.runtime = runtime
    return RequestGate(app, runtime.metrics)
