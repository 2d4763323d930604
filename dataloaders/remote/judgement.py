"""What is to be done about a call that has failed."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from dataloaders.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

TOO_MANY: Final = 429
TEMPORARY: Final = frozenset({502, 503, 504})


class Remedy(Enum):
    """What to do with the keys of a call that has failed.

    Attributes:
        FAIL: Their callers get the error.
        REPEAT: They are asked for again, if the source says that repeating its calls is safe.
        SLOW_DOWN: Nothing was done, the source being called too often: all of its calls pause.
        SPLIT: Nothing was done, because of some of the keys: they are asked for in halves.
    """

    FAIL = "fail"
    REPEAT = "repeat"
    SLOW_DOWN = "slow down"
    SPLIT = "split"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A remedy.

    Attributes:
        remedy: Which.
        seconds: How long to wait first, if the source has said so.

    Raises:
        ConfigurationError: The seconds are no number from 0 on: a header, say, that is still text.
    """

    remedy: Remedy
    seconds: float | None = None

    def __post_init__(self) -> None:
        seconds: object = self.seconds
        if seconds is not None and not (isinstance(seconds, int | float) and seconds >= 0):
            raise ConfigurationError("A Judgement's seconds", "a number from 0 on", seconds)


FAIL: Final = Judgement(Remedy.FAIL)
SPLIT: Final = Judgement(Remedy.SPLIT)


def judge_status(status: int, headers: Mapping[str, str], now: datetime) -> Judgement:
    """Judges an answer of HTTP by its status.

    429, and 503 with a Retry-After, slow down; 502, 503 and 504 are temporary.

    Args:
        status: The status.
        headers: The headers, of which `Retry-After` is read.
        now: The time, with a time zone, for a `Retry-After` that is a date.
    """
    seconds = _retry_after(headers.get("Retry-After"), now)
    if status == TOO_MANY or (status in TEMPORARY and seconds is not None):
        return Judgement(Remedy.SLOW_DOWN, seconds)
    return Judgement(Remedy.REPEAT) if status in TEMPORARY else FAIL


def response_of(error: Exception) -> Any:  # noqa: ANN401 - of whatever library
    """Returns the HTTP response that an error of httpx, requests or their like has, or None."""
    response = getattr(error, "response", None)
    return response if isinstance(getattr(response, "status_code", None), int) else None


def _retry_after(value: str | None, now: datetime) -> float | None:
    """Reads seconds or a date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after ."""
    if value is None:
        return None
    try:
        if value.strip().isdecimal():
            return float(value)
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
