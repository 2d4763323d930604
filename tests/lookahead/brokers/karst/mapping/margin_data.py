import logging

from tests.lookahead.brokers.karst.mapping.transform_data import transform_data

logger = logging.getLogger(__name__)


def transform_margin_positions(positions):
    rows, failed = [], []
    for position in positions:
        try:
            row = transform_data(position)
            rows.append({"exch": row["exch"], "symbol": row["symbol_id"], "qty": row["qty"]})
        except LookupError as e:
            failed.append(str(e))
        except Exception:
            logger.debug("margin", exc_info=True)
    return rows, failed
