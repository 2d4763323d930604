"""`flask dataloaders`: what concerns all loaders."""

from __future__ import annotations

from flask.cli import AppGroup

from .report_cli import report_command
from .scan_cli import scan_command

dataloaders = AppGroup("dataloaders", help="What is looked up, and what could be one batch.")
dataloaders.add_command(report_command)
dataloaders.add_command(scan_command)
