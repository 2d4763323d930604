"""Takes the README's pictures of the inspector again: `make screenshots`.

`python -m tests.examples.screenshots FOLDER` writes them there in place of docs/images. What they
show are requests to the trading example, with its broker as a process of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.request import urlopen

from playwright.sync_api import sync_playwright
from sqlalchemy import create_engine

from dataloaders.symbols import generate_contract, replace_contract
from examples.trading.app import create_app
from examples.trading.serving import broker_process, serving
from tests import browsers
from tests.examples.contracts import url_of

if TYPE_CHECKING:
    from flask import Flask
    from playwright.sync_api import Browser

FOLDER = Path(__file__).parents[2] / "docs" / "images"

Scheme: TypeAlias = Literal["dark", "light"]

ROWS = 20_000  # of the contract

SIZES = {"waterfall-light.png": (1_100, 900), "finding-dark.png": (1_100, 600)}


def make_app(database: Path, broker_url: str, lookahead: str) -> Flask:
    """Returns the example in debug mode."""
    app = create_app(
        {
            "TRADING_DATABASE_URI": url_of(database),
            "TRADING_BROKER_URL": broker_url,
            "DATALOADERS_LOOKAHEAD": lookahead,
        }
    )
    app.debug = True
    return app


def take(browser: Browser, url: str, scheme: Scheme, picture: Path) -> None:
    """Takes the picture of the last of a few requests."""
    for _ in range(3):  # the first ones pay for imports and for connecting
        with urlopen(f"{url}/positions", timeout=30) as answer:  # noqa: S310 - the server above
            answer.read()
    width, height = SIZES[picture.name]
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": height})
    page.goto(f"{url}/_dataloaders/")
    page.get_by_role("link", name="GET /positions").first.click()
    page.screenshot(path=picture)
    page.close()


def main(folder: Path) -> None:
    """Takes all of them."""
    with TemporaryDirectory() as directory, sync_playwright() as playwright:
        database = Path(directory) / "trading.db"
        engine = create_engine(url_of(database))
        replace_contract(engine, generate_contract(ROWS))
        engine.dispose()
        browser = playwright.chromium.launch(
            executable_path=browsers.chromium(), args=browsers.ARGUMENTS
        )
        with broker_process(url_of(database)) as broker_url:
            with serving(make_app(database, broker_url, "on")) as url:
                take(browser, url, "light", folder / "waterfall-light.png")
            with serving(make_app(database, broker_url, "off")) as url:
                take(browser, url, "dark", folder / "finding-dark.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else FOLDER)
