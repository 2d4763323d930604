"""What look-ahead knew keys by, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataloaders.lookahead.origins import Origin, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType

    from dataloaders.lookahead.origins import Root
    from dataloaders.lookahead.paths import Path
    from dataloaders.observe import BatchRecord


def origins_of(sent: BatchRecord, *, shows_keys: bool) -> list[tuple[str, int]]:
    """Returns where look-ahead found keys of a batch, and how many.

    A field's name may be somebody's: of a dict by user, for example. So without `shows_keys` only
    those are shown that the code of the batch's callers has.
    """
    if not sent.origins:
        return []
    spots = () if sent.caller is None else sent.caller.spots
    written = {name for code, _ in spots for name in _names_in(code)}
    may_show = (lambda _: True) if shows_keys else written.__contains__
    return [(_in_words(origin, may_show), count) for origin, count in list(sent.origins.items())]


def _names_in(code: CodeType) -> Iterable[Any]:
    waiting: list[Any] = [*code.co_consts, *code.co_names]
    while waiting:
        each = waiting.pop()
        if isinstance(each, tuple | frozenset):
            waiting += each
        else:
            yield each


def _in_words(origin: Origin | str | None, may_show: Callable[[Any], bool]) -> str:
    if origin is None:
        return "other rows with the same first part"
    if isinstance(origin, str):
        return {
            "announced": "announced (over, expect)",
            "history": "what this place asked for the last time",
        }.get(origin, origin)
    fields = ", ".join(_field(source, may_show) for source in origin.sources)
    return f"{_root(origin.root)}{_path(origin.rows, may_show)}: {fields}"


def _root(root: Root) -> str:
    name = str(root.name)[:80]
    above = "" if not root.height else f" {root.height} frames up"
    return {
        "local": f"the variable {name}{above}",
        "global": f"the global {name}",
        "thread": f"the variable {name} of another thread",
        "loop": "what the loop goes over",
        "body": "the request's JSON",
        "records": f"what {name} had loaded",
    }.get(root.kind, root.kind)


def _path(path: Path, may_show: Callable[[Any], bool]) -> str:
    return "".join(_steps(path, may_show))


def _steps(path: Path, may_show: Callable[[Any], bool]) -> Iterable[str]:
    for name, argument in path:
        if name in {"items", "values", "keys"}:
            yield "[…]"
        elif name == "item":
            yield f"[{argument}]"
        elif name in {"key", "column"}:
            yield f"[{str(argument)[:80]!r}]" if may_show(argument) else "[a key]"
        elif name == "attribute":
            yield f".{str(argument)[:80]}" if may_show(argument) else ".(an attribute)"


def _field(source: object, may_show: Callable[[Any], bool]) -> str:
    if source is None:
        return "(any)"
    if isinstance(source, Source):
        is_plain = len(source.transforms) == 1 and source.transforms[0][0] == "same"
        made = "" if is_plain else " (made of it)"
        return f"{_path(source.path, may_show) or 'itself'}{made}"
    return "(put together)"
