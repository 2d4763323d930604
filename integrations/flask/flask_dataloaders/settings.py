"""The extension's settings: `DATALOADERS_*` in `app.config`, or else in the environment."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from dataloaders.errors import ConfigurationError

if TYPE_CHECKING:
    from flask import Flask

PREFIX = "DATALOADERS_"


@dataclass(frozen=True)
class Settings:
    """What an application has set.

    Attributes:
        database_uri: `DATALOADERS_DATABASE_URI`, a SQLAlchemy URL; Flask-SQLAlchemy's
            `SQLALCHEMY_DATABASE_URI` if it is not set.
        engine_options: `DATALOADERS_ENGINE_OPTIONS`, arguments of `create_engine`: a dict, or in
            the environment a JSON object.
    """

    database_uri: str | None
    engine_options: dict[str, Any]


def read_settings(app: Flask) -> Settings:
    """Reads and checks an application's settings.

    Raises:
        ConfigurationError: A setting is unknown, or has a value that it cannot have.
    """
    known = {f"{PREFIX}DATABASE_URI", f"{PREFIX}ENGINE_OPTIONS"}
    for name in app.config:
        if name.startswith(PREFIX) and name not in known:
            raise ConfigurationError(name, f"one of {', '.join(sorted(known))}", name)
    return Settings(database_uri=_database_uri(app), engine_options=_engine_options(app))


def _setting(app: Flask, name: str) -> Any:  # noqa: ANN401 - a setting holds what the application put there
    return app.config.get(PREFIX + name, os.environ.get(PREFIX + name))


def _database_uri(app: Flask) -> str | None:
    uri = _setting(app, "DATABASE_URI") or app.config.get("SQLALCHEMY_DATABASE_URI")
    if uri is None:
        return None
    try:
        make_url(uri)
    except ArgumentError:
        expected = "a SQLAlchemy database URL such as sqlite:///app.db"
        raise ConfigurationError(f"{PREFIX}DATABASE_URI", expected, uri) from None
    return str(uri)


def _engine_options(app: Flask) -> dict[str, Any]:
    options = _setting(app, "ENGINE_OPTIONS") or {}
    if isinstance(options, str):
        try:
            options = json.loads(options)
        except ValueError:
            options = options[:80]
    if not isinstance(options, dict):
        expected = "a dict of create_engine's arguments (a JSON object in the environment)"
        raise ConfigurationError(f"{PREFIX}ENGINE_OPTIONS", expected, options)
    return options
