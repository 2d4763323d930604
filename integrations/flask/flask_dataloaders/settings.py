"""The extension's settings: `DATALOADERS_*` in `app.config`, or else in the environment."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, overload

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError

from dataloaders import modes
from dataloaders.errors import ConfigurationError
from dataloaders.lookahead.modes import ON, checked_mode
from dataloaders.lookahead.modes import SETTING as LOOKAHEAD
from dataloaders.observe.observer import checked_detect

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    from dataloaders.sql.sources import Bind
    from dataloaders.tiers.channel import Channel
    from dataloaders.tiers.redis import RedisTier
    from dataloaders.tiers.tiers import Tiers

PREFIX = "DATALOADERS_"

_NAMES = (
    *("DATABASE_URI", "ENGINE_OPTIONS", "LOOKAHEAD", "MODE", "MODE_HEADER", "TIERS", "REDIS_URL"),
    *("CHECK_SECONDS", "BRIDGE_SECONDS", "WARM_FILE", "INSPECTOR", "INSPECTOR_KEYS"),
    *("INSPECTOR_REQUESTS", "DETECT", "DETECT_ALLOW", "SERVER_TIMING", "LOG", "RECORD"),
)

MAX_COUNT: Final = 10_000

INSPECTED_REQUESTS: Final = 50
"""Requests that the inspector keeps, where nothing else is set."""


@dataclass(frozen=True)
class Settings:
    """What an application has set.

    Attributes:
        database: `DATALOADERS_DATABASE_URI`, a SQLAlchemy URL; Flask-SQLAlchemy's
            `SQLALCHEMY_DATABASE_URI` if it is not set.
        database_setting: Which of the two it is.
        engine_options: `DATALOADERS_ENGINE_OPTIONS`, arguments of `create_engine`: a dict, or in
            the environment a JSON object.
        lookahead: `DATALOADERS_LOOKAHEAD`: on, explicit or off.
        mode: `DATALOADERS_MODE`: on, shadow or off; or a function that returns one of these (or
            None) for the request at hand.
        mode_header: `DATALOADERS_MODE_HEADER`, the name of a request header that may say the mode.
            Whoever sends it can turn batching off, so there is none by default.
        tiers: `DATALOADERS_TIERS`, whether symbols are kept between requests: on or off.
        redis: `DATALOADERS_REDIS_URL`, the Redis that processes have in common, for tiers.
        check_seconds: `DATALOADERS_CHECK_SECONDS`; see `Tiers`.
        bridge_seconds: `DATALOADERS_BRIDGE_SECONDS`; see `Tiers`.
        warm_file: `DATALOADERS_WARM_FILE`; see `Tiers`.
        inspector: `DATALOADERS_INSPECTOR`: "debug" (there while the application is in debug mode),
            "off", or a function that says whether the request at hand may see the inspector; see
            `Inspector`.
        inspector_keys: `DATALOADERS_INSPECTOR_KEYS`, whether it shows keys: on or off.
        inspector_requests: `DATALOADERS_INSPECTOR_REQUESTS`, how many requests it keeps.
        detect: `DATALOADERS_DETECT`: off, log or raise; see `Observer`. None for log in debug
            mode, and off otherwise.
        detect_allow: `DATALOADERS_DETECT_ALLOW`, patterns, see `Observer`: a list, or in the
            environment separated by spaces.
        server_timing: `DATALOADERS_SERVER_TIMING`, whether responses have that header: on or off;
            None for on in debug mode.
        log: `DATALOADERS_LOG`, whether each request has a line in the log: on or off.
        record: `DATALOADERS_RECORD`, a file to which each request adds a line.
    """

    database: URL | None
    database_setting: str
    engine_options: dict[str, Any]
    lookahead: str
    mode: str | Callable[[], str | None] | None
    mode_header: str | None
    tiers: bool
    redis: str | None
    check_seconds: float
    bridge_seconds: float
    warm_file: str | None
    inspector: str | Callable[[], object]
    inspector_keys: bool
    inspector_requests: int
    detect: str | None
    detect_allow: tuple[str, ...]
    server_timing: bool | None
    log: bool
    record: str | None

    def make_engine(self) -> Engine | None:
        """Makes the engine, if there is a database for it.

        Raises:
            ConfigurationError: SQLAlchemy refuses the URL or the options, or has no such driver.
        """
        if self.database is None:
            return None
        try:
            return create_engine(self.database, **self.engine_options)
        except (ArgumentError, ImportError, ValueError) as error:
            expected = f"a URL that SQLAlchemy can make an engine of ({error})"
            raise ConfigurationError(self.database_setting, expected, self.database) from error
        except TypeError as error:
            expected = f"arguments that create_engine takes ({error})"
            raise ConfigurationError(
                f"{PREFIX}ENGINE_OPTIONS", expected, self.engine_options
            ) from error

    def make_tiers(self, engine: Bind) -> Tiers | None:
        """Makes the tiers that are set, for a database.

        Raises:
            ConfigurationError: What they need is not installed, or an address is wrong.
        """
        if not self.tiers:
            return None
        try:
            from dataloaders.tiers.tiers import Tiers  # noqa: PLC0415 - of an extra

            redis, channel = self._redis(engine)
        except ImportError as error:
            extra = "request-dataloaders[redis]" if self.redis else "request-dataloaders[tiers]"
            expected = f"off, or {extra} installed ({error})"
            raise ConfigurationError(f"{PREFIX}TIERS", expected, "on") from error
        return Tiers(
            check_seconds=self.check_seconds,
            bridge_seconds=self.bridge_seconds,
            warm_file=self.warm_file,
            redis=redis,
            channel=channel,
        )

    def _redis(self, engine: Bind) -> tuple[RedisTier | None, Channel | None]:
        """Returns what processes have in common, and how they tell each other of changes."""
        if self.redis is not None:
            from dataloaders.tiers.redis import RedisTier  # noqa: PLC0415 - of an extra
            from dataloaders.tiers.redis_channel import RedisChannel  # noqa: PLC0415 - as above

            return RedisTier(self.redis), RedisChannel(self.redis)
        if isinstance(engine, Engine) and engine.url.drivername == "postgresql+psycopg":
            from dataloaders.sql.notifications import PostgreSQLChannel  # noqa: PLC0415 - as above

            return None, PostgreSQLChannel(engine)
        return None, None


def read_settings(app: Flask) -> Settings:
    """Reads and checks an application's settings.

    Raises:
        ConfigurationError: A setting is unknown, or has a value that it cannot have.
    """
    known = {PREFIX + name for name in _NAMES}
    for name in app.config:
        if name.startswith(PREFIX) and name not in known:
            raise ConfigurationError(name, f"one of {', '.join(sorted(known))}", name)
    name = f"{PREFIX}DATABASE_URI"
    value = _setting(app, "DATABASE_URI")
    if not value:
        name = "SQLALCHEMY_DATABASE_URI"
        value = app.config.get(name)
    lookahead = checked_mode(LOOKAHEAD, _setting(app, "LOOKAHEAD") or ON)
    mode = _setting(app, "MODE")
    if mode is not None and not callable(mode):
        mode = modes.checked_mode(modes.SETTING, mode)
    redis = _setting(app, "REDIS_URL") or None
    return Settings(
        database=_database(name, value),
        database_setting=name,
        engine_options=_engine_options(app),
        lookahead=lookahead,
        mode=mode,
        mode_header=_setting(app, "MODE_HEADER") or None,
        tiers=_switch(app, "TIERS", default=redis is not None),
        redis=redis,
        check_seconds=_seconds(app, "CHECK_SECONDS", 1.0),
        bridge_seconds=_seconds(app, "BRIDGE_SECONDS", 0.0),
        warm_file=_setting(app, "WARM_FILE") or None,
        inspector=_inspector(app),
        inspector_keys=_switch(app, "INSPECTOR_KEYS", default=False),
        inspector_requests=_count(app, "INSPECTOR_REQUESTS", INSPECTED_REQUESTS),
        detect=_detect(app),
        detect_allow=_patterns(app, "DETECT_ALLOW"),
        server_timing=_switch(app, "SERVER_TIMING", default=None),
        log=_switch(app, "LOG", default=False),
        record=_record(app),
    )


def _inspector(app: Flask) -> str | Callable[[], object]:
    value = _setting(app, "INSPECTOR")
    if callable(value):
        check: Callable[[], object] = value
        return check
    if value is None or value in ("", "debug"):
        return "debug"
    if value is False or value == "off":
        return "off"
    expected = "debug, off, or a function that says whether the request at hand may see it"
    raise ConfigurationError(f"{PREFIX}INSPECTOR", expected, value)


def _record(app: Flask) -> str | None:
    value = _setting(app, "RECORD")
    if value is None or value == "":
        return None
    if isinstance(value, str | os.PathLike):
        return os.fspath(value)
    raise ConfigurationError(f"{PREFIX}RECORD", "the path of a file", value)


def _detect(app: Flask) -> str | None:
    value = _setting(app, "DETECT")
    return None if value is None or value == "" else checked_detect(f"{PREFIX}DETECT", value)


def _patterns(app: Flask, name: str) -> tuple[str, ...]:
    value = _setting(app, name) or ()
    if isinstance(value, str):
        return tuple(value.split())
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise ConfigurationError(PREFIX + name, "a list of patterns", value)


def _count(app: Flask, name: str, default: int) -> int:
    value = _setting(app, name)
    if value is None or value == "":
        return default
    text = str(value)
    if isinstance(value, bool) or not (
        re.fullmatch("[0-9]{1,9}", text) and 0 < int(text) <= MAX_COUNT
    ):
        raise ConfigurationError(PREFIX + name, f"a number from 1 to {MAX_COUNT}", value)
    return int(text)


@overload
def _switch(app: Flask, name: str, *, default: bool) -> bool: ...
@overload
def _switch(app: Flask, name: str, *, default: None) -> bool | None: ...
def _switch(app: Flask, name: str, *, default: bool | None) -> bool | None:
    value = _setting(app, name)
    if value is None or value == "":
        return default
    if value is True or value == "on":
        return True
    if value is False or value == "off":
        return False
    raise ConfigurationError(PREFIX + name, "on or off", value)


def _seconds(app: Flask, name: str, default: float) -> float:
    value = _setting(app, name)
    if value is None or value == "":
        return default
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = -1.0
    if isinstance(value, bool) or not 0 <= seconds < math.inf:
        raise ConfigurationError(PREFIX + name, "a number of seconds from 0 on", value)
    return seconds


def _setting(app: Flask, name: str) -> Any:  # noqa: ANN401 - a setting holds what the application put there
    return app.config.get(PREFIX + name, os.environ.get(PREFIX + name))


def _database(name: str, value: Any) -> URL | None:  # noqa: ANN401 - as _setting
    if not value:
        return None
    try:
        return make_url(value)
    except (ArgumentError, ValueError):
        expected = "a SQLAlchemy database URL such as sqlite:///app.db"
        without_password = re.sub(":[^:]*@", ":***@", str(value))
        raise ConfigurationError(name, expected, without_password) from None


def _engine_options(app: Flask) -> dict[str, Any]:
    options = _setting(app, "ENGINE_OPTIONS") or {}
    if isinstance(options, str):
        try:
            options = json.loads(options)
        except ValueError:
            options = options[:80]
    if not (isinstance(options, dict) and all(isinstance(name, str) for name in options)):
        expected = "a dict of create_engine's arguments (a JSON object in the environment)"
        raise ConfigurationError(f"{PREFIX}ENGINE_OPTIONS", expected, options)
    return options
