"""What look-ahead knew keys by, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataloaders.lookahead.origins import Origin, Source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dataloaders.lookahead.origins import Root
    from dataloaders.lookahead.paths import Path


def in_words(origin: Origin | str | None) -> str:
    """Returns where look-ahead found keys."""
    if origin is None:
        return "other rows with the same first part"
    if isinstance(origin, str):
        return {
            "announced": "announced (over, expect)",
            "history": "what this place asked for the last time",
        }.get(origin, origin)
    fields = ", ".join(_field(source) for source in origin.sources)
    return f"{_root(origin.root)}{_path(origin.rows)}: {fields}"


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


def _path(path: Path) -> str:
    return "".join(_steps(path))


def _steps(path: Path) -> Iterable[str]:
    for name, argument in path:
        if name in {"items", "values", "keys"}:
            yield "[…]"
        elif name in {"key", "column"}:
            yield f"[{str(argument)[:80]!r}]"
        elif name == "attribute":
            yield f".{str(argument)[:80]}"


def _field(source: object) -> str:
    if source is None:
        return "(any)"
    if isinstance(source, Source):
        made = (
            ""
            if len(source.transforms) == 1 and source.transforms[0][0] == "same"
            else " (made of it)"
        )
        return f"{_path(source.path) or 'itself'}{made}"
    return "(put together)"
