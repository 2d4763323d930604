"""The application that `test_fork` starts under gunicorn, which forks after having imported it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from flask import Flask
from sqlalchemy import create_engine

from flask_dataloaders import DataLoaders
from tests.sql.forking import THREADS, Connections, SharedLoader
from tests.sql.source_helpers import names, users_on

engine = create_engine(os.environ["DATALOADERS_DATABASE_URI"], pool_size=THREADS)
app = Flask(__name__)
DataLoaders(app, engine=engine)
connections = Connections(engine)

with ThreadPoolExecutor(THREADS) as executor:
    answers = list(executor.map(lambda _: users_on(engine).get_many([1, 30]), range(20)))
assert all(names(each) == ["user 1", None] for each in answers)
AT_IMPORT = connections.since()
USED: set[int] = set()


@app.get("/<int:first>")
def many(first: int) -> dict[str, object]:
    found = names(SharedLoader.current().get_many(range(first, first + 5)))
    found += names([SharedLoader.current().get(first + 5)])
    USED.update(connections.since())
    return {"names": found, "process": os.getpid(), "used": sorted(USED), "at_import": AT_IMPORT}
