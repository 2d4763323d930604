from tests.lookahead.brokers.basalt.mapping.exchange import TO_SEGMENT
from tests.lookahead.token_db import get_token


def transform_margin_positions(positions):
    legs, skipped = [], []
    for position in positions:
        try:
            token = get_token(position["symbol"], position["exchange"])
            segment = TO_SEGMENT[position["exchange"]]
        except KeyError as e:
            skipped.append(f"no {e}")
            continue
        if token:
            legs.append(
                {
                    "instrument_key": segment + "|" + token,
                    "quantity": int(position["quantity"]),
                    "transaction_type": position["action"].upper(),
                    "product": "I" if position["product"] == "MIS" else "D",
                }
            )
        else:
            skipped.append(position["symbol"])
    return legs, skipped


def batches_of_twenty(positions):
    """The margin call takes at most twenty instruments."""
    rows, skipped = transform_margin_positions(positions)
    return [rows[i : i + 20] for i in range(0, len(rows), 20)], len(skipped)
