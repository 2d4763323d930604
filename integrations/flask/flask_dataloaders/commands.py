"""`flask dataloaders`: what concerns all loaders."""

from __future__ import annotations

from flask.cli import AppGroup

from .report_cli import report_command

dataloaders = AppGroup("dataloaders", help="What data loaders do.")
dataloaders.add_command(report_command)
