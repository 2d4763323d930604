"""The block about Flask-SQLAlchemy."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.deploying.page import write_programs

if TYPE_CHECKING:
    from pathlib import Path

CHECKS = """
from threading import Thread
from sqlalchemy import event
from sqlalchemy_app import User, UserLoader, app, db

with app.app_context():
    db.create_all()
    db.session.add_all(User(id=id, name=f"user {id}") for id in range(1, 21))
    db.session.commit()
    sent = []
    event.listen(db.engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    out = []
    event.listen(db.engine, "checkout", lambda *args: out.append(db.engine.pool.checkedout()))
client = app.test_client()
assert client.get("/users").get_json() == [f"user {id}" for id in range(1, 21)] + [None] * 10
assert len(sent) == 1, sent
assert client.post("/users/7").get_json() == ["user 7", "renamed", "renamed"]
assert max(out) == 2, out  # the session's, and the batch's
def in_a_thread():
    with app.app_context():
        found.append(UserLoader.current().get(3).name)

found = []
thread = Thread(target=in_a_thread)
thread.start()
thread.join()
assert found == ["user 3"]
with app.app_context():
    assert db.engine.pool.checkedout() == 0
    db.engine.dispose()
"""


@pytest.mark.timeout(60)
def test_loaders_go_with_its_engine_and_with_its_session(tmp_path: Path) -> None:
    write_programs(tmp_path)
    done = subprocess.run(  # noqa: S603 - the page's program
        [sys.executable, "-W", "error", "-c", CHECKS],
        cwd=tmp_path,
        env={**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / 'users.db'}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
