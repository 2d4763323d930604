"""Loops put together of all that they are made of: mended, they answer as before, at once."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataloaders.lookahead.sites import forget_sites
from dataloaders.scan import BY_HAND, SEEN, scan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dataloaders.symbols import SymbolMaster
    from tests.lookahead.conftest import SqliteContract

pytestmark = pytest.mark.timeout(300)

NUMBER = 30
FEW = 2

HEAD = """\
import asyncio
import csv
import io
from dataloaders.symbols import SymbolLoader, get_br_symbol, get_token

SEGMENTS = {"NSE_EQ": "NSE", "NSE_FO": "NFO"}


def turned(text):
    return text[::-1].swapcase()


def chosen(rows):
    for each in rows:
        if each["quantity"] != "3":
            yield each


def read(text):
    yield from csv.DictReader(io.StringIO(text))


def helper(row):
    return get_token(turned(row["twisted"]), row["exchange"])


class Asking:
    def __init__(self, row):
        self.row = row

    def one(self, row):
        return get_token(self.key(row), row["exchange"])

    def key(self, row):
        return turned(row["twisted"])

    def other(self):
        return get_token(turned(self.row["twisted"]), self.row["exchange"])


token_of = get_token
of_row = lambda row: token_of(turned(row["twisted"]), row["exchange"])
asking = Asking({})


def deeper(row):
    name = row["symbol"]
    return helper({**row, "twisted": turned(name)}), helper(row)


"""

OF_HELPER = 'row["twisted"], row["exchange"]'

ROWS = st.sampled_from(
    [
        ("row", "rows"),
        ("row", "rows[2:]"),
        ("i, row", "enumerate(rows)"),
        ("i, (n, row)", "enumerate(zip(numbers, rows))"),
        ("row, n", "zip(rows, numbers)"),
        ("row", 'data["rows"]'),
        ("_, row", "named.items()"),
        ("row", "named.values()"),
        ("row", 'sorted(rows, key=lambda r: r["quantity"])'),
        ("row", "reversed(rows)"),
        ("row", "list(rows)"),
        ("row", "chosen(rows)"),
        ("row", '(each for each in rows if each["quantity"] != "5")'),
        ("row", "csv.DictReader(io.StringIO(text))"),
        ("row", "read(text)"),
        ("row", "map(dict, rows)"),
        ("row", "filter(None, rows)"),
    ]
)
KEYS = st.sampled_from(
    [
        ((), 'row["symbol"]'),
        ((), 'row.get("symbol", row["symbol"])'),
        (('name = row["symbol"]',), "name"),
        ((), 'turned(row["twisted"])'),
        (('name = turned(row["twisted"])',), "name"),
        (('part = row["twisted"]', "name = part[::-1]"), "name.swapcase()"),
        ((), 'row["twisted"].swapcase()[::-1]'),
        ((), """f"{row['head']}{row['tail']}\""""),
        ((), 'row["prefixed"].removeprefix("X:")'),
        (('_, name = row["prefixed"].split(":")',), "name"),
        (("copy = dict(row)",), 'copy["symbol"]'),
        (('row["symbol"] = turned(row["twisted"])',), 'row["symbol"]'),
        (('row["twisted"] = turned(row["twisted"])',), 'row["twisted"]'),
        (('n, name = turned(row["twisted"]), 0', "n, name = name, n"), "name"),
        (('name = row["head"]', 'name += row["tail"]'), "name"),
        (('name = row["symbol"]', 'if row["quantity"] == "4":', "    name = name[::-1]"), "name"),
    ]
)
EXCHANGES = st.sampled_from(
    ['row["exchange"]', 'SEGMENTS[row["segment"]]', 'SEGMENTS.get(row["segment"], "NSE")']
)
LOOKUPS = st.sampled_from(
    [
        "get_token({0}, {1})",
        "get_token(exchange={1}, symbol={0})",
        "SymbolLoader.current().get(({0}, {1}))",
        "(get_token({0}, {1}), get_br_symbol({0}, {1}))",
        "(get_token({0}, {1}), helper(row))",
        "deeper(row)",
        "helper(row)",
        "token_of({0}, {1})",
        "of_row(row)",
        "asking.one(row)",
        "Asking(row).other()",
    ]
)
GUARDS = st.sampled_from(
    [
        (),
        ('if row["quantity"] == "7": continue',),
        ('if row["quantity"] != "8":',),
        ("try:",),
        ('for _ in range(2 if row["quantity"] == "2" else 1):',),
    ]
)


def written(  # noqa: PLR0917 - what is drawn
    rows: tuple[str, str],
    key: tuple[tuple[str, ...], str],
    exchange: str,
    lookup: str,
    guard: tuple[str, ...],
    form: str,
) -> str:
    """The code of one loop."""
    target, source = rows
    steps, part = key
    asked = lookup.format(part, exchange)
    opening = (
        "def f(rows: list, data: dict, named: dict, text: str):\n    numbers = range(len(rows))\n"
    )
    if form == "gathered" and not steps:
        return (
            opening
            + f"    async def one(row):\n        return {asked}\n\n    async def every():\n"
            + f"        return await asyncio.gather(*[one(row) for {target} in {source}])\n\n"
            + "    return asyncio.run(every())\n"
        )
    if form != "statement" and not steps:
        test = ' if row["quantity"] != "6"' if guard else ""
        around = {"list": "[{}]", "set": "sorted({{str(each) for each in [{}]}})"}.get(
            form, "list(({}))"
        )
        return (
            opening
            + "    return "
            + around.format(f"{asked} for {target} in {source}{test}")
            + "\n"
        )
    lines = [f"for {target} in {source}:"]
    indent = "    "
    for line in guard:
        lines.append(indent + line)
        if line.endswith(":"):
            indent += "    "
    lines += [indent + step for step in steps]
    lines.append(f"{indent}found.append({asked})")
    if guard == ("try:",):
        lines += ["    except KeyError:", "        pass"]
    return (
        opening
        + "    found = []\n"
        + "".join(f"    {line}\n" for line in lines)
        + "    return found\n"
    )


def payload(contract: SqliteContract, code: str) -> Callable[[], tuple[Any, ...]]:
    """Rows with the fields that a loop names, and no other that look-ahead could go by."""
    found = contract.plain.execute(
        "SELECT symbol, exchange FROM symtoken WHERE exchange IN ('NSE', 'NFO') AND id % 13 = 5"
        " ORDER BY (id * 7919) % 1009 LIMIT ?",
        (NUMBER,),
    ).fetchall()
    assert len(found) == NUMBER
    plain = [
        {
            "symbol": symbol,
            "exchange": exchange,
            "segment": {"NSE": "NSE_EQ", "NFO": "NSE_FO"}[exchange],
            "twisted": symbol[::-1].swapcase(),
            "head": symbol[:3],
            "tail": symbol[3:],
            "prefixed": f"X:{symbol}",
            "quantity": str(number),
        }
        for number, (symbol, exchange) in enumerate(found)
    ]
    for row in plain:
        for name in list(row):
            if name != "quantity" and f'["{name}"]' not in code and f"['{name}']" not in code:
                del row[name]
    file = io.StringIO()
    writer = csv.DictWriter(file, list(plain[0]))
    writer.writeheader()
    writer.writerows(plain)
    text = file.getvalue()

    def fresh() -> tuple[Any, ...]:
        rows = [dict(row) for row in plain]
        return rows, {"rows": rows}, {row["quantity"]: row for row in rows}, text

    return fresh


def run(path: Path, make: Callable[[], tuple[Any, ...]]) -> Callable[[], Any]:
    namespace: dict[str, Any] = {"__name__": "code_of_an_application"}
    exec(compile(path.read_text(), str(path), "exec"), namespace)  # noqa: S102 - code of this test
    answer = namespace["f"](*make())
    return lambda: answer


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=ROWS,
    key=KEYS,
    exchange=EXCHANGES,
    lookup=LOOKUPS,
    guard=GUARDS,
    form=st.sampled_from(["statement", "statement", "list", "set", "generator", "gathered"]),
)
def test_a_mended_loop_answers_as_before_in_few_statements(  # noqa: PLR0917 - what is drawn
    sqlite_contract: SqliteContract,
    master: SymbolMaster,
    tmp_path: Path,
    rows: tuple[str, str],
    key: tuple[tuple[str, ...], str],
    exchange: str,
    lookup: str,
    guard: tuple[str, ...],
    form: str,
) -> None:
    path = tmp_path / "code.py"
    loop = written(rows, key, exchange, lookup, guard, form)
    path.write_text(HEAD + loop)
    make = payload(sqlite_contract, loop + (HEAD if lookup.startswith("deeper") else OF_HELPER))
    forget_sites()
    with master.scope():
        wanted = run(path, make)
    scan([path], fix=True)
    again = scan([path], fix=True)
    assert again.errors == {}
    assert again.changed == []
    verdicts = {each.verdict for each in again.findings}
    assert verdicts <= {SEEN, BY_HAND}
    forget_sites()
    another = type(master)(sqlite_contract.engine)
    sqlite_contract.statements.clear()
    with another.scope():
        found = run(path, make)
    another.close()
    assert found() == wanted()
    assert verdicts
    if verdicts == {SEEN}:
        assert len(sqlite_contract.statements) <= FEW, path.read_text()
