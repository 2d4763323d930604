"""Every exception of the project.

Each builds its own message: what was expected, what came, and the remedy. Where a builtin means
the same thing (`TypeError`, `LookupError`, `TimeoutError`) the exception is one of it too, so
code that already catches the builtin goes on working.
"""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80
_short.maxlist = _short.maxtuple = _short.maxdict = 8


def shown(value: object) -> str:
    """A representation that is short, and that never raises."""
    try:
        return _short.repr(value)
    except Exception:  # noqa: BLE001 - a broken __repr__ must not hide the error being reported
        return f"<{type(value).__name__} whose repr() raises>"


class DataLoaderError(Exception):
    """Base of every exception that this project raises on its own account."""


class InvalidKeyError(DataLoaderError, TypeError):
    """A key that no batch can carry: None, unhashable, of the wrong shape or type."""

    def __init__(self, loader: str, key: object, expected: str, remedy: str) -> None:
        super().__init__(
            f"{loader} expected {expected}, but got {shown(key)} ({type(key).__name__}). {remedy}"
        )


class KeyNotFoundError(DataLoaderError, LookupError):
    """`require` was asked for a key that the source does not have."""

    def __init__(self, loader: str, keys: Sequence[object]) -> None:
        self.keys = tuple(keys)
        listed = ", ".join(shown(key) for key in self.keys[:8])
        more = f" and {len(self.keys) - 8} more" if len(self.keys) > 8 else ""  # noqa: PLR2004 - a list that fits a log line
        super().__init__(
            f"{loader} has no value for {listed}{more}. "
            "Use get or load where a missing value is normal: they answer None."
        )


class SymbolNotFoundError(KeyNotFoundError):
    """`require` was asked for a symbol that the master contract does not have."""


class BatchFunctionError(DataLoaderError, TypeError):
    """A loader was made without a batch function, or with something that is none."""

    def __init__(self, loader: str, got: object) -> None:
        super().__init__(
            f"{loader} needs a batch function that takes a list of keys and returns a mapping of "
            f"key to value (or a list in key order), but got {shown(got)}. Pass one as the first "
            "argument, or override batch_load(self, keys); it may be async."
        )


class BatchResultError(DataLoaderError, TypeError):
    """The batch function returned something that cannot be told apart by key."""

    def __init__(self, loader: str, keys: Sequence[object], result: object, got: str) -> None:
        super().__init__(
            f"The batch function of {loader} must return a mapping of key to value, or one value "
            f"for each key in key order; for {len(keys)} keys it returned {got}."
            f"\n\nKeys:\n{shown(list(keys))}\n\nReturned:\n{shown(result)}\n\n"
            "Leave a key out of the mapping (or put None in its place in the list) where there is "
            "no value for it."
        )


class BatchAbortedError(DataLoaderError):
    """The batch ended by a cancellation or another exception that is no `Exception`."""

    def __init__(self, loader: str, keys: int, cause: BaseException) -> None:
        super().__init__(
            f"A batch of {keys} keys of {loader} was ended by {type(cause).__name__} before it "
            "answered. None of its keys was cached; load them again."
        )


class BatchTimeoutError(DataLoaderError, TimeoutError):
    """The batch function did not answer within the loader's time limit."""

    def __init__(self, loader: str, keys: int, seconds: float) -> None:
        super().__init__(
            f"A batch of {keys} keys of {loader} did not answer within {seconds:g} seconds. None "
            "of its keys was cached; load them again, or raise the loader's timeout."
        )


class WaitTimeoutError(DataLoaderError, TimeoutError):
    """A remote source had not answered by the time until which a caller would wait."""

    def __init__(self, loader: str, seconds: float) -> None:
        super().__init__(
            f"{loader} had no answer within the {max(seconds, 0):.2g} seconds that its caller "
            "waits. The source may be slow, or is called as often as it allows. Ask again, or wait "
            "longer (the source's max_wait, or `asking(within=...)`)."
        )


class SourceClosedError(DataLoaderError, RuntimeError):
    """A remote source was asked after it had been closed, or did not answer before."""

    def __init__(self, source: str) -> None:
        super().__init__(
            f"{source} is closed: it answers nothing any more. Close a source when nobody can ask "
            "it again, at the end of the process."
        )


class UnraisableError(DataLoaderError):
    """The batch function raised or returned what cannot be raised into a caller.

    `StopIteration` would end the caller's loop, a `BaseException` in the place of a value its task.
    """

    def __init__(self, loader: str, error: BaseException) -> None:
        super().__init__(
            f"The batch function of {loader} gave {error!r} as an outcome. An exception of that "
            "kind would end the loop or the task that it reaches; give an Exception instead."
        )


class NoShardError(DataLoaderError, LookupError):
    """A key belongs to none of the databases that a table is spread over."""

    def __init__(self, loader: str, key: object, name: object, shards: Sequence[object]) -> None:
        super().__init__(
            f"{loader} expected the shard of the key {shown(key)} to be one of "
            f"{shown(list(shards))}, but the rule gives {shown(name)}. Add that shard, or name one "
            "as the default for all other keys."
        )


class RecursiveLoadError(DataLoaderError, RuntimeError):
    """A batch function asked for a key that can only be answered by itself."""

    def __init__(self, loader: str, key: object) -> None:
        super().__init__(
            f"A batch function of {loader} waits for the key {shown(key)}, which the very same "
            "batch is to answer: it would wait for ever. Read the value from its source instead."
        )


class NoEventLoopError(DataLoaderError, RuntimeError):
    """`load` was called where no event loop runs."""

    def __init__(self, loader: str) -> None:
        super().__init__(
            f"{loader}.load and load_many return futures of the running event loop, and none runs "
            "in this thread. Use get or get_many here: they need no event loop."
        )


class AsyncOnlyError(DataLoaderError, RuntimeError):
    """`get` was called on a loader whose batch function is async."""

    def __init__(self, loader: str) -> None:
        super().__init__(
            f"{loader}.get and get_many run the batch function on the caller's stack, and this one "
            "is async. Await load or load_many, or give the loader a batch function that is not "
            "async (for a table: an Engine in place of an AsyncEngine)."
        )


class GreenThreadsError(DataLoaderError, RuntimeError):
    """Something async was to run where the process's threads are green ones."""

    def __init__(self, library: str) -> None:
        super().__init__(
            f"A remote source's async `fetch` runs on an event loop in a thread of its own, but "
            f"{library} has made this process's threads green, which would all find themselves on "
            "that loop. Give the source a `fetch` that is not async."
        )


class NoScopeError(DataLoaderError, RuntimeError):
    """A loader that is not shared was asked for outside any scope."""

    def __init__(self, loader: str) -> None:
        super().__init__(
            f"{loader}.current() was called outside any scope, and {loader} is not shared between "
            "requests. Open one around the work (`with LoaderScope():`), carry the request's into "
            "this thread (`scope.run(function)` or ScopeThreadPoolExecutor), or declare "
            "`shared = True` on the class if every user may see the same values."
        )


class AccountOutsideScopeError(NoScopeError):
    """A loader that calls for an account was asked for outside any scope."""

    def __init__(self, loader: str) -> None:
        Exception.__init__(
            self,
            f"{loader}.current() was called outside any scope, where all callers would share one "
            "loader, but its calls are made for an account. Open a scope around the work (`with "
            f"registry.scope():`), or make a loader by hand ({loader}(account=...)).",
        )


class ScopeClosedError(DataLoaderError, RuntimeError):
    """A loader was used after its scope had been closed."""

    def __init__(self, loader: str) -> None:
        super().__init__(
            f"{loader} belongs to a scope that is closed (its request is over). Keep no loader "
            "beyond its request; ask for the current one with current() each time."
        )


class ScopeReusedError(DataLoaderError, RuntimeError):
    """A scope was entered a second time."""

    def __init__(self) -> None:
        super().__init__(
            "A LoaderScope can be entered once. Make a new one for each request; to use an open "
            "scope in another thread, call scope.run(function)."
        )


class NoRegistryError(DataLoaderError, RuntimeError):
    """A lookup outside any scope found no registry to answer it, or several."""

    def __init__(self, wanted: str, candidates: Iterable[object]) -> None:
        found = [shown(candidate) for candidate in candidates]
        came = f"there are {len(found)}: {', '.join(found)}" if found else "there is none"
        super().__init__(
            f"A lookup outside any scope expects exactly one {wanted} in the process, but {came}. "
            "Make one (SymbolMaster(engine) or DataLoaders(app)), or say which one is meant: "
            "`with master.scope():`, or a call on the master itself."
        )


class UnknownModeError(DataLoaderError, ValueError):
    """A subscription was asked for in a mode that the feed does not have."""

    def __init__(self, mode: object, modes: Sequence[object]) -> None:
        expected = f"one of {shown(list(modes))}, or None" if modes else "None"
        super().__init__(
            f"The mode of a subscription must be {expected}, but is {shown(mode)}. "
            "Nothing was subscribed; declare all modes, from the least to the most."
        )


class SubscriptionLimitError(DataLoaderError, RuntimeError):
    """More was to be subscribed than a connection takes."""

    def __init__(self, max_keys: int, wanted: int, more: int) -> None:
        super().__init__(
            f"A connection takes {max_keys} subscriptions; {wanted} are wanted, and {more} more "
            "were asked for. Nothing of this was subscribed; unsubscribe others, or use one more "
            "connection."
        )


class NoTokenError(DataLoaderError, LookupError):
    """The broker has no token for what was to be subscribed."""

    def __init__(self, feed: str, key: object) -> None:
        super().__init__(
            f"{feed} expected resolve to give a token for {shown(key)}, but there is none. "
            "It was not subscribed; see whether the contract has it."
        )


class FeedTimeoutError(DataLoaderError, TimeoutError):
    """There was no connection to subscribe on; the wish stays."""

    def __init__(self, feed: str, seconds: float) -> None:
        super().__init__(
            f"{feed} was not connected within {seconds:g} seconds. What was asked for is "
            "subscribed as soon as it is; unsubscribe what is not to be."
        )


class FeedClosedError(DataLoaderError, RuntimeError):
    """A feed was closed before it could subscribe."""

    def __init__(self, feed: str) -> None:
        super().__init__(f"{feed} is closed and subscribes nothing any more. Make a new one.")


class ContractFormatError(DataLoaderError, ValueError):
    """A file is not a master contract in the expected format; nothing was imported."""

    def __init__(self, source: str, expected: str, got: str) -> None:
        super().__init__(
            f"{source} is not a master contract: expected {expected}, but got {got}. "
            "Nothing was imported; the contract in the database is the one that was there before."
        )


class ConfigurationError(DataLoaderError, ValueError):
    """A `DATALOADERS_*` setting holds a value that it cannot have."""

    def __init__(self, setting: str, expected: str, got: object) -> None:
        super().__init__(f"{setting} must be {expected}, but is {shown(got)}.")


class NPlusOneError(DataLoaderError):
    """A loader was asked for one more key alone, where that is not to be: see the finding."""
