from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from dataloaders.symbols.generate import generate_contract
from dataloaders.symbols.table import symtoken

SCRIPT = """
import hashlib
from dataloaders.symbols.generate import generate_contract
print(hashlib.sha256(repr(list(generate_contract(4_000, 7))).encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def brsymbols() -> dict[tuple[object, object], object]:
    return {(row["symbol"], row["exchange"]): row["brsymbol"] for row in generate_contract()}


def repeats(rows: list[dict[str, object]], column: str) -> int:
    return len(rows) - len({(row[column], row["exchange"]) for row in rows})


@pytest.mark.parametrize("number", [1, 2, 3, 9, 10, 61, 100, 999, 1_000, 8_000, 20_001])
def test_as_many_rows_as_asked_each_with_its_own_pair(number: int) -> None:
    rows = list(generate_contract(number))
    assert len(rows) == number
    assert repeats(rows, "symbol") == 0


@pytest.mark.parametrize("number", [0, -1])
def test_no_rows_cannot_be_asked_for(number: int) -> None:
    with pytest.raises(ValueError, match=f"asked for {number}"):
        generate_contract(number)


def test_full_size() -> None:
    rows = list(generate_contract())
    assert len(rows) == 150_000
    assert repeats(rows, "symbol") == 0
    assert repeats(rows, "token") == 8
    assert repeats(rows, "brsymbol") == 8
    exchanges = Counter(row["exchange"] for row in rows)
    assert exchanges["NSE"] + exchanges["BSE"] == 8_000
    assert set(exchanges) == {"NSE", "BSE", "NSE_INDEX", "BSE_INDEX", "NFO", "BFO", "MCX", "CDS"}
    assert {row["instrumenttype"] for row in rows} == {"EQ", "FUT", "CE", "PE"}
    options = [row for row in rows if row["instrumenttype"] in {"CE", "PE"}]
    assert min(float(str(row["strike"])) for row in options) > 0
    lengths = {column.name: getattr(column.type, "length", None) for column in symtoken.columns}
    for column, limit in lengths.items():
        if limit:
            assert max(len(str(row[column])) for row in rows) <= limit


def test_shape_is_that_of_the_table() -> None:
    columns = set(symtoken.columns.keys()) - {"id"}
    for row in generate_contract(2_000):
        assert set(row) == columns
        assert isinstance(row["token"], str)
        assert row["token"].isdecimal()
        assert isinstance(row["strike"], float)
        assert isinstance(row["lotsize"], int)
        assert row["contract_value"] is None


def test_the_same_in_every_process() -> None:
    runs = {
        subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", SCRIPT],
            check=True,
            capture_output=True,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(runs) == 1


def test_seed_makes_another_contract() -> None:
    assert list(generate_contract(500, 1)) == list(generate_contract(500, 1))
    assert list(generate_contract(500, 1)) != list(generate_contract(500, 2))


def test_well_known_companies_are_on_both_exchanges() -> None:
    pairs = {(row["symbol"], row["exchange"]) for row in generate_contract(1_000)}
    for symbol in ("RELIANCE", "TCS", "INFY", "SBIN", "HDFCBANK", "ICICIBANK"):
        assert {(symbol, "NSE"), (symbol, "BSE")} <= pairs
    assert {("NIFTY", "NSE_INDEX"), ("BANKNIFTY", "NSE_INDEX"), ("SENSEX", "BSE_INDEX")} <= pairs


@pytest.mark.parametrize(
    ("symbol", "exchange", "brsymbol"),
    [
        ("NIFTY25AUG2625000CE", "NFO", "NIFTY26AUG25000CE"),
        ("NIFTY01SEP2625000PE", "NFO", "NIFTY2690125000PE"),
        ("NIFTY06OCT2625000PE", "NFO", "NIFTY26O0625000PE"),
        ("NIFTY25AUG26FUT", "NFO", "NIFTY26AUGFUT"),
        ("RELIANCE27OCT26FUT", "NFO", "RELIANCE26OCTFUT"),
        ("SENSEX03SEP2682000CE", "BFO", "SENSEX2690382000CE"),
        ("USDINR26AUG2686.25PE", "CDS", "USDINR26AUG86.25PE"),
        ("NIFTY", "NSE_INDEX", "NIFTY 50"),
        ("SBIN", "BSE", "SBIN"),
    ],
)
def test_symbols_and_the_brokers_symbols(
    brsymbols: dict[tuple[object, object], object], symbol: str, exchange: str, brsymbol: str
) -> None:
    assert brsymbols[symbol, exchange] == brsymbol
