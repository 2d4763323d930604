"""What a broker's own side is to the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from examples.trading.broker_account import BrokerAccount


@dataclass(frozen=True, slots=True)
class Api:
    """What a broker serves, and how its answers look.

    Attributes:
        routes: For each method and path, what makes the answer, of an account and of the document
            that came with the request, None if none did. Raises an OrderRefusedError to refuse; a
            document that is not as it should be may raise a LookupError, TypeError, ValueError or
            AttributeError.
        success: Wraps such an answer up.
        failure: Wraps the message up that stands in its place.
    """

    routes: Mapping[tuple[str, str], Callable[[BrokerAccount, Any], object]]
    success: Callable[[object], dict[str, object]]
    failure: Callable[[str], dict[str, object]]
