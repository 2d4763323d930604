"""The contract of look-ahead's tests: what scan says is compared with what look-ahead does."""

from __future__ import annotations

from tests.lookahead.conftest import _as_the_first_time, master, sqlite_contract

__all__ = ["_as_the_first_time", "master", "sqlite_contract"]
