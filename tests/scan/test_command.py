"""The two commands, and what they answer with."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from dataloaders.scan.files import write
from flask_dataloaders import DataLoaders

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)

HEAD = "from dataloaders.symbols import get_token\ndef made(text): return text[::-1]\n"
SEEN = "def f(rows):\n    for row in rows:\n        get_token(row['s'], 'NSE')\n"
ONE = "def f(rows: list):\n    for row in rows:\n        get_token(made(row['s']), 'NSE')\n"


def run(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the running Python
        [sys.executable, "-m", "dataloaders.scan", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=path,
    )


def test_nothing_to_be_done(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(HEAD + SEEN)
    done = run(tmp_path, "code.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "code.py:5: get_token(row['s'], 'NSE') in f, loop at line 4: seen: "
        "as long as rows is a list\n"
        "1 lookup in loops: 1 seen, 0 need one line, 0 by hand\n"
    )


def test_a_line_to_be_changed_and_then_no_more(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(HEAD + ONE)
    changed = "for row in get_token.over(rows, lambda row: (made(row['s']), 'NSE')):"
    done = run(tmp_path, "code.py")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        "code.py:5: get_token(made(row['s']), 'NSE') in f, loop at line 4: one line: its key is "
        f"computed\n    {changed}\n"
        "1 lookup in loops: 0 seen, 1 need one line, 0 by hand\n"
    )
    done = run(tmp_path, "--fix", "code.py")
    assert done.returncode == 1
    assert "code.py: changed\n" in done.stdout
    assert changed in (tmp_path / "code.py").read_text()
    done = run(tmp_path, "--fix", "code.py")
    assert done.returncode == 0
    assert done.stdout.endswith("1 lookup in loops: 1 seen, 0 need one line, 0 by hand\n")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("get_token((")
    (tmp_path / "code.py").write_text(HEAD + ONE)
    done = run(tmp_path, ".", "nothing.py")
    assert done.returncode == 2
    assert "broken.py: left as it is: " in done.stderr
    assert "nothing.py: there is no such file or directory\n" in done.stderr
    assert "1 lookup in loops" in done.stdout


def test_lookups_of_the_codes_own(tmp_path: Path) -> None:
    text = "def f(rows, store):\n    return [store.fetch_one(row) for row in rows]\n"
    (tmp_path / "code.py").write_text(text)
    assert run(tmp_path, "code.py").returncode == 0
    done = run(tmp_path, "code.py", "--lookup", "fetch_one", "--lookup", "other")
    assert done.returncode == 1
    assert "by hand: needs a loader" in done.stdout


def test_in_flask(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(HEAD + ONE)
    app = Flask("app")
    DataLoaders(app)
    runner = app.test_cli_runner()
    done = runner.invoke(args=["dataloaders", "scan", str(tmp_path), "--fix"])
    assert done.exit_code == 1
    assert "code.py: changed" in done.output
    assert runner.invoke(args=["dataloaders", "scan", str(tmp_path)]).exit_code == 0
    assert runner.invoke(args=["dataloaders", "scan", str(tmp_path / "no")]).exit_code == 2


def test_without_the_extra() -> None:
    program = (
        "import sys; sys.modules['libcst'] = None\n"
        "from flask import Flask; from flask_dataloaders import DataLoaders\n"
        "app = Flask('app'); DataLoaders(app)\n"
        "print(app.test_cli_runner().invoke(args=['dataloaders', 'scan', '.']).output)"
    )
    done = subprocess.run(  # noqa: S603 - this test's own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "pip install 'request-dataloaders[scan]'" in done.stdout


def test_a_file_that_is_nested_too_deep_is_named_and_the_others_read(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(HEAD + ONE)
    key = " + ".join(["row['s']"] * 600)
    (tmp_path / "deep.py").write_text(HEAD + SEEN.replace("row['s']", key))
    done = run(tmp_path, ".")
    assert done.returncode == 2
    assert done.stdout.endswith("1 lookup in loops: 0 seen, 1 need one line, 0 by hand\n")
    assert done.stderr == "deep.py: left as it is: it is nested too deep\n"


def test_names_and_code_that_the_terminal_cannot_show(tmp_path: Path) -> None:
    name = os.fsdecode(b"r\xe9sum\xe9.py")
    (tmp_path / name).write_text(HEAD + SEEN.replace("'NSE'", "'\u20ac'"), encoding="utf-8")
    shown = {}
    for encoding in ("ascii:strict", "utf-8:strict"):
        done = subprocess.run(
            [sys.executable, "-m", "dataloaders.scan", "."],
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "PYTHONIOENCODING": encoding},
        )
        assert (done.returncode, done.stderr) == (0, b"")
        shown[encoding] = done.stdout
    assert shown["ascii:strict"].startswith(
        rb"r\udce9sum\udce9.py:5: get_token(row['s'], '\u20ac')"
    )
    assert shown["utf-8:strict"].startswith(
        rb"r\udce9sum\udce9.py:5: get_token(row['s'], '" + "\u20ac".encode()
    )


def test_a_file_that_is_read_only_is_left(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text(HEAD + ONE)
    path.chmod(0o444)
    done = run(tmp_path, "--fix", "code.py")
    assert done.returncode == 2
    assert "code.py: left as it is: " in done.stderr
    assert "is read-only" in done.stderr
    assert path.read_text() == HEAD + ONE


def test_a_file_that_somebody_else_writes_meanwhile_is_left(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text(HEAD + ONE)
    with pytest.raises(OSError, match="was changed while it was scanned"):
        write(path, b"what was read", b"what was made of that")
    assert path.read_text() == HEAD + ONE
    assert list(tmp_path.iterdir()) == [path]
