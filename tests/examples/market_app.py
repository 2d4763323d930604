"""The example's application, for the servers that serve it."""

from __future__ import annotations

from examples.trading.app import create_app

app = create_app()
