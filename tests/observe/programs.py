"""Random programs: of lookups that are batched or cannot be, and of such that should have been.

A program is a text. Where its lookups are, and in which loop, is written into it as comments:
what is expected of the detector is read from there.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.observe.world import EXCHANGES, LOADERS, following

if TYPE_CHECKING:
    from types import CodeType

_numbers = count()
_codes: list[CodeType] = []  # kept: what is known of a place goes by its code's id


@dataclass(frozen=True)
class Part:
    """A function of a program, and those that it calls.

    Attributes:
        text: The function `part`, which takes rows; the name stands for one of its own.
        is_async: Whether it is to be awaited.
        numbers: The nodes that its rows are of.
        times: From how many lines it is called.
    """

    text: str
    is_async: bool
    numbers: tuple[int, ...]
    times: int = 1


@dataclass(frozen=True)
class Alarm:
    """What is to be found.

    Attributes:
        loader: The loader's name.
        line: The line of the lookup.
        function: The function that it is in.
        loop: The line within the loop, if that is in another function, or of the recursion.
        count: How many batches of one key there are.
    """

    loader: str
    line: int
    function: str
    loop: int | None
    count: int


class Program:
    """The text of a program, and its code.

    Args:
        parts: What it does, one after the other.
    """

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts
        self.is_async = any(part.is_async for part in parts)
        self.file = f"program_{next(_numbers)}.py"
        texts = [
            re.sub(r"\b(part|helper|Desk)(?=\w*\b)", rf"\1_{number}_", part.text).strip()
            for number, part in enumerate(parts)
        ]
        calls = [
            f"    keep({'await ' if part.is_async else ''}part_{number}_(rows({number})))"
            for number, part in enumerate(parts)
            for _ in range(part.times)
        ]
        # Rows and results of the other parts are kept where look-ahead does not find them.
        main = "\n".join([f"{'async ' if self.is_async else ''}def main(rows, keep):", *calls])
        self.text = "\n\n\n".join([_HEAD, *texts, main]) + "\n"
        self._code = compile(self.text, self.file, "exec")
        _codes.append(self._code)

    def main(self, loaders: dict[str, Any]) -> Any:  # noqa: ANN401 - a function
        """Returns its main function, which takes what gives the rows of a part and keeps results.

        Args:
            loaders: What returns each loader, by the class's name.
        """
        names: dict[str, Any] = {"__name__": "program", **loaders}
        exec(self._code, names)  # noqa: S102 - it is made below
        return names["main"]

    def alarms(self) -> set[Alarm]:
        """Returns what is to be found, as its comments say: `lookup Loader function count`."""
        lines = list(enumerate(self.text.splitlines(), 1))
        loops = {
            found[1]: number
            for number, line in lines
            if (found := re.search(r"# loop (\w+)", line))
        }
        alarms = set()
        for number, line in lines:
            found = re.search(r"# lookup (\w+) (\S+) (\d+)(?: in (\w+))?", line)
            if found:
                loader, function, times, loop = found.groups()
                alarms.add(Alarm(loader, number, function, loops.get(loop), int(times)))
        return alarms


_HEAD = """
import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

from dataloaders import ScopeThreadPoolExecutor
""".strip()

# -- parts that are as they should be

FINE = {
    "a loop that is seen through": """
def part(rows):
    found = []
    for row in rows:
        found.append(NodeLoader().get((row["code"], row["exchange"])))
    return found
""",
    "a comprehension": """
def part(rows):
    return [NodeLoader().get((row["code"], row["exchange"])) for row in rows]
""",
    "objects": """
def part(rows):
    objects = [SimpleNamespace(**row) for row in rows]
    found = {}
    for i, each in enumerate(objects):
        found[i] = NodeLoader().get((each.code, each.exchange))
    return found
""",
    "a helper in a loop": """
def part_two(row):
    return helper(row["code"], row["exchange"])


def helper(code, exchange):
    return NodeLoader().get((code, exchange))


def part(rows):
    return [part_two(row) for row in rows]
""",
    "two lookups in a loop": """
def part(rows):
    found = []
    for row in rows:
        node = NodeLoader().get((row["code"], row["exchange"]))
        if node is None:
            continue
        found.append((node, OwnerLoader().get(node.owner)))
    return found
""",
    "nested loops": """
def part(rows):
    groups = {"first": rows[::2], "second": rows[1::2]}
    found = []
    for name, group in groups.items():
        for row in group:
            found.append((name, NodeLoader().get((row["code"], row["exchange"]))))
    return found
""",
    "map and sorted": """
def part(rows):
    found = list(map(lambda row: NodeLoader().get((row["code"], row["exchange"])), rows))
    rows = sorted(rows, key=lambda row: NodeLoader().get((row["code"], row["exchange"])).id)
    return found, rows
""",
    "an announced loop": """
def part(rows):
    found = []
    for row in MarkLoader().over(rows, "mark"):
        found.append(MarkLoader().get(row["mark"]))
    return found
""",
    "expected keys": """
def part(rows):
    marks = [row["mark"] for row in rows]
    MarkLoader().expect(marks)
    return {mark: MarkLoader().get(mark) for mark in marks}
""",
    "a function that expects": """
def part(rows):
    @MarkLoader().expects("mark")
    def place(orders):
        found = []
        for order in orders:
            found.append(MarkLoader().get(order["mark"]))
        return found

    return place(rows)
""",
    "many at once": """
def part(rows):
    return MarkLoader().get_many([row["mark"] for row in rows])
""",
    "many at once, then again one by one": """
def part(rows):
    MarkLoader().get_many([row["mark"] for row in rows])
    return [MarkLoader().get(row["mark"]) for row in rows]
""",
    "a linked list": """
def part(rows):
    found = []
    code = rows[0]["code"]
    for _ in rows:
        for exchange in EXCHANGES:
            node = NodeLoader().get((code, exchange))
            if node is not None:
                break
        found.append(node)
        code = node.following
    return found
""",
    "a chain of two loaders": """
def part(rows):
    mark = rows[0]["mark"]
    found = []
    while len(found) < len(rows):
        node = MarkLoader().get(mark)
        owner = OwnerLoader().get(node.owner)
        found.append(node)
        mark = owner.favourite
    return found
""",
    "a chain of two loaders, by a function that calls itself": """
def part(rows):
    return helper(rows[0]["mark"], len(rows))


def helper(mark, left):
    if not left:
        return []
    node = MarkLoader().get(mark)
    return [node, *helper(OwnerLoader().get(node.owner).favourite, left - 1)]
""",
    "a chain, each of whose answers is asked for once more": """
def part(rows):
    mark = rows[0]["mark"]
    found = []
    for _ in range(2 * len(rows)):
        node = MarkLoader().get(mark)
        found.append(node)
        if len(found) % 2 == 0:
            mark = OwnerLoader().get(MarkLoader().get(mark).owner).favourite
    return found
""",
    "a key that is asked for until it is there": """
def part(rows):
    found = []
    for _ in rows:
        MarkLoader().clear(rows[0]["mark"])
        found.append(MarkLoader().get(rows[0]["mark"]))
    return found
""",
    "two keys that are watched": """
def part(rows):
    found = []
    for _ in range(4):
        for row in rows[:2]:
            MarkLoader().clear(row["mark"])
        found.append(MarkLoader().get_many([row["mark"] for row in rows[:2]]))
    return found
""",
    "exchanges that are tried in turn": """
def part(rows):
    for exchange in EXCHANGES:
        node = BlindLoader().get((rows[0]["code"], exchange))
        if node is not None:
            break
    return node
""",
    "exchanges that look-ahead may try": """
def part(rows):
    for row in rows:
        for exchange in ("NO SUCH", *EXCHANGES):
            node = NodeLoader().get((row["code"], exchange))
            if node is not None:
                row["exchange"] = exchange
                break
    return rows
""",
    "a code that is nowhere": """
def part(rows):
    return [BlindLoader().get(("NO SUCH", exchange)) for exchange in EXCHANGES]
""",
    "single lookups": """
def part(rows):
    first = MarkLoader().get(rows[0]["mark"])
    second = MarkLoader().get(rows[-1]["mark"])
    third = MarkLoader().get(rows[len(rows) // 2]["mark"])
    fourth = MarkLoader().get(rows[len(rows) // 3]["mark"])
    return first, second, third, fourth
""",
    "a helper that is called from several places": """
def helper(row):
    return part_two(row["mark"])


def part_two(mark):
    return MarkLoader().get(mark)


def part(rows):
    first = helper(rows[0])
    second = helper(rows[-1])
    third, fourth = helper(rows[len(rows) // 2]), helper(rows[len(rows) // 3])
    return first, second, third, fourth, part_two("M00000")
""",
    "a helper behind a decorator": """
def part_two(function):
    def wrapper(*args, **options):
        return function(*args, **options)

    return wrapper


@part_two
def helper(row):
    return MarkLoader().get(row["mark"])


@part_two
def part(rows):
    first = helper(rows[0])
    second = helper(rows[-1])
    third = helper(rows[len(rows) // 2])
    fourth = helper(rows[len(rows) // 3])
    return first, second, third, fourth
""",
    "a batch function that asks": """
def part(rows):
    return ListedLoader().get_many([row["mark"] for row in rows])
""",
    "a batch function that asks for one key": """
def part(rows):
    return ListedLoader().get(rows[0]["mark"]), ListedLoader().get(rows[-1]["mark"])
""",
    "two of a loop": """
def part(rows):
    return [BlindLoader().get((row["code"], row["exchange"])) for row in rows[:2]]
""",
    "a pool of threads": """
def part(rows):
    def place(row):
        return MarkLoader().get(row["mark"])

    with ScopeThreadPoolExecutor(4) as pool:
        return list(pool.map(place, rows))
""",
    "a pool of threads whose rows are seen": """
def part(rows):
    def place(row):
        return NodeLoader().get((row["code"], row["exchange"]))

    with ScopeThreadPoolExecutor(4) as pool:
        return [future.result() for future in [pool.submit(place, row) for row in rows]]
""",
    "a pool of threads that announces": """
def part(rows):
    MarkLoader().expect([row["mark"] for row in rows])
    with ScopeThreadPoolExecutor(3) as pool:
        return list(pool.map(lambda row: MarkLoader().get(row["mark"]), rows))
""",
}

FINE_ON_LOOPS = {
    "gathered loads": """
async def part(rows):
    return await asyncio.gather(*[MarkLoader().load(row["mark"]) for row in rows])
""",
    "gathered helpers": """
async def part(rows):
    return await asyncio.gather(*[helper(row) for row in rows])


async def helper(row):
    node = await MarkLoader().load(row["mark"])
    owner = await OwnerLoader().load(node.owner)
    return node, owner, await MarkLoader().load(owner.favourite)
""",
    "tasks": """
async def part(rows):
    tasks = [asyncio.create_task(helper(row["mark"])) for row in rows]
    return [await task for task in tasks]


async def helper(mark):
    await asyncio.sleep(0)
    return await MarkLoader().load(mark)
""",
    "many at once, on a loop": """
async def part(rows):
    return await MarkLoader().load_many([row["mark"] for row in rows])
""",
    "awaits in a loop that is seen through": """
async def part(rows):
    found = []
    for row in rows:
        found.append(await NodeLoader().load((row["code"], row["exchange"])))
    return found
""",
    "awaits of a helper in a loop that is seen through": """
async def helper(row):
    return await NodeLoader().load((row["code"], row["exchange"]))


async def part(rows):
    return [await helper(row) for row in rows]
""",
    "awaits in an announced loop": """
async def part(rows):
    return [await MarkLoader().load(row["mark"]) for row in MarkLoader().over(rows, "mark")]
""",
    "a chain of awaits": """
async def part(rows):
    mark = rows[0]["mark"]
    found = []
    for _ in rows:
        node = await MarkLoader().load(mark)
        found.append(node)
        mark = (await OwnerLoader().load(node.owner)).favourite
    return found
""",
    "chains beside each other": """
async def part(rows):
    return await asyncio.gather(*[helper(row["mark"]) for row in rows[:4]])


async def helper(mark):
    found = []
    for _ in range(4):
        node = await MarkLoader().load(mark)
        found.append(node)
        mark = (await OwnerLoader().load(node.owner)).favourite
    return found
""",
    "single awaits": """
async def part(rows):
    first = await MarkLoader().load(rows[0]["mark"])
    second = await MarkLoader().load(rows[-1]["mark"])
    third = await MarkLoader().load(rows[len(rows) // 2]["mark"])
    return first, second, third
""",
    "exchanges that are tried in turn, on a loop": """
async def part(rows):
    for exchange in EXCHANGES:
        node = await BlindLoader().load((rows[0]["code"], exchange))
        if node is not None:
            break
    return node
""",
    "a batch function that asks, on a loop": """
async def part(rows):
    return await asyncio.gather(*[ListedLoader().load(row["mark"]) for row in rows])
""",
    "known ones among others": """
async def part(rows):
    await MarkLoader().load_many([row["mark"] for row in rows[::2]])
    return await asyncio.gather(*[helper(row["mark"]) for row in rows])


async def helper(mark):
    node = await MarkLoader().load(mark)
    return node, await OwnerLoader().load(node.owner)
""",
}


def _with_exchanges(text: str) -> str:
    return text.replace("EXCHANGES", repr(EXCHANGES))


def _numbers_of(least: int, most: int) -> st.SearchStrategy[tuple[int, ...]]:
    numbers = st.integers(min_value=0, max_value=399)
    return st.lists(numbers, min_size=least, max_size=most, unique=True).map(tuple)


def _fine_part(*, on_loop: bool) -> st.SearchStrategy[Part]:
    texts = [(text, False) for text in FINE.values()]
    if on_loop:
        texts += [(text, True) for text in FINE_ON_LOOPS.values()] * 2
    return st.builds(
        lambda text, numbers, times: Part(_with_exchanges(text[0]), text[1], numbers, times),
        st.sampled_from(texts),
        _numbers_of(2, 25),
        st.integers(min_value=1, max_value=3),
    )


def fine_programs() -> st.SearchStrategy[Program]:
    """Programs whose lookups are batched or cannot be."""
    return st.booleans().flatmap(
        lambda on_loop: st.lists(_fine_part(on_loop=on_loop), min_size=1, max_size=6).map(Program)
    )


# -- parts with lookups that should have been one batch

_COMPREHENSION = "part" if sys.version_info >= (3, 12) else "part.<locals>.<listcomp>"

# `KEY` is the key of a row; `LOADER` what is asked; `COUNT` how many rows there are.
ALARMING = {
    "a loop": """
def part(rows):
    found = []
    for row in rows:
        found.append(LOADER().get(KEY))  # lookup LOADER part COUNT
    return found
""",
    "a comprehension": f"""
def part(rows):
    return [LOADER().get(KEY) for row in rows]  # lookup LOADER {_COMPREHENSION} COUNT
""",
    "a loop by an index": """
def part(rows):
    i = 0
    found = []
    while i < len(rows):
        row = rows[i]
        try:
            found.append(
                LOADER().require(KEY)  # lookup LOADER part COUNT
            )
        except LookupError:
            found.append(None)
        i += 1
    return found
""",
    "many of one at a time": """
def part(rows):
    found = []
    for row in rows:
        found += LOADER().get_many([KEY])  # lookup LOADER part COUNT
    return found
""",
    "a generator": """
def part(rows):
    def helper():
        for row in rows:
            yield LOADER().get(KEY)  # lookup LOADER part.<locals>.helper COUNT

    return list(helper())
""",
    "what a generator yields": """
def helper(rows):
    while rows:
        row, *rows = rows
        yield row


def part(rows):
    found = {}
    for row in helper(rows):
        found[row["code"]] = LOADER().get(KEY)  # lookup LOADER part COUNT
    return found
""",
    "map": """
def part(rows):
    place = lambda row: LOADER().get(KEY)  # lookup LOADER part.<locals>.<lambda> COUNT
    return list(map(place, rows))
""",
    "a generator expression": """
def part(rows):
    return tuple(
        LOADER().get(KEY)  # lookup LOADER part.<locals>.<genexpr> COUNT
        for row in rows
    )
""",
    "a method": """
class Desk:
    def __init__(self, rows):
        self.rows = rows

    def place(self, row):
        return LOADER().get(KEY)  # lookup LOADER Desk.place COUNT in a

    def place_all(self):
        found = []
        for row in self.rows:
            found.append(self.place(row))  # loop a
        return found


def part(rows):
    return Desk(rows).place_all()
""",
    "nested loops": """
def part(rows):
    found = []
    for half in (rows[::2], rows[1::2]):
        for row in half:
            found.append(LOADER().get(KEY))  # lookup LOADER part COUNT
    return found
""",
    "a loop in a loop in another function": """
def helper(some):
    return [place for row in some for place in (LOADER().get(KEY),)]  # lookup LOADER HERE COUNT


def part(rows):
    return [helper(rows[i : i + 1]) for i in range(len(rows))]
""".replace("HERE", _COMPREHENSION.replace("part", "helper")),
    "two lookups": """
def part(rows):
    found = []
    for row in rows:
        one = LOADER().get(KEY)  # lookup LOADER part COUNT
        two = OtherLoader().get(row["mark"])  # lookup OtherLoader part COUNT
        found.append((one, two))
    return found
""",
    "a function that calls itself": """
def part(rows):
    if not rows:
        return []
    row = rows[0]
    found = LOADER().get(KEY)  # lookup LOADER part COUNT in a
    return [found, *part(rows[1:])]  # loop a
""",
    "two functions that call each other": """
def part(rows):
    row, *others = rows
    found = LOADER().get(KEY)  # lookup LOADER part COUNT in a
    return [found, *helper(others)]  # loop a


def helper(rows):
    return part(rows) if rows else []
""",
    "a function that calls itself behind a decorator": """
def part_two(function):
    def wrapper(*args, **options):
        return function(*args, **options)

    return wrapper


@part_two
def part(rows):
    if not rows:
        return []
    row = rows[0]
    found = LOADER().get(KEY)  # lookup LOADER part COUNT in a
    return [found, *part(rows[1:])]  # loop a
""",
    "a pool's thread that loops": """
def part(rows):
    def place():
        found = []
        for row in rows:
            found.append(LOADER().get(KEY))  # lookup LOADER part.<locals>.place COUNT
        return found

    with ScopeThreadPoolExecutor(1) as pool:
        return pool.submit(place).result()
""",
}

ALARMING_ON_LOOPS = {
    "awaits": """
async def part(rows):
    found = []
    for row in rows:
        found.append(await LOADER().load(KEY))  # lookup LOADER part COUNT
    return found
""",
    "awaits of many of one at a time": """
async def part(rows):
    found = []
    for row in rows:
        found += await LOADER().load_many([KEY])  # lookup LOADER part COUNT
    return found
""",
    "an async generator": """
async def helper(rows):
    for row in rows:
        yield await LOADER().load(KEY)  # lookup LOADER helper COUNT


async def part(rows):
    return [each async for each in helper(rows)]
""",
    "awaits of a helper": """
async def part_two(row):
    await asyncio.sleep(0)
    return await helper(row)


async def helper(row):
    return await LOADER().load(KEY)  # lookup LOADER helper COUNT in a


async def part(rows):
    found = []
    for row in rows:
        found.append(await part_two(row))  # loop a
    return found
""",
    "a coroutine that awaits itself": """
async def part(rows):
    if not rows:
        return []
    row = rows[0]
    found = await LOADER().load(KEY)  # lookup LOADER part COUNT in a
    return [found, *await part(rows[1:])]  # loop a
""",
    "a task of several": """
async def part(rows):
    return (await asyncio.gather(helper(rows), asyncio.sleep(0)))[0]


async def helper(rows):
    found = []
    for row in rows:
        found.append(await LOADER().load(KEY))  # lookup LOADER helper COUNT
    return found
""",
    "lookups that block, of several tasks": """
async def part(rows):
    return await asyncio.gather(*[helper(row) for row in rows])


async def helper(row):
    return LOADER().get(KEY)  # lookup LOADER helper COUNT
""",
}

# What it is that nobody can see beforehand.
UNSEEN = {
    "BlindLoader": '(row["code"], row["exchange"])',
    "ComputedLoader": 'int(row["code"][1:]) * 6007 % 10_009 + 50_000',
    "PlainLoader": 'row["mark"]',
}


def _down(depth: int) -> str:
    """Returns a part whose lookup is so many functions down."""
    functions = "".join(
        f"def helper{level}(row):\n    return helper{level + 1}(row)\n\n\n"
        for level in range(depth)
    )
    return (
        f"{functions}def helper{depth}(row):\n"
        f"    return LOADER().get(KEY)  # lookup LOADER helper{depth} COUNT in a\n\n\n"
        "def part(rows):\n    found = []\n    for row in rows:\n"
        "        found.append(helper0(row))  # loop a\n    return found\n"
    )


def _alarming_part(*, on_loop: bool) -> st.SearchStrategy[Part]:
    texts = [(text, False) for text in (*ALARMING.values(), *map(_down, range(5)))]
    if on_loop:
        texts = [(text, True) for text in ALARMING_ON_LOOPS.values()]
    numbers = st.integers(min_value=400, max_value=599)
    return st.builds(
        _with_unseen,
        st.sampled_from(texts),
        st.sampled_from(sorted(UNSEEN)),
        st.lists(numbers, min_size=4, max_size=30, unique=True).filter(_lead_nowhere),
    )


def _lead_nowhere(numbers: list[int]) -> bool:
    """Whether none of some nodes leads to another one of them: that might well be a chain."""
    return not {following(number) for number in numbers} & set(numbers)


def _with_unseen(text: tuple[str, bool], loader: str, numbers: list[int]) -> Part:
    made = text[0].replace("KEY", UNSEEN[loader]).replace("LOADER", loader)
    return Part(made.replace("COUNT", str(len(numbers))), text[1], tuple(numbers))


def alarming_programs() -> st.SearchStrategy[Program]:
    """Programs of which one part is not as it should be."""
    return st.booleans().flatmap(
        lambda on_loop: st.builds(
            lambda fine, alarming, at: Program([*fine[:at], alarming, *fine[at:]]),
            st.lists(_fine_part(on_loop=on_loop), max_size=3),
            _alarming_part(on_loop=on_loop),
            st.integers(min_value=0, max_value=3),
        )
    )


assert set(UNSEEN) <= {kind.__name__ for kind in LOADERS}
