"""`flask symbols`: the commands, their answers, and what they say when something is wrong."""

from __future__ import annotations

import gzip
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from sqlalchemy import Engine, create_engine

from dataloaders.symbols import generate_contract, get_token
from flask_dataloaders import DataLoaders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

    from dataloaders import LoaderScope

ROOT = Path(__file__).parents[2]

HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,"
    "lot_size,instrument_type,segment,exchange"
)
GOOD = (
    "738561,2885,RELIANCE,RELIANCE INDUSTRIES,0,,0,0.05,1,EQ,NSE,NSE",
    "128083204,500325,RELIANCE,RELIANCE INDUSTRIES,0,,0,0.05,1,EQ,BSE,BSE",
    "256265,1001,NIFTY 50,NIFTY 50,0,,0,0,0,EQ,INDICES,NSE",
    "9604354,37517,NIFTY26AUGFUT,NIFTY,0,2026-08-25,0,0.1,65,FUT,NFO-FUT,NFO",
)
BAD = "no number,1,BROKEN,BROKEN,0,,0,0.05,1,EQ,NSE,NSE"


def dump(*lines: str) -> bytes:
    return "\n".join((HEADER, *lines, "")).encode()


def run(engine: Engine | None, *arguments: object) -> Result:
    app = Flask("app")
    DataLoaders(app, engine=engine)
    return app.test_cli_runner().invoke(args=["symbols", *map(str, arguments)])


def rows(database: Path, columns: str = "symbol, exchange, token") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(f"SELECT {columns} FROM symtoken ORDER BY id").fetchall()  # noqa: S608 - columns are the tests' own


@pytest.fixture
def empty_database(tmp_path: Path) -> Path:
    return tmp_path / "empty.db"


@pytest.fixture
def empty(empty_database: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{empty_database}")
    yield engine
    engine.dispose()


def test_import_replaces_the_contract(engine: Engine, database: Path, tmp_path: Path) -> None:
    source = tmp_path / "instruments.csv"
    source.write_bytes(dump(*GOOD))
    result = run(engine, "import", source)
    assert result.exit_code == 0, result.output
    assert "4 symbols imported, 0 lines rejected" in result.stdout
    assert rows(database, "brsymbol, exchange, brexchange, token, lotsize") == [
        ("RELIANCE", "NSE", "NSE", "738561", 1),
        ("RELIANCE", "BSE", "BSE", "128083204", 1),
        ("NIFTY 50", "NSE_INDEX", "NSE", "256265", 0),
        ("NIFTY26AUGFUT", "NFO", "NFO", "9604354", 65),
    ]


def test_import_makes_the_table(empty: Engine, empty_database: Path, tmp_path: Path) -> None:
    source = tmp_path / "instruments.csv"
    source.write_bytes(dump(*GOOD))
    assert run(empty, "import", source).exit_code == 0
    assert len(rows(empty_database)) == 4


def test_import_of_a_packed_file(engine: Engine, database: Path, tmp_path: Path) -> None:
    source = tmp_path / "instruments.csv.gz"
    source.write_bytes(gzip.compress(dump(*GOOD)))
    result = run(engine, "import", source)
    assert result.exit_code == 0, result.output
    assert "4 symbols imported, 0 lines rejected" in result.stdout
    assert rows(database)[0] == ("RELIANCE", "NSE", "738561")


def test_malformed_lines_are_named(engine: Engine, database: Path, tmp_path: Path) -> None:
    source = tmp_path / "instruments.csv"
    source.write_bytes(dump(GOOD[0], BAD, GOOD[1], "too,short", GOOD[0]))
    result = run(engine, "import", source)
    assert result.exit_code == 0, result.output
    assert "2 symbols imported, 3 lines rejected" in result.stdout
    notes = [line for line in result.stderr.splitlines() if line.startswith("line ")]
    assert [line.partition(":")[0] for line in notes] == ["line 3", "line 5", "line 6"]
    assert "instrument_token" in notes[0]
    assert "2 fields in place of 12" in notes[1]
    assert "line 2 already" in notes[2]
    assert len(rows(database)) == 2


def test_many_malformed_lines_are_cut_short(engine: Engine, tmp_path: Path) -> None:
    source = tmp_path / "instruments.csv"
    source.write_bytes(dump(GOOD[0], *[BAD] * 50))
    result = run(engine, "import", source)
    assert "1 symbols imported, 50 lines rejected" in result.stdout
    notes = [line for line in result.stderr.splitlines() if line.startswith("line ")]
    assert len(notes) == 20
    assert "and 30 more" in result.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html>\n<title>Sign in</title>\n", "DOCTYPE"),
        (dump(), "at least one instrument"),
        (dump(BAD, BAD), "at least one instrument"),
        (gzip.compress(dump(*GOOD))[:-12], "a whole gzip file"),
        (b"\x00\xff" * 1_000, "a header with"),
    ],
    ids=["empty", "html", "header only", "all malformed", "cut gzip", "binary"],
)
def test_what_is_no_dump_leaves_the_old_contract(
    engine: Engine, database: Path, tmp_path: Path, content: bytes, said: str
) -> None:
    before = rows(database)
    source = tmp_path / "instruments.csv"
    source.write_bytes(content)
    result = run(engine, "import", source)
    assert result.exit_code == 1
    assert said in result.stderr
    assert "is not a master contract" in result.stderr
    assert "Traceback" not in result.output
    assert rows(database) == before


def test_import_of_a_missing_file(engine: Engine, database: Path, tmp_path: Path) -> None:
    before = rows(database)
    result = run(engine, "import", tmp_path / "missing.csv")
    assert result.exit_code == 1
    assert "missing.csv" in result.stderr
    assert isinstance(result.exception, SystemExit)
    assert rows(database) == before


def test_generate(empty: Engine, empty_database: Path) -> None:
    result = run(empty, "generate", "--rows", 300, "--seed", 7)
    assert result.exit_code == 0, result.output
    assert "300 symbols generated" in result.stdout
    expected = [(row["symbol"], row["exchange"], row["token"]) for row in generate_contract(300, 7)]
    assert rows(empty_database) == expected


@pytest.mark.parametrize("number", ["0", "-1", "1000001", "many"])
def test_generate_refuses_a_senseless_number(empty: Engine, number: str) -> None:
    result = run(empty, "generate", "--rows", number)
    assert result.exit_code == 2
    assert "--rows" in result.stderr


@pytest.mark.parametrize("by", ["symbol", "brsymbol", "token"])
def test_lookup(engine: Engine, database: Path, by: str) -> None:
    columns = "id, symbol, brsymbol, name, exchange, token, expiry, strike, lotsize, tick_size"
    (row,) = (row for row in rows(database, columns) if row[1] == "RELIANCE" and row[4] == "NSE")
    names = columns.split(", ")
    result = run(engine, "lookup", row[names.index(by)], "NSE", "--by", by)
    assert result.exit_code == 0, result.output
    shown = {line[:15].strip(): line[15:] for line in result.stdout.splitlines()}
    assert {name: shown[name] for name in names} == dict(zip(names, map(str, row), strict=True))
    assert shown["contract_value"] == ""  # None is shown as nothing


def test_lookup_of_an_unknown_symbol(engine: Engine) -> None:
    result = run(engine, "lookup", "NOSUCH", "NSE")
    assert result.exit_code == 1
    assert "NOSUCH" in result.stderr
    assert result.stdout == ""


def test_count(engine: Engine, database: Path) -> None:
    result = run(engine, "count")
    assert result.exit_code == 0, result.output
    expected = Counter(exchange for _, exchange, _ in rows(database))
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines == [
        *([name, str(number)] for name, number in sorted(expected.items())),
        ["total", str(expected.total())],
    ]


@pytest.mark.parametrize("command", [("count",), ("lookup", "RELIANCE", "NSE")])
def test_missing_table(empty: Engine, command: tuple[str, ...]) -> None:
    result = run(empty, *command)
    assert result.exit_code == 1
    assert "no such table: symtoken" in result.stderr
    assert isinstance(result.exception, SystemExit)


COMMANDS = (("count",), ("lookup", "A", "NSE"), ("generate", "--rows", "9"), ("import", "file"))


@pytest.mark.parametrize("command", COMMANDS)
def test_missing_database_setting(command: tuple[str, ...]) -> None:
    result = run(None, *command)
    assert result.exit_code == 1
    assert "DATALOADERS_DATABASE_URI" in result.stderr
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize(
    "command", [("count",), ("lookup", "A", "NSE"), ("generate", "--rows", "9")]
)
def test_an_unreachable_database(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = run(create_engine(f"sqlite:///{tmp_path}/not/there.db"), *command)
    assert result.exit_code == 1
    assert "unable to open database file" in result.stderr
    assert isinstance(result.exception, SystemExit)


def test_the_commands_say_what_they_do(engine: Engine) -> None:
    result = run(engine, "--help")
    assert result.exit_code == 0
    assert {"count", "generate", "import", "lookup"} <= set(result.stdout.split())


def test_a_command_of_the_application_is_a_scope(
    engine: Engine, statements: list[str], scopes: list[LoaderScope]
) -> None:
    app = Flask("app")
    DataLoaders(app, engine=engine)

    @app.cli.command("twice")
    def twice() -> None:
        assert get_token("RELIANCE", "NSE") == get_token("RELIANCE", "NSE")
        assert not scopes[0].closed

    result = app.test_cli_runner().invoke(args=["twice"])
    assert result.exit_code == 0, result.output
    assert len(statements) == len(scopes) == 1
    assert scopes[0].closed


APP = """
from flask import Flask
from flask_dataloaders import DataLoaders

dataloaders = DataLoaders()

def create_app():
    app = Flask(__name__)
    dataloaders.init_app(app)
    return app
"""


def test_in_a_process_of_its_own(database: Path, tmp_path: Path) -> None:
    (tmp_path / "trading.py").write_text(APP)
    environment = {
        **os.environ,
        "DATALOADERS_DATABASE_URI": f"sqlite:///{database}",
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "integrations/flask"))),
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "flask", "--app", "trading", "symbols", "count"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["total", str(len(rows(database)))]
