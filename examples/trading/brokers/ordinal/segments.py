"""Ordinal's codes for exchanges."""

from __future__ import annotations

from typing import Final

OTHER: Final = "OTHER"

EXCHANGES: Final = {
    0: OTHER,
    11: "NSE",
    12: "NFO",
    13: "CDS",
    14: "NCO",
    21: "BSE",
    22: "BFO",
    23: "BCD",
    31: "MCX",
}
"""The exchanges that have a code; 0 is for all others."""

CODES: Final = {exchange: code for code, exchange in EXCHANGES.items()}
