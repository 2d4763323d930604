"""Runs Celery, and appends a line to a file for each statement that its worker sends."""

from __future__ import annotations

import sys

from celery.__main__ import main
from sqlalchemy import Engine, event

from tests.deploying.counted_script import note

if __name__ == "__main__":
    event.listen(Engine, "before_cursor_execute", note)
    sys.argv[0] = "celery"
    sys.exit(main())
