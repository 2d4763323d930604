"""Jasper Capital: terse keys, every number as text, series glued to the share's name."""

import logging

logging.getLogger(__name__).addHandler(logging.NullHandler())
