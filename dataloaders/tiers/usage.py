"""Which keys were asked for most, from one day to the next: a bounded list in a file."""

from __future__ import annotations

import atexit
import logging
import os
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

import msgspec

from dataloaders.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

logger = logging.getLogger(__name__)

DAY: Final = 86_400.0
"""Seconds after which what was counted before counts half."""

SAVE_SECONDS: Final = 60.0
"""Seconds between two times that a process adds its counts to the file."""


class _File(msgspec.Struct):
    """What the file holds: when the counts were last halved, and the keys by loader."""

    since: float
    loaders: dict[str, list[tuple[Any, int]]]


class Usage:
    """Counts the keys of requests, and keeps the most used ones in a file.

    Several processes may have the same file: each adds what it has counted since it last did. What
    two of them write in the same instant may be lost; the list is a guess at tomorrow anyhow.

    Args:
        path: The file; its directory has to be there.
        max_keys: Keys of one loader in it, at most.
    """

    def __init__(self, path: str | os.PathLike[str], max_keys: int) -> None:
        self._path = Path(path)
        if not self._path.parent.is_dir():
            raise ConfigurationError("warm_file", "a file in a directory that is there", str(path))
        self._max_keys = max_keys
        self._counts: dict[str, Counter[Any]] = {}
        self._save_at = time.monotonic() + SAVE_SECONDS
        _all.add(self)

    def note(self, loader: str, keys: Iterable[Any]) -> bool:
        """Counts the keys that a request has asked for; returns whether it is time to save."""
        counts = self._counts.setdefault(loader, Counter())
        counts.update(list(keys))  # of a mapping, its values would be counted
        if len(counts) > 4 * self._max_keys:
            # Those that were asked for once are most of them, and tell the least.
            self._counts[loader] = Counter(dict(counts.most_common(2 * self._max_keys)))
        return time.monotonic() >= self._save_at

    def most_used(self, loader: str) -> list[Any]:
        """Returns a loader's keys in the file, the most used ones first."""
        return [_hashable(key) for key, _ in self._read().loaders.get(loader, ())]

    def save(self) -> None:
        """Adds what was counted to the file; what cannot be written is logged, and let go."""
        self._save_at = time.monotonic() + SAVE_SECONDS
        counted, self._counts = self._counts, {}
        if not any(counted.values()):
            return
        known = self._read()
        is_old = time.time() - known.since > DAY
        merged: dict[str, Counter[Any]] = {}
        for loader, pairs in known.loaders.items():
            before = {_hashable(key): count // 2 if is_old else count for key, count in pairs}
            merged[loader] = Counter(before)
        for loader, counts in counted.items():
            own = {key: count for key, count in counts.items() if _is_data(key)}
            merged.setdefault(loader, Counter()).update(own)
        since = time.time() if is_old else known.since
        loaders = {name: counts.most_common(self._max_keys) for name, counts in merged.items()}
        try:
            self._write(msgspec.json.encode(_File(since, loaders)))
        except OSError as error:
            logger.warning("The list of used keys cannot be written to %s: %s", self._path, error)

    def forget_counts(self) -> None:
        """Leaves to the process that this one was forked from what that has counted."""
        self._counts = {}

    def _read(self) -> _File:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            pass
        except (OSError, msgspec.DecodeError, RecursionError) as error:
            logger.warning("The list of used keys in %s cannot be read: %s", self._path, error)
        return _File(time.time(), {})

    def _write(self, data: bytes) -> None:
        """Puts the file in the place of the one before, as a whole."""
        handle, name = tempfile.mkstemp(prefix=self._path.name, dir=self._path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(self._path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise


def _hashable(key: Any) -> Any:  # noqa: ANN401 - a key as JSON has it
    return tuple(map(_hashable, key)) if isinstance(key, list) else key


def _is_data(key: Any) -> bool:  # noqa: ANN401 - a key is whatever the application uses
    try:
        msgspec.json.encode(key)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


_all: WeakSet[Usage] = WeakSet()


def _save_all() -> None:
    for usage in list(_all):
        usage.save()


def _forget_all() -> None:
    for usage in list(_all):
        usage.forget_counts()


atexit.register(_save_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
