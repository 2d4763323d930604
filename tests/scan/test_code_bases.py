"""What is listed of code that was not written for it, beside what a person has listed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from dataloaders.scan import BY_HAND, SEEN, scan

pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).parents[2]

# By file, the loop's line as it begins, and the lookups that it comes to; those in other files,
# and in functions that the loop calls, under the file that they are in.
NAMES_OF = ("brokers/wicker/instruments.py", "get_symbol", "get_br_symbol", "get_brexchange")
INSTRUMENT = ("brokers/wicker/instruments.py", "get_token", "get_brexchange")
WICKERS_SYMBOL = ("brokers/wicker/instruments.py", "get_symbol")
KITES_SYMBOL = ("brokers/kite/symbols.py", "get_oa_symbol", "get_symbol")
LISTED = ("brokers/base.py", "get_token", "get_br_symbol", "get_brexchange")
OF_EXAMPLE: dict[tuple[str, str], list[tuple[str, ...]]] = {
    (
        "brokers/base.py",
        "return [find_listed(order.symbol, order.exchange) for order in orders]",
    ): [LISTED],
    ("brokers/kite/market_data.py", "for each in wanted"): [
        ("brokers/kite/market_data.py", "get_token", "get_symbol_info", "get_brexchange")
    ],
    ("brokers/kite/position_book.py", "for row in rows"): [
        ("brokers/kite/position_book.py", "get_oa_symbol", "get_token", "get_brexchange")
    ],
    ("brokers/kite/holdings.py", "for row in rows"): [KITES_SYMBOL],
    ("brokers/kite/order_data.py", "return [_map_order(row) for row in rows]"): [KITES_SYMBOL],
    ("brokers/kite/trade_book.py", "for row in rows"): [KITES_SYMBOL],
    ("brokers/ordinal/holdings.py", "for row in rows"): [
        ("brokers/ordinal/holdings.py", "get_symbol")
    ],
    ("brokers/ordinal/market_data.py", "for each in wanted"): [
        ("brokers/ordinal/market_data.py", "get_symbol_info", "get_token", "get_brexchange")
    ],
    ("brokers/ordinal/order_data.py", "for row in rows"): [
        ("brokers/ordinal/order_data.py", "get_symbol")
    ],
    ("brokers/ordinal/position_book.py", "for row in rows"): [
        ("brokers/ordinal/position_book.py", "get_symbol", "get_br_symbol", "get_brexchange")
    ],
    ("brokers/ordinal/trade_book.py", "for row in rows"): [
        ("brokers/ordinal/trade_book.py", "get_symbol")
    ],
    ("brokers/wicker/holdings.py", "for row in rows"): [WICKERS_SYMBOL],
    ("brokers/wicker/order_data.py", "for order_id, row in rows.items()"): [WICKERS_SYMBOL],
    ("brokers/wicker/trade_book.py", "return [_map_trade(row) for row in rows]"): [WICKERS_SYMBOL],
    ("brokers/wicker/position_book.py", "for row in rows"): [NAMES_OF],
    ("brokers/wicker/market_data.py", "for each in wanted"): [
        INSTRUMENT,
        ("brokers/wicker/market_data.py", "get_symbol_info"),
    ],
    ("services/analytics.py", "for quote in show_quotes(client, wanted)"): [
        ("services/analytics.py", "get_symbol_info")
    ],
    ("services/history.py", "for each in wanted"): [LISTED],
    (
        "services/option_chain.py",
        "for row in options_on(engine, underlying, exchange, expiry)",
    ): [LISTED, ("services/option_chain.py", "get_symbol_info")],
    ("services/quotes.py", "for each in wanted"): [LISTED],
}


def test_the_example() -> None:
    """Every lookup that a loop comes to, and all of them seen: the demo's figures say so."""
    trading = ROOT / "examples" / "trading"
    found = scan([trading]).findings
    of_symbols = [each for each in found if each.unmigrated == "examples.trading.lookups"]
    listed = set()
    for each in of_symbols:
        loop = each.loop_path.read_text().splitlines()[each.loop_line - 1].strip().rstrip(":")
        listed.add(
            (
                str(each.loop_path.relative_to(trading)),
                loop,
                str(each.path.relative_to(trading)),
                each.text.partition("(")[0],
            )
        )
    assert listed == {
        (path, loop, file, lookup)
        for (path, loop), lookups in OF_EXAMPLE.items()
        for file, *names in lookups
        for lookup in names
    }
    others = [each for each in found if each not in of_symbols]
    assert sorted((each.path.name, each.function, each.unmigrated) for each in others) == [
        ("endpoints.py", "show_many", None),
        ("endpoints.py", "show_many_async", None),
        ("option_chain.py", "option_chain", None),
    ]
    assert {each.verdict for each in found} == {SEEN}


# Of alembic 1.20.1, read line by line: each call of get_revision, of the script directory or of
# its map, in a loop. Not in the list are those that no loop comes to, in `_parse_downgrade_target`,
# `_parse_upgrade_target`, `_collect_upgrade_revisions`, `up_revision` and its testing module, and
# the loops that look revisions up in bulk, with get_revisions.
OF_ALEMBIC = {
    ("command.py", 682, "command.py", 682),  # branches: the next revisions of each
    ("runtime/migration.py", 513, "runtime/migration.py", 514),  # get_current_heads
    ("script/base.py", 725, "script/base.py", 726),  # generate_revision: what it depends on
    ("script/revision.py", 816, "script/revision.py", 815),  # iterate_revisions, in their order
    ("script/revision.py", 1044, "script/revision.py", 553),  # get_revisions: _walk from each head
}


def test_a_package_with_lookups_of_its_own() -> None:
    spec = importlib.util.find_spec("alembic")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    found = scan([package], ["get_revision"])
    assert found.errors == {}
    assert {
        (
            each.path.relative_to(package).as_posix(),
            each.line,
            each.loop_path.relative_to(package).as_posix(),
            each.loop_line,
        )
        for each in found.findings
    } == OF_ALEMBIC
    assert {each.verdict for each in found.findings} == {BY_HAND}
    assert all("needs a loader" in each.reason for each in found.findings)


def test_one_of_its_classes_alone() -> None:
    spec = importlib.util.find_spec("alembic")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    found = scan([package], ["revision_map.get_revision"]).findings
    assert [(each.path.name, each.line) for each in found] == [("base.py", 725)]


LOADERS = Path(__file__).parent / "code" / "loaders.py"


def test_what_is_a_loader_and_what_is_none() -> None:
    found = {each.line: each for each in scan([LOADERS]).findings}
    wanted = {}
    for number, line in enumerate(LOADERS.read_text().splitlines(), 1):
        _, _, mark = line.partition("  # ")
        if mark:
            wanted[number] = mark
    assert {line: each.verdict for line, each in found.items()} == {
        line: mark.partition(":")[0] for line, mark in wanted.items()
    }
    assert {line: each.changed or "" for line, each in found.items()} == {
        line: mark.partition(": ")[2] for line, mark in wanted.items()
    }


MODULES = {
    "names.py": "from dataloaders.symbols import get_token\nfind = get_token\n",
    "every.py": "from names import *\ndef token_of(row): return find(row['s'], 'NSE')  # seen\n",
    "below.py": (
        "from base import Broker\nfrom every import *\nclass Kite(Broker):\n"
        "    def one(self, row): return token_of(row)\n"
        "    def two(self, row): return find(row['s'], 'BSE')  # seen\n"
    ),
    "base.py": (
        "class Broker:\n    def all(self, rows):\n"
        "        return [(self.one(row), self.two(row)) for row in rows]\n"
        "    def one(self, row): raise NotImplementedError\n"
    ),
    "frames.py": (
        "from names import find\nfrom every import token_of\n"
        "def f(frame):\n"
        "    frame['a'] = frame.apply(lambda row: find(row['s'], row['e']), axis=1)  # seen\n"
        "    frame['b'] = frame['s'].map(lambda name: find(name, 'NSE'))  # seen\n"
        "    frame['c'] = frame.s.apply(find, exchange='NSE')  # seen\n"
        "    frame['d'] = frame.s.apply(find, args=('NSE',))  # seen\n"
        "    frame['e'] = frame.s.apply(lambda name: find(name[::-1], 'NSE'))  # by hand\n"
        "    frame.apply(token_of, axis=1)\n"
        "    return frame.s.apply(str.strip)\n"
    ),
    "threads.py": (
        "import threading\nfrom names import find\n"
        "def one(row): return find(row['s'], 'NSE')  # seen\n"
        "def f(rows):\n    for row in rows:\n"
        "        threading.Thread(target=one, args=(row,)).start()\n"
    ),
    "nothing.py": (
        "from names import find\n"
        "class Other:\n    def run(self): pass\n"
        "    def get(self, row): return find(row, 'NSE')\n"
        "def g(row): return find(row, 'NSE')\n"
        "def f(rows, others):\n    g(rows)\n    found = find(rows, 'NSE')\n"
        "    for each in others:\n        each.run()\n        each.get('x')\n"
        "    return [found for _ in find(rows, 'NSE')]\n"
    ),
}


def test_names_across_modules_classes_and_frames(tmp_path: Path) -> None:
    wanted = {}
    for name, text in MODULES.items():
        (tmp_path / name).write_text(text)
        for number, line in enumerate(text.splitlines(), 1):
            if "  # " in line:
                wanted[name, number] = line.partition("  # ")[2]
    found = scan([tmp_path])
    assert found.errors == {}
    assert {(each.path.name, each.line): each.verdict for each in found.findings} == wanted


def test_modules_that_take_names_from_each_other(tmp_path: Path) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        (tmp_path / f"{name}.py").write_text(
            f"from dataloaders.symbols import get_token\nfrom {other} import *\n"
            f"from {other} import of_{other}\nof_{name} = of_{other}\nagain = again\n"
            f"def f(rows):\n    return [(of_{other}(row), again(row), sum(row)) for row in rows]\n"
            f"def g(rows):\n    return [get_token(row['s'], 'NSE') for row in rows]\n"
        )
    found = scan([tmp_path])
    assert found.errors == {}
    assert [(each.path.name, each.line) for each in found.findings] == [
        ("one.py", 9),
        ("two.py", 9),
    ]
