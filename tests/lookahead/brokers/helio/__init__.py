"""Helio Broking: camelCase answers, segment names, holdings keyed by ISIN."""

import logging

logging.getLogger(__name__).addHandler(logging.NullHandler())
