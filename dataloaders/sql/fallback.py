"""What becomes of a batch that the database refuses for its size: smaller ones, and single keys."""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import DBAPIError

from dataloaders.dispatch.steps import Call
from dataloaders.errors import BatchTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataloaders.dispatch.steps import Steps

    from .plan import Keys

logger = logging.getLogger(__name__)

fallbacks: Counter[str] = Counter()
"""How many batches of each loader, by its name, were answered in smaller ones in this process."""

_TOO_LARGE: Final = {
    # https://www.postgresql.org/docs/current/errcodes-appendix.html: program limits, out of memory
    *("53200", "54000", "54001", "54011", "54023"),
    # https://mariadb.com/kb/en/mariadb-error-code-reference/: a packet, placeholders, a stack
    *(1153, 1390, 1436),
    # https://www.sqlite.org/rescode.html
    *("SQLITE_TOOBIG", "SQLITE_NOMEM"),
}
_TOO_LARGE_TEXTS: Final = (
    "too many SQL variables",
    "Expression tree is too large",
    "stack overflow",
)
"""Limits of SQLite that have no code of their own."""

_GONE: Final = {2006, 2013}
"""A server of MariaDB's kind closes the connection before it has read the whole of a packet that
is too large: a driver that is still sending hears no more than this."""

_LARGE: Final = 16_384
"""Characters of keys that such a server may find too many."""

_OVER_TIME: Final = {"57014", 1969, 3024}

MAX_SLOW: Final = 3
"""Single keys that may fail before the others do unasked: not the batch is slow, then."""


def is_too_large(error: DBAPIError, keys: Keys) -> bool:
    """Whether a database says that the statement for some keys is larger than it may be."""
    codes, text = _codes(error), str(error.orig)
    return (
        bool(_TOO_LARGE & codes)
        or any(known in text for known in _TOO_LARGE_TEXTS)
        or bool(_GONE & codes and _size(keys) > _LARGE)
    )


def is_over_time(error: DBAPIError) -> bool:
    """Whether a database has ended a statement because of a limit of its own.

    A loader's own time limit is not meant: that is the callers', and nothing of it is left.
    """
    return bool(_OVER_TIME & _codes(error))


def _codes(error: DBAPIError) -> set[Any]:
    orig: Any = error.orig
    names = ("sqlstate", "pgcode", "sqlite_errorname")
    numbers = [code for code in getattr(orig, "args", ())[:1] if isinstance(code, int)]
    return {*(getattr(orig, name, None) for name in names), *numbers}


def _size(keys: Keys) -> int:
    return sum(len(part) for key in keys for part in key if isinstance(part, str | bytes))


class Parts:
    """Answers a batch in parts, if what it failed with is no fault of its keys.

    One that is too large is halved until it is not. One that took too long is asked for key by
    key, as without batches. Either way, the keys that fail alone get their own errors.

    Args:
        name: The loader's.
        load: Asks the database for some keys.
        timeout: Seconds that the batch and its parts may take in all; None for no limit.
        began: When the batch began, by `time.monotonic`.
    """

    def __init__(
        self, name: str, load: Callable[[Keys], Any], timeout: float | None, began: float
    ) -> None:
        self._name = name
        self._load = load
        self._timeout = timeout
        self._began = began

    def answers(self, keys: Keys, error: DBAPIError) -> Steps[list[Any]]:
        """Returns an answer, or an exception, for each key of a batch.

        Args:
            keys: The batch.
            error: What it failed with.

        Raises:
            Exception: The error, if it is another one, or there is but one key; and whatever else
                the parts fail with.
        """
        is_large = is_too_large(error, keys)
        if len(keys) < 2 or not (is_large or is_over_time(error)):  # noqa: PLR2004 - a batch has two
            raise error
        fallbacks[self._name] += 1
        if fallbacks[self._name].bit_count() == 1:  # the first, and ever fewer of those that follow
            logger.warning(
                "A batch of %s with %s keys is answered in parts (%s so far): %s",
                *(self._name, len(keys), fallbacks[self._name], error.orig),
            )
        return (yield from self._halves(keys) if is_large else self._single_keys(keys))

    def _halves(self, keys: Keys) -> Steps[list[Any]]:
        middle = (len(keys) + 1) // 2
        answers: list[Any] = []
        for part in (keys[:middle], keys[middle:]):
            refused = None
            try:
                answers += yield from self._part(part)
            except BatchTimeoutError as error:
                answers += [error] * len(part)
            except DBAPIError as error:
                refused = error  # handled outside, or the errors of its parts would hang on it
            if refused is None:
                continue
            if len(part) == 1 and is_too_large(refused, part):
                answers.append(refused)
            else:
                answers += yield from self.answers(part, refused)
        return answers

    def _single_keys(self, keys: Keys) -> Steps[list[Any]]:
        answers: list[Any] = []
        failed = 0
        for key in keys:
            try:
                answers += yield from self._part([key])
            except (BatchTimeoutError, DBAPIError) as error:
                failed += 1
                answers.append(error)
                if failed == MAX_SLOW:
                    answers += [error] * (len(keys) - len(answers))
                    break
        return answers

    def _part(self, keys: Keys) -> Steps[list[Any]]:
        if self._timeout is not None and time.monotonic() > self._began + self._timeout:
            raise BatchTimeoutError(self._name, len(keys), self._timeout)
        answers: list[Any] = yield Call(self._load, (keys,))
        return answers
