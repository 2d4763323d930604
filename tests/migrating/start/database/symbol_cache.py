"""The whole table, in memory."""

import threading

from database.table import db_session, symtoken

_lock = threading.Lock()
_rows = None


def find(symbol, exchange):
    with _lock:
        if _rows is None:
            _load()
    return _rows.get((symbol, exchange))


def forget():
    global _rows
    with _lock:
        _rows = None


def _load():
    global _rows
    _rows = {}
    for row in db_session.query(symtoken).order_by(symtoken.c.id):
        _rows.setdefault((row.symbol, row.exchange), row)
