from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dataloaders.symbols import Symbol, SymbolLoader
from examples.trading import demo
from examples.trading.brokers.registry import BROKERS
from examples.trading.comparison import differences
from examples.trading.lookups import batched

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SMALL = ["--rows", "1000", "--rounds", "1"]


def test_demo_shows_the_queries_of_both_variants(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(SMALL) == 0
    shown = capsys.readouterr().out
    rows = re.findall(
        r"^(\w+) .*? +(\d+) +(\d+) +(\d+) +[\d.]+ +[\d.]+ +[\d.]+$", shown, re.MULTILINE
    )
    assert [row[0] for row in rows[::12]] == list(BROKERS)
    promised = [("30", "30", "1"), ("150", "150", "1"), ("60", "60", "1")]
    assert [row[1:] for start in (0, 12, 24) for row in rows[start : start + 3]] == promised * 3
    assert len(rows) == 36
    for _, lookups, naive, queries in rows:
        assert int(lookups) <= int(naive) <= int(lookups) + 1
        assert int(queries) <= 2


def test_demo_fails_if_queries_are_more_than_they_have_to_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(SymbolLoader, "lookahead", "off")
    assert demo.main(SMALL) == 1
    assert "batched: 10 queries, not 1" in capsys.readouterr().out


def test_demo_fails_if_answers_differ(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = Symbol(id=1, symbol="ANY", brsymbol="ANY", lotsize=-7)
    monkeypatch.setattr(batched, "get_symbol_info", lambda _symbol, _exchange: wrong)
    assert demo.main(SMALL) == 1
    assert re.search(r"data\.instruments\[0\]\.lotsize: \d+ is not -7", capsys.readouterr().out)


def test_demo_says_so_if_the_contract_is_too_small(capfd: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["--rows", "30"]) == 1
    assert "50 instruments are needed, but the contract has only" in capfd.readouterr().err


def test_demo_says_so_if_there_is_no_such_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.main(["--instruments", str(tmp_path / "instruments.csv")]) == 1
    assert "No such file" in capsys.readouterr().err


def test_differences_are_found_at_every_level() -> None:
    left = {"id": 1, "rows": [{"a": "1", "b": None}, {"a": "2", "b": None}]}
    right = {"id": 2, "rows": [{"a": "1", "b": None}, {"a": 2, "b": None}]}
    assert list(differences(left, left)) == []
    assert list(differences(left, right, ignoring=["id"])) == ["$.rows[1].a: '2' is not 2"]
    assert list(differences(left, {"id": 1, "rows": []})) != []
    assert list(differences({"a": 1}, {"b": 1}, ignoring=["a", "b"])) != []
    assert list(differences([True], [1])) == ["$[0]: True is not 1"]
