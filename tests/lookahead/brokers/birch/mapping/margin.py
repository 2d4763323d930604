"""Margin bodies: Birch takes at most 20 instruments at a time."""

import logging

from tests.lookahead.brokers.birch.mapping.segments import key_of

log = logging.getLogger("birch.margin")


def _legs(positions):
    for p in positions:
        key = key_of(p["symbol"], p["exchange"])
        if key is None:
            log.debug("no margin for %s", p["symbol"])
            continue
        yield {
            "instrument_key": key,
            "quantity": int(p["quantity"]),
            "transaction_type": p["action"],
            "product": "D" if p["product"] in ("CNC", "NRML") else "I",
        }


def margin_bodies(positions):
    legs = list(_legs(positions))
    return [{"instruments": legs[n : n + 20]} for n in range(0, len(legs), 20)]
