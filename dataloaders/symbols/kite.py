"""Reads Kite Connect's instrument dump: CSV, one instrument a line, plain or gzip.

Every record is one physical line. No instrument has a line break in its name, and so a quote that
is never closed costs the line it stands on, not the rest of the file.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import math
import os
import re
import shutil
import tempfile
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from http.client import HTTPException
from operator import itemgetter
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias
from urllib.request import urlopen

from sqlalchemy import String

from dataloaders.errors import ContractFormatError, shown
from dataloaders.symbols.table import symtoken

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from _typeshed import WriteableBuffer

    # Called with (bytes read so far, bytes in total or None if the source does not say).
    Progress: TypeAlias = Callable[[int, int | None], None]

_NEEDED = (
    "instrument_token",
    "tradingsymbol",
    "name",
    "expiry",
    "strike",
    "tick_size",
    "lot_size",
    "instrument_type",
    "segment",
    "exchange",
)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_LENGTHS = {
    column.name: column.type.length
    for column in symtoken.columns
    if isinstance(column.type, String) and column.type.length
}
_LONGEST_LINE = 65_536  # bytes
_CHUNK = 16_384  # bytes read at once
_LARGEST_LOT = 2**31 - 1  # what an Integer column holds on every database
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class RejectedRow:
    r"""A line of the file that is no usable instrument.

    Attributes:
        line: The physical line in the (unpacked) file, from 1; the header is line 1.
        reason: What is wrong with it.
        text: The beginning of the line, undecodable bytes as `\xff`.
    """

    line: int
    reason: str
    text: str


def read_contract(
    source: str | os.PathLike[str],
    *,
    timeout: float = 30.0,
    progress: Progress | None = None,
) -> Generator[dict[str, object] | RejectedRow]:
    """Reads an instrument dump, in the file's order.

    A web address is downloaded in full, to a temporary file, before the first row comes out.

    Args:
        source: A path, or an address that starts with `http://` or `https://`.
        timeout: How long, in seconds, a web server may be silent.
        progress: Called about a hundred times with (bytes read so far, bytes in total or None).
            The bytes are those of the source as it is stored, packed or not.

    Yields:
        A dict with the columns of `symtoken` but `id` for each instrument, and a `RejectedRow` for
        each line that is none. A pair of symbol and exchange comes out once: a later line that
        would repeat it is rejected.

    Raises:
        ContractFormatError: The file as a whole is not an instrument dump.
        OSError: The source cannot be read, or the download broke off.
    """
    name = os.fspath(source)
    with _opened(source, timeout, progress) as file:
        lines = _lines(file, name)
        pick, width = _header(lines, name)
        taken: dict[tuple[object, object], int] = {}
        for number, line in lines:
            if not line.strip():
                continue
            try:
                row = _row(pick(_fields(line, width)))
            except ValueError as error:
                yield RejectedRow(number, str(error), _excerpt(line))
                continue
            pair = (row["symbol"], row["exchange"])
            first = taken.setdefault(pair, number)
            if first == number:
                yield row
            else:
                reason = f"{pair[0]} on {pair[1]} is on line {first} already"
                yield RejectedRow(number, reason, _excerpt(line))
        if not taken:
            raise ContractFormatError(name, "at least one instrument", "none that is well-formed")


def expiry_text(expiry: date) -> str:
    """The date as the app writes it, `25-AUG-26`, whatever the locale."""
    return f"{expiry.day:02}-{_MONTHS[expiry.month - 1]}-{expiry.year % 100:02}"


def derivative_symbol(name: str, expiry: str, strike: float, kind: str) -> str:
    """The app's symbol of a future or an option.

    Args:
        name: The underlying.
        expiry: As `expiry_text` writes it.
        strike: In rupees; futures have none, whatever this says.
        kind: FUT, CE or PE.

    Returns:
        `NIFTY25AUG26FUT`, `NIFTY25AUG2625000CE`, `HINDPETRO29SEP26400.75PE`.
    """
    price = "" if kind == "FUT" else str(int(strike) if strike == int(strike) else strike)
    return f"{name}{expiry.replace('-', '')}{price}{kind}"


@contextmanager
def _opened(
    source: str | os.PathLike[str], timeout: float, progress: Progress | None
) -> Iterator[IO[bytes]]:
    """Opens the source for reading, unpacked if it is packed."""
    with ExitStack() as stack:
        if isinstance(source, str) and source.lower().startswith(("http://", "https://")):
            stored: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())
            _download(source, stored, timeout, progress)
            stored.seek(0)
            counted = _Counted(stored, None, None)
        else:
            stored = stack.enter_context(Path(source).open("rb"))
            counted = _Counted(stored, os.fstat(stored.fileno()).st_size or None, progress)
        file = io.BufferedReader(counted, _CHUNK)
        if file.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC):
            yield io.BufferedReader(stack.enter_context(gzip.GzipFile(fileobj=file)))
        else:
            yield file


def _download(address: str, file: IO[bytes], timeout: float, progress: Progress | None) -> None:
    try:
        with urlopen(address, timeout=timeout) as response:  # noqa: S310 - _opened lets http(s) by
            length = response.headers["Content-Length"]
            total = int(length) if length and length.isdecimal() else None
            shutil.copyfileobj(_Counted(response, total, progress), file, _CHUNK)
    except HTTPException as error:
        raise ConnectionError(f"The download of {address} broke off: {error!r}.") from error
    # To urllib, a connection that closes early is the end of the file like any other.
    if total is not None and (got := file.tell()) != total:
        raise ConnectionError(f"The download of {address} broke off after {got} of {total} bytes.")


class _Counted(io.RawIOBase):
    """Passes a file's bytes through and reports their number, about a hundred times in all."""

    def __init__(self, file: IO[bytes], total: int | None, progress: Progress | None) -> None:
        self._file = file
        self._total = total
        self._progress = progress
        self._done = self._reported = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        data = self._file.read(len(view))
        view[: len(data)] = data
        self._done += len(data)
        if self._progress:
            self._report(self._progress, at_end=not data)
        return len(data)

    def _report(self, progress: Progress, *, at_end: bool) -> None:
        new = self._done - self._reported
        # Without a total the steps grow with the file, which bounds their number all the same.
        step = self._total / 100 if self._total else max(_LONGEST_LINE, self._done / 50)
        if new and (new >= step or at_end):
            self._reported = self._done
            progress(self._done, self._total)


def _lines(file: IO[bytes], name: str) -> Iterator[tuple[int, bytes]]:
    """Yields (line number from 1, line); a line that is too long is cut, but not to its limit."""
    number = 0
    try:
        while line := file.readline(_LONGEST_LINE + 1):
            number += 1
            rest = line
            while len(rest) > _LONGEST_LINE and not rest.endswith(b"\n"):
                rest = file.readline(_LONGEST_LINE + 1)
            yield number, line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        expected = "a whole gzip file"
        raise ContractFormatError(name, expected, f"{error} after line {number}") from error


def _header(
    lines: Iterator[tuple[int, bytes]], name: str
) -> tuple[Callable[[list[str]], tuple[str, ...]], int]:
    """Reads the header; returns what picks the needed fields, and the number of all fields."""
    expected = f"a header with {', '.join(_NEEDED)}"
    _, line = next(lines, (0, b""))
    if not line:
        raise ContractFormatError(name, expected, "an empty file")
    try:
        header = _fields(line.removeprefix(codecs.BOM_UTF8))
    except ValueError as error:
        raise ContractFormatError(name, expected, f"{_excerpt(line)!r} ({error})") from error
    if any(header.count(field) != 1 for field in _NEEDED):
        raise ContractFormatError(name, expected, repr(_excerpt(line)))
    return itemgetter(*map(header.index, _NEEDED)), len(header)


def _fields(line: bytes, width: int | None = None) -> list[str]:
    """Splits a line into `width` fields; a ValueError says what is wrong with it."""
    if len(line) > _LONGEST_LINE:
        raise ValueError(f"more than {_LONGEST_LINE} bytes on one line")
    text = line.decode()
    if "\0" in text:
        raise ValueError("a NUL byte")
    try:
        record = next(csv.reader((text.rstrip("\r\n"),), strict=True), [])
    except csv.Error as error:
        raise ValueError(f"broken quoting or line break: {error}") from error
    if width is not None and len(record) != width:
        raise ValueError(f"{len(record)} fields in place of {width}")
    return [field.strip() for field in record]


def _row(fields: tuple[str, ...]) -> dict[str, object]:
    """Makes the row of an instrument from its fields; a ValueError says what is wrong with it."""
    token, brsymbol, name, expires, strike_text, tick, lot, kind, segment, brexchange = fields
    if not (token.isascii() and token.isdecimal()):
        raise ValueError(f"instrument_token is not a number: {shown(token)}")
    if not brsymbol:
        raise ValueError("tradingsymbol is empty")
    if not brexchange:
        raise ValueError("exchange is empty")
    expiry = _expiry(expires)
    strike = _number("strike", strike_text)
    lotsize = _number("lot_size", lot)
    if not lotsize.is_integer() or lotsize > _LARGEST_LOT:
        raise ValueError(f"lot_size is no whole number up to {_LARGEST_LOT}: {shown(lot)}")
    symbol = brsymbol
    if kind in {"FUT", "CE", "PE"}:
        if not (name and expiry):
            raise ValueError(f"{kind} without a name or an expiry")
        symbol = derivative_symbol(name, expiry, strike, kind)
    row: dict[str, object] = {
        "symbol": symbol,
        "brsymbol": brsymbol,
        "name": name,
        "exchange": f"{brexchange}_INDEX" if segment == "INDICES" else brexchange,
        "brexchange": brexchange,
        "token": token,
        "expiry": expiry,
        "strike": strike,
        "lotsize": int(lotsize),
        "instrumenttype": kind,
        "tick_size": _number("tick_size", tick),
        "contract_value": None,
    }
    for column, limit in _LENGTHS.items():
        if len(str(row[column])) > limit:
            raise ValueError(f"{column} is longer than {limit} characters: {shown(row[column])}")
    return row


def _number(field: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{field} is not a number: {shown(text)}") from None
    if not 0 <= number < math.inf or "_" in text:  # float() takes 1_000, as Python's grammar does
        raise ValueError(f"{field} is not a finite number from 0 up: {shown(text)}")
    return number


@lru_cache(maxsize=1024)
def _expiry(text: str) -> str:
    """Turns `2026-08-25` into `25-AUG-26`; an instrument without expiry has an empty text."""
    if not text:
        return ""
    if not (match := _DATE.fullmatch(text)):
        raise ValueError(f"expiry is not YYYY-MM-DD: {shown(text)}")
    try:
        return expiry_text(date(*map(int, match.groups())))
    except ValueError:
        raise ValueError(f"expiry is no day of the calendar: {shown(text)}") from None


def _excerpt(line: bytes) -> str:
    return line[:80].decode(errors="backslashreplace").rstrip("\r\n")
