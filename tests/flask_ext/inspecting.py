"""What tests of the inspector have in common: applications, and what their pages say."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from flask import Flask

from dataloaders import DataLoader
from flask_dataloaders import DataLoaders

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from dataloaders.sql.sources import Bind

ROOT = "/_dataloaders/"


class Doubles(DataLoader[int, int]):
    """A source that looks nothing ahead."""

    def batch_load(self, keys: list[int]) -> dict[int, int]:
        return {key: key * 2 for key in keys}


def make_app(engine: Bind | None = None, *, debug: bool = True, **config: Any) -> Flask:  # noqa: ANN401 - settings
    """An application with a view that looks as much up, at once, as its path says."""
    app = Flask("app")
    app.debug = debug
    app.config.update(SECRET_KEY="of the tests", **config)
    DataLoaders(app, engine=engine)

    @app.get("/look/<int:count>")
    def look(count: int) -> str:
        return str(sum(Doubles.current().get_many(range(count))))

    return app


class Document(HTMLParser):
    """What elements a page has, and their texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def pages_of(client: FlaskClient) -> dict[str, str]:
    """Returns all that the inspector shows, by path."""
    listed = client.get(ROOT).text
    paths = [unescape(path) for path in re.findall(r'href="([^"]+/requests/[^"]+)"', listed)]
    others = [f"{ROOT}totals", f"{ROOT}totals.json", f"{ROOT}style.css"]
    return {ROOT: listed, **{path: client.get(path).text for path in [*paths, *others]}}


def rows_of(page: str) -> list[dict[str, str]]:
    """Returns the rows of a page's table, each cell by its column's heading."""
    rows = []
    for row in re.findall(r"<tr.*?</tr>", page, re.DOTALL):
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        rows.append([unescape(re.sub("<[^>]*>", "", cell)) for cell in cells])
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]] if rows else []


def figures_of(page: str) -> dict[str, str]:
    """Returns the figures at a page's top, by their names."""
    return dict(re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", page))
