"""What can go wrong with a broker."""

from __future__ import annotations


class BrokerError(Exception):
    """The broker cannot be reached, refuses, or sends what it should not."""


class BrokerRefusalError(BrokerError):
    """The broker does not do what it was asked.

    Args:
        reason: What it said, if it said anything.
    """

    def __init__(self, reason: object) -> None:
        super().__init__(f"The broker refused: {reason or 'it gave no reason'}")
