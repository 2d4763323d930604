"""What a broker's own side is to the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .account import BrokerAccount


class Asked(NamedTuple):
    """What came with a request.

    Attributes:
        document: Its JSON, None if there was none.
        query: What followed the path: each name's values.
        path: The parts of the path that are variable.
    """

    document: Any
    query: Mapping[str, Sequence[str]]
    path: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Api:
    """What a broker serves, and how its answers look.

    Attributes:
        routes: For each method and path, as of `werkzeug.routing`, what makes the answer. Raises
            an OrderRefusedError to refuse; where the request is not as it should be, it may raise a
            LookupError, TypeError, ValueError or AttributeError.
        success: Wraps such an answer up.
        failure: Wraps the message up that stands in its place.
    """

    routes: Mapping[tuple[str, str], Callable[[BrokerAccount, Asked], object]]
    success: Callable[[object], dict[str, object]]
    failure: Callable[[str], dict[str, object]]
