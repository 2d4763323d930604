"""Flask's context variables themselves, which are private, and what is in the contexts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask.globals

if TYPE_CHECKING:
    from contextvars import ContextVar

    from flask.sessions import SessionMixin

# Every lookup asks which request it is for, and Flask's public proxies take several times as long
# to tell. From 3.2 on one context serves for both.
cv_app: ContextVar[Any] = flask.globals._cv_app  # noqa: SLF001 - see above
cv_request: ContextVar[Any] = getattr(flask.globals, "_cv_request", cv_app)


def session_here() -> SessionMixin | None:
    """Returns the session of the request at hand, which does not count as accessed for that."""
    kept = vars(cv_request.get())
    session: SessionMixin | None = kept.get("_session", kept.get("session"))
    return session
