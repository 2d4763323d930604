"""A file of what scopes did, one line for each, and reading it again."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dataloaders.errors import ConfigurationError
from dataloaders.stats import Stats

from .observer import Listener
from .totals import Totals

if TYPE_CHECKING:
    from .record import Record


class Recording(Listener):
    """Adds a line of JSON to a file for each scope that is over.

    A line is written at once, at the end of the file, so several processes may share it.

    Args:
        path: The file; made if it is not there.

    Raises:
        ConfigurationError: It cannot be written.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            os.close(self._open())
        except (OSError, ValueError) as error:
            expected = f"a file that can be written ({error})"
            raise ConfigurationError("the recording", expected, path) from error

    def scope_ended(self, record: Record) -> None:
        """Adds its line."""
        line = {
            "at": round(record.began, 3),
            "group": record.group,
            "name": record.name,
            "seconds": round(record.seconds, 6),
            "loaders": {name: asdict(each) for name, each in record.stats_heard_by(self).items()},
            "findings": [finding.kind for finding in record.findings],
        }
        data = (json.dumps(line, separators=(",", ":")) + "\n").encode()
        # Opened each time: whoever rotates the file need not tell.
        file = self._open()
        try:
            os.write(file, data)
        finally:
            os.close(file)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)


def read(path: str) -> Totals:
    """Returns the totals of a recorded file.

    Raises:
        OSError: It cannot be read.
        ValueError: A line is no line of a recording.
    """
    totals = Totals()
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - the path may be any that open takes
        for number, line in enumerate(file, 1):
            try:
                scope: dict[str, Any] = json.loads(line)
                loaders = {name: Stats(**stats) for name, stats in scope["loaders"].items()}
                totals.add(scope["group"], loaders, len(scope["findings"]))
            except (ValueError, TypeError, KeyError) as error:
                message = f"line {number} of {path} is no line of a recording: {error!r}"
                raise ValueError(message) from error
    return totals
