"""A source that is slow to answer, and limits how often it may be asked."""

from __future__ import annotations

import inspect
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from dataloaders.checks import check
from dataloaders.errors import BatchFunctionError, ConfigurationError
from dataloaders.forking import hold_across_forks

from .dispatcher import Dispatcher
from .judgement import FAIL, Judgement, Remedy, judge_status, response_of
from .queue import Terms
from .rates import Rate

if TYPE_CHECKING:
    from collections.abc import Hashable

    from .queue import Counts


class RemoteSource:
    """Something beyond the network, and the terms on which it may be called.

    Derive a class from it, override `fetch`, declare the terms, and make one instance for the
    process: whoever asks it, from any thread, request or event loop, stands in the same line. While
    a call is under way, or may not be sent yet, keys gather; the next call has all of them. If
    nobody waits, a call goes at once.

    For example, 500 quotes in a call, a call a second, and ten a second with all others::

        class Quotes(RemoteSource):
            max_batch_size = 500
            rates = (Rate(1, 1.0), ALL_CALLS)
            repeatable = True

            def fetch(self, keys, account):
                return client.quotes(keys, token=account)
    """

    name: str = ""
    """What errors call it; the class's name by default."""

    max_batch_size: int | None = None
    """Keys in a call at most; None for no limit, 1 for a source that takes one at a time."""

    rates: tuple[Rate, ...] = ()
    """How often it may be called; all of them hold. One `Rate` may be that of several sources."""

    min_interval: float | None = None
    """Seconds from one call to the next, at least: the same as `Rate(1, seconds)`."""

    max_concurrency: int = 4
    """Calls under way at the same time, at most."""

    window: float = 0.0
    """Seconds that a first key waits for others although it might go at once."""

    max_age: float | None = None
    """Seconds for which an answer may be shared with who asks later, counted from when its call
    was sent; answers are `Aged` then. None if each caller wants to know what is now: it shares
    with those only who wait for the same call."""

    repeatable: bool = False
    """Whether a call that has failed may be made again: whether it only reads."""

    temporary: tuple[type[Exception], ...] = (OSError,)
    """Errors of the network and its like, which may be over soon."""

    timeout: float | None = 30.0
    """Seconds after which a call is given up, and its callers get a BatchTimeoutError."""

    max_wait: float = 60.0
    """Seconds that a caller waits at most, for its turn and for the answer."""

    _dispatcher: Dispatcher | None = None

    def fetch(self, keys: list[Any], account: Hashable) -> Any:  # noqa: ANN401, ARG002 - see the docstring, for those who override it
        """Makes one call: override it. It may be async.

        It runs in a thread of its own (async: on an event loop that the process keeps for this),
        with the context variables on which all of its callers agree.

        Args:
            keys: What to ask for: at most `max_batch_size`, without duplicates.
            account: For whom: what the loaders were given. Nobody else's keys are in this call.

        Returns:
            A mapping of key to value, in which an absent key means "no such thing", or a list of
            values in key order. An exception in the place of a value is that key's error.
        """
        raise BatchFunctionError(self.name or type(self).__name__, None)

    def judge(self, error: Exception) -> Judgement:
        """Says what is to be done about a call that has failed; override it for more.

        By default an error with an HTTP response (httpx's and requests' have one) is judged by its
        status, others by whether they are `temporary`.
        """
        response = response_of(error)
        if response is not None:
            return judge_status(response.status_code, response.headers, datetime.now(UTC))
        return Judgement(Remedy.REPEAT) if isinstance(error, self.temporary) else FAIL

    def close(self, seconds: float = 5.0) -> None:
        """Answers who has asked, and nobody else.

        Args:
            seconds: How long to wait for that. Who is left then gets a SourceClosedError.
        """
        self.dispatcher.close(seconds)

    @property
    def counts(self) -> Counts:
        """What it was asked so far, and what that took."""
        return self.dispatcher.counts

    @property
    def is_async(self) -> bool:
        """Whether `fetch` is."""
        return inspect.iscoroutinefunction(self.fetch)

    @property
    def terms(self) -> Terms:
        """Its terms, checked.

        Raises:
            ConfigurationError: One of them is not what it has to be.
        """
        name = self.name or type(self).__name__
        whole, number = "a positive whole number", "a positive number of seconds"
        for option, kinds, expected, is_optional in (
            ("max_batch_size", (int,), whole, True),
            ("max_concurrency", (int,), whole, False),
            ("min_interval", (int, float), number, True),
            ("max_age", (int, float), number, True),
            ("timeout", (int, float), number, True),
            ("max_wait", (int, float), number, False),
        ):
            value = getattr(self, option)
            if value is not None or not is_optional:
                check(f"{name}.{option}", value, kinds, expected)
        if self.window:
            check(f"{name}.window", self.window, (int, float), f"{number}, or 0")
        rates: object = self.rates
        if not (isinstance(rates, tuple) and all(isinstance(rate, Rate) for rate in rates)):
            raise ConfigurationError(f"{name}.rates", "a tuple of Rates", rates)
        spaced = () if self.min_interval is None else (Rate(1, self.min_interval),)
        return Terms(
            max_batch_size=self.max_batch_size,
            rates=(*self.rates, *spaced),
            max_concurrency=self.max_concurrency,
            window=self.window,
            max_age=self.max_age,
            repeatable=self.repeatable,
        )

    @property
    def dispatcher(self) -> Dispatcher:
        """What makes its calls."""
        # Made at first use: with gevent or eventlet, after they have patched locks.
        dispatcher = self._dispatcher
        if dispatcher is None:
            with _making:
                dispatcher = self._dispatcher = self._dispatcher or Dispatcher(self)
                _in_use.add(self)
        return dispatcher


# Nothing under it can switch to another green thread.
_making = threading.Lock()
_in_use: WeakSet[RemoteSource] = WeakSet()


def _begin_anew() -> None:
    """Has a forked process know nothing of its parent's calls, whose threads it does not have."""
    for source in list(_in_use):
        source._dispatcher = None  # noqa: SLF001 - its own module


hold_across_forks(_making, _begin_anew)
