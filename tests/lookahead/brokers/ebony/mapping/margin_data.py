from tests.lookahead.token_db import get_token

LIMIT = 50


def transform_margin_positions(positions):
    """Rows of the margin call; what has no token is left out silently."""
    legs = []
    for position in positions[:LIMIT]:
        try:
            token = get_token(position["symbol"], position["exchange"]).strip()
            legs.append(
                {
                    "exchange": position["exchange"],
                    "qty": int(position["quantity"]),
                    "price": float(position.get("price", 0)),
                    "productType": position["product"],
                    "token": token,
                    "tradeType": position["action"].upper(),
                }
            )
        except (AttributeError, ValueError):
            pass
    return legs
