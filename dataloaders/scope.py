"""One request's loaders, and where a caller finds them.

A `LoaderScope` holds one instance of each loader class for one request. Callers find the scope
through a context variable, so tasks and copied contexts see it and other requests do not; a web
framework's extension may instead have it opened at a request's first lookup (`serve_requests`).
Outside any scope, loaders of public data still answer, from a `LoaderRegistry`'s common scope.
"""

from __future__ import annotations

import atexit
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar, Token, copy_context
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Self, TypeVar
from weakref import WeakSet, ref

from .errors import NoRegistryError, NoScopeError, ScopeClosedError, ScopeReusedError
from .lookahead.history import History
from .lookahead.threads import note_starter
from .modes import mode_of
from .stats import Stats

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from types import TracebackType

    from .loader import DataLoader
    from .tiers.snapshot import Snapshot
    from .tiers.tiers import Tiers
    from .watching import LoaderWatch, ScopeWatch

    L = TypeVar("L", bound=DataLoader[Any, Any])
P = ParamSpec("P")
T = TypeVar("T")

COMMON_SECONDS: Final = 1.0
"""How long a value lives outside any scope."""

COMMON_KEYS: Final = 10_000
"""How many keys are kept outside any scope."""

_ATTEMPTS: Final = 10  # to go through what other threads add to

_current: ContextVar[_Entry | None] = ContextVar("dataloaders.scope", default=None)
_registries: WeakSet[LoaderRegistry] = WeakSet()  # those that answer outside any scope
_made: WeakSet[LoaderRegistry] = WeakSet()


def _no_request() -> object | None:
    return None


def _no_scope(request: object) -> LoaderScope | None:  # noqa: ARG001 - see serve_requests
    return None


_identify_request: Callable[[], object | None] = _no_request
_open_for_request: Callable[[object], LoaderScope | None] = _no_scope


def serve_requests(
    identify: Callable[[], object | None], open_scope: Callable[[object], LoaderScope | None]
) -> None:
    """Has requests of a web framework get a scope each, at their first lookup.

    Args:
        identify: Returns the object that stands for the request being served in this context, or
            None. Called at every lookup; the object has to allow weak references.
        open_scope: Returns the scope of such a request, opening it the first time, or None if
            the request's application does not take part. Who opens it has to close it.
    """
    global _identify_request, _open_for_request
    _identify_request, _open_for_request = identify, open_scope


def _watched_by_nobody(scope: LoaderScope) -> ScopeWatch | None:  # noqa: ARG001 - see watch_scopes
    return None


_watcher_of: Callable[[LoaderScope], ScopeWatch | None] = _watched_by_nobody


def watch_scopes(watcher_of: Callable[[LoaderScope], ScopeWatch | None] | None) -> None:
    """Has scopes be watched that are made from now on.

    Args:
        watcher_of: Returns who watches a new scope, or None; without it, none is watched.
    """
    global _watcher_of  # noqa: PLW0603 - one for the process, as above
    _watcher_of = watcher_of or _watched_by_nobody


_watcher_by_hand: Callable[[DataLoader[Any, Any]], LoaderWatch] | None = None


def watch_by_hand(watcher_of: Callable[[DataLoader[Any, Any]], LoaderWatch] | None) -> None:
    """Has loaders be watched that are made from now on, until a scope takes them.

    Args:
        watcher_of: Returns who watches a new loader; without it, none is watched.
    """
    global _watcher_by_hand  # noqa: PLW0603 - one for the process, as above
    _watcher_by_hand = watcher_of


def watcher_by_hand(loader: DataLoader[Any, Any]) -> LoaderWatch | None:
    """Returns who watches a loader that no scope has, if anybody does."""
    return None if _watcher_by_hand is None else _watcher_by_hand(loader)


class _Entry:
    """A scope in a context, and the request that the context served when it came there."""

    __slots__ = ("outer", "request", "scope")

    outer: _Entry | None

    def __init__(self, scope: LoaderScope) -> None:
        self.scope = scope
        request = _identify_request()
        # Weak, because a thread's context outlives its requests. If nothing else has closed the
        # scope when the request is gone, its going does.
        self.request: Callable[[], object | None] = (
            _no_request if request is None else ref(request, lambda _: scope.close())
        )
        outer = _current.get()
        while outer is not None and outer.scope.closed:
            outer = outer.outer  # or what is over would pile up there
        self.outer = outer


def current_scope() -> LoaderScope | None:
    """Returns the innermost open scope of this context, or None outside any."""
    scopes = _scopes_within(_identify_request()) or open_scopes()
    return scopes[0] if scopes else None


def open_scopes() -> list[LoaderScope]:
    """Returns the open scopes of this context, the innermost first.

    The scope of a request, which is opened for it here if it has none yet, is the last; a request
    that is served within another, as a test client does, sees none of the other's.
    """
    request = _identify_request()
    scopes = _scopes_within(request)
    if request is not None:
        whole = _open_for_request(request)
        if whole is None:
            return scopes + _scopes_within(None)
        if whole not in scopes:
            if not scopes:
                _current.set(_Entry(whole))
            scopes.append(whole)
    return scopes


def _scopes_within(request: object | None) -> list[LoaderScope]:
    scopes = []
    entry = _current.get()
    while entry is not None:
        if entry.request() is request and not entry.scope.closed:
            scopes.append(entry.scope)
        entry = entry.outer
    return scopes


def all_open_scopes() -> list[LoaderScope]:
    """Returns the open scopes of the process, in whatever context, as far as they have loaders."""
    return [scope for registry in list(_made) for scope in registry.scopes_in_use()]


class LoaderScope:
    """The loaders, and so the cache, of one request.

    Enter it with `with` or `async with`, once. What runs inside, tasks included, finds it;
    another thread does if it is started with `run` or a `ScopeThreadPoolExecutor`.

    Args:
        registry: How loaders are made; by default by calling their class without arguments.
        is_common: Whether it serves callers outside any request, as a registry's own one does.

    Attributes:
        registry: As given.
        closed: Whether it is over.
        loaders: Loader class to its instance, for those in use.
        is_common: As given.
        body: Returns the JSON that the request has brought, if somebody has parsed it already.
        mode: Whether its loaders batch; see `modes`.
        moment: What tiers had when the request began: all of its loaders go by that.
        watch: Who is told what its loaders do, if anybody.
    """

    __slots__ = (
        "__weakref__",
        "_token",
        "body",
        "closed",
        "is_common",
        "loaders",
        "mode",
        "moment",
        "registry",
        "watch",
    )

    def __init__(self, registry: LoaderRegistry | None = None, *, is_common: bool = False) -> None:
        self.registry = registry or _default_registry
        self.closed = False
        self.loaders: dict[type[DataLoader[Any, Any]], Any] = {}
        self.is_common = is_common
        self.body: Callable[[], Any] | None = None
        self.mode = mode_of(self.registry.mode)
        self.moment: Snapshot | None = None
        self._token: Token[_Entry | None] | None = None
        self.watch = _watcher_of(self)

    def loader(self, loader_class: type[L]) -> L:
        """Returns this scope's instance of a loader class, made at the first call.

        Raises:
            ScopeClosedError: The scope is over.
        """
        try:
            loader: L = self.loaders[loader_class]
        except KeyError:
            if self.closed:
                raise ScopeClosedError(loader_class.__name__) from None
            made = self.registry.make(loader_class, self)
            made.join(self)
            if self.watch is None and not self.loaders:
                self.watch = _watcher_of(self)  # since it was opened, somebody may have come
            made.watch = None if self.watch is None else self.watch.watch(made)
            # setdefault is atomic: threads that come here together get one loader.
            loader = self.loaders.setdefault(loader_class, made)
            self.registry.note_in_use(self)
        return loader

    def nearby(self, *, shared: bool) -> list[DataLoader[Any, Any]]:
        """Returns the loaders of this scope.

        Args:
            shared: Whether those of other scopes that all may see are wanted as well: a thread
                that carries no context works for a request in whose scope it is not.
        """
        loaders = [loader.batched for loader in list(self.loaders.values())]
        if shared and self.is_common:
            for scope in self.registry.scopes_in_use():
                if scope is not self:
                    theirs = [loader.batched for loader in list(scope.loaders.values())]
                    loaders += [loader for loader in theirs if loader.shared]
        return loaders

    def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a function with this scope as the current one, in whatever thread this is.

        Raises:
            ScopeClosedError: The scope is over.
        """
        if self.closed:
            raise ScopeClosedError("run")
        context = copy_context()
        context.run(lambda: _current.set(_Entry(self)))
        return context.run(function, *args, **kwargs)

    def close(self) -> None:
        """Ends the scope and its loaders. Who waits for an answer already still gets it."""
        self.closed = True
        for loader in list(self.loaders.values()):
            loader.close()
        if self.watch is not None:
            self.watch.ended()
        self.loaders.clear()
        self.body = self.moment = None

    @property
    def stats(self) -> Stats:
        """What its loaders did so far, together.

        Of a scope that nobody watches, what look-ahead did, until it is over.
        """
        if self.watch is not None:
            return self.watch.stats
        return Stats.sum_of(loader.stats for loader in list(self.loaders.values()))

    def size(self) -> int:
        """Returns how many keys its loaders know."""
        return sum(loader.size() for loader in list(self.loaders.values()))

    def __enter__(self) -> Self:
        if self._token is not None or self.closed:
            raise ScopeReusedError
        self._token = _current.set(_Entry(self))
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._token is not None  # noqa: S101 - the interpreter has called __enter__
        try:
            _current.reset(self._token)
        except ValueError:
            # Left in another context than entered, as an async generator may be: the context
            # keeps a closed scope, which counts as none.
            pass
        finally:
            self._token = None
            self.close()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(exc_type, exc, traceback)


class LoaderRegistry:
    """What outlives requests: how loaders are made, and the common scope outside of requests.

    Subclasses override `make` to give loaders what they need, an engine for example.

    Attributes:
        lookahead: What look-ahead may do in its scopes: "on", "explicit" or "off".
        history: What places asked for last whose keys nothing shows beforehand.
        partition: Returns what the request at hand has its history in common with, for example
            the name of the user's broker. Without one, only loaders that are `shared` have any.
        tiers: What its loaders that are `shared` keep between requests, if anything.
        mode: Whether its loaders batch ("on"), do not ("off"), or do not and are compared with
            such that do ("shadow"); or what returns one of these, called for each scope. None
            leaves it to `DATALOADERS_MODE`.
    """

    def __init__(self) -> None:
        self.lookahead = "on"
        self.history = History()
        self.partition: Callable[[], Hashable] | None = None
        self.tiers: Tiers | None = None
        self.mode: str | Callable[[], str | None] | None = None
        self._in_use: WeakSet[LoaderScope] = WeakSet()
        self._common: LoaderScope | None = None
        self._common_until = 0.0
        _made.add(self)

    def make(self, loader_class: type[L], scope: LoaderScope) -> L:  # noqa: ARG002 - for loaders that use others of their scope
        """Makes the instance of a loader class for a scope."""
        return loader_class()

    def scope(self) -> LoaderScope:
        """Returns a new scope whose loaders are made by this registry."""
        return LoaderScope(self)

    def note_in_use(self, scope: LoaderScope) -> None:
        """Takes note that a scope has loaders."""
        self._in_use.add(scope)

    def scopes_in_use(self) -> list[LoaderScope]:
        """Returns the scopes that have loaders and are not over."""
        for _ in range(_ATTEMPTS):
            try:
                return [scope for scope in self._in_use if not scope.closed]
            except RuntimeError:  # another thread has opened one meanwhile
                continue
        return []

    def loader(self, loader_class: type[L]) -> L:
        """Returns the current instance of a loader class.

        That of the innermost scope of this registry, or outside of any, for a class that is
        `shared`, one whose values live for COMMON_SECONDS.

        Raises:
            NoScopeError: There is no such scope, and the class is not shared.
        """
        entry = _current.get()
        if (
            entry is not None
            and entry.scope.registry is self
            and not entry.scope.closed
            and entry.request() is _identify_request()
        ):
            return entry.scope.loader(loader_class)
        for scope in open_scopes():
            if scope.registry is self:
                return scope.loader(loader_class)
        return self.outside(loader_class)

    def outside(self, loader_class: type[L]) -> L:
        """Returns the instance of a shared loader class that serves callers outside any scope.

        Its scope is replaced as a whole, every COMMON_SECONDS or when it holds COMMON_KEYS, so
        no value outlives that and a look at the clock is all that a lookup pays.

        Raises:
            NoScopeError: The class is not shared.
        """
        if not loader_class.shared:
            raise NoScopeError(loader_class.__name__)
        now = time.monotonic()
        common = self._common
        if (
            common is None
            or now >= self._common_until
            or common.size() >= COMMON_KEYS
            or not self._is_of_now(common)
        ):
            self.end_common_scope()
            common = self._common = LoaderScope(self, is_common=True)
            self._common_until = now + COMMON_SECONDS
            if common.watch is not None:
                _end_common_scopes_at_exit()
        return common.loader(loader_class)

    def _is_of_now(self, common: LoaderScope) -> bool:
        tiers, moment = self.tiers, common.moment
        return tiers is None or moment is None or moment is (tiers.current() or tiers.looked())

    def end_common_scope(self) -> None:
        """Has the next caller outside any scope be served by a new one, as this one's time is up.

        It is not closed: callers may still wait in it.
        """
        common, self._common = self._common, None
        if common is not None:
            for loader in list(common.loaders.values()):
                loader.take_stock()
            if common.watch is not None:
                common.watch.ended()

    def forget_common_scope(self) -> None:
        """Has the next caller outside any scope be served by a new one."""
        self._common = None

    def announce(self) -> None:
        """Has this registry answer callers outside any scope, if it is the only one."""
        _registries.add(self)

    def close(self) -> None:
        """Has this registry no longer answer callers outside any scope."""
        _registries.discard(self)


_default_registry = LoaderRegistry()


@cache  # when there is one that is watched: what exporters do at exit, they do after that
def _end_common_scopes_at_exit() -> None:
    atexit.register(_end_common_scopes)


def _end_common_scopes() -> None:
    for registry in list(_made):
        registry.end_common_scope()


def _forget_common_scopes() -> None:
    """Lets go of common scopes in a forked process: others may have held their locks."""
    for registry in list(_made):
        registry.forget_common_scope()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_common_scopes)


def current_loader(loader_class: type[L]) -> L:
    """Returns the instance of a loader class to be used here and now.

    That of the innermost open scope whose registry can make it; or outside of any, for a class
    that is shared, that of the one registry which can.

    Raises:
        NoScopeError: There is no such scope, and the class is not shared between requests.
        NoRegistryError: There is no such scope, and no such registry or several.
    """
    entry = _current.get()
    if entry is not None and entry.request() is _identify_request():
        try:
            loader: L = entry.scope.loaders[loader_class]
        except KeyError:  # the first use in this scope, or it is closed
            pass
        else:
            return loader
    return _find_loader(loader_class)


def _find_loader(loader_class: type[L]) -> L:
    kind = loader_class.registry_class
    for scope in open_scopes():
        if isinstance(scope.registry, kind):
            return scope.loader(loader_class)
    if not loader_class.shared:
        raise NoScopeError(loader_class.__name__)
    registry = _default_registry if kind is LoaderRegistry else sole_registry(kind)
    return registry.outside(loader_class)


def sole_registry(kind: type[T]) -> T:
    """Returns the one registry of a kind that callers outside any scope can mean.

    Raises:
        NoRegistryError: There is none, or more than one.
    """
    candidates = [registry for registry in _registries if isinstance(registry, kind)]
    if len(candidates) != 1:
        raise NoRegistryError(kind.__name__, candidates)
    return candidates[0]


class ScopeThreadPoolExecutor(ThreadPoolExecutor):
    """A thread pool whose calls run in the context, and so in the scope, of who submits them."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Schedules a call; see `concurrent.futures.Executor.submit`."""
        context = copy_context()
        context.run(note_starter)
        call = partial(context.run, fn, *args, **kwargs)
        return super().submit(call)
