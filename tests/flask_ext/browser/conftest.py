"""A browser, and the servers that it looks at."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from tests import browsers
from tests.databases import NotHereError, not_tested
from tests.servers import ROOT, flask_server, started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from playwright.async_api import Browser, Page

HERE = Path(__file__).parent

ARTEFACTS = Path(os.environ.get("DATALOADERS_TEST_ARTEFACTS") or ROOT / ".artefacts")
"""Where each test leaves a picture of what it saw last."""


@dataclass(frozen=True)
class Site:
    """A server with an inspector."""

    url: str

    def ask(self, path: str, body: object = None) -> Any:  # noqa: ANN401 - whatever the JSON is
        """Sends the application a request; returns the JSON of the answer."""
        data = None if body is None else json.dumps(body).encode()
        sent = Request(f"{self.url}{path}", data, {"Content-Type": "application/json"})  # noqa: S310 - a server of this run
        with urlopen(sent, timeout=30) as answer:  # noqa: S310 - as above
            text = answer.read()
        return json.loads(text) if answer.headers.get_content_type() == "application/json" else text

    def newest(self) -> str:
        """Returns the address of the page of the last request."""
        found = re.search(r'href="([^"]*/requests/[^"]+)"', self.ask("/_dataloaders/").decode())
        assert found is not None
        return f"{self.url}{found[1]}"


@pytest.fixture(scope="package")
def chromium(pytestconfig: pytest.Config) -> str:
    try:
        return browsers.chromium()
    except NotHereError as error:
        not_tested(pytestconfig, f"the inspector in a browser: {error}")


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=chromium, args=browsers.ARGUMENTS
        )
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def new_page(
    browser: Browser, request: pytest.FixtureRequest
) -> AsyncIterator[Callable[..., Any]]:
    """Opens pages, each in a context with the options given; keeps a picture of each."""
    pages: list[Page] = []

    async def new(**options: Any) -> Page:  # noqa: ANN401 - Playwright's
        options.setdefault("viewport", {"width": 1_200, "height": 800})
        context = await browser.new_context(**options)
        page = await context.new_page()
        pages.append(page)
        return page

    yield new
    name = re.sub(r"[^\w-]+", "-", request.node.name).strip("-")
    for number, page in enumerate(pages):
        await page.screenshot(path=ARTEFACTS / f"{name}-{number}.png", full_page=True)
        await page.context.close()


def serving(contract: Path, directory: Path, **environment: str) -> Iterator[Site]:
    server = flask_server("browsed_app", debug=True)
    environment["DATALOADERS_DATABASE_URI"] = f"sqlite:///{contract}"
    log = directory / "server.log"
    with started(server, sys.executable, log, environment, HERE) as running:
        yield Site(f"http://127.0.0.1:{running.port}")
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(scope="package")
def site(contract_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The application as its settings are by default."""
    yield from serving(contract_file, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="package")
def telling_site(contract_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The application with keys shown."""
    directory = tmp_path_factory.mktemp("telling_site")
    yield from serving(contract_file, directory, DATALOADERS_INSPECTOR_KEYS="on")


@pytest.fixture(scope="package")
def toolbar_site(contract_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The application with the debug toolbar, and keys shown."""
    directory = tmp_path_factory.mktemp("toolbar_site")
    shown = {"BROWSED_TOOLBAR": "1", "DATALOADERS_INSPECTOR_KEYS": "on"}
    yield from serving(contract_file, directory, **shown)
