import logging

from tests.lookahead.brokers.dolomite.mapping.transform_data import transform_data

logger = logging.getLogger(__name__)


def transform_margin_positions(positions):
    legs = []
    for position in positions:
        try:
            leg = transform_data(position)
        except ValueError as e:
            logger.info("%s", e)
            continue
        leg.pop("offlineOrder")
        legs.append(leg)
    return {"data": legs}
