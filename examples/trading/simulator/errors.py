"""Refusals, in the error documents of Kite."""

from __future__ import annotations

from aiohttp import web


class KiteError(Exception):
    """A call that is not answered.

    Args:
        status: The HTTP status.
        error_type: Kite's name for the kind of error.
        message: What is wrong.
        retry_after: The seconds that the header Retry-After names; None for no such header.
    """

    def __init__(
        self, status: int, error_type: str, message: str, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type
        self.retry_after = retry_after

    def response(self) -> web.Response:
        """Returns the answer that says so."""
        headers = {} if self.retry_after is None else {"Retry-After": f"{self.retry_after:g}"}
        document = {
            "status": "error",
            "message": str(self),
            "data": None,
            "error_type": self.error_type,
        }
        return web.json_response(document, status=self.status, headers=headers)


class InputError(KiteError):
    """What was sent is not as it should be."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "InputException", message)


class TooManyRequestsError(KiteError):
    """A call that exceeds a limit."""

    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__(429, "NetworkException", "Too many requests", retry_after)
