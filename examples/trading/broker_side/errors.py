"""What the broker does not do."""

from __future__ import annotations


class OrderRefusedError(Exception):
    """An order, or something like one, that the broker does not take."""
