"""DataLoader: asks for one key at a time, fetches in batches.

`load` and `load_many` return futures of the running event loop; `get` and `get_many` block and
need no event loop. Both share one cache. The way of one lookup: its key becomes a cache key
(`keys`), is looked up in what the loader knows (`cache`), and if it is not there joins a `batch`,
which `dispatch` sends when its time has come.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import (
    Callable,
    Collection,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
)
from contextlib import suppress
from contextvars import copy_context
from copy import copy
from functools import partial
from itertools import islice
from threading import Lock, get_ident
from types import MethodType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, ParamSpec, Self, TypeVar, cast
from weakref import ref

import aiodataloader

from . import modes
from .batch import MISSING, Batch, Failure, Group, key_failure, unwrapped
from .cache import LoaderCache
from .checks import check
from .dispatch.context import asking_batch, wait_for_pending
from .dispatch.tick import Tick
from .dispatch.turns import NOTHING, Turns
from .errors import (
    AsyncOnlyError,
    BatchFunctionError,
    BatchTimeoutError,
    ConfigurationError,
    InvalidKeyError,
    KeyNotFoundError,
    NoEventLoopError,
    ScopeClosedError,
)
from .forking import hold_across_forks
from .form import Form
from .keys import PLAIN_TYPES, typed_key
from .lookahead.announced import Field, announcing, keys_in
from .lookahead.history import Memory
from .lookahead.ledger import Ledger
from .lookahead.modes import EXPLICIT, OFF, ON, checked_mode, default_mode, stricter
from .lookahead.origins import ABSENT
from .lookahead.peers import MAX_PEERS, peers_of
from .scope import LoaderRegistry, LoaderScope, current_loader, watcher_by_hand
from .shadow import Shadow
from .stats import Stats

NO_TYPES: frozenset[type] = frozenset()

if TYPE_CHECKING:
    from .lookahead.origins import Origin
    from .lookahead.sites import Site
    from .tiers.tiers import Tiers
    from .tiers.view import View
    from .watching import LoaderWatch

K = TypeVar("K")
V = TypeVar("V")
P = ParamSpec("P")
T = TypeVar("T")
Row = TypeVar("Row")

BatchFunction = Callable[[list[Any]], Any]
"""Takes a list of keys; returns, or awaits to, a mapping of key to value or a list in key order."""


class DataLoader(aiodataloader.DataLoader[K, V]):
    """Collects single lookups into batches, and remembers what it loaded.

    A loader takes the place of aiodataloader's, with the same arguments, and belongs to no event
    loop: it can be made anywhere and used from any loop or thread. Make one for each request (a
    `LoaderScope` does), or declare `shared` what every user may see.

    Each option is a class attribute for subclasses and an argument for instances.

    Args:
        batch_load_fn: The batch function, if `batch_load` is not overridden. It gets a list of
            keys, without duplicates while `cache` is on, and returns a mapping of key to value,
            in which an absent key means "no such thing" (its callers get None), or a list of
            values in key order. An exception in the place of a value is that key's error. It may
            be async. One that is not runs on the stack of the thread that calls `get`, and off
            the event loop, in a worker thread, for `load`.
        batch: Whether lookups are collected at all; if not, each key is a batch of its own.
        max_batch_size: Keys in a batch at most; None for no limit.
        cache: Whether values are remembered. If not, a key that is asked for twice in a batch is
            given to the batch function twice.
        get_cache_key: Makes a hashable from a key, under which its value is kept. Without one,
            keys stand for themselves and `1`, `True` and `1.0` are three keys.
        cache_map: Where values are kept, in place of a dict: any mutable mapping, for example a
            bounded one of cachetools. It may be one that is not thread-safe.
        loop: Accepted because aiodataloader does, and of no effect.
        name: What errors and reports call this loader; the class's name by default.
        max_concurrency: Batches of this loader under way at once on one event loop, at most.
            Threads that call `get` send one at a time: the rest gather for the next.
        timeout: Seconds after which the callers of a batch that has not answered get a
            BatchTimeoutError; None to wait for as long as it takes.
        cache_errors: Whether a single key's error is remembered as a value is. The error of a
            whole batch never is.
        lockstep: Whether a `load` whose value is known settles together with the batch that is
            being collected, so that what all of its callers load next is one batch again.
            Without, it settles at once.
        tiers: The caches between requests that it is to use; a registry's loaders have the
            registry's.

    Raises:
        BatchFunctionError: There is no batch function.
        ConfigurationError: A limit is not a positive number, or a loader that is not `shared` is
            given tiers.
    """

    batch: bool = True
    max_batch_size: int | None = None
    cache: bool = True
    name: str = ""
    max_concurrency: int = 8
    timeout: float | None = None
    cache_errors: bool = True
    lockstep: bool = True

    lookahead: str = EXPLICIT
    """What look-ahead may do: "on", "explicit" (fetch what was announced) or "off".

    With "on", keys that the caller's loop is seen to be about to ask for go along as well. That is
    the default of loaders that ask a database for rows; what one more key costs another source,
    its loader has to know. `DATALOADERS_LOOKAHEAD` may allow less, for a process or application.
    """

    shared: ClassVar[bool] = False
    """Whether its values are the same for every user, so that requests may share them."""

    passes_on: ClassVar[bool] = False
    """Whether other loaders are to hear of what tiers had for it; see `pass_on`."""

    own_key_types: ClassVar[frozenset[Any]] = PLAIN_TYPES - {type(None)}
    """Types of keys that are cached as they are: what `typed_key` answers, without the call."""

    kept_seconds: ClassVar[float | None] = None
    """How long tiers may keep its values; None for as long as their table is of one version, or
    not at all where there is no such table."""

    value_type: ClassVar[Any] = Any
    """The type of its values, by which those are checked that come from another process."""

    registry_class: ClassVar[type[LoaderRegistry]] = LoaderRegistry
    """The kind of registry that can make it."""

    not_found: ClassVar[type[KeyNotFoundError]] = KeyNotFoundError
    """What the `require` forms raise."""

    def __init__(  # noqa: PLR0917 - aiodataloader's signature
        self,
        batch_load_fn: BatchFunction | None = None,
        batch: bool | None = None,  # noqa: FBT001 - aiodataloader's signature
        max_batch_size: int | None = None,
        cache: bool | None = None,  # noqa: FBT001 - aiodataloader's signature
        get_cache_key: Callable[[K], Hashable] | None = None,
        cache_map: MutableMapping[Any, Any] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,  # noqa: ARG002 - aiodataloader's signature
        *,
        name: str | None = None,
        max_concurrency: int | None = None,
        timeout: float | None = None,
        cache_errors: bool | None = None,
        lockstep: bool | None = None,
        tiers: Tiers | None = None,
    ) -> None:
        # aiodataloader's own __init__ binds the loader to an event loop, so it is not called.
        if batch is not None:
            self.batch = batch
        if max_batch_size is not None:
            self.max_batch_size = max_batch_size
        if cache is not None:
            self.cache = cache
        if max_concurrency is not None:
            self.max_concurrency = max_concurrency
        if timeout is not None:
            self.timeout = timeout
        if cache_errors is not None:
            self.cache_errors = cache_errors
        if lockstep is not None:
            self.lockstep = lockstep
        self.name = name or self.name or type(self).__name__
        limits = (self.max_batch_size, self.max_concurrency, self.timeout)
        if limits != _DEFAULT_LIMITS:
            _check_limits(self.name, *limits)
        self._given_function = batch_load_fn
        function = self._source_function
        if not callable(function):
            raise BatchFunctionError(self.name, function)
        self.is_async = _is_async(function)
        get_cache_key = get_cache_key or getattr(self, "get_cache_key", None)
        self._get_cache_key: Callable[[Any], Hashable] = get_cache_key or typed_key
        self._given = _Given(
            batch=self.batch,
            cache=self.cache,
            cache_map=cache_map,
            has_plain_keys=get_cache_key is None,
            lookahead=checked_mode(f"{self.name}.lookahead", self.lookahead),
            tiers=self._checked(tiers),
        )
        self._set_mode(modes.default_mode())
        self.watch: LoaderWatch | None = watcher_by_hand(self)

    def _checked(self, tiers: Tiers | None) -> Tiers | None:
        if tiers is not None and not self.shared:
            expected = "left out, since its values are not the same for every user (`shared`)"
            raise ConfigurationError(f"{self.name}'s tiers", expected, tiers)
        return tiers

    def _set_mode(self, mode: str) -> None:
        """Has it batch, or not, or not and be compared with one that does; it knows nothing yet."""
        self.mode = mode
        given = self._given
        self.batch = given.batch and mode == modes.ON
        self.cache = given.cache and mode == modes.ON
        self._full_at = (self.max_batch_size or -1) if self.batch else 1
        has_own_keys = given.has_plain_keys and self.cache
        self._own_cache_keys = self.own_key_types if has_own_keys else NO_TYPES
        self._store = LoaderCache(
            given.cache_map if self.cache else None,
            enabled=self.cache,
            keep_errors=self.cache_errors,
        )
        self._values = self._store.values
        self._announced: dict[Hashable, Any] = {}
        self.ledger = Ledger()
        self.missed_at: set[Site] = set()
        self._memory: Memory | None = None
        self._scope: Callable[[], LoaderScope | None] = _no_scope
        self._mode = given.lookahead
        self.allow_lookahead(default_mode())
        self._tick: Tick | None = None
        self._ticks: dict[asyncio.AbstractEventLoop, Tick] = {}
        self._made_turns: Turns | None = None
        self.view: View | None = None
        self.watch = None
        if given.tiers is not None and self._can_wait:
            self.view = given.tiers.view(self, None)
        self._shadow: Shadow | None = None
        if mode == modes.SHADOW and self.may_be_compared:
            self._shadow = Shadow(lambda: (self._like_it(modes.OFF), self._like_it(modes.ON)))

    def _like_it(self, mode: str) -> Self:
        """Returns a loader that was made in the same way, in another mode."""
        other = copy(self)
        function: Any = self._given_function
        if getattr(function, "__self__", None) is self:
            other._given_function = MethodType(function.__func__, other)  # noqa: SLF001 - one of its own kind
        other._set_mode(mode)  # noqa: SLF001 - as above
        return other

    @property
    def may_be_compared(self) -> bool:
        """Whether its batches may be tried beside single queries, and fail, and harm nobody."""
        return True

    def batch_load(self, keys: list[K]) -> Any:  # noqa: ANN401, ARG002 - see the docstring, for those who override it
        """Fetches a batch: override it, or pass `batch_load_fn`. It may be async.

        Args:
            keys: The keys to fetch, in the order in which they were asked for.

        Returns:
            A mapping of key to value in which an absent key means "no such thing", or a list of
            values in key order. An exception in the place of a value is that key's error.
        """
        raise BatchFunctionError(self.name, None)

    # -- asking on an event loop

    def load(self, key: K) -> asyncio.Future[V]:
        """Returns a future for the value of one key.

        The future is the caller's own: cancelling it harms nobody else who waits for the key.

        Raises:
            InvalidKeyError: The key is None or not hashable.
            NoEventLoopError: No event loop runs in this thread.
            ScopeClosedError: The loader's scope is over.
        """
        cache_key = key if type(key) in self._own_cache_keys else self._cache_key(key)
        if self.watch is not None:
            self.watch.asked((cache_key,), (key,))
        tick = self._tick
        # Whether its loop runs here; get_running_loop itself costs a system call before 3.12.
        if tick is None or tick.thread != get_ident() or not tick.is_running():
            tick = self._current_tick()
        answer = self._values.get(cache_key, MISSING)
        if answer is MISSING and (self._store.ahead or self.view is not None):
            answer = self._take_kept(cache_key, waits=False)
        if answer is not MISSING:
            return tick.answer(answer)
        if self._store.pending:
            pending = self._pending(cache_key, key, tick)
            if pending is not None:
                return tick.answer(pending, cache_key)
        batch = tick.batch
        if batch is None or len(batch.keys) == self._full_at:
            batch = tick.collecting(cache_key)
        create_future = tick.create_future
        future: asyncio.Future[V] = create_future()
        if cache_key in batch.keys:
            batch.callers.append((future, cache_key))
            self._store.promote(batch, cache_key)
        else:
            batch.keys[cache_key] = key
            batch.futures.append(future)
            if self._announced or self._looks_around:
                self._add_ahead(batch, self._look_ahead(cache_key, key))
        batch.asked_from(copy_context())
        return future if self._shadow is None else self._compared([key], future, is_single=True)

    def load_many(
        self, keys: Iterable[K], *, return_exceptions: bool = False
    ) -> asyncio.Future[list[V]]:
        """Returns one future for the values of several keys, in their order.

        Args:
            keys: The keys; one that is given twice is answered twice.
            return_exceptions: Whether a key's error takes the place of its value in the list. If
                not, the future raises the first one.

        Raises:
            InvalidKeyError: `keys` is not iterable, or one of them is None or not hashable; then
                none of them is asked for.
            NoEventLoopError: No event loop runs in this thread.
            ScopeClosedError: The loader's scope is over.
        """
        cache_keys, asked = self._keys_asked(keys)
        tick = self._current_tick()
        future: asyncio.Future[list[V]] = tick.loop.create_future()
        group = Group(future, return_exceptions=return_exceptions)
        if self._ask_all(group, tick, cache_keys, asked):
            return future
        known, awaited = group.answers, group.awaited
        values, under_way = self._values, self._store.pending
        has_kept = self._store.ahead or self.view is not None
        batch, last = tick.batch, None
        # Nothing that can be done once for all keys is done for each: a call costs as much as the
        # rest of a round.
        for cache_key, key in zip(cache_keys, asked, strict=True):
            answer = values.get(cache_key, MISSING)
            if answer is MISSING and has_kept:
                answer = self._take_kept(cache_key, waits=False)
            if answer is MISSING:
                source = self._pending(cache_key, key, tick) if under_way else None
                if source is None:
                    if batch is None or len(batch.keys) == self._full_at:
                        batch = tick.collecting(cache_key)
                    source = batch
                    if cache_key not in batch.keys:
                        batch.keys[cache_key] = key
                        batch.futures.append(None)
                    else:
                        self._store.promote(batch, cache_key)
                if source is not last:
                    group.wait_for(source)
                    last = source
                awaited.append((len(known), cache_key, source))
            known.append(answer)
        if not group.awaited:
            return tick.answer(unwrapped(known, return_exceptions=return_exceptions))
        self._add_announced(last, tick, cache_keys)
        return self._compared(asked, future, is_single=False)

    def _ask_all(
        self, group: Group, tick: Tick, cache_keys: list[Hashable], asked: list[K]
    ) -> bool:
        """Puts all keys of a call into one batch at once; returns whether that was possible.

        It is if nothing is known or under way, and nobody else has asked in this tick.
        """
        store = self._store
        known = store.values or store.ahead or store.pending or self.view is not None
        if known or self._full_at >= 0 or not cache_keys:
            return False
        batch = tick.batch or tick.collecting(cache_keys[0])
        if batch.keys:
            return False
        batch.keys = _first_of_each(cache_keys, asked)
        batch.futures = [None] * len(batch.keys)
        group.all_awaited = (cache_keys, batch)
        group.wait_for(batch)
        self._add_announced(batch, tick, cache_keys)
        return True

    async def load_required(self, key: K) -> V:
        """Loads one key that must be there.

        Raises:
            KeyNotFoundError: The source has no value for the key.
        """
        return self._required([key], [await self.load(key)])[0]

    async def load_many_required(self, keys: Iterable[K]) -> list[V]:
        """Loads several keys that must all be there.

        Raises:
            KeyNotFoundError: The source has no value for some of them, which it names.
        """
        keys = list(keys)
        return self._required(keys, await self.load_many(keys))

    # -- asking without an event loop

    def get(self, key: K) -> V:
        """Returns the value of one key, and blocks until it is there.

        Raises:
            InvalidKeyError: The key is None or not hashable.
            AsyncOnlyError: The batch function is async and the value is not known yet.
            ScopeClosedError: The loader's scope is over.
            Exception: The key's own error, or the error of its batch.
        """
        cache_key = key if type(key) in self._own_cache_keys else self._cache_key(key)
        if self.watch is not None:
            self.watch.asked((cache_key,), (key,))
        answer: Any = self._values.get(cache_key, MISSING)
        if answer is MISSING and (self._store.ahead or self.view is not None):
            answer = self._take_kept(cache_key)
        if answer is MISSING:
            ahead = NOTHING
            if self._announced or self._looks_around:
                ahead = self._look_ahead(cache_key, key)
            (answer,) = self._turns.fetch({cache_key: key}, ahead)
            self._compare([key], [answer])
        if type(answer) is Failure:
            answer.throw()
        value: V = answer
        return value

    def get_many(self, keys: Iterable[K], *, return_exceptions: bool = False) -> list[V]:
        """Returns the values of several keys, in their order, and blocks until all are there.

        Args:
            keys: The keys; one that is given twice is answered twice.
            return_exceptions: Whether a key's error takes the place of its value in the list. If
                not, the first one is raised.

        Raises:
            As `get`, and nothing is asked for if one of the keys is no key.
        """
        cache_keys, asked = self._keys_asked(keys)
        answers = self._get_all(cache_keys, asked)
        self._compare(asked, answers)
        outcome = unwrapped(answers, return_exceptions=return_exceptions)
        if isinstance(outcome, Failure):
            outcome.throw()
        return outcome

    def _get_all(self, cache_keys: list[Hashable], asked: list[K]) -> list[Any]:
        """Returns the answers to keys, each a value or a `Failure`, in their order."""
        missing = _first_of_each(cache_keys, asked)
        values, known = self._values, {}
        if values:
            known = {
                cache_key: answer
                for cache_key in missing
                if (answer := values.get(cache_key, MISSING)) is not MISSING
            }
            for cache_key in known:
                del missing[cache_key]
        if missing and (self._store.ahead or self.view is not None):
            for cache_key in list(missing):
                answer = self._take_kept(cache_key)
                if answer is not MISSING:
                    known[cache_key] = answer
                    del missing[cache_key]
        announced = self._take_announced(missing) if self._announced and missing else NOTHING
        moment = None if self.view is None else self.view.pinned()
        answers = self._turns.fetch(missing, announced) if missing else []
        if known and self.view is not None and self.view.pinned() is not moment:
            # The source is newer than what was known, which is forgotten: all are to be of one.
            return self._get_all(cache_keys, asked)
        if len(answers) < len(asked):
            known.update(zip(missing, answers, strict=True))
            answers = [known[cache_key] for cache_key in cache_keys]
        return answers

    def require(self, key: K) -> V:
        """Returns the value of one key that must be there; as `get` otherwise.

        Raises:
            KeyNotFoundError: The source has no value for the key.
        """
        return self._required([key], [self.get(key)])[0]

    def require_many(self, keys: Iterable[K]) -> list[V]:
        """Returns the values of several keys that must all be there; as `get_many` otherwise.

        Raises:
            KeyNotFoundError: The source has no value for some of them, which it names.
        """
        keys = list(keys)
        return self._required(keys, self.get_many(keys))

    # -- what the loader knows

    def prime(self, key: K, value: V | Exception) -> Self:
        """Gives the loader the value (or the error) of a key, unless it knows or awaits one."""
        answer = key_failure(self.name, value) if isinstance(value, BaseException) else value
        self._store.prime(self._cache_key(key), answer)
        if self._shadow is not None:
            self._shadow.batched.prime(key, value)
        return self

    def clear(self, key: K) -> Self:
        """Forgets a key. An answer that is under way still reaches its callers, and is not kept."""
        cache_key = self._cache_key(key)
        if self.view is not None:
            self.view.forget(cache_key)
        self._store.clear(cache_key)
        if self._shadow is not None:
            self._shadow.batched.clear(key)
        return self

    def clear_all(self) -> Self:
        """Forgets every key, as `clear` forgets one."""
        if self.view is not None:
            self.view.forget_all()
        self._store.clear_all()
        if self._shadow is not None:
            self._shadow.batched.clear_all()
        return self

    def close(self) -> None:
        """Ends the loader: it forgets everything and refuses what it is asked from now on.

        Its scope calls this. Who waits for an answer already still gets it.
        """
        if self.view is not None:
            self.view.close()
            self.view = None
        self._store.close()
        self.take_stock()
        if self._shadow is not None:
            self._shadow.batched.close()
            self._shadow = None
        # They refer back to the loader; without them it is freed at once, not by the collector.
        self._tick = None
        self._ticks.clear()
        self._made_turns = None

    def size(self) -> int:
        """Returns how many keys it knows."""
        return len(self._values) + len(self._store.ahead)

    @property
    def stats(self) -> Stats:
        """What this loader did so far; but for look-ahead's part, while somebody watches.

        In mode "shadow", look-ahead's part is that of the loader that it is compared with.
        """
        stats = Stats() if self.watch is None else self.watch.stats.copy()
        self.batched.count_used()
        ledger = self.batched.ledger
        stats.expected, stats.used = ledger.expected, ledger.used
        return stats

    # -- what is going to be asked for

    def expect(self, keys: Iterable[K]) -> Self:
        """Announces keys that are about to be asked for one by one.

        Nothing is fetched yet. The first lookup of this loader that has to ask its source asks for
        them as well, so a loop over them is answered by one query. A key that turns out not to be
        needed costs a row, and nothing else: errors of its own are not noticed.

        Raises:
            InvalidKeyError: As `get_many`; then none of them is announced.
        """
        if self._shadow is not None:
            self._shadow.batched.expect(keys)
        else:
            self._announce(zip(*self._cache_keys(keys), strict=True))
        return self

    def over(self, rows: Iterable[Row], *fields: Field) -> Collection[Row]:
        """Announces the keys in rows that a loop is about to go over, and returns the rows.

        For example::

            for order in symbols.over(orders, "symbol", "exchange"):
                order["token"] = get_token(order["symbol"], order["exchange"])

        Args:
            rows: Any iterable; an iterator is read to its end first.
            fields: For each part of the key where it stands in a row: the name of an item or an
                attribute, a path of them with dots (`"instrument.token"`), or a function of the
                row. One function alone returns the whole key.

        Returns:
            The rows as they were given; those of an iterator as a list.

        Raises:
            ConfigurationError: There are no fields, or they are names that none of the rows has. (A
                function that fails says that its row has no key.)
        """
        if self._shadow is not None:
            return self._shadow.batched.over(rows, *fields)
        rows = rows if isinstance(rows, Collection) else list(rows)
        keys: list[tuple[Hashable, Any]] = []
        for key in keys_in(self.name, rows, fields):
            # A row without a proper key: whoever asks for it gets the error, not who announces.
            with suppress(Exception):
                keys.append((self._cache_key(key), key))
        self._announce(keys)
        return rows

    @classmethod
    def expects(
        cls, *fields: Field, rows: str | None = None
    ) -> Callable[[Callable[P, T]], Callable[P, T]]:
        """Decorates a function that takes rows: their keys are announced at each call.

        For example::

            @SymbolLoader.expects("symbol", "exchange")
            def place_all(orders): ...

        The loader is this request's (`current`).

        Args:
            fields: As for `over`.
            rows: The name of the argument that has the rows; by default the first one.
        """
        return announcing(cls, fields, rows)

    @classmethod
    def current(cls) -> Self:
        """Returns this request's instance: that of the innermost open scope.

        Raises:
            As `dataloaders.scope.current_loader`.
        """
        return current_loader(cls)

    # -- how it works inside

    def pass_on(self, answers: Iterable[Any]) -> None:
        """Lets other loaders know what tiers had for this one, if it `passes_on` anything."""

    @property
    def batch_function(self) -> BatchFunction:
        """The batch function, which a thread calls: the one that was given, or the class's."""
        function, view = self._source_function, self.view
        return function if view is None else partial(view.ask, function)

    @property
    def function_on_loop(self) -> BatchFunction | None:
        """What an event loop awaits; None if there is only one that blocks."""
        if not self.is_async:
            return None
        function, view = self._source_function, self.view
        return function if view is None else partial(view.ask_on_loop, function)

    @property
    def _source_function(self) -> BatchFunction:
        # Found each time: an instance that keeps a method of its own is freed only by the
        # garbage collector, and there is one for each request.
        if self._given_function is not None:
            return self._given_function
        if type(self).batch_load is not DataLoader.batch_load:
            return self.batch_load
        function: Any = getattr(self, "batch_load_fn", None)  # aiodataloader's name for it
        return cast("BatchFunction", function)

    def new_batch(self, owner: Tick | Turns, cause: str) -> Batch:
        """Returns an empty batch for a caller's key; see `LoaderWatch.collecting`."""
        batch = Batch(owner)
        if self.watch is not None:
            batch.watch = self.watch.collecting(cause)
        return batch

    def is_full(self, batch: Batch) -> bool:
        """Whether a batch has as many keys as `max_batch_size` allows."""
        return len(batch.keys) == self._full_at

    def keys_of(self, batch: Batch) -> list[Any]:
        """Returns what the batch function is given for a batch."""
        return list(batch.keys.values())

    def cache_keys_of(self, keys: list[Any]) -> list[Hashable]:
        """Returns what those are cached under."""
        return [self._cache_key(key) for key in keys]

    @property
    def is_stated(self) -> bool:
        """Whether whoever watches is told of each statement, or each call, of its source."""
        return False

    @property
    def form(self) -> Form:
        """How tiers keep its values."""
        return Form(self.value_type)

    @property
    def versioned_table(self) -> Any:  # noqa: ANN401 - a table, or None
        """The table whose version its values depend on, or None if there is none."""
        return None

    def source_is_empty(self) -> Any:  # noqa: ANN401 - a bool, or an awaitable of one if it is async
        """Returns whether its source has nothing at all just now."""
        return False

    def proper_keys(self, keys: Iterable[Any]) -> list[Any]:
        """Returns those of some keys that it can be asked for."""
        proper = []
        for key in keys:
            with suppress(Exception):  # whatever a get_cache_key raises
                self._cache_key(key)
                proper.append(key)
        return proper

    @property
    def values(self) -> dict[Hashable, Any]:
        """What it knows, by cache key, where that is no mapping of the application's."""
        assert isinstance(self._values, dict)  # noqa: S101 - else there are no tiers
        return self._values

    def forget_known(self) -> None:
        """Forgets what it has loaded: that is of a version that is over."""
        self._store.clear_all()

    def check_open(self) -> None:
        """Refuses to go on after the scope was closed.

        Raises:
            ScopeClosedError: It was.
        """
        if self._store.closed:
            raise ScopeClosedError(self.name)

    @property
    def _can_wait(self) -> bool:
        # Without a cache there is nowhere to keep what nobody has asked for yet, and a cache_map
        # may forget: what waits beside it would not.
        return self.cache and self.batch and self._given.cache_map is None

    def allow_lookahead(self, mode: str) -> None:
        """Allows look-ahead up to a mode; the loader's own and the process's may allow less.

        Args:
            mode: "on", "explicit" (what is announced only) or "off".
        """
        self._mode = stricter(mode, self._mode)
        self._looks_around = self._mode == ON and self._can_wait

    def join(self, scope: LoaderScope) -> None:
        """Has the loader know the scope that it belongs to, and what that allows."""
        if self.mode != scope.mode:
            self._set_mode(scope.mode)
        if self._shadow is not None:
            self._shadow.batched.take_place(scope)
        self.take_place(scope)

    def take_place(self, scope: LoaderScope) -> None:
        """Goes by what a scope allows, and has what its registry keeps."""
        registry = scope.registry
        self.allow_lookahead(registry.lookahead)
        self._scope = ref(scope)
        if registry.tiers is not None and self.shared and self.view is None and self._can_wait:
            self.view = registry.tiers.view(self, scope)
        if self._looks_around:
            self._memory = self._memory_in(scope)

    @property
    def batched(self) -> DataLoader[K, V]:
        """The one that batches: itself, or the one that it is compared with."""
        return self if self._shadow is None else self._shadow.batched

    def _memory_in(self, scope: LoaderScope) -> Memory | None:
        registry = scope.registry
        if registry.partition is None or scope.is_common:  # which is nobody's partition
            return Memory(registry.history, None) if self.shared else None
        try:
            partition = registry.partition()
            hash(partition)
        except Exception:  # noqa: BLE001 - one that reads the session has none to read in a command
            return None
        if partition is None and not self.shared:
            return None
        return Memory(registry.history, partition)

    def _look_ahead(self, cache_key: Hashable, key: K) -> dict[Hashable, Any]:
        """Returns what should go along with a key that is to be fetched."""
        if self._store.pending and self.is_under_way(key):
            return {}
        was_announced = self._announced.pop(cache_key, MISSING) is not MISSING
        found = self._take_announced() if self._announced else {}
        if self._looks_around and not was_announced:
            # Whatever there is in the application's variables, this lookup has nothing to do
            # with it, and so must not fail of it.
            try:  # suppress() takes as long as a place that is left alone
                self.count_used()  # or what was of use would look wasted until the scope ends
                found |= peers_of(self, cache_key, key)
            except Exception:  # noqa: BLE001, S110 - nothing around a lookup may fail it
                pass
        return found

    def _announce(self, keys: Iterable[tuple[Hashable, Any]]) -> None:
        if self._mode != OFF and self._can_wait:
            values, ahead = self._values, self._store.ahead
            for cache_key, key in keys:
                if values.get(cache_key, MISSING) is MISSING and cache_key not in ahead:
                    self._announced[cache_key] = key

    def _take_announced(self, asked: Iterable[Hashable] = ()) -> dict[Hashable, Any]:
        """Returns announced keys that are still unknown: as many as one batch has room for.

        Args:
            asked: The cache keys of those that are asked for just now.
        """
        for cache_key in asked:
            self._announced.pop(cache_key, None)
        found: dict[Hashable, Any] = {}
        for cache_key in list(self._announced):  # at once: other threads announce, and take some
            if len(found) + 1 == self._full_at:
                break
            key = self._announced.pop(cache_key, MISSING)
            if key is not MISSING and self._is_unknown(cache_key):
                found[cache_key] = key
        self.ledger.expect(found, origin="announced")
        return found

    def peek(self, cache_key: Hashable) -> Any:  # noqa: ANN401 - any value may be loaded
        """Returns what is known of a key that somebody has asked for, or MISSING."""
        return self._values.get(cache_key, MISSING)

    @property
    def taken(self) -> list[Hashable]:
        """The cache keys that were of use and that nobody has counted yet, of a loader for good."""
        return self._store.taken

    @property
    def is_by_hand(self) -> bool:
        """Whether it was made outside of scopes, and not to be compared with another loader."""
        return self._scope is _no_scope and self.mode == modes.default_mode()

    def count_used(self) -> None:
        """Has the call sites know which of the keys were of use that they had go along."""
        if self._store.taken:
            self.ledger.use(self._store.taken)

    def take_stock(self) -> None:
        """Has all that outlives this loader know what it was asked for."""
        self.count_used()
        if self._memory is not None:
            # What is learned for the next request must not harm this one.
            with suppress(Exception):
                self._memory.hand_over(self.ledger.was_used)

    def remembered(self, site: Site, cache_key: Hashable, key: K) -> dict[Hashable, Any]:
        """Returns the keys that a place asked for last, and notes the one that it asks for now."""
        if self._memory is None:
            return {}
        recalled = self._memory.recall(site, cache_key, key, self._by_cache_key)
        found = {each: known for each, known in recalled.items() if self._is_unknown(each)}
        found.pop(cache_key, None)
        self.ledger.expect(found, origin="history")
        return found

    def _by_cache_key(self, keys: Iterable[Any]) -> dict[Hashable, Any]:
        found = {}
        for key in keys:
            with suppress(Exception):  # a get_cache_key that refuses it by now
                found[self._cache_key(key)] = key
        return found

    def request_body(self) -> Any:  # noqa: ANN401 - whatever was sent
        """Returns the JSON of the request at hand if it was parsed already, or None."""
        scope = self._scope()
        return None if scope is None or scope.body is None else scope.body()

    def records_nearby(self) -> Iterator[tuple[str, list[Any]]]:
        """Yields what the scope's loaders have loaded, each by its loader's name, newest first."""
        scope = self._scope()
        for loader in () if scope is None else scope.nearby(shared=self.shared):
            yield loader.name, loader.known()

    def known(self) -> list[Any]:
        """Returns the values that are known, those first that were asked for, the newest first."""
        values = list(self._values.values()) if type(self._values) is dict else []
        return [*reversed(values), *self._store.ahead.values()]

    def _add_announced(self, batch: Batch | None, tick: Tick, asked: list[Hashable]) -> None:
        """Has announced keys go along in a batch, if it is still being collected."""
        if self._announced and batch is not None and batch is tick.batch:
            self._add_ahead(batch, self._take_announced(asked))

    def _add_ahead(self, batch: Batch, keys: dict[Hashable, Any]) -> None:
        """Adds keys to the batch that is being collected, as far as it has room."""
        pending = self._store.pending
        for each, sibling in keys.items():
            if self.is_full(batch):
                break
            if each not in pending:
                batch.add_ahead(each, sibling)

    def ahead_keys(
        self,
        key: Any,  # noqa: ANN401 - a key is whatever the application uses
        siblings: list[tuple[Any, ...]],
        site: Site,
        origin: Origin | None = None,
    ) -> dict[Hashable, Any]:
        """Returns the keys of sibling rows that are not known yet, by cache key.

        Args:
            key: The key that is asked for; parts that a sibling lacks are taken from it.
            siblings: The parts of each row's key.
            site: Who asks.
            origin: Where the siblings were found.
        """
        if siblings and siblings[-1][0] is ABSENT:
            siblings = siblings[:-1]  # of what its source makes of nothing, only its author knows
        found = dict(islice(self._unknown_among(key, siblings), MAX_PEERS + 1))
        found.pop(self._cache_key(key), None)
        self.ledger.expect(found, site, origin)
        return found

    def _unknown_among(
        self, key: K, siblings: list[tuple[Any, ...]]
    ) -> Iterator[tuple[Hashable, Any]]:
        """Yields the cache keys, and the keys, of siblings that are not known yet."""
        for parts in siblings:
            try:
                sibling = _like(key, parts)
                cache_key = self._cache_key(sibling)
            except (InvalidKeyError, TypeError, ValueError):
                continue  # no key; if the loop asks for it all the same, that is its error
            if self._is_unknown(cache_key):
                yield cache_key, sibling

    def is_under_way(self, key: K) -> bool:
        """Whether a batch under way will have the answer to a key."""
        cache_key = self._cache_key(key)
        pending = self._store.pending
        return cache_key in pending or self.prefix_of(cache_key) in pending

    def _is_unknown(self, cache_key: Hashable) -> bool:
        store = self._store
        return (
            store.values.get(cache_key, MISSING) is MISSING
            and cache_key not in store.ahead
            and cache_key not in store.pending
            and not (self.view is not None and self.view.has(cache_key))
        )

    def _take_ahead(self, cache_key: Hashable) -> Any:  # noqa: ANN401 - any value may be loaded
        """Returns the answer that look-ahead has brought for a key, or MISSING."""
        return self._store.take(cache_key)

    def _take_kept(self, cache_key: Hashable, *, waits: bool = True) -> Any:  # noqa: ANN401 - any value may be loaded
        """Returns what look-ahead has brought, or a tier of this process has; or MISSING."""
        answer = self._take_ahead(cache_key) if self._store.ahead else MISSING
        if answer is MISSING and self.view is not None:
            answer = self.view.get(cache_key) if waits else self.view.get_at_once(cache_key)
            if answer is not MISSING and self.watch is not None:
                self.watch.found_in_process()
        return answer

    def _compare(self, keys: list[K], answers: list[Any]) -> None:
        if self._shadow is not None:
            outcomes = [each.error if type(each) is Failure else each for each in answers]
            self._shadow.compare(keys, outcomes)

    def _compared(
        self, keys: list[K], future: asyncio.Future[T], *, is_single: bool
    ) -> asyncio.Future[T]:
        if self._shadow is None:
            return future
        return self._shadow.answer_later(keys, future, is_single=is_single)

    def prefix_of(self, cache_key: Hashable) -> Hashable | None:  # noqa: ARG002 - for loaders that ask by part of a key
        """Returns the cache key of a question that answers this one too, if there may be one."""
        return None

    def answer_within(self, answers: Mapping[Hashable, Any], cache_key: Hashable) -> Any:  # noqa: ANN401, ARG002 - see prefix_of
        """Returns the answer to a key that follows from a batch's answers, or MISSING."""
        return MISSING

    def drop_ahead(self, batch: Batch, outcome: dict[Hashable, Any] | Exception) -> bool:
        """Takes what look-ahead has added out of a batch, if that may be why it failed.

        Args:
            batch: The batch.
            outcome: The answers to its keys, or what its function has raised.

        Returns:
            Whether the batch is to be run again: those who asked must not suffer for others.
        """
        if not batch.ahead:
            return False
        if isinstance(outcome, Exception):
            failed = self.may_blame_keys(outcome)
        else:
            failed = any(self.may_blame_keys(error) for error in batch.errors(outcome))
        return failed and self._store.drop_ahead(batch)

    def may_blame_keys(self, error: Exception) -> bool:
        """Whether a batch may have failed because of keys that look-ahead has added to it."""
        return not isinstance(error, BatchTimeoutError | AsyncOnlyError)

    @property
    def takes_turns(self) -> bool:
        """Whether threads send one batch at a time, so that the others gather for the next one."""
        return self.batch

    @property
    def stays_on_thread(self) -> bool:
        """Whether a batch function that is not async has to run on the thread that asks.

        If not, `load` has it run in a worker thread, and so does a time limit.
        """
        return False

    @property
    def _turns(self) -> Turns:
        # Made at first use: with gevent or eventlet, after they have patched locks. Not found in
        # __dict__, which would have Python look all attributes up in a slower way from then on.
        turns = self._made_turns
        if turns is None:
            with _making_turns:  # all threads take turns at the same one
                turns = self._made_turns = self._made_turns or Turns(self, self._store)
        return turns

    def _current_tick(self) -> Tick:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise NoEventLoopError(self.name) from None
        tick = self._tick
        if tick is None or tick.loop is not loop:
            tick = self._ticks.get(loop)
            if tick is None:
                for other in list(self._ticks):
                    if other.is_closed():
                        self._ticks.pop(other, None)
                tick = self._ticks[loop] = Tick(self, self._store, loop)
            self._tick = tick
        tick.thread = get_ident()
        return tick

    def _pending(self, cache_key: Hashable, key: K, tick: Tick) -> Batch | None:
        """Returns the batch under way that this loop's callers may wait for."""
        batch = self._store.pending.get(cache_key)
        if batch is None or batch.owner is not tick:
            return None
        asker = asking_batch()
        if cache_key in batch.ahead:
            if asker is not None:
                return None  # it would have asked for itself, so it must not wait for others
            self._store.promote(batch, cache_key)
        wait_for_pending(self.name, key, asker, batch)
        return batch

    def _cache_key(self, key: Any) -> Hashable:  # noqa: ANN401 - a caller may pass anything
        if key is None:
            remedy = "Test for None before asking."
            raise InvalidKeyError(self.name, key, "a key", remedy)
        cache_key = self._get_cache_key(key)
        try:
            hash(cache_key)
        except TypeError:
            remedy = "Pass a tuple of plain values, or give the loader a get_cache_key."
            raise InvalidKeyError(self.name, key, "a hashable key", remedy) from None
        # Without a cache no two lookups are the same one.
        return cache_key if self.cache else object()

    def _keys_asked(self, keys: Iterable[Any]) -> tuple[list[Hashable], list[Any]]:
        """Returns the cache keys of keys that a caller asks for, and the keys."""
        cache_keys, asked = self._cache_keys(keys)
        if self.watch is not None:
            self.watch.asked(cache_keys, asked)
        return cache_keys, asked

    def _cache_keys(self, keys: Iterable[Any] | object) -> tuple[list[Hashable], list[Any]]:
        """Returns the cache keys of keys, and the keys."""
        if type(keys) is not list and not isinstance(keys, Iterable):
            remedy = "For a single key, use load or get."
            raise InvalidKeyError(self.name, keys, "an iterable of keys", remedy)
        asked = list(keys)
        own = self._own_cache_keys
        return [key if type(key) in own else self._cache_key(key) for key in asked], asked

    def _required(self, keys: list[K], values: list[V]) -> list[V]:
        absent = [key for key, value in zip(keys, values, strict=True) if value is None]
        if absent:
            raise self.not_found(self.name, absent)
        return values


def loaders_by_hand() -> list[DataLoader[Any, Any]]:
    """Returns the loaders that were made by hand; takes milliseconds, as it looks at all objects.

    So that no loader pays for being found.
    """
    kinds: list[type[DataLoader[Any, Any]]] = [DataLoader]
    for kind in kinds:
        kinds += [each for each in kind.__subclasses__() if each not in kinds]
    found = [each for each in gc.get_referrers(*kinds) if type(each) in kinds]
    return [loader for loader in found if hasattr(loader, "watch") and loader.is_by_hand]


def _like(key: Any, parts: tuple[Any, ...]) -> Any:  # noqa: ANN401 - a key is whatever the application uses
    """Returns a key of the same form as another one, of parts that may lack some of its."""
    if not isinstance(key, tuple):
        return parts[0]
    whole = [own if part is MISSING else part for part, own in zip(parts, key, strict=True)]
    return tuple(whole) if type(key) is tuple else type(key)(*whole)


# Nothing under it can switch to another green thread.
_making_turns = Lock()
hold_across_forks(_making_turns)


class _Given(NamedTuple):
    """What a loader was made with, of which its mode may leave some unused.

    One attribute in the place of six: an instance with more than 30 is slower throughout.
    """

    batch: bool
    cache: bool
    cache_map: MutableMapping[Any, Any] | None
    has_plain_keys: bool
    lookahead: str
    tiers: Tiers | None


def _no_scope() -> None:
    """Stands for the scope of a loader that was made by hand."""


_DEFAULT_LIMITS = (DataLoader.max_batch_size, DataLoader.max_concurrency, DataLoader.timeout)
"""What needs no checking each time a request makes its loaders."""


def _first_of_each(cache_keys: list[Hashable], keys: list[Any]) -> dict[Hashable, Any]:
    """Returns a key for each cache key: of several keys that have it, the first."""
    first = dict(zip(cache_keys, keys, strict=True))
    if len(first) < len(keys):
        first.clear()
        for cache_key, key in zip(cache_keys, keys, strict=True):
            first.setdefault(cache_key, key)
    return first


def _check_limits(
    name: str, max_batch_size: object, max_concurrency: object, timeout: object
) -> None:
    for option, value, kinds, expected in (
        ("max_batch_size", max_batch_size, (int,), "a positive whole number"),
        ("max_concurrency", max_concurrency, (int,), "a positive whole number"),
        ("timeout", timeout, (int, float), "a positive number of seconds"),
    ):
        if value is None and option != "max_concurrency":
            continue
        check(f"{name}.{option}", value, kinds, expected)


def _is_async(function: BatchFunction) -> bool:
    code = getattr(function, "__code__", None)
    if code is not None:  # a function or method: what inspect would find, at a tenth of the time
        return bool(code.co_flags & inspect.CO_COROUTINE)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object's async __call__, not whether it can be called
    )
