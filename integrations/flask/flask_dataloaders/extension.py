"""The Flask extension: one scope for each request, opened at its first lookup."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from flask import current_app

# The context variable itself: Flask's public proxies take several times as long to say which
# context is current, and every lookup asks.
from flask.globals import _cv_app
from sqlalchemy import create_engine

from dataloaders import LoaderRegistry, LoaderScope
from dataloaders.errors import ConfigurationError
from dataloaders.scope import serve_requests
from dataloaders.symbols import SymbolMaster

from .cli import symbols
from .settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

_NAME = "dataloaders"
_SCOPE = "_dataloaders_scope"  # where the scope is kept on the request's `flask.g`


class DataLoaders:
    """Gives each request of an application a scope, and the application a symbol master.

    Lookups made while a request is served, in sync and async views and in whatever they call,
    share the request's loaders. The scope opens at the first lookup and closes when the request's
    context ends: after an error, after the last part of a streamed response, when the client has
    gone. A request that looks nothing up costs nothing. A CLI command's context counts as one.

    Args:
        app: The application; without one, call `init_app`.
        engine: The database, or a function that returns it, which is called in an application's
            context at the first lookup (`lambda: db.engine` with Flask-SQLAlchemy). By default it
            is made from `DATALOADERS_DATABASE_URI`; see `Settings`.
        table: The application's own model of the master contract, if it has one; see
            `SymbolMaster`.

    Raises:
        ConfigurationError: A `DATALOADERS_*` setting has a value that it cannot have.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        engine: Engine | AsyncEngine | Callable[[], Engine | AsyncEngine] | None = None,
        table: Any = None,  # noqa: ANN401 - a Core table or a mapped class
    ) -> None:
        self._engine = engine
        self._table = table
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Sets an application up.

        Raises:
            ConfigurationError: A `DATALOADERS_*` setting has a value that it cannot have, or the
                application is set up already.
        """
        if _NAME in app.extensions:
            raise ConfigurationError(f"DataLoaders({app.name})", "set up once", "a second time")
        settings = read_settings(app)
        engine = self._engine
        if engine is None and settings.database_uri is not None:
            engine = create_engine(settings.database_uri, **settings.engine_options)
        app.extensions[_NAME] = _Application(engine, self._table)
        app.teardown_appcontext(_close_scope)
        app.cli.add_command(symbols)
        serve_requests(partial(_cv_app.get, None), _scope_of)

    @property
    def master(self) -> SymbolMaster:
        """The current application's symbol master.

        Raises:
            ConfigurationError: The application has no database for it.
            RuntimeError: No application is current.
        """
        registry = _application(current_app.extensions).registry
        if not isinstance(registry, SymbolMaster):
            expected = "the SQLAlchemy URL of the database with the master contract"
            raise ConfigurationError("DATALOADERS_DATABASE_URI", expected, None)
        return registry

    def scope(self) -> LoaderScope:
        """Returns a new scope of the current application, for work outside of requests."""
        return _application(current_app.extensions).registry.scope()


class _Application:
    """What the extension keeps for one application."""

    def __init__(
        self,
        engine: Engine | AsyncEngine | Callable[[], Engine | AsyncEngine] | None,
        table: object,
    ) -> None:
        self._engine = engine
        self._table = table
        self._registry: LoaderRegistry | None = None
        if not callable(engine):
            self._registry = self._make(engine)

    @property
    def registry(self) -> LoaderRegistry:
        if self._registry is None:
            assert callable(self._engine)  # noqa: S101 - __init__ has made the others
            self._registry = self._make(self._engine())
        return self._registry

    def _make(self, engine: Engine | AsyncEngine | None) -> LoaderRegistry:
        return LoaderRegistry() if engine is None else SymbolMaster(engine, self._table)


def _application(extensions: dict[str, Any]) -> _Application:
    application = extensions.get(_NAME)
    if not isinstance(application, _Application):
        raise ConfigurationError("the application", "set up with DataLoaders(app)", None)
    return application


def _scope_of(context: Any) -> LoaderScope | None:  # noqa: ANN401 - an AppContext
    """Returns the scope of the request whose context this is, opened at the first call."""
    application = context.app.extensions.get(_NAME)
    if application is None:
        return None
    scope: LoaderScope | None = context.g.get(_SCOPE)
    if scope is None:
        scope = application.registry.scope()
        setattr(context.g, _SCOPE, scope)
    # A function that runs at the context's very end, after ours, finds it closed.
    return None if scope.closed else scope


def _close_scope(_error: BaseException | None) -> None:
    context = _cv_app.get()
    scope = context.g.get(_SCOPE)
    if scope is not None:
        scope.close()
