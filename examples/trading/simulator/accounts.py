"""Whose call it is; every pair of key and token is taken, as nobody logs in here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import KiteError

if TYPE_CHECKING:
    from aiohttp import web


class NotAuthenticatedError(KiteError):
    """A call without credentials."""

    def __init__(self) -> None:
        super().__init__(403, "TokenException", "Incorrect `api_key` or `access_token`.")


def account_of_call(request: web.Request) -> str:
    """Returns the api_key of `Authorization: token api_key:access_token`.

    Raises:
        NotAuthenticatedError: There is no such header.
    """
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    api_key, _, access_token = credentials.partition(":")
    if scheme != "token" or not api_key or not access_token:
        raise NotAuthenticatedError
    return api_key


def account_of_connection(request: web.Request) -> str:
    """Returns the api_key of the query `?api_key=…&access_token=…`.

    Raises:
        NotAuthenticatedError: The query has not both.
    """
    api_key = request.query.get("api_key", "")
    if not api_key or not request.query.get("access_token"):
        raise NotAuthenticatedError
    return api_key
