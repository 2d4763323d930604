# ruff: noqa: E501 - the code that is scanned is written in one line where it is short
"""`--fix` changes the one line, and not a byte beside it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dataloaders.scan import BY_HAND, ONE_LINE, SEEN, mended_line, scan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)

IMPORT = "from dataloaders.symbols import get_token, get_oa_symbol, TokenLoader"
PURE = "def made(row): return row['x'][::-1]"


def lines_changed(before: bytes, after: bytes) -> list[tuple[bytes, bytes]]:
    """The lines that differ; there are as many before as after."""
    cut = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)?")
    ours, theirs = cut.findall(before), cut.findall(after)
    assert len(ours) == len(theirs)
    return [(one, other) for one, other in zip(ours, theirs, strict=True) if one != other]


BLANK = st.sampled_from([" ", "  ", "\t", " \\\n  ", "\f "])
LOOPS = st.sampled_from(
    [
        # Before, rows, after, and what is put around the rows.
        ("for row in", "rows", ":"),
        ("for row in", "( rows )", " :"),
        ("for row in", "rows[ 1: ]", ":"),
        ("for row in", "rows [0], *rows", ":"),
        ("for row in", "rows if data else[]", ":"),
        ("for row in", 'data["ä\\n"]', ":  # ü in a comment"),
        ("for i, row in", "enumerate( rows , 1)", ":"),
        ("async def g():\n{0} for row in", "list(rows)", ":"),
    ]
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    loop=LOOPS,
    indent=st.sampled_from(["    ", "\t", " ", "  \t"]),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "cp1252", "none"]),
    feed=st.sampled_from(["", "\f"]),
    last=st.booleans(),
    blank=st.sampled_from([" ", "  ", "\t", " \\\n   "]),
    comment=st.text(st.sampled_from("#ä ü'\"{}()\\x\f"), max_size=8),
)
def test_all_but_one_line_stays_as_it_was(  # noqa: PLR0917 - what files differ in
    tmp_path: Path,
    loop: tuple[str, str, str],
    indent: str,
    newline: str,
    encoding: str,
    feed: str,
    last: bool,  # noqa: FBT001 - drawn
    blank: str,
    comment: str,
) -> None:
    head, rows, tail = loop
    # Where a line ends with a carriage return, Python itself does not see the cookie in it.
    assume(newline != "\r" or encoding not in {"latin-1", "cp1252"})
    cookie = {
        "latin-1": "# -*- coding: latin-1 -*-\n",
        "cp1252": "# vim: set fileencoding=cp1252 :\n",
    }
    body = head.format(indent)
    deep = f"{indent} " if "async" in head else indent
    text = (
        f"{cookie.get(encoding, '')}#{comment}\n{IMPORT}\n{PURE}\n"
        f"def f(rows: list, data: dict):\n{indent}found = []\n{feed}{indent}{body}{blank}"
        f"{rows}{tail}\n{deep}{indent}found.append(get_token(made(row), 'ä'))\n"
        f"{indent}return found  #{comment}"
    )
    if last:
        text += "\n"
    raw = text.replace("\n", newline).encode("utf-8" if encoding == "none" else encoding)
    path = tmp_path / "code.py"
    path.write_bytes(raw)
    found = scan([path], fix=True)
    assert found.errors == {}
    assert found.changed == [path]
    assert [each.verdict for each in found.findings] == [ONE_LINE]
    fixed = path.read_bytes()
    changed = lines_changed(raw, fixed)
    assert len(changed) == 1
    written = "utf-8" if encoding == "none" else encoding.removesuffix("-sig")
    before, after = (each.decode(written) for each in changed[0])
    if rows.startswith("rows [0]"):  # a tuple without parentheses, which an argument needs
        before = before.replace(rows, f"({rows})")
    announced = re.sub(r"get_token\.over\((.*), lambda row: \(made\(row\), 'ä'\)\)", r"\1", after)
    assert announced == before
    assert (found.findings[0].changed or "none") in after
    again = scan([path], fix=True)
    assert again.changed == []
    assert [each.verdict for each in again.findings] == [SEEN]
    assert path.read_bytes() == fixed


def code(tmp_path: Path, text: str, head: str = IMPORT) -> Path:
    path = tmp_path / "code.py"
    path.write_text(f"{head}\n{PURE}\n{text}")
    return path


def test_names_where_each_round_reads_them(tmp_path: Path) -> None:
    path = code(
        tmp_path,
        "import csv\n"
        "def f(file):\n"
        "    for row in csv.DictReader(file):\n"
        "        print(get_oa_symbol(row['code'], exchange=row['at']))\n",
    )
    scan([path], fix=True)
    assert (
        '    for row in get_oa_symbol.over(csv.DictReader(file), "code", "at"):\n'
        in path.read_text()
    )


@pytest.mark.parametrize(
    "body",
    [
        "if row['code']:\n            get_oa_symbol(row['code'], row['at'])",
        "try:\n            get_oa_symbol(row['code'], row['at'])\n        except KeyError: pass",
        "if not row: continue\n        get_oa_symbol(row['code'], row['at'])",
        "row.get('x') and get_oa_symbol(row['code'], row['at'])",
    ],
)
def test_a_function_where_rows_may_have_no_key(tmp_path: Path, body: str) -> None:
    """A name that no row has is an error; the loop would have gone over such rows without one."""
    text = f"import csv\ndef f(file):\n    for row in csv.DictReader(file):\n        {body}\n"
    path = code(tmp_path, text)
    scan([path], fix=True)
    line = '    for row in get_oa_symbol.over(csv.DictReader(file), lambda row: (row["code"], row["at"])):\n'
    assert line.replace('"', "'") in path.read_text()


@pytest.mark.parametrize(
    ("target", "part", "announced"),
    [
        ("row, n", "n[::-1]", "lambda item: (item[1][::-1], 'NSE')"),
        ("n, (row, item)", "item[::-1]", "lambda each: (each[1][1][::-1], 'NSE')"),
        ("row.n, other", "other[::-1]", "lambda row: (row[1][::-1], 'NSE')"),
        ("(a, b)", "f'{b}{a}'", "lambda row: (f'{row[1]}{row[0]}', 'NSE')"),
    ],
)
def test_what_the_row_is_called(tmp_path: Path, target: str, part: str, announced: str) -> None:
    path = code(
        tmp_path,
        f"def f(rows: list):\n    for {target} in rows:\n        get_token({part}, 'NSE')\n",
    )
    scan([path], fix=True)
    assert f"    for {target} in get_token.over(rows, {announced}):\n" in path.read_text()


def test_a_function_of_another_module_without_lookups(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "texts.py").write_text("def cut(text): return text[1:][::-1]\n")
    (tmp_path / "app" / "cutting.py").write_text("from .texts import cut\n")
    for line in ("from app.texts import cut", "from .texts import cut", "from . import texts"):
        name = "texts.cut" if line.endswith("texts") else "cut"
        path = tmp_path / "app" / "code.py"
        path.write_text(
            f"{line}\nfrom dataloaders.symbols import get_token\n"
            f"def f(rows: list):\n    return [get_token({name}(row['s']), 'NSE') for row in rows]\n"
        )
        for paths in ([path], [tmp_path]):
            assert [each.verdict for each in scan(paths).findings] == [ONE_LINE]
        assert mended_line(path, 4) is not None


# -- what is left alone


LEFT_ALONE = {
    "an iterator without an end": (
        "import itertools\ndef f():\n    for n in itertools.count():\n        get_token(str(n), 'NSE')\n"
    ),
    "an iterator that somebody hands over": (
        "def f(rows):\n    for row in rows:\n        get_token(made(row), 'NSE')\n"
    ),
    "a server": (
        "def f(rows):\n    for row in rows.listen():\n        get_token(made(row), 'NSE')\n"
    ),
    "a generator that writes": (
        "def g(rows):\n    for row in rows:\n        row['n'] = 1\n        yield row\n"
        "def f(rows: list):\n    for row in g(rows):\n        get_token(made(row), 'NSE')\n"
    ),
    "a generator that prints": (
        "def g(rows):\n    for row in rows:\n        print(row)\n        yield row\n"
        "def f(rows: list):\n    for row in g(rows):\n        get_token(made(row), 'NSE')\n"
    ),
    "a break": (
        "import csv\ndef f(file):\n    for row in csv.DictReader(file):\n"
        "        if get_token(row['s'], 'NSE'): break\n"
    ),
    "a return": (
        "import csv\ndef f(file):\n    for row in csv.DictReader(file):\n"
        "        if get_token(row['s'], 'NSE'): return row\n"
    ),
    "a generator's own loop": (
        "import csv\ndef f(file):\n    for row in csv.DictReader(file):\n"
        "        yield get_token(row['s'], 'NSE')\n"
    ),
    "a generator expression": (
        "import csv\ndef f(file):\n"
        "    return any(get_token(row['s'], 'NSE') for row in csv.DictReader(file))\n"
    ),
    "a file that the loop reads from": (
        "import csv\ndef f(file):\n    for row in csv.DictReader(file):\n"
        "        get_token(row['s'], 'NSE')\n        file.readline()\n"
    ),
    "an iterator that the loop moves on": (
        "import csv\ndef f(file):\n    reader = csv.DictReader(file)\n    for row in reader:\n"
        "        get_token(row['s'], 'NSE')\n        next(reader)\n"
    ),
    "groups that end when the next begins": (
        "import itertools\ndef f(rows: list):\n"
        "    for key, group in itertools.groupby(rows):\n        get_token(key[::-1], 'NSE')\n"
    ),
    "a key of unknown making": (
        "from elsewhere import secret\ndef f(rows: list):\n    for row in rows:\n"
        "        get_token(secret(row), 'NSE')\n"
    ),
    "a key that a request brings": (
        "import requests\ndef f(rows: list):\n    for row in rows:\n"
        "        get_token(requests.get(row['url']), 'NSE')\n"
    ),
    "a key that is read once": (
        "def f(rows: list, keys):\n    for row in rows:\n        get_token(next(keys), 'NSE')\n"
    ),
    "a key that is taken out of the row": (
        "def f(rows: list):\n    for row in rows:\n        get_token(row.pop('s')[::-1], 'NSE')\n"
    ),
    "a key that is left from the round before": (
        "def f(rows: list):\n    last = ''\n    for row in rows:\n        get_token(last, 'NSE')\n"
        "        last = made(row)\n"
    ),
    "a key that one of two branches makes": (
        "def f(rows: list):\n    for row in rows:\n        key = made(row)\n        if row['a']:\n"
        "            key = key[::-1]\n        get_token(key, 'NSE')\n"
    ),
    "a key that the loop counts": (
        "def f(rows: list):\n    n = 0\n    for row in rows:\n        n += 1\n"
        "        get_token(made(row) + str(n), 'NSE')\n"
    ),
    "rows that come asynchronously": (
        "async def f(rows):\n    async for row in rows:\n        get_token(row['s'], 'NSE')\n"
    ),
    "a loader that there may not be": (
        "def f(rows: list, tokens: TokenLoader | None):\n    for row in rows:\n"
        "        if tokens is None: continue\n        tokens.get(made(row))\n"
    ),
    "a loader of a scope that there may not be": (
        "def f(rows: list, on):\n    for row in rows:\n"
        "        if on:\n            TokenLoader.current().get(made(row))\n"
    ),
    "a loader that a helper may not be given": (
        "def one(row, tokens: TokenLoader | None):\n    if tokens is None: return None\n"
        "    return tokens.get(made(row))\n"
        "def f(rows: list, tokens):\n    return [one(row, tokens) for row in rows]\n"
    ),
    "a loader of each row": (
        "def f(rows: list):\n    for row in rows:\n        tokens = TokenLoader(row['engine'])\n"
        "        tokens.get(made(row))\n"
    ),
    "rows chosen by what the loop keeps": (
        "seen = set()\ndef g(rows):\n    for row in rows:\n        if row['s'] not in seen:\n"
        "            yield row\n"
        "def f(rows: list):\n    for row in g(rows):\n        get_token(made(row), 'NSE')\n"
        "        seen.add(row['s'])\n"
    ),
    "rows chosen by what the loop changes": (
        "def f(rows: list):\n    for row in (row for row in rows if not row['done']):\n"
        "        get_token(made(row), 'NSE')\n        row['done'] = True\n"
    ),
    "rows chosen by what the loop changes under another name": (
        "def g(rows):\n    for each in rows:\n        if not each['done']:\n            yield each\n"
        "def f(rows: list):\n    for row in g(rows):\n        get_token(made(row), 'NSE')\n"
        "        row['done'] = True\n"
    ),
    "a row that the loop changes before its key is made": (
        "def f(rows: list):\n    for row in rows:\n        row['x'] = row['y']\n"
        "        get_token(made(row), 'NSE')\n"
    ),
    "a field that the loop changes on a condition": (
        "def f(rows: list):\n    for row in rows:\n        if row['y']:\n"
        "            row['s'] = made(row)\n        get_token(row['s'], 'NSE')\n"
    ),
    "a method that a class below has another of": (
        "class A:\n    def key(self, row):\n        return row[::-1]\n"
        "    def f(self, rows: list):\n        for row in rows:\n"
        "            get_token(self.key(row), 'NSE')\n"
        "class B(A):\n    def key(self, row):\n        print(row)\n        return row\n"
    ),
    "a pool whose threads know no scope": (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def f(rows: list):\n    with ThreadPoolExecutor() as pool:\n"
        "        pool.map(lambda row: get_token(made(row), 'NSE'), rows)\n"
    ),
    "rows that are iterators themselves": (
        "def f(table: list, names: list):\n    for pairs in (zip(names, each) for each in table):\n"
        "        row = dict(pairs)\n        get_token(made(row), 'NSE')\n"
    ),
    "rows of a row that a stream brings": (
        "import itertools\ndef f(rows: list):\n    for _, group in itertools.groupby(rows):\n"
        "        for row in group:\n            if get_token(made(row), 'NSE'): break\n"
    ),
    "what a request answers": (
        "import requests\ndef f():\n    for line in requests.get('/stream'):\n"
        "        get_token(line[::-1], 'NSE')\n"
    ),
    "what a session answers": (
        "def f(session):\n    for line in session.get('https://host/stream'):\n"
        "        get_token(line[::-1], 'NSE')\n"
    ),
    "what somebody else's list() gives": (
        "import payments\ndef f():\n    for line in payments.list():\n"
        "        get_token(line[::-1], 'NSE')\n"
    ),
    "a key that consumes what the row has": (
        "def f(rows: list):\n    for row in rows:\n        get_token(''.join(row['parts']), 'NSE')\n"
    ),
    "a key that a defaultdict adds": (
        "import collections\ndef f(rows: list):\n    names = collections.defaultdict(str)\n"
        "    for row in rows:\n        get_token(names[row['id']], 'NSE')\n    return names\n"
    ),
    "a key that moves a file": (
        "def f(rows: list, to):\n    return [get_token(row['path'].replace(to), 'NSE') for row in rows]\n"
    ),
    "a key that somebody else's cache has": (
        "def f(rows: list, cache):\n    return [get_token(cache.get(row['id']), 'NSE') for row in rows]\n"
    ),
    "a parameter that others may hand a stream": (
        "def f(rows):\n    for row in rows:\n        get_token(made(row), 'NSE')\nf([{'x': 'TCS'}])\n"
    ),
    "a parameter that is asked whether it is a list": (
        "def f(rows):\n    if isinstance(rows, list):\n        print(len(rows))\n    for row in rows:\n"
        "        get_token(made(row), 'NSE')\n"
    ),
    "the body of a class": (
        "rows = [1, 2]\nclass A:\n    made = [3]\n    for row in rows:\n"
        "        get_token(str(made[0])[::-1] + made(row), 'NSE')\n"
    ),
    "a method that is not named in the loop's module": (
        "class S:\n    def made(self, row):\n        self.count += 1\n        return row['s']\n"
        "    def f(self, rows: list):\n        return [get_token(self.made(row), 'NSE') for row in rows]\n"
    ),
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_may_change_is_left_alone(tmp_path: Path, name: str) -> None:
    path = code(tmp_path, LEFT_ALONE[name])
    before = path.read_bytes()
    found = scan([path], fix=True)
    assert [each.verdict for each in found.findings] == [BY_HAND], found.findings
    assert found.findings[0].reason
    assert found.findings[0].changed is None
    assert path.read_bytes() == before


ROWS_OVER_LINES = {
    "in parentheses": "(\n{0}    rows  # all of them\n{0})",
    "a call": "sorted(  # by name\n{0}    rows,\n{0}    key=str,\n{0})",
    "a display": "[\n{0}    *rows,\n\n{0}  # no more\n{0}]",
    "in the middle of a call": "list(reversed(rows[\n{0}    1:\n{0}]))",
}


@pytest.mark.parametrize("rows", ROWS_OVER_LINES.values(), ids=ROWS_OVER_LINES)
@pytest.mark.parametrize("indent", ["    ", "\t"])
def test_rows_that_are_written_over_several_lines(tmp_path: Path, rows: str, indent: str) -> None:
    written = rows.format(indent)
    body = "{0}for row in {1}:\n{0}{0}get_token(made(row), 'NSE')\n"
    path = code(tmp_path, f"def f(rows: list):\n{body.format(indent, written)}")
    before = path.read_text()
    assert scan([path], fix=True).changed == [path]
    announced = f"get_token.over({written}, lambda row: (made(row), 'NSE'))"
    assert path.read_text() == before.replace(written, announced)


def test_a_function_that_is_not_ours_is_named_and_its_loop_left_alone(tmp_path: Path) -> None:
    text = "def f(rows: list):\n    return [get_token(made(row), 'NSE') for row in rows]\n"
    path = code(tmp_path, text, "from database.token_db import get_token")
    before = path.read_bytes()
    found = scan([path], fix=True)
    assert found.needs_change
    assert [(each.unmigrated, each.verdict) for each in found.findings] == [
        ("database.token_db", ONE_LINE)
    ]
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "head",
    [
        "try:\n    from dataloaders.symbols import get_token\nexcept ImportError:\n    from database import get_token",
        "try:\n    from database import get_token\nexcept ImportError:\n    from dataloaders.symbols import get_token",
        "from database import *",
        "import database",
    ],
)
def test_a_function_that_may_be_another_has_no_over(tmp_path: Path, head: str) -> None:
    name = "database.get_token" if head == "import database" else "get_token"
    text = f"def f(rows: list):\n    return [{name}(made(row), 'NSE') for row in rows]\n"
    path = code(tmp_path, text, head)
    found = scan([path], fix=True)
    assert [(each.unmigrated, each.verdict) for each in found.findings] == [("database", ONE_LINE)]
    assert found.changed == []


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("from dataloaders.symbols import *", "get_token"),
        ("import dataloaders.symbols", "dataloaders.symbols.get_token"),
        ("from dataloaders import symbols as s", "s.get_token"),
        ("from dataloaders.symbols import get_token as token", "token"),
        ("from .own import get_token", "get_token"),
        ("from own import token_of", "token_of"),
        ("import own", "own.token_of"),
    ],
)
def test_however_it_is_imported(tmp_path: Path, head: str, name: str) -> None:
    (tmp_path / "own.py").write_text(
        "from dataloaders.symbols import get_token\nfrom dataloaders.symbols import get_token as token_of\n"
    )
    text = f"def f(rows: list):\n    return [{name}(made(row), 'NSE') for row in rows]\n"
    path = code(tmp_path, text, head)
    found = scan([tmp_path], fix=True)
    assert found.changed == [path]
    assert f"for row in {name}.over(rows, lambda row: (made(row), 'NSE'))]" in path.read_text()


def test_a_method_of_a_master(tmp_path: Path) -> None:
    text = (
        "from dataloaders.symbols import SymbolMaster\ndef f(rows: list, master: SymbolMaster):\n"
        "    return [master.get_token(row['s'], row['e']) for row in rows]\n"
    )
    assert [each.verdict for each in scan([code(tmp_path, text, "")]).findings] == [SEEN]


# -- files


def test_a_file_that_is_no_python_is_left_as_it_is(tmp_path: Path) -> None:
    bad = {
        "broken.py": b"get_token(\n",
        "bytes.py": b"# get_token\n\xff\xfe\x00",
        "cookie.py": b"# coding: klingon\nget_token\n",
        "two.py": b"print 'get_token'\n",
    }
    for name, raw in bad.items():
        (tmp_path / name).write_bytes(raw)
    found = scan([tmp_path], fix=True)
    assert {path.name for path in found.errors} == set(bad)
    assert {name: (tmp_path / name).read_bytes() for name in bad} == bad


def test_a_file_that_its_encoding_does_not_write_as_it_was_is_left(tmp_path: Path) -> None:
    """Two pairs of bytes are one sign in cp932, of which only the other one would be written."""
    text = f"{IMPORT}\n{PURE}\ndef f(rows: list):\n    return [get_token(made(row), 'NSE') for row in rows]\n"
    raw = b"# coding: cp932\n# \x87\x90\n" + text.encode()
    path = tmp_path / "code.py"
    path.write_bytes(raw)
    found = scan([path], fix=True)
    assert list(found.errors) == [path]
    assert found.changed == []
    assert path.read_bytes() == raw


def test_what_is_passed_by(tmp_path: Path) -> None:
    text = "from database import get_token\nfound = [get_token(a, b) for a, b in [(1, 2)]]\n"
    for name in (
        "code.py",
        ".hidden/a.py",
        "venv/b.py",
        "__pycache__/c.py",
        "text.txt",
        "dir.py/d.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    (tmp_path / "link.py").symlink_to(tmp_path / "code.py")
    found = scan([tmp_path])
    assert {str(each.path.relative_to(tmp_path)) for each in found.findings} == {
        "code.py",
        "dir.py/d.py",
    }
    assert found.files == 2


def test_a_file_keeps_its_mode_and_a_link_stays_one(tmp_path: Path) -> None:
    text = "def f(rows: list):\n    return [get_token(made(row), 'NSE') for row in rows]\n"
    path = code(tmp_path, text)
    path.chmod(0o754)
    link = tmp_path / "link.py"
    link.symlink_to(path)
    assert scan([link], fix=True).changed == [link]
    assert link.is_symlink()
    assert path.stat().st_mode & 0o7777 == 0o754
    assert ".over(" in path.read_text()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["code.py", "link.py"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_file_that_cannot_be_written_is_told_of(tmp_path: Path) -> None:
    text = "def f(rows: list):\n    return [get_token(made(row), 'NSE') for row in rows]\n"
    path = code(tmp_path, text)
    tmp_path.chmod(0o500)
    try:
        assert list(scan([path], fix=True).errors) == [path]
    finally:
        tmp_path.chmod(0o700)


# -- one place


def test_the_mended_line_of_a_place(tmp_path: Path) -> None:
    path = code(
        tmp_path, "def f(rows: list):\n    for row in rows:\n        get_token(made(row), 'NSE')\n"
    )
    found = mended_line(path, 5)
    assert found is not None
    assert (found.path, found.line, found.before) == (path, 4, "for row in rows:")
    assert found.after == "for row in get_token.over(rows, lambda row: (made(row), 'NSE')):"
    assert mended_line(path, 1) is None


def test_what_several_functions_ask_one_loader_for_is_announced_once(tmp_path: Path) -> None:
    """Whether the key is seen in the loop, or in a helper that it calls."""
    path = tmp_path / "code.py"
    path.write_text(
        "from dataloaders.symbols import get_br_symbol, get_symbol_info, get_token\n"
        "def listed(symbol, exchange):\n"
        "    return get_token(symbol, exchange), get_br_symbol(symbol, exchange)\n"
        "def f(rows: list, found):\n"
        "    for row in rows:\n"
        "        found.append(get_symbol_info(row.symbol, row.exchange))\n"
        "        found.append(listed(row.symbol, row.exchange))\n"
    )
    found = mended_line(path, 6)
    assert found is not None
    assert found.after == 'for row in get_symbol_info.over(rows, "symbol", "exchange"):'


def test_a_loop_that_look_ahead_sees_can_be_mended_too(tmp_path: Path) -> None:
    path = code(
        tmp_path, "def f(rows: list):\n    for row in rows:\n        get_token(row['s'], 'NSE')\n"
    )
    assert scan([path]).findings[0].verdict == SEEN
    found = mended_line(path, 5)
    assert found is not None
    assert found.after == "for row in get_token.over(rows, lambda row: (row['s'], 'NSE')):"


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path / "nothing.py",
        lambda path: path,
        lambda path: code(path, "for x in get_token(("),
        lambda path: path / "<string>",
        lambda path: path / "/dev/null",
        lambda path: path / "a\0b",
    ],
)
def test_no_place_of_an_odd_file(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    assert mended_line(make(tmp_path), 3) is None
