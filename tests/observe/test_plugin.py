"""The pytest plug-in, in test runs of its own, on an application with a database."""

from __future__ import annotations

import configparser
import importlib.metadata
import re
from pathlib import Path
from textwrap import dedent

import pytest

pytest_plugins = "pytester"

pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).parents[2]

INI = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""

APP = """
import asyncio
import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
from flask import Flask
from sqlalchemy import create_engine

from dataloaders import DataLoader, LoaderRegistry
from dataloaders.symbols import SymbolMaster, generate_contract, get_token, replace_contract
from flask_dataloaders import DataLoaders

NAMES = [row["symbol"] for row in generate_contract(rows=2_000) if row["exchange"] == "NSE"][:6]
HIDDEN = [base64.b64encode(name.encode()) for name in NAMES]


class Doubled(DataLoader):
    asked = []

    def batch_load(self, keys):
        Doubled.asked.append(keys)
        return [key * 2 for key in keys]


registry = LoaderRegistry()


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('db') / 'contract.db'}")
    replace_contract(engine, generate_contract(rows=2_000))
    yield engine
    engine.dispose()


@pytest.fixture
def client(engine):
    return make_client(engine)


def make_client(engine):
    app = Flask("app")
    app.config["DATALOADERS_INSPECTOR"] = "off"
    DataLoaders(app, engine=engine)

    @app.get("/loop")
    def loop():
        return [get_token(name, "NSE") for name in NAMES]

    @app.get("/one-by-one")
    def one_by_one():
        return [get_token(base64.b64decode(text).decode(), "NSE") for text in HIDDEN]

    @app.get("/none")
    def none():
        return []

    return app.test_client()


def in_a_row(loader, keys):
    return [loader.get(key) for key in keys]
"""


@pytest.fixture
def run(pytester: pytest.Pytester) -> Runner:
    return Runner(pytester)


class Runner:
    """Runs tests of an application in a process of their own."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester

    def __call__(self, tests: str, *options: str) -> pytest.RunResult:
        self._pytester.makepyfile(app=APP, test_app=f"from app import *\n{dedent(tests)}")
        self._pytester.makeini(INI)
        return self._pytester.runpytest_subprocess("-p", "pytest_dataloaders", *options)


def test_exactly_so_many_queries(run: Runner) -> None:
    result = run("""
        def test_as_many(client, assert_queries):
            with assert_queries(1):
                client.get("/loop")
            with assert_queries(2) as queries:
                client.get("/loop")
                assert queries.count == 1
                client.get("/loop")
            with assert_queries(0):
                client.get("/none")

        def test_more(client, assert_queries):
            with assert_queries(0):
                client.get("/loop")

        def test_fewer(client, assert_queries):
            with assert_queries(2):
                client.get("/loop")

        def test_no_number(assert_queries):
            with assert_queries("1"):
                pass

        def test_its_own_error(client, assert_queries):
            with assert_queries(0):
                client.get("/loop")
                raise KeyError("its own")
    """)
    result.assert_outcomes(passed=1, failed=4)
    result.stdout.fnmatch_lines(
        [
            "E * AssertionError: Expected 0 queries, but 1 were sent.",
            "E * SymbolLoader: 1 for 6 keys: (?*?, ?NSE?), *",
            "E * at *app.py:* in make_client.<locals>.loop*",
            "E * SELECT*",
            "E * AssertionError: Expected 2 queries, but 1 were sent.",
            "E *ConfigurationError: *a number of queries*",
            "E * KeyError: 'its own'",
        ]
    )


def test_queries_of_wherever_they_are_sent(run: Runner) -> None:
    result = run("""
        from dataloaders.testing import assert_queries as imported

        def test_threads():
            with registry.scope() as scope, imported(3):
                loader = scope.loader(Doubled)
                threads = [threading.Thread(target=loader.get, args=(n,)) for n in range(3)]
                for thread in threads:
                    thread.start()
                    thread.join()

        async def test_tasks():
            async with registry.scope() as scope:
                loader = scope.loader(Doubled)
                with imported(1):
                    assert await asyncio.gather(*[loader.load(n) for n in range(3)]) == [0, 2, 4]
                with imported(2):
                    await asyncio.create_task(one(loader, 7))
                    await asyncio.create_task(one(loader, 8))

        async def one(loader, key):
            return await loader.load(key)

        def test_a_scope_that_is_open_before_and_after():
            with registry.scope() as scope:
                scope.loader(Doubled).get(1)
                with imported(1):
                    scope.loader(Doubled).get(2)
                    scope.loader(Doubled).get(1)
                scope.loader(Doubled).get(3)

        def test_a_scope_that_is_open_in_another_thread():
            with ThreadPoolExecutor(1) as pool:
                scope = pool.submit(opened).result()
                with imported(1):
                    pool.submit(scope.loader(Doubled).get, 2).result()
                pool.submit(scope.close).result()

        def opened():
            scope = registry.scope().__enter__()
            scope.loader(Doubled).get(1)
            return scope

        def test_a_scope_without_loaders_that_is_open_before():
            with registry.scope() as scope, imported(1):
                scope.loader(Doubled).get(2)

        def test_one_in_another():
            with registry.scope() as scope, imported(3) as outer:
                loader = scope.loader(Doubled)
                loader.get(1)
                with imported(1) as inner:
                    loader.get(2)
                loader.get(3)
                assert (outer.count, inner.count) == (3, 1)

        def test_outside_of_scopes(engine):
            master = SymbolMaster(engine)
            with imported(1):
                assert get_token(NAMES[0], "NSE") == get_token(NAMES[0], "NSE")
            master.close()
    """)
    result.assert_outcomes(passed=7)


def test_lookups_that_should_have_been_one_batch(run: Runner) -> None:
    result = run("""
        from dataloaders.testing import no_n_plus_one

        def test_none(client):
            with no_n_plus_one():
                client.get("/loop")
                client.get("/none")

        def test_some(client):
            with no_n_plus_one():
                client.get("/one-by-one")

        def test_in_a_scope_that_is_open_before_and_after():
            with registry.scope() as scope:
                loader = scope.loader(Doubled)
                in_a_row(loader, range(10))
                with no_n_plus_one():
                    loader.get(100)
                with pytest.raises(AssertionError, match="Doubled: 5 batches of one key"):
                    with no_n_plus_one():
                        in_a_row(loader, range(20, 25))

        @no_n_plus_one()
        def test_decorated(client):
            client.get("/one-by-one")

        @no_n_plus_one(allow=["*.one_by_one*"])
        def test_allowed(client):
            client.get("/one-by-one")

        @no_n_plus_one(allow=["Doubled"])
        def test_another_one_is_allowed(client):
            client.get("/one-by-one")

        @no_n_plus_one()
        async def test_decorated_on_a_loop():
            async with registry.scope() as scope:
                for key in range(5):
                    await scope.loader(Doubled).load(key)

        @no_n_plus_one(allow=["Doubled"])
        async def test_allowed_on_a_loop():
            async with registry.scope() as scope:
                for key in range(5):
                    await scope.loader(Doubled).load(key)

        def test_one_in_another():
            inner_is_over = []
            with registry.scope() as scope, pytest.raises(AssertionError, match="Doubled: 6"):
                with no_n_plus_one():
                    for key in range(6):
                        with no_n_plus_one() if key == 5 else nullcontext():
                            scope.loader(Doubled).get(key)
                    inner_is_over.append(True)
            assert inner_is_over

        def test_its_own_error(client):
            with pytest.raises(KeyError), no_n_plus_one():
                client.get("/one-by-one")
                raise KeyError
    """)
    result.assert_outcomes(passed=6, failed=4)
    result.stdout.fnmatch_lines(
        [
            "E * AssertionError: These should have been one batch each:",
            "E * n+1: SymbolLoader: 6 batches of one key, one after another in *",
            "E * at *app.py:* in make_client.<locals>.one_by_one*",
            "E *get_token(base64.b64decode(text).decode(), ?NSE?)*",
        ]
    )
    result.stdout.fnmatch_lines(["E * at *test_app.py:* in test_decorated_on_a_loop"])


def test_a_whole_test_is_watched_by_a_fixture(run: Runner) -> None:
    result = run("""
        @pytest.fixture
        def looked_up():
            with registry.scope() as scope:
                in_a_row(scope.loader(Doubled), range(5))

        @pytest.mark.usefixtures("no_n_plus_one")
        class TestAll:
            def test_none(self, client):
                client.get("/loop")

            def test_some(self, client):
                client.get("/one-by-one")

            def test_in_a_fixture(self, looked_up):
                pass

            def test_allowed(self, client, no_n_plus_one):
                no_n_plus_one.allow("SymbolLoader")
                client.get("/one-by-one")

            def test_that_fails(self, client):
                client.get("/one-by-one")
                assert False

            async def test_on_a_loop(self):
                async with registry.scope() as scope:
                    for key in range(5):
                        await scope.loader(Doubled).load(key)

        def test_that_is_not_watched(client):
            client.get("/one-by-one")
    """)
    # As failures, not as errors of a fixture that ends.
    result.assert_outcomes(passed=3, failed=4)
    result.stdout.fnmatch_lines(
        [
            "FAILED *::test_some - Failed: These should *",
            "FAILED *::test_in_a_fixture - Failed: These should *",
            "FAILED *::test_that_fails - assert False",
            "FAILED *::test_on_a_loop - Failed: These should *",
        ]
    )


def test_what_the_documentation_shows(run: Runner) -> None:
    text = (ROOT / "docs/detecting.md").read_text()
    (tests,) = re.findall(r"```python\n(import pytest\n.*?)```", text, re.DOTALL)
    reports = run._pytester.mkdir("legacy") / "reports.py"
    reports.write_text(
        "from dataloaders.symbols import get_token\n\n\n"
        "def look_up(names):\n    return [get_token(next(names), 'NSE') for _ in range(6)]\n"
    )
    views = """
        @pytest.fixture
        def client(engine):
            import sys

            sys.path.append("legacy")
            import reports

            client = make_client(engine)
            app = client.application
            app.add_url_rule("/orders", view_func=app.view_functions["loop"], endpoint="orders")
            app.add_url_rule("/positions", view_func=app.view_functions["none"], endpoint="none_")
            names = (base64.b64decode(text).decode() for text in HIDDEN)
            app.add_url_rule("/reports", view_func=lambda: reports.look_up(names), endpoint="r")
            return client
    """
    tests = re.sub(r"client.get\((.*)\)", r"assert client.get(\1).status_code == 200", tests)
    result = run(dedent(views) + tests)
    result.assert_outcomes(passed=3)
    run(dedent(views) + tests.replace("*/legacy/*", "*/other/*")).assert_outcomes(
        passed=2, failed=1
    )


def test_a_run_that_does_not_use_it_imports_nothing(run: Runner) -> None:
    run._pytester.makepyfile("""
        import sys

        def test_it():
            wanted = ("dataloaders", "sqlalchemy", "flask", "asyncio.base_events")
            assert not [name for name in wanted if name in sys.modules]
    """)
    run._pytester.makeini("[pytest]\nfilterwarnings = error")
    options = ("-p", "pytest_dataloaders", "-p", "no:asyncio", "-p", "no:anyio")
    hypothesis = ("-p", "no:hypothesispytest", "-p", "no:timeout")
    run._pytester.runpytest_subprocess(*options, *hypothesis).assert_outcomes(passed=1)


def test_its_fixtures_are_documented(run: Runner) -> None:
    result = run("", "--fixtures")
    result.stdout.fnmatch_lines(["assert_queries*", "no_n_plus_one*"])


def test_it_is_an_entry_point_of_pytest() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    name, value = config["options.entry_points"]["pytest11"].strip().split(" = ")
    module = importlib.metadata.EntryPoint(name, value, "pytest11").load()
    assert {"assert_queries", "no_n_plus_one"} <= set(vars(module))
