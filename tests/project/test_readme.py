"""What the README says is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def block(mention: str) -> str:
    (found,) = (text for text in BLOCKS if mention in text)
    return str(found)


def run(program: str, folder: Path) -> str:
    """Runs a program in a folder of its own, warnings being errors; returns what it printed."""
    done = subprocess.run(  # noqa: S603 - the programs are those of the README
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_without_an_event_loop_sends_the_queries_that_it_says(tmp_path: Path) -> None:
    counted = block("SymbolMaster(engine)").replace(
        "with master.scope()",
        "from sqlalchemy import event\n"
        "sent = []\n"
        "event.listen(engine, 'before_cursor_execute', lambda *args: sent.append(args[2]))\n"
        "with master.scope()",
    )
    checks = """
import sqlite3
rows = sqlite3.connect("symbols.db")
query = "SELECT token FROM symtoken WHERE symbol = ? AND exchange = 'NSE'"
def row(symbol):
    return rows.execute(query, (symbol,)).fetchone()
assert len(sent) == 1, sent
assert [record and (record.token,) for record in records] == [row("RELIANCE"), row("TCS"), None]
assert (token,) == row("TCS")
rows.close()
engine.dispose()
print("checked")
"""
    assert run(counted + checks, tmp_path) == "checked\n"


def test_the_asyncio_example_runs(tmp_path: Path) -> None:
    assert run(block("load_users"), tmp_path) == "user 1 user 2\n"


def test_the_flask_example_sets_an_app_up(tmp_path: Path) -> None:
    checks = """
from dataloaders.symbols import generate_contract, get_token, replace_contract
with app.app_context():
    master = app.extensions["dataloaders"].registry
    replace_contract(master.bind, generate_contract(10))
    assert get_token("RELIANCE", "NSE").isdigit()
    master.bind.dispose()
print("checked")
"""
    assert run(block("DataLoaders(app)") + checks, tmp_path) == "checked\n"


def test_the_table_loader_example_loads(tmp_path: Path) -> None:
    setting = """
from sqlalchemy import Integer, String, create_engine, insert
from sqlalchemy.orm import DeclarativeBase, mapped_column

class Base(DeclarativeBase):
    pass

class User(Base):
    __tablename__ = "user"
    id = mapped_column(Integer, primary_key=True)
    name = mapped_column(String)
"""
    checks = """
engine = create_engine("sqlite:///users.db")
Base.metadata.create_all(engine)
with engine.begin() as connection:
    connection.execute(insert(User), [{"id": 7, "name": "Ann"}])
assert [user and user.name for user in UserLoader(engine).get_many([7, 8])] == ["Ann", None]
engine.dispose()
print("checked")
"""
    assert run(setting + block("class UserLoader") + checks, tmp_path) == "checked\n"


def test_the_remote_example_asks(tmp_path: Path) -> None:
    setting = """
class broker:
    @staticmethod
    def quotes(keys, token):
        return {key: (key, token) for key in keys}
"""
    checks = """
assert quote == ("NSE:INFY", "my token"), quote
print("checked")
"""
    assert run(setting + block("class QuoteLoader") + checks, tmp_path) == "checked\n"


@pytest.mark.parametrize("target", ["demo", "test", "bench"])
def test_the_make_targets_that_it_names_exist(target: str) -> None:
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)#]+)\)", README))
def test_its_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
