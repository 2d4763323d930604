"""The extension's settings: `DATALOADERS_*` in `app.config`, or else in the environment."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError

from dataloaders.errors import ConfigurationError
from dataloaders.lookahead.modes import ON, checked_mode
from dataloaders.lookahead.modes import SETTING as LOOKAHEAD

if TYPE_CHECKING:
    from flask import Flask

PREFIX = "DATALOADERS_"


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
    """

    database: URL | None
    database_setting: str
    engine_options: dict[str, Any]
    lookahead: str

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


def read_settings(app: Flask) -> Settings:
    """Reads and checks an application's settings.

    Raises:
        ConfigurationError: A setting is unknown, or has a value that it cannot have.
    """
    known = {f"{PREFIX}DATABASE_URI", f"{PREFIX}ENGINE_OPTIONS", LOOKAHEAD}
    for name in app.config:
        if name.startswith(PREFIX) and name not in known:
            raise ConfigurationError(name, f"one of {', '.join(sorted(known))}", name)
    name = f"{PREFIX}DATABASE_URI"
    value = _setting(app, "DATABASE_URI")
    if not value:
        name = "SQLALCHEMY_DATABASE_URI"
        value = app.config.get(name)
    lookahead = checked_mode(LOOKAHEAD, _setting(app, "LOOKAHEAD") or ON)
    return Settings(_database(name, value), name, _engine_options(app), lookahead)


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
