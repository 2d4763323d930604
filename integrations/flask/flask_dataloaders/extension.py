"""The Flask extension: one scope for each request, opened at its first lookup."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

from flask import current_app, has_request_context, request

from dataloaders import LoaderRegistry, LoaderScope
from dataloaders.errors import ConfigurationError
from dataloaders.forking import Locked
from dataloaders.modes import MODES
from dataloaders.scope import serve_requests
from dataloaders.symbols import SymbolMaster

from . import commands
from .cli import symbols
from .contexts import cv_app, cv_request
from .inspector.routes import Inspector
from .observing import Observing
from .settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from flask import Flask

    from dataloaders.observe import Listener
    from dataloaders.sql.sources import Bind
    from dataloaders.tiers.tiers import Tiers

    from .settings import Settings

_NAME = "dataloaders"
_SCOPE = "_dataloaders_scope"  # the attribute of the request's context that keeps its scope


class DataLoaders:
    """Gives each request of an application a scope, and the application a symbol master.

    Lookups made while a request is served, in sync and async views and in whatever they call,
    share the request's loaders. The scope opens at the first lookup and closes when the request's
    context ends: after an error, after the last part of a streamed response, when the client has
    gone. A request that looks nothing up costs nothing. A CLI command's context counts as one.

    Args:
        app: The application; without one, call `init_app`.
        engine: The database (an engine, `Replicas` or `Shards`), or a function that returns it,
            which is called in an application's context at the first lookup (`lambda: db.engine`
            with Flask-SQLAlchemy). By default it is made from `DATALOADERS_DATABASE_URI`; see
            `Settings`.
        table: The application's own model of the master contract, if it has one; see
            `SymbolMaster`.
        partition: Returns, in a request's context, what the request has its history of look-ahead
            in common with: the name of the user's broker, or the user. See `LoaderRegistry`.
        tiers: What symbols, and other rows that loaders share, are kept in between requests; by
            default as the `DATALOADERS_*` settings say.
        listeners: Who hears of each request that looks something up: exporters of metrics, for
            example.

    Raises:
        ConfigurationError: A `DATALOADERS_*` setting has a value that it cannot have.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        engine: Bind | Callable[[], Bind] | None = None,
        table: Any = None,  # noqa: ANN401 - a Core table or a mapped class
        partition: Callable[[], Hashable] | None = None,
        tiers: Tiers | None = None,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self._listeners = listeners
        self._engine = engine
        self._table = table
        self._partition = partition
        self._tiers = tiers
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
        engine = settings.make_engine() if self._engine is None else self._engine
        observing = Observing(settings, self._listeners)
        app.extensions[_NAME] = application = _Application(
            engine,
            self._table,
            settings,
            observing,
            partition=self._partition,
            tiers=self._tiers,
        )
        if settings.inspector != "off":
            may_see = settings.inspector if callable(settings.inspector) else None
            Inspector(observing.kept, may_see, application.scope).register(app)
        # A context of the application alone (a command's, a test's) ends with the second only.
        app.teardown_request(_end_of_request)
        app.teardown_appcontext(_end_of_context)
        app.cli.add_command(symbols)
        app.cli.add_command(commands.dataloaders)
        serve_requests(_current_context, _scope_of)

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
        return _application(current_app.extensions).scope()


class _Application(Locked):
    """What the extension keeps for one application."""

    def __init__(
        self,
        engine: Bind | Callable[[], Bind] | None,
        table: object,
        settings: Settings,
        observing: Observing,
        *,
        partition: Callable[[], Hashable] | None,
        tiers: Tiers | None,
    ) -> None:
        super().__init__()
        self.observing = observing
        self._engine = engine
        self._table = table
        self._settings = settings
        self._partition = partition
        self._tiers = tiers
        self._registry: LoaderRegistry | None = None
        if not callable(engine):
            self._registry = self._make(engine)

    @property
    def registry(self) -> LoaderRegistry:
        if self._registry is None:
            assert callable(self._engine)  # noqa: S101 - __init__ has made the others
            with self._lock:  # two masters would be one too many for lookups outside requests
                if self._registry is None:
                    self._registry = self._make(self._engine())
        return self._registry

    def scope(self) -> LoaderScope:
        return self.registry.scope()

    def _make(self, engine: Bind | None) -> LoaderRegistry:
        settings = self._settings
        registry: LoaderRegistry
        if engine is None:
            registry = LoaderRegistry()
            registry.tiers = self._tiers
        else:
            tiers = self._tiers or settings.make_tiers(engine)
            registry = SymbolMaster(engine, self._table, tiers)
        registry.lookahead = settings.lookahead
        registry.partition = self._partition
        registry.mode = partial(_mode_of_request, settings.mode_header, settings.mode)
        return registry


def _mode_of_request(
    header: str | None, otherwise: str | Callable[[], str | None] | None
) -> str | None:
    """Returns the mode that a request says it wants, or else the application's."""
    if has_request_context():
        said = None if header is None else request.headers.get(header)
        if said in MODES:
            return said
        return otherwise() if callable(otherwise) else otherwise
    return None if callable(otherwise) else otherwise


def _application(extensions: dict[str, Any]) -> _Application:
    application = extensions.get(_NAME)
    if not isinstance(application, _Application):
        raise ConfigurationError("the application", "set up with DataLoaders(app)", None)
    return application


def _current_context() -> object | None:
    """Returns the context of the request being served, or of the application where there is none.

    Not always the latter: requests that are made inside an application's context share it. And
    not always the former: a request may have another application's context pushed inside it.
    """
    context: object | None = cv_app.get(None)
    request = cv_request.get(None)
    if request is not None and request.app is getattr(context, "app", None):
        context = request
    return context


def _scope_of(context: Any) -> LoaderScope | None:  # noqa: ANN401 - one of Flask's contexts
    """Returns the scope of the request whose context this is, opened at the first call."""
    application = context.app.extensions.get(_NAME)
    if application is None:
        return None
    kept = vars(context)
    scope: LoaderScope | None = kept.get(_SCOPE)
    if scope is not None and scope.closed:
        if not kept.get("_cv_tokens", True):
            return None  # somebody has kept a copy of the context beyond its end
        # A streamed response goes on in its request's context, which has ended once by then.
        kept.pop(_SCOPE, None)
        scope = None
    if scope is None:
        application.observing.adapt(context.app, application.registry)
        opened = application.registry.scope()
        request = getattr(context, "request", None)
        if request is not None:
            opened.body = partial(_parsed_body, ref(request))
        if opened.watch is not None:
            application.observing.begin(opened, request)
        # setdefault is atomic: threads that come here together get one scope.
        scope = kept.setdefault(_SCOPE, opened)
    return scope


def _parsed_body(request: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever was sent
    """Returns a request's JSON if somebody has parsed it already; it is not parsed for this."""
    # Where Werkzeug keeps what `get_json` has returned: https://github.com/pallets/werkzeug
    parsed = getattr(request(), "_cached_json", ())
    return next((value for value in parsed if value is not Ellipsis), None)


def scope_here() -> LoaderScope | None:
    """Returns the scope of the request at hand, if something has been looked up in it."""
    scope: LoaderScope | None = vars(_current_context()).get(_SCOPE)
    return scope


def observing_here() -> Observing:
    """Returns what observes the application at hand.

    Raises:
        ConfigurationError: It is not set up.
    """
    return _application(current_app.extensions).observing


def _end_of_request(_error: BaseException | None) -> None:
    _close_scope(cv_request.get())


def _end_of_context(_error: BaseException | None) -> None:
    _close_scope(cv_app.get())


def _close_scope(context: Any) -> None:  # noqa: ANN401 - one of Flask's contexts
    scope = vars(context).get(_SCOPE)
    if scope is None or scope.closed:
        return
    if not scope.loaders:
        scope.watch = None  # somebody has looked for a scope, and that is all
    elif scope.watch is not None:
        # Once more: a URL converter may look something up before there is a route.
        observing = _application(context.app.extensions).observing
        observing.name(scope, getattr(context, "request", None))
    scope.close()
