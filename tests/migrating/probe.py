"""Sends requests to the application in the current directory; prints what came back as JSON.

Its standard input is a JSON object: `operations` (lists of method, path, body), and `contract`, a
file that replaces the contract, after which `afterwards` are sent.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from importlib import import_module
from typing import Any

from sqlalchemy import event

engine = import_module("database.table").engine
create_app = import_module("trading.app").create_app

statements: list[str] = []
rows_at_commits: list[int] = []


def count(*arguments: object) -> None:
    statements.append(str(arguments[2]))


def look(*_arguments: object) -> None:
    """Sees what another connection sees, as soon as something is committed."""
    # The event comes before the commit: the table is as the one before has left it.
    with sqlite3.connect(os.environ["DATABASE_URL"].removeprefix("sqlite:///")) as other:
        rows_at_commits.append(other.execute("SELECT count(*) FROM symtoken").fetchone()[0])


def seen() -> dict[str, Any]:
    """Returns each request's answer and statements."""
    event.listen(engine, "before_cursor_execute", count)
    client = create_app().test_client()
    requests: dict[str, Any] = {}

    def send(method: str, path: str, body: str | None, name: str) -> None:
        statements.clear()
        response = client.open(path, method=method, data=body, content_type="application/json")
        answer = response.get_data(as_text=True)
        requests[name] = {
            "status": response.status_code,
            "type": response.mimetype,
            "answer": answer,
            "sent": len(statements),
        }

    for method, path, body in given["operations"]:
        send(method, path, body, path)
    event.listen(engine, "commit", look)
    send("POST", "/contract", json.dumps({"file": given["contract"]}), "/contract")
    look()
    event.remove(engine, "commit", look)
    for method, path, body in given["afterwards"]:
        send(method, path, body, f"{path} afterwards")
    return {"requests": requests, "rows": rows_at_commits, "compared": compared()}


def compared() -> dict[str, int]:
    """Returns what shadow mode has compared, and how much of it differed."""
    try:
        from dataloaders.shadow import differences
    except ImportError:
        return {}
    return {
        "compared": differences.compared,
        "changed": differences.changed,
        "differed": differences.differed,
    }


given = json.load(sys.stdin)
json.dump(seen(), sys.stdout)
