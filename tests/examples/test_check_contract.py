from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest

from dataloaders.symbols import TokenLoader
from examples.trading import check_contract

if TYPE_CHECKING:
    from pathlib import Path

DUMP = """\
instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,\
instrument_type,segment,exchange
1025,4,ALPHA,ALPHA LIMITED,0,,0,0.05,1,EQ,NSE,NSE
1025,4,ALPHABETA,"ALPHA, BETA",0,,0,0.05,1,EQ,NSE,NSE
x,4,GAMMA,GAMMA,0,,0,0.05,1,EQ,NSE,NSE
256265,1001,ALPHA 50,ALPHA 50,0,,0,0,0,EQ,INDICES,NSE
2050,8,ALPHA26AUGFUT,ALPHA,0,2026-08-25,0,0.05,65,FUT,NFO-FUT,NFO
2306,9,ALPHA26AUG400.75CE,ALPHA,0,2026-08-25,400.75,0.05,65,CE,NFO-OPT,NFO
2562,10,ALPHA26O0625000PE,ALPHA,0,2026-10-06,25000,0.05,65,PE,NFO-OPT,NFO
2818,11,ALPHA26O0625000PE,ALPHA,0,2026-10-13,25000,0.05,65,PE,NFO-OPT,NFO
"""


@pytest.fixture(params=["instruments.csv", "instruments.csv.gz"])
def dump(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / str(request.param)
    content = DUMP.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def test_every_row_is_checked_three_ways(dump: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_contract.main([str(dump)]) == 0
    shown = capsys.readouterr().out
    assert "7 rows imported, 1 lines rejected" in shown
    assert "7 by (symbol, exchange), 0 of them" in shown
    assert "7 by (brsymbol, exchange), 2 of them" in shown
    assert "7 by (token, exchange), 2 of them" in shown
    assert "0 differences" in shown


def test_a_sample_is_checked(dump: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_contract.main([str(dump), "--sample", "3"]) == 0
    assert "4 by (token, exchange)" in capsys.readouterr().out


def test_a_wrong_answer_is_found(
    dump: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch = TokenLoader.fetch

    def fetch_mixed_up(self: TokenLoader, execute: Any, keys: Any) -> list[Any]:  # noqa: ANN401 - as TokenLoader has them
        return fetch(self, execute, keys)[::-1]

    monkeypatch.setattr(TokenLoader, "fetch", fetch_mixed_up)
    assert check_contract.main([str(dump)]) == 1
    assert "token (2050, 'NFO'): " in capsys.readouterr().out


def test_an_instrument_without_a_row_is_found(
    dump: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check_contract, "_MONTHS", ("",) * 12)
    assert check_contract.main([str(dump)]) == 1
    assert "None in place of a row" in capsys.readouterr().out


def test_a_file_that_is_no_dump_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    assert check_contract.main([str(path)]) == 1
    assert "instrument_token" in capsys.readouterr().err
