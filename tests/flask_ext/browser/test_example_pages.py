"""The example's pages in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # it has no types

from examples.trading.app import create_app
from examples.trading.serving import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

BOOKS = ("orders", "trades", "positions", "positions/day", "holdings")


@pytest.fixture(scope="module")
def trading(contract_file: Path) -> Iterator[str]:
    settings = {"TRADING_DATABASE_URI": f"sqlite:///{contract_file}", "TRADING_BROKER": "kite"}
    with serving(create_app(settings | {"TRADING_BROKER_URL": "memory:"})) as url:
        yield url


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1_200])
async def test_each_book_can_be_read(
    trading: str, new_page: Callable[..., Any], scheme: str, width: int
) -> None:
    page = await new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    for book in BOOKS:
        await page.goto(f"{trading}/pages/{book}")
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        # What is too wide is moved within its frame, and not the page.
        assert await page.evaluate("document.documentElement.scrollWidth") == width
    links = await page.locator("nav a").all()
    assert len(links) == len(BOOKS)
    await links[0].click()
    assert page.url == f"{trading}/pages/orders"
    current = page.locator("nav [aria-current=page]")
    assert await current.inner_text() == "Orders"
