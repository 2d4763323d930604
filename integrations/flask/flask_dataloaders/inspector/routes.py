"""Who may see the inspector, and which page is at which path."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from flask import Response, abort, current_app, jsonify, request
from werkzeug.routing import Rule

from . import pages

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    from .kept import KeptRequests

ROOT: Final = "/_dataloaders/"

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

    Whoever may not gets a 404, for every path and method: as if nothing were there.

    Args:
        kept: The requests that it shows.
        may_see: Says whether the request at hand may see it; None for whether the application is
            in debug mode.
    """

    def __init__(self, kept: KeptRequests, may_see: Callable[[], object] | None) -> None:
        self._kept = kept
        self._may_see = may_see

    def register(self, app: Flask) -> None:
        """Adds its routes to an application."""
        endpoint = "dataloaders.inspector"
        # Rules of any method, with and without the slash: a redirect, or a 405, would tell that
        # something is there.
        for path in (ROOT.rstrip("/"), ROOT, f"{ROOT}<path:page>"):
            rule = Rule(path, endpoint=endpoint, strict_slashes=True, merge_slashes=False)
            app.url_map.add(rule)
        app.view_functions[endpoint] = self.serve

    def serve(self, page: str = "") -> Response:
        """Serves a page."""
        if not self._may_be_seen():
            abort(404)
        if request.method not in {"GET", "HEAD"}:
            abort(405)
        response = self._page(page)
        if response is None:
            abort(404)
        response.headers.update(_HEADERS)
        return response

    def _may_be_seen(self) -> bool:
        if self._may_see is None:
            return current_app.debug
        try:
            return bool(self._may_see())
        except Exception:
            logger.exception("Who may see the inspector could not be told; nobody, then.")
            return False

    def _page(self, page: str) -> Response | None:
        root = request.script_root + ROOT
        kind, _, rest = page.partition("/")
        if page == "":
            return Response(pages.requests_page(self._kept, root), mimetype="text/html")
        if page == "totals":
            return Response(pages.totals_page(self._kept, root), mimetype="text/html")
        if page == "totals.json":
            return jsonify(self._kept.totals.as_data())
        if page == "style.css":
            return Response(pages.style(), mimetype="text/css")
        if kind == "requests":
            found = pages.request_page(self._kept, rest, root)
            return None if found is None else Response(found, mimetype="text/html")
        return None
