"""The inspector in a browser: what is seen, where it is, and how it is reached."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.async_api import async_playwright, expect

from tests.browsers import ARGUMENTS
from tests.flask_ext.browser import browsed_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.async_api import FloatRect, Locator, Page

    from tests.flask_ext.browser.conftest import Site

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


@pytest.fixture(scope="session")
def rows(contract_file: Path) -> list[dict[str, str]]:
    with closing(sqlite3.connect(contract_file)) as connection:
        query = "SELECT DISTINCT symbol, exchange FROM symtoken LIMIT 40"
        found = connection.execute(query).fetchall()
    return [{"symbol": symbol, "exchange": exchange} for symbol, exchange in found]


@pytest.fixture
def pages(site: Site, rows: list[dict[str, str]]) -> list[str]:
    """One of each kind of pages, with something to see on it."""
    site.ask("/timed")
    site.ask("/failing/one")
    found = ["/_dataloaders/", "/_dataloaders/totals", "/_dataloaders/requests/none"]
    pages = [f"{site.url}{path}" for path in found]
    site.ask("/orders", rows)
    pages.append(site.newest())
    site.ask("/repeated")
    pages.append(site.newest())
    return pages


async def box_of(locator: Locator) -> FloatRect:
    box = await locator.bounding_box()
    assert box is not None
    return box


async def boxes_of(locator: Locator) -> list[FloatRect]:
    return [await box_of(each) for each in await locator.all()]


async def open_all(page: Page) -> None:
    for details in await page.locator("summary").all():
        await details.click()


async def css(locator: Locator, name: str) -> str:
    value = await locator.evaluate("(node, name) => getComputedStyle(node)[name]", name)
    return str(value)


# -- what is seen


async def test_a_request_is_found_in_the_list(
    site: Site, new_page: Callable[..., Any], rows: list[dict[str, str]]
) -> None:
    site.ask("/orders", rows)
    page = await new_page()
    await page.goto(f"{site.url}/_dataloaders/")
    await expect(page).to_have_title("Requests · Data loaders")
    cells = page.locator("tbody tr").first.locator("th, td")
    texts = await cells.all_inner_texts()
    assert texts[0] == "POST /orders"
    assert re.fullmatch(r"\d\d:\d\d:\d\d", texts[1])
    lookups, queries, saved = map(int, texts[3:6])
    assert (lookups, queries, saved) == (len(rows), lookups - saved, lookups - queries)
    assert queries < lookups
    await page.get_by_role("link", name="POST /orders").first.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("POST /orders")
    figures = page.locator(".figures > div", has_text="Lookups")
    await expect(figures.locator("dd")).to_have_text(str(len(rows)))


async def test_marks_are_where_their_times_are(site: Site, new_page: Callable[..., Any]) -> None:
    times = site.ask("/timed")
    page = await new_page()
    await page.goto(site.newest())
    bars = page.locator(".row.bar")
    await expect(bars).to_have_count(2)
    width = (await box_of(bars.first.locator("svg")))["width"]
    tolerance = 0.03 * width
    for number, (begun, ended) in enumerate(times["batches"]):
        track = await box_of(bars.nth(number).locator("svg"))
        mark = await box_of(bars.nth(number).locator("rect.sent"))
        begin = (mark["x"] - track["x"]) / track["width"]
        end = begin + mark["width"] / track["width"]
        assert begin == pytest.approx(begun / times["seconds"], abs=0.03)
        assert end == pytest.approx(ended / times["seconds"], abs=0.03)
    # Who asked: two lookups waited from just before until just after their batches.
    sites = page.locator(".row.site")
    await expect(sites).to_have_count(3)
    for number in range(2):
        lookup = await box_of(sites.nth(number).locator("rect.batch"))
        batch = await box_of(bars.nth(number).locator("rect.sent"))
        assert lookup["x"] <= batch["x"] + 1
        assert lookup["x"] == pytest.approx(batch["x"], abs=tolerance)
        assert lookup["width"] == pytest.approx(batch["width"], abs=tolerance)
    known = await box_of(sites.nth(2).locator("rect.loader"))
    track = await box_of(sites.nth(2).locator("svg"))
    assert known["x"] + known["width"] == pytest.approx(track["x"] + track["width"], abs=1)
    assert known["width"] >= 1.5  # it took no time, and is seen all the same


async def test_ticks_stand_at_the_lines_of_all_tracks(
    site: Site, new_page: Callable[..., Any]
) -> None:
    times = site.ask("/timed")
    page = await new_page()
    await page.goto(site.newest())
    ticks = page.locator(".ticks span")
    found = [float(text) for text in await ticks.all_inner_texts()]
    expected = [times["seconds"] * 1_000 * quarter / 4 for quarter in range(5)]
    assert found == pytest.approx(expected, rel=0.03, abs=0.02)
    boxes = await boxes_of(ticks)
    for track in await page.locator("svg.track").all():
        box = await box_of(track)
        assert boxes[0]["x"] == pytest.approx(box["x"], abs=1)
        assert boxes[4]["x"] + boxes[4]["width"] == pytest.approx(box["x"] + box["width"], abs=1)
        lines = await boxes_of(track.locator("line"))
        for line, tick in zip(lines, boxes[1:4], strict=True):
            assert line["x"] == pytest.approx(tick["x"], abs=2)


async def test_a_marks_name_says_when_it_was(site: Site, new_page: Callable[..., Any]) -> None:
    times = site.ask("/timed")
    page = await new_page()
    await page.goto(site.newest())
    for number, (begun, ended) in enumerate(times["batches"]):
        title = page.locator(".row.bar").nth(number).locator("rect.sent title")
        found = re.fullmatch(
            r"batch under way: at ([\d.]+) ms, ([\d.]+) ms long", await title.text_content()
        )
        assert found
        assert float(found[1]) == pytest.approx(begun * 1_000, abs=15)
        assert float(found[2]) == pytest.approx((ended - begun) * 1_000, abs=15)


async def test_a_statement_is_within_its_batch(
    site: Site, new_page: Callable[..., Any], rows: list[dict[str, str]]
) -> None:
    site.ask("/orders", rows)
    page = await new_page()
    await page.goto(site.newest())
    bar = page.locator(".row.bar").first
    sent = await box_of(bar.locator("rect.sent"))
    statement = await box_of(bar.locator("rect.statement").first)
    assert sent["x"] - 1 <= statement["x"]
    assert statement["x"] + statement["width"] <= sent["x"] + sent["width"] + 1
    assert sent["y"] < statement["y"]
    assert statement["y"] + statement["height"] < sent["y"] + sent["height"]


async def test_the_legend_has_the_kinds_that_there_are(
    site: Site, new_page: Callable[..., Any]
) -> None:
    site.ask("/timed")
    page = await new_page()
    await page.goto(site.newest())
    shown = {await each.get_attribute("class") for each in await page.locator("rect").all()}
    legend = page.locator(".legend span")
    keys = [await each.get_attribute("class") for each in await legend.locator("i").all()]
    assert {(key or "").removeprefix("key ") for key in keys} == shown
    assert len(keys) == len(shown) > 2
    for key in await legend.locator("i").all():
        kind = (await key.get_attribute("class") or "").removeprefix("key ")
        mark = page.locator(f"rect.{kind}").first
        assert await css(key, "backgroundColor") == await css(mark, "fill")


async def test_a_finding_shows_the_line_that_it_is_about(
    site: Site, new_page: Callable[..., Any]
) -> None:
    site.ask("/repeated")
    page = await new_page()
    await page.goto(site.newest())
    finding = page.locator(".finding")
    await expect(finding).to_have_count(1)
    await expect(finding.get_by_role("heading")).to_have_text("n+1: Plain")
    source = await finding.locator(".source").inner_text()
    assert source.startswith("return [Plain.current().get(")
    line = browsed_app.repeated.__code__.co_firstlineno + 2
    place = finding.locator(".place").first
    assert (await place.inner_text()).endswith(f"browsed_app.py:{line}")
    assert await place.get_attribute("title") == browsed_app.__file__
    mended = await finding.locator(".mended").inner_text()
    assert mended.strip() == source.strip().replace(
        "range(5)", 'Plain.current().over(range(5), lambda number: f"key {number}")'
    )


async def test_advice_that_is_no_line_is_marked_up(
    site: Site, new_page: Callable[..., Any]
) -> None:
    site.ask("/popped")
    page = await new_page()
    await page.goto(site.newest())
    finding = page.locator(".finding")
    await expect(finding).to_have_count(1)
    text = await finding.inner_text()
    assert "`" not in text
    assert "<code>" not in text
    await expect(finding.locator("p code", has_text="get_many")).to_have_text("get_many")


async def test_statements_are_shown_without_parameters(
    site: Site, new_page: Callable[..., Any]
) -> None:
    site.ask("/one/SECRETSYMBOL")
    page = await new_page()
    await page.goto(site.newest())
    sql = page.locator(".sql").first
    await expect(sql).not_to_be_visible()
    await open_all(page)
    await expect(sql).to_be_visible()
    assert "symtoken" in await sql.inner_text()
    await expect(page.get_by_text("parameters hidden")).to_be_visible()
    assert "SECRETSYMBOL" not in await page.content()


async def test_keys_are_shown_where_that_is_set(
    telling_site: Site, new_page: Callable[..., Any]
) -> None:
    telling_site.ask("/one/SECRETSYMBOL")
    page = await new_page()
    await page.goto(telling_site.newest())
    await expect(page.get_by_role("heading", level=1)).to_have_text("GET /one/SECRETSYMBOL")
    await open_all(page)
    await expect(page.locator(".keys code")).to_have_text("('SECRETSYMBOL', 'NSE')")
    assert "SECRETSYMBOL" in await page.locator(".sql").nth(1).inner_text()


async def test_hostile_names_and_keys_are_nothing_but_text(
    telling_site: Site, new_page: Callable[..., Any]
) -> None:
    telling_site.ask("/hostile")
    page = await new_page()
    for address in (telling_site.newest(), f"{telling_site.url}/_dataloaders/totals"):
        await page.goto(address)
        await open_all(page)
        await expect(page.locator(".harm, script")).to_have_count(0)
        assert await page.title() != "harmed"
        text = await page.locator("main").inner_text()
        assert "<script>document.title = 'harmed'</script><b class=harm>\"'&{{ 7 * 7 }}" in text
        assert "{{ 7 * 7 }}\\u202ehcetni\\x00" in text
        assert not set(text) & {"\x00", "\u202e", "\ufffd"}


# -- how it looks


@pytest.mark.parametrize("width", [1_200, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(
    pages: list[str], new_page: Callable[..., Any], scheme: str, width: int
) -> None:
    viewport = {"width": width, "height": 800}
    page = await new_page(color_scheme=scheme, viewport=viewport, bypass_csp=True)
    for address in pages:
        await page.goto(address)
        await open_all(page)
        results = await Axe().run(page, options={"resultTypes": ["violations", "passes"]})
        assert results.violations_count == 0, results.generate_report()
        assert "color-contrast" in {each["id"] for each in results.response["passes"]}


def luminance(color: str) -> float:
    """The relative luminance of WCAG: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    found = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", color)
    assert found, color
    parts = [int(part) / 255 for part in found.groups()]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


KINDS = ("batch", "lookahead", "loader", "elsewhere", "waited", "sent", "failed", "statement")


async def test_marks_stand_out_in_both_schemes(
    pages: list[str], new_page: Callable[..., Any]
) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        page = await new_page(color_scheme=scheme)
        await page.goto(pages[-1])
        ground = await css(page.locator("body"), "backgroundColor")
        grounds.append(ground)
        assert contrast(await css(page.locator("body"), "color"), ground) >= 7
        track = await css(page.locator("svg.track").first, "backgroundColor")
        mark = page.locator("svg.track rect").first
        fills = {}
        for kind in KINDS:
            await mark.evaluate("(node, kind) => node.setAttribute('class', kind)", kind)
            fills[kind] = await css(mark, "fill")
            assert contrast(fills[kind], track) >= 3, (scheme, kind)
        assert len(set(fills.values())) == len(KINDS)
        for ground in ("sent", "failed"):
            assert contrast(fills["statement"], fills[ground]) >= 3
    light, dark = map(luminance, grounds)
    assert light > 0.9
    assert dark < 0.1


async def test_figures_in_tables_stand_on_one_line(
    pages: list[str], new_page: Callable[..., Any]
) -> None:
    page = await new_page(viewport={"width": 400, "height": 800})
    for address in pages[:2]:
        await page.goto(address)
        for cell in await page.locator("tbody td:not(.name)").all():
            size = float((await css(cell, "lineHeight")).removesuffix("px"))
            lines = "node => { const r = document.createRange(); r.selectNodeContents(node);"
            height = await cell.evaluate(f"{lines} return r.getBoundingClientRect().height; }}")
            assert height < 1.5 * size, await cell.inner_text()


async def test_code_is_no_smaller_within_a_block(site: Site, new_page: Callable[..., Any]) -> None:
    site.ask("/repeated")
    page = await new_page()
    await page.goto(site.newest())
    block = page.locator("pre.source").first
    assert await css(block, "fontSize") == await css(block.locator("code"), "fontSize")


async def check_reflow(page: Page) -> None:
    """Nothing is cut off, or needs the page to be moved to the side."""
    outside = await page.evaluate(
        """() => {
            const {scrollWidth, clientWidth} = document.documentElement;
            const seen = [...document.querySelectorAll('main *:not(svg *, .scroll *)')];
            return [...(scrollWidth > clientWidth ? [`page ${scrollWidth}`] : []),
                ...seen.filter(node => node.getBoundingClientRect().left < 0
                    || node.getBoundingClientRect().right > clientWidth + 0.5
                    || node.scrollWidth > node.clientWidth + 1
                        && node.clientWidth > 0 && !node.matches('.scroll'))
                    .map(node => node.outerHTML.slice(0, 200))];
        }"""
    )
    assert outside == []


@pytest.mark.parametrize("width", [400, 320])  # 320 is 1,280 at 400 percent
async def test_on_a_narrow_screen_only_tables_scroll(
    pages: list[str], new_page: Callable[..., Any], width: int
) -> None:
    page = await new_page(viewport={"width": width, "height": 800})
    for address in pages:
        await page.goto(address)
        await open_all(page)
        await check_reflow(page)
        for region in await page.get_by_role("region").locator("table").all():
            overflows = "node => node.scrollWidth > node.parentElement.clientWidth"
            assert await region.evaluate(overflows)
            await region.evaluate("node => node.parentElement.scrollLeft = 10_000")
            last = await box_of(region.locator("thead th").last)
            assert last["x"] + last["width"] <= width


async def test_text_is_as_large_as_the_reader_has_it(chromium: str, pages: list[str]) -> None:
    heights = []
    async with async_playwright() as playwright:
        for size in (16, 32):
            arguments = [*ARGUMENTS, f"--blink-settings=defaultFontSize={size}"]
            browser = await playwright.chromium.launch(executable_path=chromium, args=arguments)
            page = await browser.new_page(viewport={"width": 800, "height": 800})
            for address in pages:
                await page.goto(address)
                await open_all(page)
                await check_reflow(page)
            parts = [
                page.locator(part).first for part in ("p", "small", "h1", "pre code", ".ticks")
            ]
            sizes = [await css(part, "fontSize") for part in parts]
            heights.append([float(size.removesuffix("px")) for size in sizes])
            await browser.close()
    assert heights[1] == [2 * height for height in heights[0]]
    assert min(heights[0]) > 10


# -- how it is reached


async def test_the_keyboard_reaches_everything_in_order(
    pages: list[str], new_page: Callable[..., Any]
) -> None:
    page = await new_page()
    for address in pages:
        await page.goto(address)
        wanted = page.locator("a[href], summary, [tabindex='0']")
        count = await wanted.count()
        places = []
        for number in range(count):
            await page.keyboard.press("Tab")
            focused = page.locator(":focus-visible")
            await expect(focused).to_have_count(1)
            same = "(node, [css, number]) => document.querySelectorAll(css)[number] === node"
            selector = "a[href], summary, [tabindex='0']"
            assert await focused.evaluate(same, [selector, number])
            assert await css(focused, "outlineStyle") == "solid"
            assert float((await css(focused, "outlineWidth")).removesuffix("px")) >= 2
            top, left, width = await focused.evaluate(
                """node => {
                    const {top, left, width} = node.getBoundingClientRect();
                    return [top + scrollY, left + scrollX, width];
                }"""
            )
            assert left >= 0
            assert width > 0
            places.append((top, left))
        assert places[1:] == sorted(places[1:])  # the skip link has moved the page down


async def test_the_skip_link_leads_past_the_navigation(
    pages: list[str], new_page: Callable[..., Any]
) -> None:
    page = await new_page()
    await page.goto(pages[-1])
    skip = page.get_by_role("link", name="Skip to content")
    box = await box_of(skip)
    assert box["x"] + box["width"] <= 0
    await page.keyboard.press("Tab")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    inside = "node => Boolean(node.closest('main'))"
    assert await page.locator(":focus").evaluate(inside)


async def test_details_open_by_enter(site: Site, new_page: Callable[..., Any]) -> None:
    site.ask("/one/RELIANCE")
    page = await new_page()
    await page.goto(site.newest())
    sql = page.locator(".sql").first
    await expect(sql).not_to_be_visible()
    await page.get_by_text("Details of batch 1").focus()
    await page.keyboard.press("Enter")
    await expect(sql).to_be_visible()
    await page.keyboard.press("Space")
    await expect(sql).not_to_be_visible()


async def test_no_script_is_needed(site: Site, new_page: Callable[..., Any]) -> None:
    site.ask("/repeated")
    page = await new_page(java_script_enabled=False)
    await page.goto(f"{site.url}/_dataloaders/")
    await page.get_by_role("link", name="GET /repeated").first.click()
    await expect(page.locator(".finding")).to_be_visible()
    await page.get_by_text("Details of 5 batches").click()
    await expect(page.get_by_text("Sent:").first).to_be_visible()
    await page.get_by_role("link", name="Totals").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Totals")
    await expect(page.locator("tbody th", has_text="repeated").first).to_be_visible()


async def test_nothing_is_asked_of_anybody_else(
    site: Site, pages: list[str], new_page: Callable[..., Any]
) -> None:
    page = await new_page()
    asked: set[str] = set()
    errors: list[str] = []
    page.context.on("request", lambda request: asked.add(request.url))
    page.on("console", lambda message: errors.append(message.text))
    for address in pages:
        await page.goto(address, wait_until="networkidle")
        await open_all(page)
    assert asked == {*pages, f"{site.url}/_dataloaders/style.css"}
    assert [error for error in errors if "404" not in error] == []


async def test_the_policy_is_sent_and_holds(site: Site, new_page: Callable[..., Any]) -> None:
    page = await new_page()
    site.ask("/timed")
    answer = await page.goto(site.newest())
    policy = dict(
        part.strip().partition(" ")[::2]
        for part in answer.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["style-src"] == "'self'"
    assert "script-src" not in policy
    done = await page.evaluate(
        """async () => {
            const refused = [];
            document.addEventListener('securitypolicyviolation',
                event => refused.push(event.effectiveDirective));
            const add = (name, set) => {
                const node = document.createElement(name);
                set(node);
                document.body.append(node);
                return node;
            };
            add('script', node => node.textContent = 'window.ran = true');
            add('script', node => node.src = '/page');
            add('img', node => node.src = '/page');
            add('iframe', node => node.src = '/page');
            const styled = add('p', node => node.setAttribute('style', 'color: rgb(1, 2, 3)'));
            let fetched = true;
            try { await fetch('/page') } catch { fetched = false }
            await new Promise(go => setTimeout(go, 200));
            return {ran: Boolean(window.ran), fetched, color: getComputedStyle(styled).color,
                refused: [...new Set(refused)].sort()};
        }"""
    )
    assert not done["ran"]
    assert not done["fetched"]
    assert done["color"] != "rgb(1, 2, 3)"
    expected = ["connect-src", "frame-src", "img-src", "script-src-elem", "style-src-attr"]
    assert done["refused"] == expected


async def test_no_page_of_another_may_have_it_in_a_frame(
    site: Site, new_page: Callable[..., Any]
) -> None:
    page = await new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    await page.goto(f"{site.url}/page")
    await page.evaluate(
        """() => new Promise(done => {
            const frame = document.createElement('iframe');
            frame.onload = done;
            frame.src = '/_dataloaders/';
            document.body.append(frame);
        })"""
    )
    assert any("frame-ancestors" in error for error in errors)


# -- what browsers read by themselves


async def test_the_browser_reads_the_server_timing(
    site: Site, new_page: Callable[..., Any]
) -> None:
    page = await new_page()
    await page.goto(f"{site.url}/page?hostile")
    entries = await page.evaluate(
        "performance.getEntriesByType('navigation')[0].serverTiming.map(each => each.toJSON())"
    )
    names = [entry["name"] for entry in entries]
    assert names[:2] == ["dataloaders", "SymbolLoader"]
    assert len(entries) == 3
    assert re.fullmatch("[a-z0-9_'&.^|~*+-]+", names[2], re.IGNORECASE)
    assert all(entry["duration"] > 0 for entry in entries[:2])
    assert entries[1]["description"] == "1 lookups, 1 queries, 0 saved"
    total = sum(entry["duration"] for entry in entries[1:])
    assert entries[0]["duration"] == pytest.approx(total, abs=0.02)
