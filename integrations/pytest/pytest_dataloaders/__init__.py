"""Fixtures of `dataloaders.testing`, for pytest.

pytest imports this in every run, so nothing else is imported before a test asks for a fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from contextlib import AbstractContextManager

    from dataloaders import testing

_WATCHING = pytest.StashKey["testing.no_n_plus_one"]()


@pytest.fixture
def assert_queries() -> Callable[[int], AbstractContextManager[testing.Queries]]:
    """`dataloaders.testing.assert_queries`: so many queries are sent within its block."""
    from dataloaders import testing  # noqa: PLC0415 - see above

    return testing.assert_queries


@pytest.fixture
def no_n_plus_one(request: pytest.FixtureRequest) -> Iterator[testing.no_n_plus_one]:
    """Fails the test if lookups of it should have been one batch; its `allow` excepts some."""
    from dataloaders import testing  # noqa: PLC0415 - see above

    watching = testing.no_n_plus_one()
    request.node.stash[_WATCHING] = watching
    watching.begin()
    yield watching
    watching.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Looks at what was found when the test is over: as a fixture ends, it could not fail it."""
    yield
    watching = item.stash.get(_WATCHING, None)
    if watching is not None:
        found = watching.report()
        if found:
            pytest.fail(found, pytrace=False)
