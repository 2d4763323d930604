"""Databases with a master contract, and the two ways in which the application looks them up."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MODES = {"naive": "naive", "batched": None}
"""The application's `DATALOADERS_MODE`; that of "batched" is what the tests run with."""


def url_of(contract: Path) -> str:
    """SQLAlchemy's URL of a SQLite file."""
    return f"sqlite:///{contract}"
