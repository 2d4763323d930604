# ruff: noqa: ANN401, PERF401, PLC3002, FLY002 - rows may hold anything, and of variables it
# matters here which hold what, and whether two texts are one object
"""Nested loops, composed keys, rows that are gone, and what a search may cost and touch."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Index, Integer, MetaData, String, Table, create_engine, event

from dataloaders import DataLoader
from dataloaders.lookahead.frames import is_in_worker
from dataloaders.lookahead.sites import forget_sites
from dataloaders.scope import LoaderRegistry
from dataloaders.sql import TableLoader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

pytestmark = pytest.mark.timeout(120)


_asked: list[list[Any]] = []


def asked() -> list[list[Any]]:
    """Returns what the batch functions were given since the last call."""
    noted = _asked.copy()
    _asked.clear()
    return noted


class Private(DataLoader[Any, Any]):
    """Answers a key with itself; one request's alone."""

    lookahead = "on"

    def batch_load(self, keys: list[Any]) -> Any:
        _asked.append(list(keys))
        return [("got", key) for key in keys]


@pytest.fixture(autouse=True)
def _nothing_asked() -> None:
    _asked.clear()


# -- a table, and sqlite3 alone as the source of what is right

_odd = [(None, "NSE"), ("", "NSE"), ("0", "NSE"), ("None", "NSE"), (None, "BSE"), ("1", "NSE")]
_contracts = Table(
    "contracts",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("symbol", String(60)),
    Column("exchange", String(20)),
    Index("by_symbol", "symbol"),
)


def _only(value: Any) -> Any:
    return value


class Ids(TableLoader[Any]):
    table = _contracts
    key = ("symbol", "exchange")
    columns = ("id",)
    record = _only


class Store:
    """A SQLite file, through an engine that counts and through sqlite3 alone."""

    def __init__(self, path: Path) -> None:
        self.engine = create_engine(f"sqlite:///{path}")
        self.plain = sqlite3.connect(path)
        self.sent = 0
        _contracts.create(self.engine)
        names = [f"{name}{kind}" for name in ("TCS", "INFY", "AB", "X-Y") for kind in KINDS]
        rows = [*_odd, *((name, exchange) for name in names for exchange in ("NSE", "BSE"))]
        self.plain.executemany("INSERT INTO contracts (symbol, exchange) VALUES (?, ?)", rows)
        self.plain.commit()
        event.listen(self.engine, "before_cursor_execute", self._count)

    def _count(self, *_: object) -> None:
        self.sent += 1

    def find(self, key: tuple[Any, Any]) -> Any:
        """One plain query; a text column is compared with text."""
        texts = [None if part is None else str(part) for part in key]
        return self.plain.execute(
            "SELECT min(id) FROM contracts WHERE symbol IS ? AND exchange IS ?", texts
        ).fetchone()[0]


STRIKES = range(17_000, 17_600, 50)
KINDS = ["", "-EQ", "-BE", "24JAN", *(f"24JAN{strike}CE" for strike in STRIKES)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store.db")
    yield store
    store.plain.close()
    store.engine.dispose()


def compared(
    store: Store, loop: Callable[[Callable[..., Any], Any], list[Any]], rows: Callable[[], Any]
) -> tuple[int, int]:
    """Runs a loop with one plain query for each lookup, then twice; returns the statements."""
    expected = loop(lambda *key: store.find(key), rows())
    counts = []
    for _ in range(2):
        loader = Ids(store.engine)
        store.sent = 0
        assert loop(_two_parts(loader), rows()) == expected
        counts.append(store.sent)
        loader.close()
    assert any(each is not None for each in expected)
    return counts[0], counts[1]


def _two_parts(loader: Ids) -> Callable[..., Any]:
    return lambda *key: loader.get(key)


# -- loops


def composed(ask: Callable[..., Any], rows: Any) -> list[Any]:
    return [ask(f"{row['name']}{row['expiry']}{row['strike']}CE", "NSE") for row in rows]


def option_chain(ask: Callable[..., Any], strikes: Any) -> list[Any]:
    found = []
    for strike in strikes:
        found.append(ask("TCS24JAN" + str(strike) + "CE", "NSE"))
    return found


def popped(ask: Callable[..., Any], rows: Any) -> list[Any]:
    found = []
    while rows:
        row = rows.pop()
        found.append(ask(row["symbol"], row["exchange"]))
    return found


def item_popped(ask: Callable[..., Any], rows: Any) -> list[Any]:
    found = []
    for row in rows:
        item = row.pop("item")
        found.append(ask(item["symbol"], item["exchange"]))
    return found


def nested(ask: Callable[..., Any], orders: Any) -> list[Any]:
    found = []
    for order in orders:
        for leg in order["legs"]:
            found.append(ask(leg["symbol"], order["exchange"]))
    return found


def chunks(ask: Callable[..., Any], rows: Any) -> list[Any]:
    found = []
    for start in range(0, len(rows), 4):
        page = rows[start : start + 4]
        for row in page:
            found.append(ask(row["symbol"], row["exchange"]))
    return found


def unpacked(ask: Callable[..., Any], rows: Any) -> list[Any]:
    found = []
    for symbol, exchange in rows:
        found.append(ask(symbol, exchange))
    return found


def texts_in_rows(ask: Callable[..., Any], rows: Any) -> list[Any]:
    return [ask(symbol, "NSE") for row in rows for symbol in row["symbols"]]


def _symbols() -> list[str]:
    return ["".join((name, kind)) for name in ("TCS", "INFY") for kind in KINDS] + ["NO SUCH"]


def _rows() -> list[dict[str, Any]]:
    return [{"symbol": symbol, "exchange": "NSE", "quantity": 3} for symbol in _symbols()]


SHAPES: list[Any] = [
    (composed, lambda: [{"name": "TCS", "expiry": "24JAN", "strike": each} for each in STRIKES]),
    (option_chain, lambda: list(STRIKES)),
    (popped, _rows),
    (item_popped, lambda: [{"item": row, "id": number} for number, row in enumerate(_rows())]),
    (nested, lambda: [{"exchange": each, "legs": _rows()} for each in ("NSE", "BSE", "NSE")]),
    (chunks, _rows),
    (unpacked, lambda: [(row["symbol"], row["exchange"]) for row in _rows()]),
    (texts_in_rows, lambda: [{"symbols": _symbols()[at : at + 5]} for at in range(0, 30, 5)]),
]


@pytest.mark.parametrize(("loop", "rows"), SHAPES, ids=[loop.__name__ for loop, _ in SHAPES])
def test_shapes(store: Store, loop: Any, rows: Any) -> None:
    first, again = compared(store, loop, rows)
    assert first <= 3
    assert again <= 2


@pytest.mark.parametrize("first", range(4))
def test_keys_that_are_hardly_any(store: Store, first: int) -> None:
    """None, an empty text and a zero are three keys, whichever comes first."""

    def loop(ask: Callable[..., Any], rows: Any) -> list[Any]:
        return [ask(row["symbol"], row["exchange"]) for row in rows]

    some: list[Any] = [None, "", 0, "0"]
    some = some[first:] + some[:first] + ["None", "TCS", 1, "1", "nothing"]
    rows = [{"symbol": each, "exchange": at} for at in ("NSE", "BSE") for each in some]
    rows += [{"exchange": "NSE"} | row for row in ({"symbol": "AB"}, {"symbol": None})]
    _, again = compared(store, loop, lambda: [dict(row) for row in rows])
    assert again < len(rows)


def test_rows_that_lack_the_key(store: Store) -> None:
    def loop(ask: Callable[..., Any], rows: Any) -> list[Any]:
        return [ask(row.get("symbol"), "NSE") for row in rows]

    first, again = compared(
        store, loop, lambda: [{"symbol": "TCS"}, {}, {"symbol": "AB"}, {"symbol": ""}, {"a": 1}]
    )
    assert (first, again) == (1, 1)


def test_a_page_of_one_row_is_no_failure(store: Store) -> None:
    def loop(ask: Callable[..., Any], rows: Any) -> list[Any]:
        return [ask(row["symbol"], row["exchange"]) for row in rows]

    for _ in range(8):  # more than it takes for a place to be left alone
        found = loop(_two_parts(Ids(store.engine)), _rows()[:1])
        assert found == [store.find(("TCS", "NSE"))]
    store.sent = 0
    found = loop(_two_parts(Ids(store.engine)), _rows())
    assert found == [store.find((symbol, "NSE")) for symbol in _symbols()]
    assert store.sent <= 2


# -- whatever rows, the answers are those of one query for each lookup

MAKERS: list[Callable[[Any, Any], str]] = [
    lambda name, _: name,
    lambda name, _: name.strip().upper(),
    lambda name, _: name + "-EQ",
    lambda name, _: name.removesuffix("-EQ"),
    lambda name, _: name.split("-")[0],
    lambda name, _: name.rpartition("-")[2],
    lambda name, _: "NSE:" + name,
    lambda name, strike: f"{name}24JAN{strike}CE",
    lambda _, strike: f"TCS24JAN{strike}CE",
    lambda name, strike: f"{name}{strike}{name}",
    lambda name, _: name.replace("-", ""),
]
NAMES = st.sampled_from(
    ["TCS", "tcs ", "TCS-EQ", "INFY-BE", "INFY", "AB", " AB", "X-Y", "X-Y-EQ", "", "-", "0", "A"]
) | st.text(alphabet="AB-0 \u00e9\u0130\u00df", max_size=5)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    maker=st.sampled_from(MAKERS),
    rows=st.lists(
        st.tuples(NAMES, st.sampled_from([*STRIKES, 0, 1]), st.sampled_from(["NSE", "BSE"])),
        max_size=14,
    ),
)
def test_any_rows(store: Store, maker: Any, rows: Any) -> None:
    forget_sites()
    expected = [store.find((maker(name, strike), exchange)) for name, strike, exchange in rows]

    def loop(loader: Ids, rows: list[dict[str, Any]]) -> list[Any]:
        return [loader.get((maker(row["name"], row["strike"]), row["at"])) for row in rows]

    for _ in range(2):  # with what the first loop has learned
        made = [{"name": name, "strike": strike, "at": at} for name, strike, at in rows]
        assert loop(Ids(store.engine), made) == expected


# -- trials


def _suffixed(loader: Private, rows: list[dict[str, str]], *, cut: bool) -> None:
    for row in rows:
        name = row["symbol"]
        loader.get(name.removesuffix("-EQ") if cut else name)


def _with_suffixes(number: int) -> list[dict[str, str]]:
    names = ["".join(("ZZ", str(number))), "AA-EQ", "BB-EQ", "AA", "CC-EQ"]
    return [{"symbol": name} for name in names]


def test_a_suffix_is_learned_when_it_was_used() -> None:
    for _ in range(2):
        asked()
        loader = Private()
        _suffixed(loader, _with_suffixes(1), cut=True)
        loader.close()
        sent = asked()
        assert len(sent) == 1
        assert {"ZZ1", "AA", "BB", "CC"} <= set(sent[0])


def test_a_suffix_that_was_of_no_use_is_not_learned() -> None:
    for _ in range(2):
        asked()
        loader = Private()
        _suffixed(loader, _with_suffixes(1), cut=False)
        loader.close()
    # The row "AA" is asked for as it stands; no row has had anything cut off.
    assert asked() == [["ZZ1", "AA-EQ", "BB-EQ", "AA", "CC-EQ"]]


# -- other requests


class Other:
    """Another request, in another thread, in the midst of a loop."""

    def __init__(self, request: Callable[[Callable[[], Any]], Any]) -> None:
        self._ready, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=request, args=(self._pause,))

    def _pause(self) -> None:
        self._ready.set()
        self._over.wait(20)

    def __enter__(self) -> None:
        self._thread.start()
        assert self._ready.wait(20)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def _asked_by(request: Callable[[Private], Any], *own: Any) -> None:
    """Checks that a request of its own asks for its own keys alone."""
    with LoaderRegistry().scope() as scope:
        request(scope.loader(Private))
    assert {key for batch in asked() for key in batch} == set(own)


def test_numbers_that_another_request_goes_over() -> None:
    def users() -> list[int]:
        return [3, 5, 9, 11]

    def theirs(pause: Callable[[], Any]) -> None:
        for user in users():
            if user == 5:
                pause()

    def mine(loader: Private) -> None:
        for _ in range(3):
            user = 5
            loader.clear(user).get(user)

    with Other(theirs):
        _asked_by(mine, 5)


def test_rows_of_another_request_with_a_text_of_the_workers() -> None:
    def theirs(pause: Callable[[], Any]) -> None:
        rows = (lambda: [{"s": "RELI-ANCE".replace("-", "")}, {"s": "theirs"}])()
        for row in rows:
            pause()
            assert row
            break

    def work(loader: Private, row: dict[str, str]) -> None:
        loader.get(row["s"])

    def mine(loader: Private) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(work, loader, {"s": "RELIANCE "[:-1]}).result()

    with Other(theirs):
        _asked_by(mine, "RELIANCE")


def test_rows_of_another_request_with_a_constant_of_the_workers() -> None:
    def theirs(pause: Callable[[], Any]) -> None:
        order = (lambda: {"legs": [1], "exchange": "NSE", "account": "theirs"})()
        pause()
        assert order

    def work(loader: Private, exchange: str, account: str) -> None:
        loader.get((exchange, account))

    def mine(loader: Private) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(work, loader, "NSE", "mine").result()

    with Other(theirs):
        _asked_by(mine, ("NSE", "mine"))


# -- code of the caller's objects


class Counting:
    """Compares as it likes, and counts."""

    calls = 0

    def __eq__(self, other: object) -> bool:
        Counting.calls += 1
        return self is other

    __hash__ = object.__hash__


class Name(str):
    """A name of a field that counts who compares it, and can be referred to weakly."""

    __slots__ = ("__weakref__",)
    calls = 0

    def __eq__(self, other: object) -> bool:
        Name.calls += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_parts_with_an_equality_of_their_own() -> None:
    Counting.calls = 0
    rows = [{"part": Counting()} for _ in range(3)]
    for row in rows:
        assert Private().get(row["part"]) == ("got", row["part"])
    # The lookups themselves find each key by identity.
    assert Counting.calls == 0


def test_numbers_beside_an_object_with_an_equality_of_its_own() -> None:
    Counting.calls = 0
    numbers: list[Any] = [*range(100, 120), Counting()]
    loader = Private()
    for number in numbers[:3]:
        assert loader.get(f"K{number}") == ("got", f"K{number}")
    assert Counting.calls == 0


def test_rows_that_are_gone_with_names_that_compare_as_they_like() -> None:
    rows = [{Name("symbol"): f"S{number}", Name("x"): number} for number in range(5)]
    loader = Private()
    Name.calls = 0
    while rows:
        row = rows.pop()
        key = next(iter(dict.values(row)))
        assert loader.get(key) == ("got", key)
    assert Name.calls == 0


def test_names_of_a_class_of_their_own_are_not_kept() -> None:
    def one() -> weakref.ref[Any]:
        name = Name("symbol")
        loader = Private()
        rows = [{name: f"S{number}"} for number in range(4)]
        for row in rows:
            loader.get(row[name])
        return weakref.ref(name)

    reference = one()
    gc.collect()
    assert reference() is None


def test_cycles() -> None:
    row: dict[str, Any] = {"legs": []}
    row["self"] = row
    row["legs"].append(row["legs"])
    row["legs"].append({"s": "S0", "order": row})
    rows = [row, {"legs": [{"s": "S1"}]}, row]
    loader = Private()
    for each in rows:
        for leg in each["legs"]:
            if type(leg) is dict:
                assert loader.get(leg["s"]) == ("got", leg["s"])


def test_rows_that_other_threads_change_meanwhile() -> None:
    rows: list[Any] = [{"s": f"S{number}", "legs": [1]} for number in range(300)]
    by_id: dict[Any, Any] = {row["s"]: row for row in rows}
    names = {row["s"] for row in rows}
    over = threading.Event()

    def change() -> None:
        number = 0
        while not over.is_set():
            number += 1
            rows.append(rows.pop(0))
            rows[:] = [] if number % 50 == 0 else rows
            rows.extend({"s": f"S{each}"} for each in range(300 - len(rows)))
            by_id[f"N{number % 400}"] = by_id.pop(next(iter(by_id)))
            names.symmetric_difference_update({f"N{number % 400}"})

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for number in range(400):
            key = f"S{number}"
            assert Private().get(key) == ("got", key)
    finally:
        over.set()
        thread.join()


# -- what a search costs


def lines_of(function: Callable[[], Any]) -> int:
    """Counts the lines of look-ahead that run."""
    count = 0

    def line(_frame: FrameType, kind: str, _argument: Any) -> Any:
        nonlocal count
        count += kind == "line"
        return line

    def call(frame: FrameType, _kind: str, _argument: Any) -> Any:
        return line if "lookahead" in frame.f_globals.get("__name__", "") else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


MOST_LINES = 600_000
HUGE = 100_000
WIDE: dict[str, Any] = {
    "texts": lambda: [f"T{number}" for number in range(HUGE)],
    "rows": lambda: [{"a": f"T{number}"} for number in range(HUGE)],
    "tuples": lambda: [(f"T{number}", number) for number in range(HUGE)],
    "by id": lambda: {f"T{number}": {"a": number} for number in range(HUGE)},
    "many lists": lambda: {n: [{"a": f"T{i}"} for i in range(HUGE // 80)] for n in range(80)},
    "long texts": lambda: [{"a": "x" * 1_000_000, "b": "y" * 1_000_000}] * 100,
    "set": lambda: set(range(HUGE)),
    "empty rows": lambda: [{} for _ in range(HUGE)],
    "empty rows by id": lambda: {f"T{number}": {} for number in range(HUGE)},
    "no rows but the first": lambda: [{}] + [object()] * HUGE,
    "alike": lambda: [{"k": "KEY-1"} | dict.fromkeys(range(HUGE)) for _ in range(4)],
}


@pytest.mark.parametrize("kind", WIDE)
def test_a_lookup_beside_much_data(kind: str) -> None:
    held = WIDE[kind]()

    def look(loader: Private) -> None:
        for _ in range(2):  # a glance or search, and one more
            loader.clear("KEY-1")
            assert loader.get("KEY-1") == ("got", "KEY-1")

    assert lines_of(lambda: look(Private())) < MOST_LINES
    assert held


# -- workers


def _in_worker() -> bool:
    return is_in_worker(sys._getframe())


def test_workers() -> None:
    async def on_a_loop() -> tuple[bool, bool]:
        return _in_worker(), await asyncio.to_thread(_in_worker)

    assert not _in_worker()
    assert asyncio.run(on_a_loop()) == (False, True)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(_in_worker).result()
        assert list(pool.map(lambda _: _in_worker(), range(2))) == [True, True]
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(_in_worker()))
    thread.start()
    thread.join()
    assert found == [True]
