import logging

from tests.lookahead.brokers.coral.mapping.lookup import security_id
from tests.lookahead.brokers.coral.mapping.transform_data import (
    map_exchange_type,
    map_product_type,
)

logger = logging.getLogger(__name__)


def transform_margin_position(position, client_id):
    try:
        exchange = position["exchange"]
        return {
            "dhanClientId": client_id,
            "exchangeSegment": map_exchange_type(exchange),
            "transactionType": position["action"].upper(),
            "quantity": int(position["quantity"]),
            "productType": map_product_type(position["product"]),
            "securityId": str(security_id(position["symbol"], exchange)),
            "price": float(position.get("price") or 0),
        }
    except (KeyError, ValueError) as e:
        logger.info("position cannot be margined: %s", e)
        return None


def transform_margin_positions(positions, client_id):
    rows = [transform_margin_position(position, client_id) for position in positions]
    return [row for row in rows if row is not None]
