"""RemoteLoader: a request's lookups of a remote source."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from dataloaders.batch import Failure
from dataloaders.dispatch.context import running_batch
from dataloaders.dispatch.steps import run, run_on_loop
from dataloaders.errors import (
    AccountOutsideScopeError,
    ConfigurationError,
    WaitTimeoutError,
)
from dataloaders.loader import DataLoader

from .aged import Aged
from .asking import manner_here, manner_in
from .queue import AHEAD, Ask, CallFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from dataloaders.batch import Batch
    from dataloaders.dispatch.steps import Steps
    from dataloaders.loader import BatchFunction
    from dataloaders.scope import LoaderScope

    from .asking import Manner
    from .dispatcher import Dispatcher
    from .source import RemoteSource

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


class RemoteLoader(DataLoader[K, V]):
    """Collects a request's lookups as any loader does, and asks a source for them that is shared.

    For example::

        class QuoteLoader(RemoteLoader[str, Quote]):
            source = Quotes()
            shared = True

    What is asked for on an event loop in one tick, and by one call of `get_many`, stands in the
    source's line together. Threads do not take turns at such a loader: each of them stands in that
    line, for as long as it wants to. `get` works although the source's `fetch` is async.

    Args:
        account: For whom the source is called: whatever its `fetch` needs to know, for example an
            access token. Any hashable value; it is in no error and no log. By default what
            `current_account` says.
        source: The source, in the place of the class's.
        get_cache_key: As for a DataLoader. Loaders of one source have to have the same: what is one
            key for one of them is answered as one for all.
        name: As for a DataLoader.

    Raises:
        ConfigurationError: There is no source; or neither an account nor a class that is `shared`,
            so that nobody knows whose calls may be one.
    """

    source: RemoteSource
    """Where its values come from, and on which terms: one object for the process."""

    # What a Tick would limit, the source does, for all loaders together.
    max_concurrency = sys.maxsize

    def __init__(
        self,
        account: Hashable = None,
        *,
        source: RemoteSource | None = None,
        get_cache_key: Callable[[K], Hashable] | None = None,
        name: str | None = None,
    ) -> None:
        if source is not None:
            self.source = source
        self.account = account = self.current_account() if account is None else account
        own_name = name or self.name or type(self).__name__
        if getattr(self, "source", None) is None:
            raise ConfigurationError(f"{own_name}.source", "a RemoteSource", None)
        if account is None and not self.shared:
            expected = "given, since its values are not the same for every user (`shared`)"
            raise ConfigurationError(f"{own_name}'s account", expected, account)
        super().__init__(get_cache_key=get_cache_key, name=name)
        self._looked_at = time.monotonic()
        # Of what was answered with nothing, or with an error: neither knows its age.
        self._asked_at: dict[Hashable, float] = {}

    @classmethod
    def current_account(cls) -> Hashable:
        """Says for whom a loader calls that is made here and now: override it.

        For example, for the access token in the session of the request that is being served.
        """
        return None

    # -- asking

    def get(self, key: K) -> V:
        """As `DataLoader.get`, and nothing that is older than the source's `max_age`.

        Raises:
            WaitTimeoutError: There was no answer within the time that the caller waits.
        """
        if self.source.max_age is not None:
            self._forget_old((self._cache_key(key),))
        return super().get(key)

    def get_many(self, keys: Iterable[K], *, return_exceptions: bool = False) -> list[V]:
        """As `DataLoader.get_many`; keys that have no answer in time have a WaitTimeoutError."""
        return super().get_many(self._fresh(keys), return_exceptions=return_exceptions)

    def load(self, key: K) -> asyncio.Future[V]:
        """As `DataLoader.load`, and as `get`."""
        if self.source.max_age is not None:
            self._forget_old((self._cache_key(key),))
        return self._in_time(super().load(key))

    def load_many(
        self, keys: Iterable[K], *, return_exceptions: bool = False
    ) -> asyncio.Future[list[V]]:
        """As `DataLoader.load_many`, and as `get`: if one answer is late, all are."""
        keys = self._fresh(keys)
        return self._in_time(super().load_many(keys, return_exceptions=return_exceptions))

    def _in_time(self, future: asyncio.Future[T]) -> asyncio.Future[T]:
        """Has a caller on an event loop be answered by the time until which it waits."""
        if not future.done():
            begun = time.monotonic()
            seconds = max(0.0, self._until(manner_here(), begun) - begun)
            error = WaitTimeoutError(self.name, seconds)
            timer = future.get_loop().call_later(seconds, _expire, future, error)
            future.add_done_callback(lambda _: timer.cancel())
        return future

    def _until(self, manner: Manner, now: float) -> float:
        until = now + self.source.max_wait
        return until if manner.until is None else min(until, manner.until)

    def _fresh(self, keys: Iterable[K]) -> Iterable[K]:
        """Returns the keys, of which what is known is not too old."""
        if self.source.max_age is None:
            return keys
        cache_keys, asked = self._cache_keys(keys)
        self._forget_old(cache_keys)
        return asked

    def _forget_old(self, asked: Iterable[Hashable]) -> None:
        """Forgets whatever is too old: if one key is asked for again, the others may go along.

        To look at all that is known takes its time. It is done if one of those that are asked for
        is too old, and else now and then.
        """
        known, ahead, max_age = self.values, self._store.ahead, self.source.max_age
        if max_age is None or not (known or ahead):
            return
        earliest = time.monotonic() - max_age
        if self._looked_at >= earliest and not any(
            self._asked_for(cache_key, answers.get(cache_key)) < earliest
            for answers in (known, ahead)
            if answers
            for cache_key in asked
        ):
            return
        self._looked_at = time.monotonic()
        for answers in (known, ahead):
            for cache_key, answer in list(answers.items()):
                if self._asked_for(cache_key, answer) < earliest:
                    self._store.clear(cache_key)
                    self._asked_at.pop(cache_key, None)

    def _asked_for(self, cache_key: Hashable, answer: object) -> float:
        """Returns when the source was asked for what is known; infinity if that never gets old."""
        if isinstance(answer, Aged):
            return answer.asked_at
        if answer is None or type(answer) is Failure:
            return self._asked_at.get(cache_key, inf)
        return inf  # the application has primed it

    # -- how a batch is answered

    @property
    def _source_function(self) -> BatchFunction:
        return self._ask

    @property
    def function_on_loop(self) -> BatchFunction:
        """What an event loop awaits."""
        function, view = self._ask_on_loop, self.view
        return function if view is None else partial(view.ask_on_loop, function)

    @property
    def is_stated(self) -> bool:
        """Whether whoever watches is told of each call of its source."""
        return True

    @property
    def takes_turns(self) -> bool:
        """No: the source has a line for all loaders."""
        return False

    @property
    def may_be_compared(self) -> bool:
        """No: it would make twice the calls, and between two of them values change."""
        return False

    def drop_ahead(self, batch: Batch, outcome: dict[Hashable, Any] | Exception) -> bool:  # noqa: ARG002 - a loader's signature
        """Never: the source's line does so, call by call, and knows with whose keys each went."""
        return False

    def take_place(self, scope: LoaderScope) -> None:
        """Goes by what a scope allows.

        Raises:
            AccountOutsideScopeError: The scope is everybody's, and this loader is for an account.
        """
        if scope.is_common and self.account is not None:
            raise AccountOutsideScopeError(self.name)
        super().take_place(scope)

    def _ask(self, keys: list[K]) -> list[Any]:
        return run(self._answers(keys))

    async def _ask_on_loop(self, keys: list[K]) -> list[Any]:
        return await run_on_loop(self._answers(keys))

    def _answers(self, keys: list[K]) -> Steps[list[Any]]:
        """Has the source answer a batch."""
        batch = running_batch.get()
        assert batch is not None  # noqa: S101 - whoever calls a batch function has set it
        dispatcher = self.source.dispatcher
        begun = time.monotonic()
        until = self._until(manner_here(), begun)
        wanted = self._wanted(batch, keys)
        answers: dict[Hashable, Any] = {}
        left = wanted
        while left:
            asks = self._asks(batch, left, is_first=left is wanted)
            is_late = yield _Answers(dispatcher, asks, until, self.source.max_wait)
            for ask in asks:
                answers |= ask.answers
            # Of all of them: what nobody wanted at first may have been asked for since.
            left = {} if is_late else self._still_wanted(batch, wanted, answers)
        if len(answers) < len(wanted):
            late = CallFailure(WaitTimeoutError(self.name, until - begun))
            answers = {cache_key: answers.get(cache_key, late) for cache_key in wanted}
        if self.source.max_age is not None and self.cache:
            self._note_ages(answers, begun)
        return [self._outcome(batch, cache_key, answers[cache_key]) for cache_key in wanted]

    def _note_ages(self, answers: dict[Hashable, Any], begun: float) -> None:
        for cache_key, answer in answers.items():
            if type(answer) is Failure:
                self._asked_at[cache_key] = begun
            elif isinstance(answer, Aged) and answer.value is None:
                self._asked_at[cache_key] = answer.asked_at

    def _wanted(self, batch: Batch, keys: list[K]) -> dict[Hashable, K]:
        if len(keys) == len(batch.keys):
            return batch.keys.copy()  # without a cache, a key has no other cache key than this
        return dict(zip(self.cache_keys_of(keys), keys, strict=True))

    def _asks(self, batch: Batch, wanted: dict[Hashable, K], *, is_first: bool) -> list[Ask]:
        """Returns what to ask for: what somebody waits for, and beside it what may go along."""
        scope = self._scope()
        assert batch.context is not None  # noqa: S101 - who asked for the first key has left it
        contexts = [batch.context, *batch.other_contexts]
        ask = partial(
            Ask,
            self.account,
            requester=batch if scope is None or scope.is_common else scope,
            context=copy_context(),
            alone=not self.batch,
        )
        ahead = {key: wanted[key] for key in wanted if key in batch.ahead}
        needed = {key: wanted[key] for key in wanted if key not in ahead}
        priority = max(manner_in(context).priority for context in contexts)
        live = None if batch.threads else batch.live_keys
        asks = [ask(needed, priority=priority, live=live)]
        return [*asks, ask(ahead, priority=AHEAD)] if ahead and is_first else asks

    def _still_wanted(
        self, batch: Batch, wanted: dict[Hashable, K], answers: dict[Hashable, Any]
    ) -> dict[Hashable, K]:
        """Returns what has no answer because nobody wanted it, as it seemed, and somebody does."""
        live = batch.keys.keys() if batch.threads else batch.live_keys()
        return {
            cache_key: key
            for cache_key, key in wanted.items()
            if cache_key not in answers and cache_key in live and cache_key not in batch.ahead
        }

    def _outcome(self, batch: Batch, cache_key: Hashable, answer: Any) -> Any:  # noqa: ANN401 - any value may be loaded
        """Returns a value or an error; the latter is kept only if it is the key's own."""
        if type(answer) is CallFailure:
            batch.forgotten.add(cache_key)
        if isinstance(answer, Failure):
            return answer.error
        return None if isinstance(answer, Aged) and answer.value is None else answer


@dataclass(frozen=True, slots=True)
class _Answers:
    """Waits until the first of some asks has its answers; comes to whether it had to be ended.

    Attributes:
        dispatcher: The source's.
        asks: The asks; what the others have by then is all that they get.
        until: When a thread stops waiting. On an event loop, each caller has a timer of its own.
        max_wait: How often an event loop looks whether any of them still waits, in seconds.
    """

    dispatcher: Dispatcher
    asks: list[Ask]
    until: float
    max_wait: float

    def here(self) -> bool:
        """See `Step`."""
        finished: Future[None] = Future()
        self.asks[0].done = partial(finished.set_result, None)
        try:
            self.dispatcher.add(*self.asks)
            finished.result(max(0.0, self.until - time.monotonic()))
        except TimeoutError:
            return True
        finally:
            # A caller that was killed in the middle goes away as well.
            self.dispatcher.withdraw(*self.asks)
        return False

    async def on_loop(self) -> bool:
        """See `Step`."""
        loop = asyncio.get_running_loop()
        finished: asyncio.Future[None] = loop.create_future()
        self.asks[0].done = partial(_tell, loop, finished)
        try:
            self.dispatcher.add(*self.asks)
            # A source that pauses for an hour is not to keep what nobody waits for any more.
            while not (await asyncio.wait([finished], timeout=self.max_wait))[0]:
                live = self.asks[0].live
                if live is not None and not live():
                    return True
        finally:
            self.dispatcher.withdraw(*self.asks)
        return False


def _tell(loop: asyncio.AbstractEventLoop, finished: asyncio.Future[None]) -> None:
    """Tells an event loop, from any thread, that what it waits for is there."""
    with suppress(RuntimeError):  # it is closed: nobody waits any more
        loop.call_soon_threadsafe(_finish, finished)


def _finish(finished: asyncio.Future[None]) -> None:
    if not finished.done():
        finished.set_result(None)


def _expire(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
