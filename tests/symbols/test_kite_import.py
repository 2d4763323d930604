from __future__ import annotations

import csv
import gzip
import io
import random
import threading
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

from dataloaders.errors import ContractFormatError
from dataloaders.symbols.generate import generate_contract
from dataloaders.symbols.kite import RejectedRow, expiry_text, read_contract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,"
    "lot_size,instrument_type,segment,exchange"
)
SHARE = "738561,2885,RELIANCE,RELIANCE INDUSTRIES,0,,0,0.05,1,EQ,NSE,NSE"
OPTION = "11,1,NIFTY26AUG25000CE,NIFTY,0.0,2026-08-25,25000.0,0.05,65,CE,NFO-OPT,NFO"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "instruments.csv"


def read(path: Path, *lines: str) -> list[dict[str, object] | RejectedRow]:
    path.write_text("\n".join((HEADER, *lines, "")))
    return list(read_contract(path))


def refusal(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(ContractFormatError) as caught:
        list(read_contract(path))
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            SHARE,
            {
                "symbol": "RELIANCE",
                "brsymbol": "RELIANCE",
                "name": "RELIANCE INDUSTRIES",
                "exchange": "NSE",
                "brexchange": "NSE",
                "token": "738561",
                "expiry": "",
                "strike": 0.0,
                "lotsize": 1,
                "instrumenttype": "EQ",
                "tick_size": 0.05,
                "contract_value": None,
            },
        ),
        (
            "256265,1001,NIFTY 50,NIFTY 50,0,,0,0,0,EQ,INDICES,NSE",
            {
                "symbol": "NIFTY 50",
                "brsymbol": "NIFTY 50",
                "name": "NIFTY 50",
                "exchange": "NSE_INDEX",
                "brexchange": "NSE",
                "token": "256265",
                "expiry": "",
                "strike": 0.0,
                "lotsize": 0,
                "instrumenttype": "EQ",
                "tick_size": 0.0,
                "contract_value": None,
            },
        ),
        (
            "211616005,826625,BANKEX26AUGFUT,BANKEX,0.0,2026-08-27,0.0,0.05,30,FUT,BFO-FUT,BFO",
            {
                "symbol": "BANKEX27AUG26FUT",
                "brsymbol": "BANKEX26AUGFUT",
                "name": "BANKEX",
                "exchange": "BFO",
                "brexchange": "BFO",
                "token": "211616005",
                "expiry": "27-AUG-26",
                "strike": 0.0,
                "lotsize": 30,
                "instrumenttype": "FUT",
                "tick_size": 0.05,
                "contract_value": None,
            },
        ),
        (
            "219981317,859302,SENSEX2690376300PE,SENSEX,0,2026-09-03,76300.0,0.05,20,PE,BFO-OPT,BFO",
            {
                "symbol": "SENSEX03SEP2676300PE",
                "brsymbol": "SENSEX2690376300PE",
                "name": "SENSEX",
                "exchange": "BFO",
                "brexchange": "BFO",
                "token": "219981317",
                "expiry": "03-SEP-26",
                "strike": 76300.0,
                "lotsize": 20,
                "instrumenttype": "PE",
                "tick_size": 0.05,
                "contract_value": None,
            },
        ),
        (
            "5,1,HINDPETRO26SEP400.75CE,HINDPETRO,0,2026-09-29,400.75,0.05,2025,CE,NFO-OPT,NFO",
            {
                "symbol": "HINDPETRO29SEP26400.75CE",
                "brsymbol": "HINDPETRO26SEP400.75CE",
                "name": "HINDPETRO",
                "exchange": "NFO",
                "brexchange": "NFO",
                "token": "5",
                "expiry": "29-SEP-26",
                "strike": 400.75,
                "lotsize": 2025,
                "instrumenttype": "CE",
                "tick_size": 0.05,
                "contract_value": None,
            },
        ),
    ],
)
def test_instrument_becomes_row(path: Path, line: str, expected: dict[str, object]) -> None:
    assert read(path, line) == [expected]


def test_large_strike_keeps_all_its_digits(path: Path) -> None:
    line = "1,1,GOLD26OCT1234567PE,GOLD,0,2026-10-05,1234567.0,1.0,100,PE,MCX-OPT,MCX"
    (row,) = read(path, line)
    assert isinstance(row, dict)
    assert row["symbol"] == "GOLD05OCT261234567PE"


def test_every_month_has_its_name() -> None:
    months = [expiry_text(date(2026, month, 1)) for month in range(1, 13)]
    assert ",".join(months) == (
        "01-JAN-26,01-FEB-26,01-MAR-26,01-APR-26,01-MAY-26,01-JUN-26,"
        "01-JUL-26,01-AUG-26,01-SEP-26,01-OCT-26,01-NOV-26,01-DEC-26"
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,2,3", "3 fields"),
        (SHARE + ",more", "13 fields"),
        (SHARE.replace("738561", ""), "instrument_token"),
        (SHARE.replace("738561", "abc"), "instrument_token"),
        (SHARE.replace("738561", "-5"), "instrument_token"),
        (SHARE.replace("738561", "1.5"), "instrument_token"),
        (SHARE.replace("738561", "٣"), "instrument_token"),  # a digit of another script
        (SHARE.replace("738561", "9" * 65), "token is longer than 64"),
        (OPTION.replace("25000.0", "high"), "strike is not a number"),
        (OPTION.replace("25000.0", ""), "strike is not a number"),
        (OPTION.replace("25000.0", "-1"), "strike is not a finite number"),
        (OPTION.replace("25000.0", "nan"), "strike is not a finite number"),
        (OPTION.replace("25000.0", "inf"), "strike is not a finite number"),
        (OPTION.replace("25000.0", "1e999"), "strike is not a finite number"),
        (OPTION.replace("25000.0", "25_000"), "strike is not a finite number"),
        (OPTION.replace("25000.0", "1e300"), "symbol is longer than 64"),
        (OPTION.replace("0.05", "tick"), "tick_size is not a number"),
        (OPTION.replace("0.05", "-0.05"), "tick_size is not a finite number"),
        (OPTION.replace(",65,", ",lot,"), "lot_size is not a number"),
        (OPTION.replace(",65,", ",-65,"), "lot_size is not a finite number"),
        (OPTION.replace(",65,", ",6.5,"), "lot_size is no whole number"),
        (OPTION.replace(",65,", ",2147483648,"), "lot_size is no whole number"),
        (OPTION.replace("2026-08-25", "25-08-2026"), "expiry is not YYYY-MM-DD"),
        (OPTION.replace("2026-08-25", "20260825"), "expiry is not YYYY-MM-DD"),
        (OPTION.replace("2026-08-25", "2026-02-30"), "expiry is no day"),
        (OPTION.replace("2026-08-25", "0000-01-01"), "expiry is no day"),
        (OPTION.replace("2026-08-25", ""), "CE without"),
        (OPTION.replace(",NIFTY,", ",,"), "CE without"),
        (SHARE.replace(",RELIANCE,", ",,"), "tradingsymbol is empty"),
        (SHARE.replace(",RELIANCE,", ",  ,"), "tradingsymbol is empty"),
        (SHARE.removesuffix("NSE"), "exchange is empty"),
        (SHARE.replace("RELIANCE IND", "RELIANCE\0IND"), "NUL"),
        (SHARE.replace("RELIANCE INDUSTRIES", "x" * 256), "name is longer than 255"),
        (SHARE.replace(",RELIANCE,", f",{'x' * 65},"), "symbol is longer than 64"),
        (SHARE.removesuffix("NSE") + "x" * 33, "exchange is longer than 32"),
        (SHARE.replace("RELIANCE INDUSTRIES", "x" * 70_000), "more than 65536 bytes"),
        (SHARE.replace("RELIANCE INDUSTRIES", "x" * 200_000), "more than 65536 bytes"),
        (SHARE.replace("RELIANCE INDUSTRIES", '"RELIANCE'), "quoting"),
        (SHARE.replace("RELIANCE INDUSTRIES", '"RELIANCE"S'), "quoting"),
        (SHARE.replace("RELIANCE INDUSTRIES", "RELIANCE\rIND"), "line break"),
    ],
)
def test_malformed_row_is_reported_and_the_rest_goes_in(path: Path, line: str, reason: str) -> None:
    path.write_text(f"{HEADER}\n{SHARE}\n{line}\n{OPTION}", newline="")
    before, rejected, after = read_contract(path)
    assert isinstance(rejected, RejectedRow)
    assert rejected.line == 3
    assert reason in rejected.reason
    assert line.startswith(rejected.text[:5])
    assert isinstance(before, dict)
    assert before["symbol"] == "RELIANCE"
    assert isinstance(after, dict)
    assert after["symbol"] == "NIFTY25AUG2625000CE"


def test_undecodable_row_is_reported(path: Path) -> None:
    bad = SHARE.encode().replace(b"RELIANCE IND", b"RELIANCE \xff")
    path.write_bytes(b"\n".join((HEADER.encode(), bad, OPTION.encode())))
    rejected, _ = read_contract(path)
    assert isinstance(rejected, RejectedRow)
    assert rejected.line == 2
    assert "utf-8" in rejected.reason
    assert "RELIANCE \\xff" in rejected.text


def test_line_numbers_count_blank_and_rejected_lines(path: Path) -> None:
    rows = read(path, "", SHARE, "   ", 'broken,"', OPTION, "worse")
    assert [row.line for row in rows if isinstance(row, RejectedRow)] == [5, 7]
    assert len(rows) == 4


def test_pair_that_comes_again_is_rejected(path: Path) -> None:
    twin = SHARE.replace("738561", "1")
    elsewhere = SHARE.replace("NSE,NSE", "BSE,BSE")
    first, rejected, other = read(path, SHARE, twin, elsewhere)
    assert isinstance(first, dict)
    assert first["token"] == "738561"
    assert isinstance(rejected, RejectedRow)
    assert (rejected.line, rejected.reason) == (3, "RELIANCE on NSE is on line 2 already")
    assert isinstance(other, dict)
    assert other["exchange"] == "BSE"


def test_pair_of_a_rejected_row_is_still_free(path: Path) -> None:
    bad = SHARE.replace("738561", "abc")
    _, row = read(path, bad, SHARE)
    assert isinstance(row, dict)


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html>\n<html><body>502 Bad Gateway</body></html>", "<!DOCTYPE html>"),
        (b"\n" + HEADER.encode(), "a header with"),
        (HEADER.encode(), "none that is well-formed"),
        (HEADER.encode() + b"\nrubbish\n", "none that is well-formed"),
        (HEADER.replace(",strike", "").encode() + b"\n" + SHARE.encode(), "a header with"),
        (HEADER.encode() + b",strike\n" + SHARE.encode() + b",0", "a header with"),
        (HEADER.encode("utf-16") + b"\n", "utf-8"),
        (b"x" * 100_000, "more than 65536 bytes"),
        (gzip.compress(b"", mtime=0), "an empty file"),
        (gzip.compress(f"{HEADER}\n{SHARE}\n".encode(), mtime=0)[:-9], "a whole gzip file"),
        (
            gzip.compress(f"{HEADER}\n{SHARE}\n".encode(), mtime=0)[:-8] + b"12345678",
            "a whole gzip file",
        ),
        (gzip.compress(f"{HEADER}\n{SHARE}\n".encode(), mtime=0) + b"rubbish", "a whole gzip file"),
        (gzip.compress(b"", mtime=0)[:10] + b"\x07" * 20, "a whole gzip file"),
        (b"\x1f\x8b", "a whole gzip file"),
        (b"\x1f\x8brubbish that is no gzip", "a whole gzip file"),
    ],
)
def test_file_that_is_no_contract_is_refused(path: Path, content: bytes, got: str) -> None:
    message = refusal(path, content)
    assert got in message
    assert "Nothing was imported" in message


def test_gzip_damaged_in_the_middle_is_refused(path: Path) -> None:
    noise = random.Random(1)
    lines = "\n".join(
        f"{n},{n},S{n},{noise.randbytes(9).hex()},0,,0,0,1,EQ,NSE,NSE" for n in range(9000)
    )
    packed = bytearray(gzip.compress(f"{HEADER}\n{lines}\n".encode()))
    middle = len(packed) // 2
    packed[middle : middle + 64] = bytes(64)
    refusal(path, bytes(packed))


def test_missing_file_is_an_os_error(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        next(read_contract(path))


def test_bom_crlf_column_order_and_extra_columns(path: Path) -> None:
    names = HEADER.split(",")
    values = SHARE.split(",")
    shuffled = ",".join([*reversed(names), "isin"])
    line = ",".join([*reversed(values), "INE002A01018"])
    path.write_bytes(f"\ufeff{shuffled}\r\n{line}\r\n".encode())
    (row,) = read_contract(path)
    (plain,) = read(path, SHARE)
    assert row == plain


def test_quoted_field_may_hold_commas_and_quotes(path: Path) -> None:
    line = SHARE.replace("RELIANCE INDUSTRIES", '"RELIANCE, ""OLD"""')
    (row,) = read(path, line)
    assert isinstance(row, dict)
    assert row["name"] == 'RELIANCE, "OLD"'


def dump(rows: int) -> bytes:
    """A contract as Kite would send it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER.split(","))
    for row in generate_contract(rows):
        expiry = str(row["expiry"])
        month = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC".find(expiry[3:6]) // 3 + 1
        writer.writerow(
            [
                row["token"],
                int(str(row["token"])) >> 8,
                row["brsymbol"],
                row["name"],
                "0.0",
                f"20{expiry[-2:]}-{month:02}-{expiry[:2]}" if expiry else "",
                row["strike"],
                row["tick_size"],
                row["lotsize"],
                row["instrumenttype"],
                "INDICES" if str(row["exchange"]).endswith("_INDEX") else row["brexchange"],
                row["brexchange"],
            ]
        )
    return text.getvalue().encode()


@pytest.mark.parametrize("packed", [False, True])
def test_whole_contract_against_the_csv_module(path: Path, *, packed: bool) -> None:
    content = dump(3_000)
    path.write_bytes(gzip.compress(content) if packed else content)
    rows = list(read_contract(path))
    expected = list(csv.DictReader(io.StringIO(content.decode())))
    assert len(rows) == len(expected) == 3_000
    for row, fields in zip(rows, expected, strict=True):
        assert isinstance(row, dict)
        assert row["brsymbol"] == fields["tradingsymbol"]
        assert row["token"] == fields["instrument_token"]
        assert row["brexchange"] == fields["exchange"]
        assert row["strike"] == float(fields["strike"])
        assert row["lotsize"] == int(fields["lot_size"])
        if fields["instrument_type"] == "EQ":
            assert row["symbol"] == fields["tradingsymbol"]
        else:
            assert str(row["symbol"]).startswith(fields["name"] + fields["expiry"][-2:])
            assert str(row["symbol"]).endswith(fields["instrument_type"])


def test_progress_counts_the_stored_bytes(path: Path) -> None:
    path.write_bytes(gzip.compress(dump(40_000)))
    size = path.stat().st_size
    calls: list[tuple[int, int | None]] = []
    list(read_contract(path, progress=lambda done, total: calls.append((done, total))))
    done = [each for each, _ in calls]
    assert {total for _, total in calls} == {size}
    assert done == sorted(set(done))
    assert done[-1] == size
    assert 4 <= len(calls) <= 101  # gzip itself reads up to 128 KiB at a time


class Handler(BaseHTTPRequestHandler):
    """Serves what the test put into `body`, in the way that the path names."""

    body: ClassVar[bytes] = b""
    silent: ClassVar = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/silent":
            self.silent.wait(10)
            return
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/file")
            self.end_headers()
            return
        self.send_response(404 if self.path == "/missing" else 200)
        if self.path == "/short":
            self.send_header("Content-Length", str(len(self.body) + 1))
        elif self.path == "/chunks":
            self.send_header("Transfer-Encoding", "chunked")
        elif self.path == "/file":
            self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        if self.path == "/chunks":
            self.wfile.write(b"%x\r\n" % (len(self.body) + 1))
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Silence is wanted."""


@contextmanager
def serving(body: bytes) -> Iterator[str]:
    class OneHandler(Handler):
        pass

    OneHandler.body = body
    OneHandler.silent = threading.Event()
    with HTTPServer(("127.0.0.1", 0), OneHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            OneHandler.silent.set()
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("route", ["/file", "/moved", "/no-length"])
@pytest.mark.parametrize("packed", [False, True])
def test_download(route: str, *, packed: bool) -> None:
    content = f"{HEADER}\n{SHARE}\n".encode()
    calls: list[tuple[int, int | None]] = []
    body = gzip.compress(content) if packed else content
    with serving(body) as address:
        (row,) = read_contract(address + route, progress=lambda *call: calls.append(call))
    assert isinstance(row, dict)
    assert row["symbol"] == "RELIANCE"
    assert calls == [(len(body), None if route == "/no-length" else len(body))]


def test_progress_of_a_download_without_length() -> None:
    calls: list[int] = []
    body = dump(60_000)
    with serving(body) as address:
        rows = read_contract(address + "/no-length", progress=lambda done, _: calls.append(done))
        assert len(list(rows)) == 60_000
    assert calls == sorted(set(calls))
    assert calls[-1] == len(body)
    assert 20 <= len(calls) <= 200


@pytest.mark.parametrize("route", ["/short", "/chunks", "/missing"])
def test_broken_download_yields_nothing(route: str) -> None:
    rows: list[object] = []
    with serving(dump(5_000)) as address, pytest.raises(OSError, match=r"broke off|404"):
        rows.extend(read_contract(address + route))
    assert rows == []


def test_silent_server_times_out() -> None:
    with serving(b"") as address, pytest.raises(TimeoutError):
        next(read_contract(address + "/silent", timeout=0.1))


def test_server_that_is_not_there() -> None:
    with serving(b"") as address:
        pass
    with pytest.raises(OSError, match="refused"):
        next(read_contract(address))


def test_html_page_instead_of_a_contract() -> None:
    with (
        serving(b"<html>Please log in</html>") as address,
        pytest.raises(ContractFormatError, match="Please log in"),
    ):
        list(read_contract(address + "/file"))
