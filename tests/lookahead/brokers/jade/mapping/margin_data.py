import logging

from tests.lookahead.brokers.jade.mapping.transform_data import SEGMENT, transform_data

logger = logging.getLogger(__name__)


def transform_margin_positions(positions):
    """Orders by segment: the margin service takes one segment at a time."""
    by_segment = {}
    for position in positions:
        try:
            order = transform_data(position)
        except (KeyError, ValueError) as e:
            logger.debug("left out of the margin: %s", e)
            continue
        by_segment.setdefault(SEGMENT[position["exchange"]], []).append(order)
    return by_segment
