"""Records of Kyanite's text files, and how their fields are read."""

import logging
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

BOARDS = {
    "XNSE/EQ": "NSE",
    "XNSE/FO": "NFO",
    "XNSE/CD": "CDS",
    "XBOM/EQ": "BSE",
    "XBOM/FO": "BFO",
    "XMCX/FO": "MCX",
}


class RecordError(ValueError):
    """A line that is no record."""


@dataclass
class TradeRecord:
    reference: str
    board: str
    scrip: str
    side: str
    lots: int
    price: float
    remarks: list = field(default_factory=list)


@dataclass
class AccountBook:
    owner: str
    rows: list


def board_exchange(board):
    """Exchange of a board such as 'XNSE/EQ'; boards come in any case."""
    cleaned = (board or "").strip().upper()
    exchange = BOARDS.get(cleaned)
    if exchange is None:
        logger.warning("board %r", board)
        return cleaned
    return exchange


def plain_number(padded):
    """'279041' of '0000279041'; text that is no number stays."""
    try:
        return str(int(padded))
    except (TypeError, ValueError):
        return padded


def parse_trade(line):
    fields = [part.strip() for part in line.split("|")]
    if len(fields) != 6:
        raise RecordError(f"{len(fields)} fields")
    reference, board, scrip, side, lots, price = fields
    try:
        return TradeRecord(reference, board, scrip, side, int(lots), float(price))
    except ValueError as error:
        raise RecordError(str(error)) from error


def parse_fixed(line):
    """(scrip, board, quantity) of a line with fixed columns."""
    return line[0:12].lstrip("0"), line[12:20].strip(), int(line[20:28])
