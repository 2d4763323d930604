"""What is made of errors that say something by HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import httpx
import pytest

from dataloaders.errors import ConfigurationError
from dataloaders.remote import FAIL, Judgement, Remedy, RemoteSource, judge_status

NOW = datetime(2026, 8, 18, 9, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "retry_after", "expected"),
    [
        (429, None, Judgement(Remedy.SLOW_DOWN)),
        (429, "3", Judgement(Remedy.SLOW_DOWN, 3.0)),
        (429, " 0 ", Judgement(Remedy.SLOW_DOWN, 0.0)),
        (429, "Tue, 18 Aug 2026 09:15:30 GMT", Judgement(Remedy.SLOW_DOWN, 30.0)),
        (429, "Tue, 18 Aug 2026 09:14:00 GMT", Judgement(Remedy.SLOW_DOWN, 0.0)),
        (429, "soon", Judgement(Remedy.SLOW_DOWN)),
        (429, "Tue, 18 Aug 24444444426 09:15:30 GMT", Judgement(Remedy.SLOW_DOWN)),
        (429, "-1", Judgement(Remedy.SLOW_DOWN)),
        (429, "inf", Judgement(Remedy.SLOW_DOWN)),
        (429, "Tue, 18 Aug 2026 09:15:30 -0000", Judgement(Remedy.SLOW_DOWN)),  # of no zone
        (503, "2", Judgement(Remedy.SLOW_DOWN, 2.0)),
        (503, None, Judgement(Remedy.REPEAT)),
        (502, None, Judgement(Remedy.REPEAT)),
        (504, None, Judgement(Remedy.REPEAT)),
        (500, None, FAIL),
        (400, "2", FAIL),
        (403, None, FAIL),
    ],
)
def test_a_status(status: int, retry_after: str | None, expected: Judgement) -> None:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    assert judge_status(status, headers, NOW) == expected


class Source(RemoteSource):
    temporary = (OSError, httpx.TransportError)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionResetError(), Judgement(Remedy.REPEAT)),
        (TimeoutError(), Judgement(Remedy.REPEAT)),
        (httpx.ReadTimeout("slow"), Judgement(Remedy.REPEAT)),
        (ValueError("rubbish"), FAIL),
        (LookupError(), FAIL),
    ],
)
def test_an_error_without_a_response(error: Exception, expected: Judgement) -> None:
    assert Source().judge(error) == expected


def test_an_error_of_httpx_has_its_response() -> None:
    request = httpx.Request("GET", "http://broker/quote")
    response = httpx.Response(429, headers={"retry-after": "7"}, request=request)
    with pytest.raises(httpx.HTTPStatusError) as caught:
        response.raise_for_status()
    assert Source().judge(caught.value) == Judgement(Remedy.SLOW_DOWN, 7.0)


@pytest.mark.parametrize("response", [None, "text", SimpleNamespace(status_code="429")])
def test_something_else_that_is_called_response_is_none(response: object) -> None:
    error = ValueError("rubbish")
    error.response = response  # type: ignore[attr-defined]  # as a library may
    assert Source().judge(error) == FAIL


@pytest.mark.parametrize("seconds", ["3", -1.0, float("nan")])
def test_a_pause_that_is_no_number_is_refused_where_it_is_said(seconds: object) -> None:
    with pytest.raises(ConfigurationError, match="A Judgement's seconds"):
        Judgement(Remedy.SLOW_DOWN, seconds)  # type: ignore[arg-type]  # as of a header
