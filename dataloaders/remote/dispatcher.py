"""Makes a source's calls: one thread decides when, each call has one of its own."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import threading
import time
from concurrent.futures import CancelledError
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dataloaders.batch import answers_from
from dataloaders.batch import call as call_function
from dataloaders.dispatch.background import run_in_background
from dataloaders.dispatch.context import common_context
from dataloaders.errors import BatchAbortedError, BatchTimeoutError, SourceClosedError

from .call_watch import CallWatch
from .judgement import FAIL, Judgement
from .queue import Call, Queue

if TYPE_CHECKING:
    from collections.abc import Hashable
    from concurrent.futures import Future
    from contextvars import Context

    from .queue import Ask, Counts
    from .source import RemoteSource

logger = logging.getLogger(__name__)

IDLE_SECONDS: Final = 5.0
"""How long the deciding thread waits for something to do before it ends."""

CANCEL_SECONDS: Final = 0.1
"""How long after it was given up an async call is cancelled."""

_now = time.monotonic


class Dispatcher:
    """What one source is asked, and the calls that answer it.

    A call that does not end in time, or whose callers have all gone away, keeps its thread and
    nothing else.

    Args:
        source: The source.
    """

    def __init__(self, source: RemoteSource) -> None:
        self._source = source
        self._name = source.name or type(source).__name__
        self._queue = Queue(source.terms, random.random)
        self._lock = threading.Lock()  # guards all that follows, and the queue
        self._changed = threading.Condition(self._lock)
        self._is_running = False
        self._is_closed = False

    @property
    def counts(self) -> Counts:
        """What it was asked so far."""
        return self._queue.counts

    # -- callers, in any thread

    def add(self, *asks: Ask) -> None:
        """Takes what a caller wants; its `done` may be called at once.

        Raises:
            SourceClosedError: The source is closed.
        """
        with self._lock:
            if self._is_closed:
                raise SourceClosedError(self._name)
            now = _now()
            for ask in asks:
                self._queue.add(ask, now)
            answered = self._queue.answered()
            if any(ask.open for ask in asks):
                self._see_to_it()
        _tell(answered)

    def withdraw(self, *asks: Ask) -> None:
        """Has a caller go away; nothing happens to those that have their answers."""
        with self._lock:
            for ask in asks:
                self._queue.withdraw(ask)

    def close(self, seconds: float) -> None:
        """Takes nothing more, and waits for what it has taken.

        Args:
            seconds: For how long at most. Who is not answered by then gets a SourceClosedError.
        """
        deadline = _now() + seconds
        with self._lock:
            self._is_closed = True
            while not self._queue.is_idle and (left := deadline - _now()) > 0:
                self._changed.wait(left)
            self._queue.fail_all(SourceClosedError(self._name))
            answered = self._queue.answered()
            self._changed.notify_all()
        _tell(answered)

    # -- the thread that decides

    def _see_to_it(self) -> None:
        """Has the thread look at the queue."""
        if not self._is_running:
            self._is_running = True
            thread = threading.Thread(target=self._run, name=f"{self._name} calls", daemon=True)
            try:
                thread.start()
            except Exception:  # no thread to be had; a green one that is killed here has started it
                self._is_running = False
                raise
        else:
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._lock:
                try:
                    call = self._next()
                except Exception as error:  # whatever is wrong here: nobody is to wait for ever
                    logger.exception("%s fails all that it is asked.", self._name)
                    self._queue.fail_all(error)
                    call = None
                answered = self._queue.answered()
                if call is None and not answered:
                    self._is_running = False
                    return
                # Now: its callers may have gone away by the time it starts.
                contexts = [] if call is None else call.contexts()
            _tell(answered)
            if call is not None:
                self._start(call, contexts)

    def _next(self) -> Call | None:
        """Waits for the next call, or for callers to be told of answers; None if that is all."""
        idle_until = _now() + IDLE_SECONDS
        while True:
            now = _now()
            wake_at = self._give_up_calls(now)
            step = self._queue.next_call(now)
            if isinstance(step, Call):
                return step
            if self._queue.has_answered:
                return None
            if step is not None or wake_at is not None or not self._queue.is_idle:
                idle_until = now + IDLE_SECONDS
            elif self._is_closed or now >= idle_until:
                return None
            self._changed.wait(min(at for at in (step, wake_at, idle_until) if at) - now)

    def _give_up_calls(self, now: float) -> float | None:
        """Gives up the calls that take too long; returns when the next one will."""
        seconds = self._source.timeout
        if seconds is None:
            return None
        for call in [each for each in self._queue.under_way if each.begun + seconds <= now]:
            error = BatchTimeoutError(self._name, len(call.wanted), seconds)
            self._queue.give_up(call, error)
        return min((each.begun + seconds for each in self._queue.under_way), default=None)

    # -- calls

    def _start(self, call: Call, contexts: list[Context]) -> None:
        keys = call.keys
        context = common_context(contexts[0], contexts[1:])
        watch = CallWatch(self._name, len(keys), contexts)
        try:
            if self._source.is_async:
                fetch = partial(self._fetch_async, call, list(keys.values()))
                running = run_in_background(fetch, context)
                running.add_done_callback(partial(self._end_async, call, keys, watch))
            else:
                arguments = (call, keys, watch, context)
                threading.Thread(
                    target=self._call, args=arguments, name=f"{self._name} call", daemon=True
                ).start()
        except Exception as error:  # noqa: BLE001 - no thread, or no loop: it is the callers' answer
            self._fail(call, error, FAIL)

    def _call(
        self, call: Call, keys: dict[Hashable, Any], watch: CallWatch, context: Context
    ) -> None:
        try:
            call.places.sent(_now())
            try:
                result = context.run(self._fetch, call.account, list(keys.values()))
            finally:
                watch.ended()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the callers' answer
            self._fail(call, error, self.judge(error))
        except BaseException as error:
            # A green thread's kill, say: nobody else can answer the callers.
            self._fail(call, BatchAbortedError(self._name, len(keys), error), FAIL)
            raise
        else:
            self._settle(call, keys, result)

    def _fetch(self, account: Hashable, keys: list[Any]) -> Any:  # noqa: ANN401 - what it returns
        return call_function(self._name, partial(_with_account, self._source.fetch, account), keys)

    async def _fetch_async(self, call: Call, keys: list[Any]) -> Any:  # noqa: ANN401 - what it returns
        call.places.sent(_now())
        seconds = self._source.timeout
        # Cancelled when it has been given up: not before, or it would seem to have failed.
        try:
            async with asyncio.timeout(None if seconds is None else seconds + CANCEL_SECONDS):
                return await self._source.fetch(keys, call.account)
        except (KeyboardInterrupt, SystemExit) as error:
            # A task lets them out, and they would end the loop that all sources are called on.
            raise BatchAbortedError(self._name, len(keys), error) from error

    def _end_async(
        self, call: Call, keys: dict[Hashable, Any], watch: CallWatch, running: Future[Any]
    ) -> None:
        watch.ended()
        try:
            result = running.result()
        except BatchAbortedError as error:
            self._fail(call, error, FAIL)
        except CancelledError as error:  # which is an Exception where it is no task's own
            self._fail(call, BatchAbortedError(self._name, len(keys), error), FAIL)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the callers' answer
            self._fail(call, error, self.judge(error))
        except BaseException as error:  # noqa: BLE001 - it was the task's, and this is another thread
            self._fail(call, BatchAbortedError(self._name, len(keys), error), FAIL)
        else:
            self._settle(call, keys, result)

    def _settle(self, call: Call, keys: dict[Hashable, Any], result: object) -> None:
        try:
            answers = answers_from(self._name, keys, result)
        except Exception as error:  # noqa: BLE001 - the batch function's mistake
            if inspect.iscoroutine(result):
                result.close()
            self._fail(call, error, FAIL)
            return
        with self._lock:
            self._queue.settle(call, answers, _now())
            answered = self._look_again()
        _tell(answered)

    def _fail(self, call: Call, error: Exception, judgement: Judgement) -> None:
        with self._lock:
            self._queue.fail(call, error, judgement, _now())
            answered = self._look_again()
        _tell(answered)

    def _look_again(self) -> list[Ask]:
        """Has whoever waits for the queue look at it; returns who has all of its answers."""
        self._changed.notify_all()
        return self._queue.answered()

    def judge(self, error: Exception) -> Judgement:
        """Returns what the source says is to be done about an error, if it can."""
        try:
            judgement: object = self._source.judge(error)
        except Exception:
            logger.exception("%s.judge has failed; the error that it was given stands.", self._name)
            return FAIL
        if not isinstance(judgement, Judgement):
            logger.error("%s.judge has returned %r, which is no Judgement.", self._name, judgement)
            return FAIL
        return judgement


def _with_account(fetch: Any, account: Hashable, keys: list[Any]) -> Any:  # noqa: ANN401 - a source's fetch
    return fetch(keys, account)


def _tell(answered: list[Ask]) -> None:
    for ask in answered:
        ask.done()
