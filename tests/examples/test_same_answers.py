"""The trading example answers generated requests alike with and without batching.

`make compare` sends more of them.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import create_engine

from examples.trading.brokers.registry import BROKERS
from tests.examples.comparing import odd_contract
from tests.examples.comparing.bounds import excess
from tests.examples.comparing.generated import any_requests, plain_requests
from tests.examples.comparing.variants import Variants
from tests.examples.contracts import url_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.examples.comparing.generated import Request
    from tests.examples.comparing.odd_contract import Row

REQUESTS = 100
"""Those of each test."""

pytestmark = pytest.mark.timeout(600)

_generated = settings(
    max_examples=REQUESTS,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Row]]:
    """The URL of a database with an odd contract, and its rows."""
    url = url_of(tmp_path_factory.mktemp("odd") / "trading.db")
    engine = create_engine(url)
    rows = odd_contract.fill(engine)
    engine.dispose()
    return url, rows


@pytest.fixture(params=BROKERS)
def variants(request: pytest.FixtureRequest, odd: tuple[str, list[Row]]) -> Iterator[Variants]:
    with closing(Variants(odd[0], request.param)) as variants:
        yield variants


def test_the_same_comes_of_each_request(variants: Variants, odd: tuple[str, list[Row]]) -> None:
    @_generated
    @given(any_requests(variants.broker, odd[1]))
    def compare(request: Request) -> None:
        assert variants.send(request).faults == []

    compare()


def test_batched_requests_take_no_more_queries_than_they_have_to(
    variants: Variants, odd: tuple[str, list[Row]]
) -> None:
    @_generated
    @given(plain_requests(variants.broker, odd[1]))
    def count(request: Request) -> None:
        pair = variants.send(replace(request, is_new=True))
        assert [*pair.faults, *excess(pair)] == []

    count()
