"""Wicker's segments."""

from __future__ import annotations

from typing import Final

EXCHANGES: Final = {
    "NSE_EQ": "NSE",
    "NSE_FO": "NFO",
    "NSE_FX": "CDS",
    "BSE_EQ": "BSE",
    "BSE_FO": "BFO",
    "BSE_FX": "BCD",
    "MCX_FO": "MCX",
}
"""The exchange of each segment; one that is missing is called the same on both sides."""

SEGMENTS: Final = {exchange: segment for segment, exchange in EXCHANGES.items()}
