"""A panel for Flask-DebugToolbar: what the inspector shows, on the page that was asked for.

`DEBUG_TB_PANELS` names it: `flask_dataloaders.toolbar.DataLoadersPanel`.
https://flask-debugtoolbar.readthedocs.io/en/latest/#configuration
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_debugtoolbar.panels import DebugPanel

from dataloaders.observe import Record

from .extension import observing_here, scope_here
from .inspector import pages

if TYPE_CHECKING:
    from jinja2 import Environment
    from werkzeug import Request, Response


class DataLoadersPanel(DebugPanel):
    """Shows the lookups, batches and findings of one request."""

    name = "DataLoaders"

    def __init__(self, jinja_env: Environment, context: dict[str, Any] | None = None) -> None:
        super().__init__(jinja_env, context)
        self._record: Record | None = None

    def process_response(self, request: Request, response: Response) -> None:  # noqa: ARG002 - the toolbar's
        """Takes the record of the request, as it is by now."""
        scope = scope_here()
        if scope is not None and isinstance(scope.watch, Record):
            self.has_content = True
            self._record = scope.watch
            self._record.sum_up()

    def nav_title(self) -> str:
        """Returns the name in the toolbar."""
        return "Data loaders"

    def nav_subtitle(self) -> str:
        """Returns the figures in the toolbar."""
        if self._record is None:
            return "nothing looked up"
        stats = self._record.stats
        found = f", {len(self._record.findings)} findings" if self._record.findings else ""
        return f"{stats.lookups} lookups, {stats.queries} queries{found}"

    def title(self) -> str:
        """Returns the panel's heading."""
        return "Data loaders"

    def url(self) -> str:
        """Returns where the panel is: on this page."""
        return ""

    def content(self) -> str:
        """Returns the panel."""
        if self._record is None:
            return ""
        return pages.panel(observing_here().kept, self._record)
