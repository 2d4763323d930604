"""Explicit look-ahead: the keys in rows that somebody names."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar

from dataloaders.errors import ConfigurationError

if TYPE_CHECKING:
    from dataloaders.loader import DataLoader

Field: TypeAlias = str | Callable[[Any], Any]
"""Where a part of a key stands in a row: a name, a path of names with dots, or a function."""

P = ParamSpec("P")
T = TypeVar("T")


def keys_in(loader: str, rows: Iterable[Any], fields: tuple[Field, ...]) -> list[Any]:
    """Returns the keys in rows; rows that have none are left out.

    Raises:
        ConfigurationError: There are no fields, or they are names that none of the rows has.
    """
    if not fields or not all(callable(field) or isinstance(field, str) for field in fields):
        expected = "a name or a function of a row for each part of the key"
        raise ConfigurationError(f"the fields of {loader}", expected, fields)
    readers = [field if callable(field) else functools.partial(_at, field) for field in fields]
    keys = []
    failure: Exception | None = None
    for row in rows:
        try:
            parts = tuple([reader(row) for reader in readers])
        except Exception as error:  # noqa: BLE001 - the loop itself may well skip this row
            failure = failure or error
            continue
        keys.append(parts[0] if len(parts) == 1 else parts)
    # A function that fails says that a row has no key: the loop may skip every row there is. A
    # name that no row has is misspelt.
    if failure is not None and not keys and not any(map(callable, fields)):
        expected = f"fields of the rows ({type(failure).__name__}: {failure})"
        raise ConfigurationError(f"the fields of {loader}", expected, fields) from failure
    return keys


def _at(path: str, row: Any) -> Any:  # noqa: ANN401 - a row is whatever the application uses
    if isinstance(row, Mapping) and path in row:
        return row[path]
    for name in path.split("."):
        row = row[name] if isinstance(row, Mapping) else _held(row, name)
    return row


def _held(row: Any, name: str) -> Any:  # noqa: ANN401 - a row is whatever the application uses
    """Returns an attribute, or an item of what has items and is no mapping: a row of sqlite3."""
    try:
        return getattr(row, name)
    except AttributeError:
        if not hasattr(type(row), "__getitem__"):
            raise
        return row[name]


def announcing(
    loader_class: type[DataLoader[Any, Any]], fields: tuple[Field, ...], argument: str | None
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Returns a decorator that announces the keys in a function's rows at each call.

    Raises:
        ConfigurationError: The function has no such argument.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(function)
        arguments = [name for name in signature.parameters if name not in {"self", "cls"}]
        name = argument or next(iter(arguments), None)
        if name is None or name not in signature.parameters:
            expected = f"the name of an argument of {function.__qualname__}"
            raise ConfigurationError(f"rows of {loader_class.__name__}.expects", expected, name)

        def announce(args: Any, kwargs: Any) -> tuple[Any, Any]:  # noqa: ANN401 - as the function is called
            bound = signature.bind(*args, **kwargs)
            if bound.arguments.get(name) is not None:
                rows = loader_class.current().over(bound.arguments[name], *fields)
                bound.arguments[name] = rows
            return bound.args, bound.kwargs

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def asynchronous(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 - as the function returns
                positional, named = announce(args, kwargs)
                return await function(*positional, **named)

            return asynchronous  # type: ignore[return-value]  # T is the coroutine of what it returns

        @functools.wraps(function)
        def synchronous(*args: P.args, **kwargs: P.kwargs) -> T:
            positional, named = announce(args, kwargs)
            return function(*positional, **named)

        return synchronous

    return decorate
