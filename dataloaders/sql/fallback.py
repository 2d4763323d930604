"""What becomes of a batch that the database refuses for its size: smaller ones, and single keys."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import DBAPIError

from dataloaders.dispatch.steps import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataloaders.dispatch.steps import Steps

    from .plan import Keys

logger = logging.getLogger(__name__)

fallbacks: Counter[str] = Counter()
"""How many batches of each loader, by its name, were answered in smaller ones in this process."""

# https://www.postgresql.org/docs/current/errcodes-appendix.html: program limits, out of memory.
_TOO_LARGE_STATES: Final = {"53200", "54000", "54001", "54011", "54023"}
# https://mariadb.com/kb/en/mariadb-error-code-reference/: a packet, a stack, placeholders.
_TOO_LARGE_CODES: Final = {1153, 1390, 1436}
# https://www.sqlite.org/rescode.html
_TOO_LARGE_NAMES: Final = {"SQLITE_TOOBIG", "SQLITE_NOMEM"}
_TOO_LARGE_WORDS: Final = (
    "too many SQL variables",
    "Expression tree is too large",
    "stack overflow",
)

_TIME_LIMIT_STATE: Final = "57014"
_TIME_LIMIT_CODES: Final = {1969, 3024}


def is_too_large(error: Exception) -> bool:
    """Whether a database says that a statement is larger than it may be."""
    orig = getattr(error, "orig", None)
    if not isinstance(error, DBAPIError) or orig is None:
        return False
    return (
        getattr(orig, "sqlstate", None) in _TOO_LARGE_STATES
        or getattr(orig, "sqlite_errorname", None) in _TOO_LARGE_NAMES
        or (orig.args[:1] and orig.args[0] in _TOO_LARGE_CODES)
        or any(words in str(orig) for words in _TOO_LARGE_WORDS)
    )


def is_over_time(error: Exception) -> bool:
    """Whether a database has ended a statement because of a limit of its own.

    A loader's own time limit is not meant: that is the callers', and nothing of it is left.
    """
    orig = getattr(error, "orig", None)
    if not isinstance(error, DBAPIError) or orig is None:
        return False
    state = getattr(orig, "sqlstate", None)
    return state == _TIME_LIMIT_STATE or (orig.args[:1] and orig.args[0] in _TIME_LIMIT_CODES)


def in_parts(
    name: str, load: Callable[[Keys], Any], keys: Keys, error: Exception
) -> Steps[list[Any]]:
    """Answers a batch in parts, if what it failed with is no fault of its keys.

    One that is too large is halved until it is not. One that took too long is asked for key by
    key, as without batches; if a single key takes too long as well, that is no matter of batches.

    Args:
        name: The loader's.
        load: Asks the database for some keys.
        keys: The batch.
        error: What it failed with.

    Raises:
        Exception: The error, if it is another one, or there is but one key; and whatever the
            parts fail with.
    """
    is_large = is_too_large(error)
    if len(keys) < 2 or not (is_large or is_over_time(error)):  # noqa: PLR2004 - a batch has two
        raise error
    fallbacks[name] += 1
    if fallbacks[name].bit_count() == 1:  # the first, and ever fewer of those that follow
        logger.warning(
            "A batch of %s with %s keys is answered in parts (the %s. time): %s",
            *(name, len(keys), fallbacks[name], error),
        )
    size = (len(keys) + 1) // 2 if is_large else 1
    answers: list[Any] = []
    for start in range(0, len(keys), size):
        part = keys[start : start + size]
        try:
            answers += yield Call(load, (part,))
        except DBAPIError as refused:
            if not is_large:
                raise error from refused
            answers += yield from in_parts(name, load, part, refused)
    return answers
