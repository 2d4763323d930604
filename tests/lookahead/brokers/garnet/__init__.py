"""Garnet Securities: REST gateway with envelope responses and integer scrip tokens."""

import logging

logging.getLogger(__name__).addHandler(logging.NullHandler())
