from tests.lookahead.brokers.ivory.mapping.segments import REVERSE
from tests.lookahead.token_db import get_token


def transform_margin_positions(positions):
    rows = []
    for p in positions:
        if p.get("symbol"):
            tok = get_token(p["symbol"], p["exchange"])
            if tok not in (None, "", "0"):
                rows.append(
                    {
                        "exSeg": REVERSE[p["exchange"]],
                        "tok": tok,
                        "qty": str(p["quantity"]),
                        "trnsTp": p["action"][0].upper(),
                        "prod": p["product"],
                    }
                )
    return rows
