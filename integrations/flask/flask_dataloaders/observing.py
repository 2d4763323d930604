"""What of an application's requests is observed, and what responses and the log say of that."""

from __future__ import annotations

import logging
import re
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

from flask import after_this_request

from dataloaders.errors import ConfigurationError
from dataloaders.forking import Locked
from dataloaders.observe import Listener, Observer, Record, Recording

from .inspector.kept import KeptRequests
from .inspector.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Flask, Request, Response

    from dataloaders import LoaderRegistry, LoaderScope
    from dataloaders.stats import Stats

    from .settings import Settings

MAX_TIMED: Final = 10
"""Loaders that one `Server-Timing` header names."""

MAX_NAME: Final = 200
"""Characters of a request's name."""

MAX_TOKEN: Final = 80
"""Characters of a loader's name in that header."""

_MILLISECONDS: Final = 1_000.0
_NO_TOKEN: Final = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]")

logger = logging.getLogger("dataloaders.requests")


class Observing(Locked):
    """Observes an application's requests, as far as its settings want it.

    What is wanted may depend on the debug mode, which an application may set as late as `app.run`.

    Args:
        settings: The settings.
        listeners: Who else hears of requests.

    Attributes:
        kept: What the inspector shows.
        recorded_in: The file to which each request adds a line, if there is one.
    """

    def __init__(self, settings: Settings, listeners: Sequence[Listener]) -> None:
        super().__init__()
        self._settings = settings
        self._listeners = [*listeners]
        if settings.log:
            self._listeners.append(_Log())
        self.recorded_in = settings.record
        if settings.record is not None:
            self._listeners.append(_recording(settings.record))
        self.kept = KeptRequests(settings.inspector_requests)
        self._observer: Observer | None = None
        self._debug: bool | None = None

    def adapt(self, app: Flask, registry: LoaderRegistry) -> None:
        """Has the scopes of a registry be observed as the application's mode asks for."""
        debug = app.debug
        if debug is self._debug:
            return
        with self._lock:  # two observers would each take every request
            if debug is self._debug:
                return
            if self._observer is not None:
                self._observer.stop()
            self._observer = self._made(debug=debug)
            self.kept.observer = self._observer
            if self._observer is not None:
                self._observer.watch(registry)
            self._debug = debug

    def _made(self, *, debug: bool) -> Observer | None:
        settings = self._settings
        inspects = callable(settings.inspector) or (debug and settings.inspector == "debug")
        detect = settings.detect or ("log" if debug else "off")
        listeners = [self.kept, *self._listeners] if inspects else self._listeners
        if not (listeners or self._times(debug=debug) or detect != "off"):
            return None
        return Observer(
            listeners,
            keeps_lookups=inspects,
            detect=detect,
            allow=settings.detect_allow,
            shows_keys=settings.inspector_keys and inspects,
        )

    def _times(self, *, debug: bool) -> bool:
        times = self._settings.server_timing
        return debug if times is None else times

    def begin(self, scope: LoaderScope, request: Request | None) -> None:
        """Names a scope, and has the response to a request tell of it, where that is wanted."""
        self.name(scope, request)
        record = scope.watch
        if request is None or not isinstance(record, Record):
            return
        if self._times(debug=self._debug is True):
            after_this_request(partial(_timed, record))

    @staticmethod
    def name(scope: LoaderScope, request: Request | None) -> None:
        """Has the record of a scope bear the name of a request, or of a command."""
        record = scope.watch
        if not isinstance(record, Record):
            return
        if request is None:
            record.name = record.group = "without a request"
            return
        rule = "(no route)" if request.url_rule is None else request.url_rule.rule
        path = request.path if record.shows_keys else rule
        record.name = visible(f"{request.method} {path}"[:MAX_NAME])
        record.group = request.endpoint or "no endpoint"


def _recording(path: str) -> Recording:
    try:
        return Recording(path)
    except ConfigurationError as error:
        expected = f"a file that can be written ({error.__cause__})"
        raise ConfigurationError("DATALOADERS_RECORD", expected, path) from error


def _timed(record: Record, response: Response) -> Response:
    if record.loaders:
        response.headers.add("Server-Timing", server_timing(record))
    return response


def server_timing(record: Record) -> str:
    """Returns the value of the header, by which browsers draw what a request did.

    https://www.w3.org/TR/server-timing/
    """
    loaders = list(record.loaders.values())
    if len(loaders) == 1:
        return _metric("dataloaders", loaders[0].stats)
    metrics = [_metric("dataloaders", record.stats)]
    metrics += [_metric(_token(loader.name), loader.stats) for loader in loaders[:MAX_TIMED]]
    return ", ".join(metrics)


def _metric(name: str, stats: Stats) -> str:
    what = f"{stats.lookups} lookups, {stats.queries} queries, {stats.saved} saved"
    return f'{name};dur={stats.seconds * _MILLISECONDS:.2f};desc="{what}"'


@lru_cache(maxsize=1_000)
def _token(name: str) -> str:
    return _NO_TOKEN.sub("_", name[:MAX_TOKEN]) or "_"


class _Log(Listener):
    """Has each request be a line in the log."""

    def scope_ended(self, record: Record) -> None:
        logger.info("%s: %s", record.name, record.stats)
