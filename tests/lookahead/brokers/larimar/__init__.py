"""Larimar Prime: layered services, nested instruments, keys such as 'NSE:RELIANCE'."""

import logging

logging.getLogger(__name__).addHandler(logging.NullHandler())
