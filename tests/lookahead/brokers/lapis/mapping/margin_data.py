from tests.lookahead.brokers.lapis.mapping.transform_data import transform_data
from tests.lookahead.token_db import get_brexchange, get_token


def transform_margin_positions(positions):
    legs = []
    for position in positions:
        symbol, exchange = position.get("symbol"), position.get("exchange")
        if not (symbol and exchange):
            continue
        if (token := get_token(symbol, exchange)) is None:
            continue
        legs.append(
            {
                **transform_data(position),
                "listingId": f"{token}_{get_brexchange(symbol, exchange)}",
            }
        )
    return legs
