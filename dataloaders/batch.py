"""One batch: its keys, who waits for them, and how the source's result becomes their answers.

Nothing in here does I/O, reads a clock or knows an event loop; the futures that it settles are
whatever has `done`, `set_result` and `set_exception`. `dataloaders.dispatch` decides when a batch
goes and who runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from .errors import BatchResultError, UnraisableError

if TYPE_CHECKING:
    from .watching import BatchWatch

MISSING: Final = object()
"""Stands for 'no answer yet' where None is an answer."""


_UNORDERED_OR_TEXT = (str, bytes, set, frozenset)
"""Iterables that are no list of values in key order."""


class Settleable(Protocol):
    """What a batch needs of a future."""

    def done(self) -> bool:
        """Whether it is settled or cancelled."""

    def set_result(self, result: Any, /) -> None:  # noqa: ANN401 - any value may be loaded
        """Settles it with a value."""

    def set_exception(self, exception: Any, /) -> None:  # noqa: ANN401 - as asyncio types it
        """Settles it with an error."""


class Failure:
    """An error that stands where a value would."""

    __slots__ = ("_error", "_traceback")

    def __init__(self, error: Exception) -> None:
        self._error = error
        self._traceback = error.__traceback__

    @property
    def error(self) -> Exception:
        """The error, with the traceback that it came with.

        Otherwise the traceback would grow by every caller that it was raised for.
        """
        return self._error.with_traceback(self._traceback)

    def throw(self) -> NoReturn:
        """Raises the error for one of its callers."""
        raise self.error


class Batch:
    """Keys that go to the source together.

    Attributes:
        owner: Who may add waiters: the `Tick` or the `Turns` that collects it.
        keys: Cache key to key, in the order of asking.
        futures: For each of `keys` in turn, the future of who asked for it first, or None if that
            was a `load_many`.
        callers: The futures of those who asked later, each with the cache key that it waits for.
        followers: As `callers`, of those who are answered together with a later batch: they are
            among its `hits`.
        groups: `load_many` calls that wait for keys in this batch.
        threads: For each thread that waits, the keys that it asked for, some of them here.
        ahead: Those of the cache keys that nobody has asked for: look-ahead put them there.
        promoted: How many of those somebody has asked for since they were put there.
        hits: Futures whose answer is known already, or is another batch's, and which settle with
            this batch so that what their callers load next is one batch again.
        context: The context of who asked for a key first.
        other_contexts: The contexts of those who asked later, as far as they differ from it.
        awaits: The batches that this one's function waits for.
        urgent: Whether another batch's function waits for this one.
        task: What serves it, on an event loop.
        opened_by_hit: Whether that was started by a caller who asked for no key of it.
        grant_place: While the batch waits for others to end, what lets it go on at once.
        forgotten: Cache keys that were cleared, or asked for anew, while the batch was under way.
        begun: Whether it is, or was, under way.
        answers: Cache key to value or `Failure`; None until the batch is settled.
        watch: Who is told of it, if anybody.
    """

    __slots__ = (
        "ahead",
        "answers",
        "awaits",
        "begun",
        "callers",
        "context",
        "followers",
        "forgotten",
        "futures",
        "grant_place",
        "groups",
        "hits",
        "keys",
        "opened_by_hit",
        "other_contexts",
        "owner",
        "promoted",
        "task",
        "threads",
        "urgent",
        "watch",
    )

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.keys: dict[Hashable, Any] = {}
        self.futures: list[Settleable | None] = []
        self.callers: list[tuple[Settleable, Hashable]] = []
        self.followers: list[tuple[Settleable, Hashable]] = []
        self.groups: list[Group] = []
        self.threads: list[Mapping[Hashable, Any]] = []
        self.ahead: set[Hashable] = set()
        self.promoted = 0
        self.hits: list[tuple[Settleable, Hashable, Any]] = []
        self.context: Context | None = None
        self.other_contexts: list[Context] = []
        self.awaits: list[Batch] = []
        self.urgent = False
        self.grant_place: Callable[[], None] | None = None
        self.forgotten: set[Hashable] = set()
        self.begun = False
        self.task: Any = None
        self.opened_by_hit = False
        self.answers: dict[Hashable, Any] | None = None
        self.watch: BatchWatch | None = None

    def asked_from(self, context: Context) -> None:
        """Takes note of a caller's context."""
        if self.context is None:
            self.context = context
            return
        try:
            # Copies of one context share their storage and compare at once.
            same = context == self.context
        except Exception:  # noqa: BLE001 - a value's own __eq__ may raise anything (an array's does)
            same = False
        if not same:
            self.other_contexts.append(context)

    def add_ahead(self, cache_key: Hashable, key: Any) -> None:  # noqa: ANN401 - a key is whatever the application uses
        """Adds a key that nobody has asked for, unless it is there."""
        if cache_key not in self.keys:
            self.keys[cache_key] = key
            if self.futures:  # threads have none
                self.futures.append(None)
            self.ahead.add(cache_key)

    def add_all_ahead(self, keys: Mapping[Hashable, Any]) -> None:
        """Adds many at once, for threads."""
        self.ahead |= keys.keys() - self.keys.keys()
        self.keys = {**keys, **self.keys} if len(self.keys) > 1 else self.keys | dict(keys)

    def without_ahead(self) -> set[Hashable]:
        """Takes the keys out that nobody has asked for; returns their cache keys."""
        dropped, self.ahead = self.ahead, set()
        if self.futures:
            self.futures = [
                future
                for cache_key, future in zip(self.keys, self.futures, strict=True)
                if cache_key not in dropped
            ]
        self.keys = {
            cache_key: key for cache_key, key in self.keys.items() if cache_key not in dropped
        }
        return dropped

    def live_keys(self) -> set[Hashable]:
        """Returns the cache keys for which somebody on its event loop still waits.

        Any thread may ask, while more callers come.
        """
        live = {
            cache_key
            for cache_key, future in zip(list(self.keys), list(self.futures), strict=False)
            if future is not None and not future.done()
        }
        for callers in (list(self.callers), list(self.followers)):
            live.update(cache_key for future, cache_key in callers if not future.done())
        for group in list(self.groups):
            if not group.future.done():
                live.update(group.awaited_of(self))
        return live

    def errors(self, answers: dict[Hashable, Any]) -> Iterator[Exception]:
        """Yields the errors among the answers to keys that somebody has asked for."""
        for cache_key, answer in answers.items():
            if type(answer) is Failure and cache_key not in self.ahead:
                yield answer.error

    def settle(self, answers: dict[Hashable, Any]) -> None:
        """Gives every waiter its answer; `answers` has one for each of `keys`."""
        self.answers = answers
        for future, answer in zip(self.futures, answers.values(), strict=False):
            # As settle_future, without the call, which would be a tenth of what a load costs.
            if future is None or future.done():
                continue
            if type(answer) is not Failure:
                future.set_result(answer)
            else:
                future.set_exception(answer.error)
        for caller, cache_key in self.callers:
            settle_future(caller, answers[cache_key])
        for group in self.groups:
            group.batch_settled()
        if self.hits:
            self.settle_hits()
        # Who keeps the batch (a context may) is not to keep its callers.
        self.futures, self.callers, self.followers = [], [], []
        self.groups, self.awaits = [], []

    def settle_hits(self) -> None:
        """Answers the callers that were kept in step with this batch."""
        for future, cache_key, answer in self.hits:
            if type(answer) is not Batch:
                settle_future(future, answer)
            elif answer.answers is not None:
                settle_future(future, answer.answers[cache_key])
            else:
                answer.callers.append((future, cache_key))
        self.hits.clear()

    def join(self, future: Settleable, cache_key: Hashable) -> None:
        """Has one more caller wait for a key of this batch."""
        self.callers.append((future, cache_key))
        self.asked_from(copy_context())

    def waits_for(self, other: Batch) -> bool:
        """Whether this batch cannot be answered before `other` is."""
        if self.answers is not None:
            return False
        return other is self or any(batch.waits_for(other) for batch in self.awaits)


class Group:
    """One `load_many` call: one future for all of its keys.

    A future for each key and a gather over them would cost several times what loading them does.

    Attributes:
        future: What the caller waits for.
        return_exceptions: Whether errors stand among its values.
        answers: For each key in turn its answer, as far as it is known.
        awaited: Where in them an answer is missing, its cache key, and the batch that will have it.
        all_awaited: Its cache keys, and the batch, if one batch will have all answers.
        unsettled: How many of those batches are not settled yet.
    """

    __slots__ = ("all_awaited", "answers", "awaited", "future", "return_exceptions", "unsettled")

    def __init__(self, future: Settleable, *, return_exceptions: bool) -> None:
        self.future = future
        self.return_exceptions = return_exceptions
        self.answers: list[Any] = []
        self.awaited: list[tuple[int, Hashable, Batch]] = []
        self.all_awaited: tuple[list[Hashable], Batch] | None = None
        self.unsettled = 0

    def wait_for(self, batch: Batch) -> None:
        """Has a batch of which it awaits answers tell when it is settled."""
        if not (batch.groups and batch.groups[-1] is self):
            self.unsettled += 1
            batch.groups.append(self)
            batch.asked_from(copy_context())

    def awaited_of(self, batch: Batch) -> Iterator[Hashable]:
        """Yields the cache keys that it awaits of a batch."""
        if self.all_awaited is not None and self.all_awaited[1] is batch:
            yield from self.all_awaited[0]
        for _, cache_key, source in self.awaited:
            if source is batch:
                yield cache_key

    def batch_settled(self) -> None:
        """Settles the future once the last batch of the group is settled."""
        self.unsettled -= 1
        if self.unsettled:
            return
        answers = self.answers
        if self.all_awaited is not None:
            cache_keys, batch = self.all_awaited
            assert batch.answers is not None  # noqa: S101 - it was counted
            answers = list(map(batch.answers.__getitem__, cache_keys))
        for index, cache_key, batch in self.awaited:
            assert batch.answers is not None  # noqa: S101 - every awaited batch was counted
            answers[index] = batch.answers[cache_key]
        settle_future(self.future, unwrapped(answers, return_exceptions=self.return_exceptions))


def settle_future(future: Settleable, answer: Any) -> None:  # noqa: ANN401 - any value may be loaded
    """Settles a future, unless its caller has gone away."""
    if future.done():
        return
    if type(answer) is Failure:
        future.set_exception(answer.error)
    else:
        future.set_result(answer)


def unwrapped(answers: list[Any], *, return_exceptions: bool) -> list[Any] | Failure:
    """Turns answers into what a `*_many` call gives: values, or errors among them, or one error."""
    if Failure not in set(map(type, answers)):
        return answers
    if not return_exceptions:
        return next(answer for answer in answers if type(answer) is Failure)
    return [answer.error if type(answer) is Failure else answer for answer in answers]


def call(loader: str, function: Callable[[list[Any]], Any], keys: list[Any]) -> Any:  # noqa: ANN401 - what the batch function returns
    """Calls a batch function, to the end if it is a generator.

    Raises:
        UnraisableError: It raised a StopIteration, which no future takes.
    """
    try:
        result = function(keys)
        # The usual type first: asking an abstract class takes far longer.
        return list(result) if type(result) is not list and isinstance(result, Iterator) else result
    except (StopIteration, StopAsyncIteration) as error:
        raise UnraisableError(loader, error) from error


def answers_from(loader: str, keys: dict[Hashable, Any], result: object) -> dict[Hashable, Any]:
    """Checks a batch function's result and turns it into one answer for each cache key.

    Args:
        loader: The loader's name, for error messages.
        keys: Cache key to key.
        result: A mapping of key to value, or an iterable of values in key order.

    Raises:
        BatchResultError: The result is neither, or is not as long as `keys`.
    """
    values = values_in_order(loader, keys.values(), result)
    # Looking at each value takes twice as long as looking at their types.
    for kind in set(map(type, values)):
        if issubclass(kind, BaseException):
            values = [
                key_failure(loader, value) if isinstance(value, BaseException) else value
                for value in values
            ]
            break
    return dict(zip(keys, values, strict=False))  # their lengths were compared above


def values_in_order(loader: str, keys: Collection[Any], result: object) -> list[Any]:
    """Checks a batch function's result and returns a value for each key, in their order.

    Raises:
        BatchResultError: As for `answers_from`.
    """
    if type(result) is list:
        values = result
    elif type(result) is dict or isinstance(result, Mapping):
        try:
            values = [result.get(key) for key in keys]
        except TypeError:
            got = "a mapping, which cannot be asked for these keys: they are not hashable"
            raise BatchResultError(loader, list(keys), result, got) from None
    elif isinstance(result, Iterable) and not isinstance(result, _UNORDERED_OR_TEXT):
        values = list(result)
    else:
        got = f"a {type(result).__name__}"
        raise BatchResultError(loader, list(keys), result, got)
    if len(values) != len(keys):
        raise BatchResultError(loader, list(keys), values, f"{len(values)} values")
    return values


def key_failure(loader: str, error: BaseException) -> Failure:
    """Wraps one key's error; one that could not be raised into a task is replaced by one that can.

    A future refuses StopIteration, and a BaseException would end more than its caller.
    """
    if isinstance(error, Exception) and not isinstance(error, StopIteration | StopAsyncIteration):
        return Failure(error)
    replacement = UnraisableError(loader, error)
    replacement.__cause__ = error
    return Failure(replacement)
