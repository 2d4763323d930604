"""What scan says of loops, beside what the real look-ahead does with them."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import inspect
import re
import shutil
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dataloaders.scan import BY_HAND, ONE_LINE, SEEN, Finding, mended_line, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from dataloaders.symbols import SymbolMaster
    from tests.lookahead.conftest import SqliteContract

pytestmark = pytest.mark.timeout(120)

# Code without types in it.
loops: Any = importlib.import_module("tests.scan.code.loops")
FILE = Path(loops.__file__)
FEW = 3
"""Statements of a loop that look-ahead sees: three in a thread pool, two elsewhere."""

MARK = re.compile(r"  # ((?:(?:seen|one line|by hand) ?)+)(?:: (.*))?$")
NUMBER = 50


def expected() -> dict[int, tuple[list[str], str | None]]:
    """Of each line its verdicts, and the changed line, as the file itself says."""
    found = {}
    for number, line in enumerate(FILE.read_text().splitlines(), 1):
        mark = MARK.search(line)
        if mark is not None:
            found[number] = (re.findall("seen|one line|by hand", mark[1]), mark[2])
    return found


@pytest.fixture(scope="module")
def findings() -> list[Finding]:
    return scan([FILE]).findings


def test_each_lookup_is_listed_with_what_is_to_be_said(findings: list[Finding]) -> None:
    found: dict[int, list[str]] = defaultdict(list)
    for finding in findings:
        found[finding.line].append(finding.verdict)
    assert dict(found) == {line: verdicts for line, (verdicts, _) in expected().items()}


def test_the_changed_lines(findings: list[Finding]) -> None:
    found = {finding.line: finding.changed for finding in findings if finding.changed}
    wanted = {line: changed for line, (_, changed) in expected().items() if changed}
    for line, changed in found.items():
        assert changed.partition("  # one")[0] == wanted[line].partition("  # one")[0]
    assert found.keys() == wanted.keys()


def test_the_line_of_each_loop(findings: list[Finding]) -> None:
    lines = FILE.read_text().splitlines()
    for finding in findings:
        assert re.search(
            r"\b(for|while|map|filter|starmap|reduce|groupby|sort)\b", lines[finding.loop_line - 1]
        ), finding


# -- what really happens


@pytest.fixture(scope="module")
def mended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The same file after `--fix`."""
    path = tmp_path_factory.mktemp("mended") / "mended_loops.py"
    shutil.copy(FILE, path)
    assert scan([path], fix=True).changed == [path]
    again = scan([path], fix=True)
    assert again.changed == []
    assert again.count(ONE_LINE) == 0
    spec = importlib.util.spec_from_file_location("mended_loops", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mended_loops"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["mended_loops"]


def rows_of(contract: SqliteContract) -> list[dict[str, Any]]:
    turn = loops.turned
    found = contract.plain.execute(
        "SELECT symbol, exchange, brsymbol, token FROM symtoken"
        " WHERE exchange IN ('NSE', 'NFO') AND id % 11 = 3 ORDER BY (id * 7919) % 1009 LIMIT ?",
        (NUMBER,),
    ).fetchall()
    assert len(found) == NUMBER
    assert turn(turn("AbC")) == "AbC"
    return [
        {
            "symbol": symbol,
            "exchange": exchange,
            "code": code,
            "token": int(token),
            "segment": {"NSE": "NSE_EQ", "NFO": "NSE_FO"}[exchange],
            "quantity": number,
        }
        for number, (symbol, exchange, code, token) in enumerate(found)
    ]


def hidden(value: Any) -> Callable[[], Any]:  # noqa: ANN401 - any payload
    """Keeps rows where look-ahead does not find them."""
    return lambda: copy.deepcopy(value)


def _loops() -> list[str]:
    """The functions that take rows, and have a loop of their own."""
    helpers = {"of_interest", "to_position", "numbers"}
    return [
        name
        for name, each in vars(loops).items()
        if inspect.isfunction(each)
        and each.__module__ == loops.__name__
        and "rows" in inspect.signature(each).parameters
        and name not in helpers
    ]


LOOPS_OF_CLASSES = {
    "in_methods": loops.Book,
    "in_a_class_below": loops.Mapping.all,
    "by_a_method_that_makes_the_key": loops.Mapping.computed,
    "taken_off_an_attribute": loops.Waiting,
}


@pytest.fixture(scope="module")
def verdicts_of(findings: list[Finding]) -> Callable[[str], set[str]]:
    """The verdicts of the loops in a function; look-ahead would read a list of findings, too."""
    starts = {each: inspect.getsourcelines(getattr(loops, each))[1] for each in _loops()}
    for name, owner in LOOPS_OF_CLASSES.items():
        starts[name] = inspect.getsourcelines(owner)[1]
    found: dict[str, set[str]] = defaultdict(set)
    for finding in findings:
        name = max(
            (each for each in starts if starts[each] <= finding.loop_line),
            key=lambda each: starts[each],
        )
        found[name].add(finding.verdict)
    return found.__getitem__


class Plain:
    """The lookups as one query for each."""

    def __init__(self, contract: SqliteContract) -> None:
        self._contract = contract

    def of(self, name: str) -> Callable[..., Any]:
        column, wanted = {
            "get_token": ("symbol", "token"),
            "token_of": ("symbol", "token"),
            "get_br_symbol": ("symbol", "brsymbol"),
            "get_brexchange": ("symbol", "brexchange"),
            "get_symbol": ("token", "symbol"),
            "get_oa_symbol": ("brsymbol", "symbol"),
            "get_symbol_info": ("symbol", ""),
        }[name]

        def lookup(*args: Any, **named: Any) -> Any:  # noqa: ANN401 - as the loops call it
            part, exchange = args or (named["brsymbol"], named["exchange"])
            found = self._contract.find(column, str(part), exchange)
            return found if found is None or not wanted else getattr(found, wanted)

        vars(lookup)["over"] = lambda rows, *_fields: rows
        return lookup


NAMES = (
    *("get_token", "token_of", "get_br_symbol", "get_brexchange", "get_symbol", "get_oa_symbol"),
    "get_symbol_info",
)
OF_LOADERS = {
    *("by_an_alias", "by_a_local_alias", "by_a_partial", "gathered_futures"),
    *("expected", "computed_by_a_loader", "computed_by_the_current_loader"),
}


@pytest.mark.parametrize("name", _loops())
def test_look_ahead_does_what_scan_says(  # noqa: PLR0917 - fixtures
    sqlite_contract: SqliteContract,
    master: SymbolMaster,
    verdicts_of: Callable[[str], set[str]],
    mended: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    payload = hidden(rows_of(sqlite_contract))
    wanted = None
    if name not in OF_LOADERS:
        with monkeypatch.context() as patched:
            for each in NAMES:
                patched.setattr(loops, each, Plain(sqlite_contract).of(each))
            wanted = hidden(getattr(loops, name)(payload()))
    verdicts = verdicts_of(name)
    counts = {}
    for module in (loops, mended):
        master._common = None
        sqlite_contract.statements.clear()
        with master.scope():
            answer = hidden(getattr(module, name)(payload()))
        counts[module.__name__] = len(sqlite_contract.statements)
        wanted = wanted or answer
        assert answer() == wanted()
    before, after = counts[loops.__name__], counts[mended.__name__]
    assert verdicts
    if verdicts == {SEEN}:
        assert before <= FEW, counts
    else:
        assert before > FEW, counts
    assert after <= FEW or BY_HAND in verdicts, counts


def test_one_line_for_each_place(findings: list[Finding]) -> None:
    """What is said of one place alone is what the scan of the whole file says."""
    for finding in findings[::3]:  # each takes another reading of the file
        mend = mended_line(FILE, finding.line)
        if finding.changed is not None:
            assert mend is not None
            assert mend.after == finding.changed
