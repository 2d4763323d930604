"""What goes wrong at present."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from .errors import InputError, KiteError
from .fault_plan import COUNTED, NO_FAULTS

if TYPE_CHECKING:
    from .fault_plan import FaultPlan
    from .limits import Kind

_ERROR_TYPES: Final = {
    429: "NetworkException",
    500: "GeneralException",
    502: "NetworkException",
    503: "NetworkException",
}


class Faults:
    """The plan that holds until another replaces it."""

    def __init__(self) -> None:
        self._plan = NO_FAULTS
        self._replaced = asyncio.Event()

    def replace(self, plan: FaultPlan) -> None:
        """Lets another plan hold; calls that hang are answered."""
        self._plan = plan
        self._replaced.set()
        self._replaced = asyncio.Event()

    @property
    def retry_after(self) -> float | None:
        """The seconds that refusals over a limit name."""
        return self._plan.retry_after

    def claim(self, kind: Kind) -> str | KiteError | None:
        """Returns the fault of the next call: its name, or the error that is to be the answer."""
        for name in ("status", *COUNTED):
            if self._plan.left[name] and (name != "half" or kind == "quote"):
                self._plan.left[name] -= 1
                return self._failure() if name == "status" else name
        return None

    async def delay(self) -> None:
        """Waits as long as every answer takes longer."""
        await asyncio.sleep(self._plan.latency)

    async def hang(self) -> None:
        """Waits until the plan is replaced."""
        await self._replaced.wait()

    def check(self, names: list[str]) -> None:
        """Refuses a call for quotes that has a name which it may not have.

        Raises:
            InputError: It has.
        """
        for name in names:
            if name in self._plan.refused_instruments:
                raise InputError(f"Invalid instrument: {name}.")

    def _failure(self) -> KiteError:
        failing = self._plan.failing
        assert failing is not None  # noqa: S101 - a plan that counts such calls has it
        return KiteError(
            failing.code, _ERROR_TYPES[failing.code], "Something went wrong.", failing.retry_after
        )
