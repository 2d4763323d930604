"""Who may see the inspector, and which page is at which path."""

from __future__ import annotations

import inspect
import json
import logging
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from flask import Response, current_app, has_request_context, request
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.routing import Rule

from dataloaders.observe import Record
from flask_dataloaders.contexts import session_here

from . import pages
from .kept import ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    from dataloaders import LoaderScope

    from .kept import KeptRequests

ROOT: Final = "/_dataloaders/"

_METHODS: Final = ("GET", "HEAD")

_HEADERS: Final = {
    "Cache-Control": "no-store",
    # No script at all, and nothing from anywhere else.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

logger = logging.getLogger(__name__)


class Inspector:
    """Serves the inspector's pages to whom the application lets see them.

    For anybody else its routes are none: the request goes wherever it would without them, to the
    application's own 404 or to a route of its that takes any path.

    Args:
        kept: The requests that it shows.
        may_see: Says whether the request at hand may see it; None for whether the application is
            in debug mode. It is asked while the route is looked for: there are a request and a
            session by then, and nothing yet of what `before_request` functions make.
        new_scope: Makes the scope for what is looked up for that.
    """

    def __init__(
        self,
        kept: KeptRequests,
        may_see: Callable[[], object] | None,
        new_scope: Callable[[], LoaderScope],
    ) -> None:
        self._kept = kept
        self._may_see = may_see
        self._new_scope = new_scope

    def register(self, app: Flask) -> None:
        """Adds its routes to an application."""
        host = "<_host>" if app.url_map.host_matching else None
        for path in (ROOT, f"{ROOT}<path:page>"):
            rule = Rule(path, endpoint=ENDPOINT, host=host)
            rule.methods = _MethodsOfSome(self._may_be_seen)
            app.url_map.add(rule)
        app.view_functions[ENDPOINT] = self.serve

    def serve(self, page: str = "", _host: str = "") -> Response:
        """Serves a page."""
        if request.method not in _METHODS:
            raise MethodNotAllowed(_METHODS)
        response = self._page(page)
        response.headers.update(_HEADERS)
        return response

    def _may_be_seen(self) -> bool:
        if not has_request_context():
            return False
        if self._may_see is None:
            return current_app.debug
        session = session_here()
        accessed = getattr(session, "accessed", None)
        may_see = self._asked(self._may_see)
        if not may_see and accessed is False:
            # Or a header that says so (`Vary`) would tell that there was something to be asked.
            session.accessed = False  # type: ignore[union-attr]  # None has no such attribute
        return may_see

    def _asked(self, may_see: Callable[[], object]) -> bool:
        try:
            # What is looked up for this is none of the request's lookups.
            with self._new_scope() as scope:
                try:
                    return _is_yes(current_app.ensure_sync(may_see)())
                finally:
                    if not scope.loaders:
                        scope.watch = None  # it has looked nothing up
                    elif isinstance(scope.watch, Record):
                        scope.watch.name = scope.watch.group = ENDPOINT
        except Exception:
            logger.exception("Who may see the inspector could not be told; nobody, then.")
            return False

    def _page(self, page: str) -> Response:
        root = quote(request.script_root) + ROOT
        kind, _, rest = page.partition("/")
        if page == "":
            return _html(pages.requests_page(self._kept, root))
        if page == "totals":
            return _html(pages.totals_page(self._kept, root))
        if page == "totals.json":
            # By no provider of the application's, which may put it into another form.
            totals = json.dumps(self._kept.totals.as_data())
            return Response(totals, mimetype="application/json")
        if page == "style.css":
            return Response(pages.style(), mimetype="text/css")
        record = self._kept.find(rest) if kind == "requests" else None
        if record is None:
            return _html(pages.missing_page(root), 404)
        return _html(pages.request_page(self._kept, record, rest, root))


def _is_yes(answer: object) -> bool:
    if inspect.isawaitable(answer):  # and so true, whatever it would say
        raise TypeError(f"an answer that can be awaited is none: {answer!r}")
    return bool(answer)


def _html(page: bytes, status: int = 200) -> Response:
    return Response(page, status, mimetype="text/html")


class _MethodsOfSome(set[str]):
    """The methods of a rule: any for whom may see what it leads to, and none for anybody else.

    Werkzeug asks whether the request's is in it, and goes on to the other rules if not. It is
    empty for whoever lists the methods that there are.
    """

    def __init__(self, may_see: Callable[[], bool]) -> None:
        super().__init__()
        self._may_see = may_see

    def __contains__(self, method: object) -> bool:
        return self._may_see()
