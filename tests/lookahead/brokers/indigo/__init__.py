"""Indigo Trade: numeric market codes and composite instrument keys such as '2|832770'."""

import logging

logging.getLogger(__name__).addHandler(logging.NullHandler())
