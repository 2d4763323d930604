"""Who may see the inspector; to anybody else it is not there at all."""

from __future__ import annotations

import json
import logging
import re
from contextlib import closing
from html import unescape
from http.client import HTTPConnection
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest
from flask import Blueprint, Flask, request, session
from flask.cli import routes_command
from flask.json.provider import DefaultJSONProvider
from werkzeug.serving import make_server
from werkzeug.test import create_environ, run_wsgi_app

from flask_dataloaders import DataLoaders
from tests.flask_ext.inspecting import ROOT, Doubles, make_app, pages_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from flask.testing import FlaskClient

# A name as long as the inspector's, that nothing answers to.
UNKNOWN = "_datalosters"

PATHS = (
    *("/_dataloaders", "/_dataloaders/", "/_dataloaders//", "//_dataloaders/", "/_dataloaders/x"),
    *("/_dataloaders/totals", "/_dataloaders/totals.json", "/_dataloaders/style.css"),
    *("/_dataloaders/requests/1-1", "/_dataloaders/../_dataloaders/", "/x/../_dataloaders/"),
    *("/_dataloaders/./totals", "/_dataloaders/\u00e9", "/_dataloaders\\", "/_dataloaders;/"),
    *("/_DATALOADERS/", "/_dataloaders/ ", "/_dataloaders/\n", "/_dataloaders/\x00"),
)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "ODD", "get", "--")

Answer = tuple[str, list[tuple[str, str]], bytes]


def answer_of(app: Flask, method: str, path: str, **environ: Any) -> Answer:  # noqa: ANN401 - of WSGI
    """Returns what a server would send, for exactly this path."""
    made = create_environ("/", "http://localhost:5000/", method=method)
    made |= {"PATH_INFO": path.encode().decode("latin-1"), **environ}
    parts, status, headers = run_wsgi_app(app, made, buffered=True)
    return status, sorted(headers), b"".join(parts)


def renamed(text: str) -> str:
    return text.replace("_dataloaders", UNKNOWN).replace("_DATALOADERS", UNKNOWN.upper())


def check_absence(app: Flask, **environ: Any) -> None:  # noqa: ANN401 - of WSGI
    """The inspector's paths are answered as those are that nothing answers to."""
    for path in PATHS:
        for method in METHODS:
            status, headers, body = answer_of(app, method, path, **environ)
            headers = [(key, renamed(value)) for key, value in headers]
            answer = status, headers, renamed(body.decode()).encode()
            assert answer == answer_of(app, method, renamed(path), **environ), (method, path)


def fails() -> bool:
    raise LookupError("of the check")


async def says_no() -> bool:
    return False


class Promise:
    """True, as any object is, whatever it is going to say."""

    def __await__(self) -> Generator[None, None, bool]:
        yield
        return False


CLOSED: dict[str, dict[str, Any]] = {
    "not in debug mode": {"debug": False},
    "off": {"DATALOADERS_INSPECTOR": "off"},
    "False": {"DATALOADERS_INSPECTOR": False},
    "a check that says no": {"DATALOADERS_INSPECTOR": lambda: None},
    "a check that raises": {"DATALOADERS_INSPECTOR": fails},
    "a check that asks the session": {"DATALOADERS_INSPECTOR": lambda: session.get("name")},
    "a check that looks something up": {
        "DATALOADERS_INSPECTOR": lambda: Doubles.current().get(1) != 2
    },
    "an async check that says no": {"DATALOADERS_INSPECTOR": says_no},
}


def tells(error: Any) -> tuple[dict[str, Any], int, dict[str, str]]:  # noqa: ANN401 - as below
    """Answers with all that could give a route away."""
    return (
        {
            "endpoint": request.endpoint,
            "rule": str(request.url_rule),
            "arguments": request.view_args,
            "blueprints": request.blueprints,
            "error": [type(error).__name__, str(error)],
            "routing": repr(request.routing_exception),
            "path": request.path,
        },
        404,
        {"X-Own": "yes"},
    )


def with_own_handler(app: Flask) -> None:
    app.register_error_handler(404, tells)
    app.register_error_handler(405, tells)


def with_a_route_of_any_path(app: Flask) -> None:
    app.add_url_rule("/<path:path>", "any", lambda path: f"any {path!r}")


def with_a_blueprint_of_any_path(app: Flask) -> None:
    own = Blueprint("own", __name__)
    own.before_request(lambda: ("who are you?", 401))
    own.add_url_rule("/<path:path>", "any", lambda path: path, methods=["GET", "POST"])
    app.register_blueprint(own)
    app.register_blueprint(own, name="inner", url_prefix="/_dataloaders/x")


def with_a_guard(app: Flask) -> None:
    app.before_request(lambda: None if request.endpoint is None else ("log in first", 302))


def with_loose_slashes(app: Flask) -> None:
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False


APPLICATIONS = (
    with_own_handler,
    with_a_route_of_any_path,
    with_a_guard,
    with_loose_slashes,
)


@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize("extend", APPLICATIONS)
def test_for_who_may_not_see_it_there_is_nothing(
    closed: str, extend: Callable[[Flask], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    app = make_app(**CLOSED[closed])
    extend(app)
    # In debug mode Flask's own handler shows errors otherwise; it is all the same to both.
    check_absence(app)
    check_absence(app, SCRIPT_NAME="/mounted")
    check_absence(app, HTTP_CONNECTION="Upgrade", HTTP_UPGRADE="websocket")


def test_a_blueprint_of_any_path_still_asks_who_it_is() -> None:
    app = make_app(debug=False)
    with_a_blueprint_of_any_path(app)
    assert answer_of(app, "GET", ROOT)[0].startswith("401")
    for path in ("/_dataloaders/", "/_dataloaders/totals"):
        expected = answer_of(app, "GET", path.replace("_dataloaders", UNKNOWN))
        assert answer_of(app, "GET", path) == expected


def test_a_static_folder_at_the_root_answers_as_it_does() -> None:
    app = make_app(debug=False)
    app.add_url_rule("/<path:filename>", "files", app.send_static_file)
    app.static_folder = "."
    check_absence(app)


@pytest.mark.parametrize("kind", ["host", "subdomain"])
def test_with_hosts_matched(kind: str) -> None:
    def made(*, debug: bool) -> Flask:
        app = Flask(
            "app",
            host_matching=kind == "host",
            subdomain_matching=kind == "subdomain",
            static_folder=None,
        )
        app.debug = debug
        app.config["SERVER_NAME"] = "example.test"
        DataLoaders(app)
        return app

    hosts = ["example.test"] + ["other.test"] * (kind == "host")
    for host in hosts:
        assert answer_of(made(debug=True), "GET", ROOT, HTTP_HOST=host)[0] == "200 OK"
        check_absence(made(debug=False), HTTP_HOST=host)
    check_absence(made(debug=False), HTTP_HOST="sub.example.test")


def test_over_a_real_server_as_well() -> None:
    """Encoded paths reach an application as servers decode them."""
    app = make_app(debug=False)
    with_a_route_of_any_path(app)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, args=[0.05])
    thread.start()

    def ask(method: str, target: str) -> tuple[int, list[tuple[str, str]], bytes]:
        with closing(HTTPConnection("127.0.0.1", server.server_port, timeout=10)) as connection:
            connection.putrequest(method, target, skip_accept_encoding=True)
            connection.endheaders()
            response = connection.getresponse()
            headers = [(key, value) for key, value in response.getheaders() if key != "Date"]
            return response.status, headers, response.read()

    try:
        for target in (
            *("/%5fdataloaders/", "/_dataloaders%2f", "/_dataloaders/%2e%2e/_dataloaders/"),
            *(
                "/_dataloaders/%2e/",
                "/_dataloaders%2ftotals",
                "/_dataloaders/?x=1",
                "/_dataloaders",
            ),
            *("http://localhost/_dataloaders/", "/_dataloaders/%00", "/_dataloaders/%0d%0a"),
        ):
            for method in ("GET", "POST", "OPTIONS", "ODD"):
                status, headers, body = ask(method, target)
                other = ask(method, target.replace("dataloaders", "datalosters"))
                body = body.replace(b"_dataloaders", UNKNOWN.encode())
                assert (status, headers, body) == other, (method, target)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_answer_that_can_be_awaited_is_no_yes(caplog: pytest.LogCaptureFixture) -> None:
    app = make_app(DATALOADERS_INSPECTOR=Promise)
    assert app.test_client().get(ROOT).status_code == 404
    assert "nobody, then" in caplog.text


def test_a_check_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = make_app(DATALOADERS_INSPECTOR=fails)
    assert app.test_client().get(ROOT).status_code == 404
    assert "of the check" in caplog.text
    assert "nobody, then" in caplog.text


# -- who may


def test_in_debug_mode_everybody_may() -> None:
    client = make_app().test_client()
    assert client.get("/look/3").text == "6"
    assert len(pages_of(client)) == 5


def test_the_mode_may_be_set_late() -> None:
    app = make_app(debug=False)
    client = app.test_client()
    client.get("/look/3")
    assert client.get(ROOT).status_code == 404
    app.debug = True
    client.get("/look/4")
    (row,) = rows_of(client.get(ROOT).text)
    assert row["Lookups"] == "4"
    app.debug = False
    assert client.get(ROOT).status_code == 404
    client.get("/look/5")
    app.debug = True
    (row,) = rows_of(client.get(ROOT).text)
    assert row["Lookups"] == "4"


def test_an_application_may_say_who() -> None:
    app = make_app(
        debug=False,
        DATALOADERS_INSPECTOR=lambda: session.get("name") == "ann" and "X-See" in request.headers,
    )

    @app.get("/log-in/<name>")
    def log_in(name: str) -> str:
        session["name"] = name
        return ""

    client = app.test_client()
    client.get("/look/3")
    see = {"X-See": "yes"}
    assert client.get(ROOT, headers=see).status_code == 404
    client.get("/log-in/bob")
    assert client.get(ROOT, headers=see).status_code == 404
    client.get("/log-in/ann")
    assert client.get(ROOT).status_code == 404
    (row,) = rows_of(client.get(ROOT, headers=see).text)
    assert row["Lookups"] == "3"


def test_what_a_check_looks_up_is_the_inspectors_own() -> None:
    app = make_app(debug=False, DATALOADERS_INSPECTOR=lambda: Doubles.current().get(1) == 2)
    client = app.test_client()
    client.get("/look/3")
    for _ in range(2):
        pages_of(client)
    (row,) = rows_of(client.get(ROOT).text)
    assert row["Request"] == "GET /look/<int:count>"


def test_who_may_see_it_has_pages_that_vary_by_the_cookie() -> None:
    app = make_app(debug=False, DATALOADERS_INSPECTOR=lambda: "name" not in session)
    assert app.test_client().get(ROOT).headers["Vary"] == "Cookie"


def test_debug_mode_does_not_overrule_the_application() -> None:
    app = make_app(debug=True, DATALOADERS_INSPECTOR=lambda: False)
    assert app.test_client().get(ROOT).status_code == 404


def test_an_async_check_is_awaited() -> None:
    async def says_yes() -> bool:
        return True

    app = make_app(debug=False, DATALOADERS_INSPECTOR=says_yes)
    assert app.test_client().get(ROOT).status_code == 200


def test_the_check_is_asked_for_its_own_paths_alone() -> None:
    asked: list[str] = []

    def check() -> bool:
        asked.append(request.path)
        return True

    app = make_app(debug=False, DATALOADERS_INSPECTOR=check)
    client = app.test_client()
    client.get("/look/3")
    client.get("/unknown")
    assert asked == []
    client.get(ROOT)
    assert set(asked) == {ROOT}
    asked.clear()
    result = app.test_cli_runner().invoke(routes_command)
    assert result.exit_code == 0, result.output
    assert "dataloaders.inspector" in result.output
    assert asked == []


@pytest.fixture
def client() -> FlaskClient:
    return make_app().test_client()


def test_it_is_read_only(client: FlaskClient) -> None:
    for method in METHODS:
        answer = client.open(ROOT, method=method)
        if method.upper() in {"GET", "HEAD"}:
            assert answer.status_code == 200
        else:
            assert answer.status_code == 405
            assert answer.headers["Allow"] == "GET, HEAD"
    assert client.head(ROOT).data == b""


def test_what_is_not_there_any_more_is_told(client: FlaskClient) -> None:
    for path in ("requests/1-1", "requests/", "requests", "other", "totals/"):
        answer = client.get(f"{ROOT}{path}")
        assert answer.status_code == 404
        assert "another worker" in answer.text


def test_no_page_is_kept_by_caches(client: FlaskClient) -> None:
    client.get("/look/3")
    for path in pages_of(client):
        headers = client.get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("mount", ["/mounted", '/"><b>', "/a#b", "/a?b", "/a%41", "/a b/\u00e9"])
def test_links_stay_where_the_application_is_mounted(mount: str) -> None:
    app = make_app()
    app.test_client().get("/look/3")
    _, _, body = answer_of(app, "GET", ROOT, SCRIPT_NAME=mount.encode().decode("latin-1"))
    assert b"<b>" not in body
    links = [unescape(link) for link in re.findall('href="(/[^"]+)"', body.decode())]
    assert len(links) == 4
    for link in links:
        parts = urlsplit(link)
        assert parts.query == parts.fragment == ""
        assert unquote(parts.path).startswith(f"{mount}{ROOT}")


def test_totals_have_their_own_form_whatever_the_applications_json_is() -> None:
    class Wrapped(DefaultJSONProvider):
        def dumps(self, obj: Any, **_options: Any) -> str:  # noqa: ANN401 - as its base
            return json.dumps({"data": obj})

    app = make_app()
    expected = app.test_client().get(f"{ROOT}totals.json").json
    app.json = Wrapped(app)
    app.test_client().get("/look/3")
    totals = app.test_client().get(f"{ROOT}totals.json").json
    assert expected == {}
    assert totals is not None
    assert totals["look"]["scopes"] == 1


def test_two_applications_have_an_inspector_each() -> None:
    one, other = make_app(), make_app()
    one.test_client().get("/look/3")
    other.test_client().get("/look/4")
    for app, count in ((one, "3"), (other, "4")):
        (row,) = rows_of(app.test_client().get(ROOT).text)
        assert row["Lookups"] == count
