"""The panel in the debug toolbar, on a page of the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.async_api import Page

    from tests.flask_ext.browser.conftest import Site

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


async def open_panel(page: Page, address: str) -> None:
    await page.goto(address)
    show = page.locator("#flDebugShowToolBarButton")
    if await show.is_visible():
        await show.click()
    await page.locator("#flDebugPanelList a", has_text="Data loaders").click()


async def test_it_opens_and_shows_the_request(
    toolbar_site: Site, new_page: Callable[..., Any]
) -> None:
    page = await new_page()
    await open_panel(page, f"{toolbar_site.url}/page")
    button = page.locator("#flDebugPanelList li", has_text="Data loaders")
    await expect(button).to_contain_text("1 lookups, 1 queries")
    panel = page.locator("#flDebug .dataloaders")
    await expect(panel.get_by_role("heading", name="Waterfall")).to_be_visible()
    await expect(panel.locator(".bar rect.sent")).to_be_visible()
    await panel.get_by_text("Details of batch 1").click()
    await expect(panel.locator(".sql").first).to_contain_text("symtoken")


async def test_it_changes_nothing_of_the_page(
    toolbar_site: Site, new_page: Callable[..., Any]
) -> None:
    page = await new_page()
    await page.goto(f"{toolbar_site.url}/page")
    styles = """() => [...document.querySelectorAll('html, body, body > :not(#flDebug)')].map(
        node => ['', '::before', '::after'].map(part => getComputedStyle(node, part)).map(
            style => [...style].map(name => [name, style.getPropertyValue(name)])))"""
    with_panel = await page.evaluate(styles)
    await page.evaluate("document.querySelector('#flDebug').remove()")
    assert with_panel == await page.evaluate(styles)
    assert len(with_panel) > 6


async def test_its_names_are_not_the_pages(
    toolbar_site: Site, new_page: Callable[..., Any]
) -> None:
    page = await new_page()
    await page.goto(f"{toolbar_site.url}/page")
    own = "[...document.querySelectorAll('[id]:not(#flDebug, #flDebug *)')].map(node => node.id)"
    assert await page.evaluate(own) == ["waterfall"]
    assert await page.evaluate("document.querySelector('.dataloaders')") is None
    await expect(page.locator(".dataloaders")).to_have_count(1)


async def test_it_looks_as_the_inspectors_page_does(
    toolbar_site: Site, new_page: Callable[..., Any]
) -> None:
    parts = ["h2", "h3", ".figures", ".figures dd", ".key", "svg", "rect", "small", ".place"]
    parts += [".source", ".row", "summary", "details ul", ".sql"]
    names = ["color", "backgroundColor", "fontFamily", "fontSize", "fontWeight", "display"]
    names += ["marginTop", "paddingLeft", "borderTopWidth", "whiteSpace", "textAlign", "fill"]
    styles = """(root, [parts, names]) => parts.map(
        part => [part, ...names.map(name => getComputedStyle(root.querySelector(part))[name])])"""
    page = await new_page()
    await open_panel(page, f"{toolbar_site.url}/page")
    panel = page.locator(".dataloaders")
    await panel.get_by_text("Details of batch 1").click()
    in_toolbar = await panel.evaluate(styles, [parts, names])
    await page.goto(toolbar_site.newest())
    await page.get_by_text("Details of batch 1").click()
    assert in_toolbar == await page.locator("body.dataloaders").evaluate(styles, [parts, names])


async def test_hostile_names_and_keys_are_nothing_but_text(
    toolbar_site: Site, new_page: Callable[..., Any]
) -> None:
    page = await new_page()
    await open_panel(page, f"{toolbar_site.url}/page?hostile")
    assert await page.title() == "Page"
    panel = page.locator("#flDebug .dataloaders")
    await expect(panel.locator(".harm, script")).to_have_count(0)
    text = await panel.inner_text()
    assert "<script>document.title = 'harmed'</script><b class=harm>\"'&{{ 7 * 7 }}" in text
    assert "\u202e" not in text


async def test_a_page_without_lookups_has_a_panel_that_says_so(
    toolbar_site: Site, new_page: Callable[..., Any]
) -> None:
    page = await new_page()
    await page.goto(f"{toolbar_site.url}/nothing")
    button = page.locator("#flDebugPanelList li", has_text="Data loaders")
    await expect(button).to_contain_text("nothing looked up")
    await expect(page.locator(".dataloaders")).to_have_count(0)
