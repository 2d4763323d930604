"""Packages that are no part of the application, by the way their frames and objects are met."""

from __future__ import annotations

from typing import Final

OWN: Final = frozenset({"dataloaders", "flask_dataloaders"})

PASSED: Final = frozenset(
    {
        "asgiref",
        "attr",
        "concurrent",
        "contextlib",
        "csv",
        "flask",
        "functools",
        "jinja2",
        "json",
        "logging",
        "markupsafe",
        "numpy",
        "pandas",
        "pydantic",
        "queue",
        "sqlalchemy",
        "threading",
        "tqdm",
        "typing",
    }
)
"""Libraries that call back into applications: passed, and their own variables not read."""

BOTTOM: Final = frozenset(
    {
        "_pytest",
        "aiohttp",
        "asyncio",
        "bdb",
        "celery",
        "click",
        "debugpy",
        "engineio",
        "eventlet",
        "flask.app",
        "gevent",
        "gunicorn",
        "hypercorn",
        "IPython",
        "pdb",
        "pluggy",
        "pydevd",
        "_pydevd_bundle",
        "runpy",
        "selectors",
        "socketserver",
        "starlette",
        "unittest",
        "uvicorn",
        "uvloop",
        "werkzeug",
    }
)
"""Where a request, a task, a thread or a debugger begins: nothing above belongs to the caller."""

LIBRARIES: Final = OWN | PASSED | {name for name in BOTTOM if "." not in name}
"""All of them."""

GREEN: Final = frozenset({"gevent", "eventlet", "greenlet"})
"""What switches between green threads."""

WAITING: Final = GREEN | {"_queue", "_thread", "concurrent", "queue", "threading"}
"""What threads are handed work with, and wait with."""
