"""What gunicorn serves: the example, and a probe in each worker."""

from __future__ import annotations

import os
from pathlib import Path

from examples.trading.app import create_app

from .probe import Probe

app = create_app()
Probe(Path(os.environ["LOAD_DIRECTORY"])).watch(app, app.extensions["trading_engine"])
