"""Kyanite Markets: a back office of delimited text, padded numbers and many accounts."""

import logging

logging.getLogger(__name__).addHandler(logging.NullHandler())
