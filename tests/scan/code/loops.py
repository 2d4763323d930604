"""Loops as applications write them, and what is to be said of each lookup: at the end of its line.

Each takes a list of rows with symbol, exchange, code (the broker's symbol), token, segment and
quantity. After `one line` stands the changed line.
"""


import asyncio
import csv
import functools
import io
import itertools
import sqlite3
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from dataloaders import ScopeThreadPoolExecutor
from dataloaders.symbols import (
    BrokerSymbolLoader,
    SymbolLoader,
    get_br_symbol,
    get_brexchange,
    get_oa_symbol,
    get_symbol,
    get_symbol_info,
    get_token,
)
from dataloaders.symbols import get_token as token_of

SEGMENTS = {"NSE_EQ": "NSE", "BSE_EQ": "BSE", "NSE_FO": "NFO", "BSE_FO": "BFO"}


def turned(text: str) -> str:
    """What look-ahead cannot follow."""
    return text[::-1].swapcase()


# -- rows that are held


def plain(rows):
    for row in rows:
        row["token"] = get_token(row["symbol"], row["exchange"])  # seen
    return rows


def named(rows):
    return [get_oa_symbol(exchange=row["exchange"], brsymbol=row["code"]) for row in rows]  # seen


def under_another_name(rows):
    return {row["quantity"]: token_of(row["symbol"], row["exchange"]) for row in rows}  # seen


def mapped_and_a_number(rows):
    found = []
    for row in rows:
        exchange = SEGMENTS.get(row["segment"], row["segment"])
        found.append(get_symbol(str(row["token"]), exchange))  # seen
    return found


def tested(rows):
    found = []
    for row in rows:
        if not row["symbol"]:
            continue
        try:
            token = get_token(row["symbol"], row["exchange"])  # seen
        except ValueError:
            token = None
        if token is None:
            break
        found.append(token)
    return found


def several(rows):
    found = []
    for row in rows:
        info = get_symbol_info(row["symbol"], row["exchange"])  # seen
        if info is None:
            continue
        found.append((info.token, get_br_symbol(row["symbol"], row["exchange"])))  # seen
    return found


def an_answer_is_the_key(rows):
    found = []
    for row in rows:
        symbol = get_symbol(row["token"], row["exchange"])  # seen
        if symbol:
            found.append(get_brexchange(symbol, row["exchange"]))  # seen
    return found


def fallback(rows):
    found = []
    for row in rows:
        code = row["code"]
        found.append(get_oa_symbol(code, "NSE") or get_oa_symbol(code, "BSE"))  # seen seen
    return found


def probing(rows):
    found = []
    for row in rows:
        for exchange in ("NSE", "BSE", "NFO"):
            symbol = get_symbol(str(row["token"]), exchange)  # seen
            if symbol:
                found.append(symbol)
                break
    return found


def numbered(rows):
    found = {}
    for i, row in enumerate(rows[2:40]):
        found[i] = get_token(row["symbol"], row["exchange"])  # seen
    return found


def zipped(rows):
    names = [row["symbol"] for row in rows]
    exchanges = [row["exchange"] for row in rows]
    return [get_token(name, at) for name, at in zip(names, exchanges, strict=True)]  # seen


def sorted_first(rows):
    return [get_token(r["symbol"], r["exchange"]) for r in sorted(rows, key=lambda r: r["code"])]  # seen


def by_index(rows):
    found = []
    for i in range(len(rows)):
        found.append(get_token(rows[i]["symbol"], rows[i]["exchange"]))  # seen
    return found


def while_by_index(rows):
    found = []
    i = 0
    while i < len(rows):
        found.append(get_token(rows[i]["symbol"], rows[i]["exchange"]))  # seen
        i += 1
    return found


def taken_off(rows):
    rows = list(rows)
    found = []
    while rows:
        row = rows.pop(0)
        found.append(get_token(row["symbol"], row["exchange"]))  # seen
    return found


def in_a_dict(rows):
    found = {}
    for isin, row in {f"IN{row['quantity']}": row for row in rows}.items():
        found[isin] = get_symbol(row.get("token"), "NSE") or isin  # seen
    return found


def copied(rows):
    found = []
    for raw in rows:
        row = dict(raw)
        found.append(get_oa_symbol(row["code"].replace("-EQ", ""), row["exchange"]))  # seen
    return found


def overwritten(rows):
    for row in rows:
        row["segment"] = SEGMENTS.get(row["segment"], row["segment"])
        row["token"] = str(row["token"])
        row["symbol"] = get_symbol(row["token"], row["segment"])  # seen
    return rows


def split(rows):
    found = []
    for text in [f"{row['exchange']}|{row['token']}" for row in rows]:
        exchange, token = text.split("|")
        found.append(get_symbol(token, exchange))  # seen
    return found


def nested(rows):
    found = []
    for basket in [{"legs": rows[i : i + 5]} for i in range(0, len(rows), 5)]:
        for leg in basket["legs"]:
            found.append(get_token(leg["symbol"], leg["exchange"]))  # seen
    return found


def unpacked(rows):
    found = []
    for symbol, exchange in [(row["symbol"], row["exchange"]) for row in rows]:
        found.append(get_token(symbol, exchange))  # seen
    return found


def a_generator_of_a_list(rows):
    found = []
    for row in (row for row in rows if row["quantity"] % 2):
        found.append(get_token(row["symbol"], row["exchange"]))  # seen
    return found


def of_interest(rows):
    for row in rows:
        if row["quantity"] != 13:
            yield row


def a_generator_function_of_a_list(rows):
    return [get_token(row["symbol"], row["exchange"]) for row in of_interest(rows)]  # seen


def what_a_function_returns(rows):
    def fetch():
        return {"data": rows}

    return [get_token(row["symbol"], row["exchange"]) for row in fetch()["data"]]  # seen


# -- helpers


def symbol_or_code(code, exchange):
    return get_oa_symbol(code, exchange) or code  # seen seen


def to_position(row):
    return {"symbol": symbol_or_code(row["code"], row["exchange"])}


def in_a_helper(rows):
    return [to_position(row) for row in rows]


def in_a_helper_of_a_map(rows):
    return list(map(to_position, rows))


class Book:
    def __init__(self, rows):
        self._rows = rows

    def tokens(self):
        return [self._one(row) for row in self._rows]

    def _one(self, row):
        return self._token(**row)

    def _token(self, symbol, exchange, **_more):
        return get_token(symbol, exchange)  # seen


def in_methods(rows):
    return Book(rows).tokens()


def in_a_pool(rows):
    def place(row):
        return get_br_symbol(row["symbol"], row["exchange"])  # seen

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(place, rows))


def by_map(rows):
    return list(map(lambda row: get_token(row["symbol"], row["exchange"]), rows))  # seen


def handed_to_map(rows):
    names = [row["symbol"] for row in rows]
    exchanges = [row["exchange"] for row in rows]
    return list(map(get_token, names, exchanges))  # seen


def the_same_key(rows):
    return [get_token("RELIANCE", "NSE") for _ in rows]  # seen


def announced(rows):
    found = []
    for row in get_token.over(rows, lambda row: (turned(row["symbol"]), row["exchange"])):
        found.append(get_token(turned(row["symbol"]), row["exchange"]))  # seen
    return found


def announced_before(rows):
    found = []
    both = get_token.over(rows, lambda row: (turned(row["symbol"]), row["exchange"]))
    for row in both:
        found.append(get_token(turned(row["symbol"]), row["exchange"]))  # seen
    return found


def announced_at_times(rows: list):
    found = []
    if len(rows) > 1_000:
        rows = get_token.over(rows, lambda row: (turned(row["symbol"]), row["exchange"]))
    for row in rows:
        found.append(get_token(turned(row["symbol"]), row["exchange"]))  # one line: for row in get_token.over(rows, lambda row: (turned(row["symbol"]), row["exchange"])):
    return found


def expected(rows):
    found = []
    SymbolLoader.current().expect([(turned(row["symbol"]), row["exchange"]) for row in rows])
    for row in rows:
        found.append(get_token(turned(row["symbol"]), row["exchange"]))  # seen
    return found


# -- rows that come one at a time


def from_a_file(rows):
    file = io.StringIO("\n".join(f"{turned(row['symbol'])},{row['exchange']}" for row in rows))
    found = []
    for row in csv.DictReader(file, ["symbol", "exchange"]):
        found.append(get_token(row["symbol"], row["exchange"]))  # one line: for row in get_token.over(csv.DictReader(file, ["symbol", "exchange"]), "symbol", "exchange"):
    return found


def from_a_file_unpacked(rows):
    file = io.StringIO("\n".join(f"{turned(row['symbol'])},{row['exchange']}" for row in rows))
    reader = csv.reader(file)
    return [get_token(name, at) for name, at in reader]  # one line: return [get_token(name, at) for name, at in get_token.over(reader, lambda row: (row[0], row[1]))]  # one


def numbers(count):
    for number in range(count):
        yield number


def from_a_generator(rows):
    tokens = [str(row["token"]) for row in rows]
    found = []
    for number in numbers(len(rows)):
        found.append(get_symbol(turned(tokens[number]), "NSE"))  # one line: for number in get_symbol.over(numbers(len(rows)), lambda number: (turned(tokens[number]), "NSE")):
    return found


# -- keys that are computed


def computed(rows: list):
    found = []
    for row in rows:
        found.append(get_token(turned(row["symbol"]), row["exchange"]))  # one line: for row in get_token.over(rows, lambda row: (turned(row["symbol"]), row["exchange"])):
    return found


def computed_in_steps(rows: list):
    found = []
    for i, row in enumerate(rows):
        name = row["symbol"]
        key = turned(name)
        at = SEGMENTS.get(row["segment"], row["segment"])
        if i % 7 == 3:
            continue
        found.append((i, get_token(key, at)))  # one line: for i, row in enumerate(get_token.over(rows, lambda row: (turned(row["symbol"]), SEGMENTS.get(row["segment"], row["segment"])))):
    return found


def computed_for_several(rows: list):
    found = []
    for row in rows:
        name = turned(row["symbol"])
        code = turned(row["code"])
        found.append((get_token(name, row["exchange"]), get_oa_symbol(code, row["exchange"])))  # one line one line: for row in get_oa_symbol.over(get_token.over(rows, lambda row: (turned(row["symbol"]), row["exchange"])), lambda row: (turned(row["code"]), row["exchange"])):
    return found


def turned_key(row):
    return get_token(turned(row["symbol"]), row["exchange"])  # one line: return [turned_key(row) for row in get_token.over(rows, lambda row: (turned(row["symbol"]), row["exchange"]))]


def computed_in_a_helper(rows: list):
    return [turned_key(row) for row in rows]


def computed_for_map(rows: list):
    return list(map(lambda row: get_br_symbol(turned(row["symbol"]), row["exchange"]), rows))  # one line: return list(map(lambda row: get_br_symbol(turned(row["symbol"]), row["exchange"]), get_br_symbol.over(rows, lambda row: (turned(row["symbol"]), row["exchange"]))))


def computed_by_a_loader(rows: list):
    loader = BrokerSymbolLoader.current()
    found = []
    for row in rows:
        key = (turned(row["code"]), row["exchange"])
        found.append(loader.get(key))  # one line: for row in loader.over(rows, lambda row: (turned(row["code"]), row["exchange"])):
    return found


def computed_by_the_current_loader(rows: list):
    found = []
    for row in rows:
        found.append(SymbolLoader.current().get((turned(row["symbol"]), row["exchange"])))  # one line: for row in SymbolLoader.current().over(rows, lambda row: (turned(row["symbol"]), row["exchange"])):
    return found


# -- by hand

counter = itertools.count()


def numbered_anew(text):
    next(counter)
    return text[::-1].swapcase()


def with_effects(rows: list):
    return [get_token(numbered_anew(row["symbol"]), row["exchange"]) for row in rows]  # by hand


def left_at_some_row(rows):
    found = []
    file = io.StringIO("\n".join(f"{turned(row['symbol'])},{row['exchange']}" for row in rows))
    for name, at in csv.reader(file):
        found.append(get_token(name, at))  # by hand
        if len(found) == 30:
            break
    return found


def without_an_end(rows):
    found = []
    for number in itertools.count():
        if number == len(rows):
            return found
        found.append(get_symbol(turned(str(rows[number]["token"])), "NSE"))  # by hand


def an_earlier_answer(rows):
    found = []
    token = None
    for row in rows:
        token = get_token(f"{row['symbol']}{token or ''}", row["exchange"])  # by hand
        found.append(token)
    return found


def a_queue_that_grows(rows):
    queue = [turned(rows[0]["symbol"])]
    found = []
    while queue:
        name = queue.pop()
        found.append(get_token(name, "NSE"))  # by hand
        if len(found) < len(rows):
            queue.append(turned(rows[len(found)]["symbol"]))
    return found


def changes_what_its_rows_are_made_of(rows):
    left = {turned(row["symbol"]) for row in rows}
    found = []
    for row in (row for row in csv.reader(io.StringIO("\n".join(sorted(left)))) if row[0] in left):
        found.append(get_token(row[0][::-1], "NFO"))  # by hand
        left.discard("TCS")
    return found


# -- other names for a lookup


alias = get_token
on_nse = functools.partial(get_token, exchange="NSE")
of_row = lambda row: get_token(row["symbol"], row["exchange"])  # noqa: E731  # seen


def by_an_alias(rows):
    return [alias(row["symbol"], row["exchange"]) for row in rows]  # seen


def by_a_local_alias(rows: list):
    find = get_token
    found = []
    for row in rows:
        found.append(find(turned(row["symbol"]), row["exchange"]))  # one line: for row in find.over(rows, lambda row: (turned(row["symbol"]), row["exchange"])):
    return found


def by_a_partial(rows):
    return [on_nse(row["symbol"]) for row in rows]  # seen


def by_a_named_lambda(rows):
    return [of_row(row) for row in rows]


# -- what goes over rows beside loops


def starred(rows):
    return list(itertools.starmap(get_token, [(row["symbol"], row["exchange"]) for row in rows]))  # seen


def reduced(rows):
    return functools.reduce(lambda found, row: [*found, get_token(row["symbol"], row["exchange"])], rows, [])  # seen


def grouped(rows):
    def by_exchange(row):
        return get_brexchange(row["symbol"], row["exchange"])  # seen

    return [(name, len(list(group))) for name, group in itertools.groupby(rows, key=by_exchange)]


def sorted_in_place(rows):
    rows = list(rows)
    rows.sort(key=lambda row: get_token(row["symbol"], row["exchange"]) or "")  # by hand
    return rows


def submitted(rows):
    with ThreadPoolExecutor(4) as pool:
        return [each.result() for each in [pool.submit(get_token, row["symbol"], row["exchange"]) for row in rows]]  # seen


def computed_in_a_pool(rows: list):
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda row: get_token(turned(row["symbol"]), row["exchange"]), rows))  # by hand


def computed_in_a_pool_with_a_scope(rows: list):
    with ScopeThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda row: get_token(turned(row["symbol"]), row["exchange"]), rows))  # one line: return list(pool.map(lambda row: get_token(turned(row["symbol"]), row["exchange"]), get_token.over(rows, lambda row: (turned(row["symbol"]), row["exchange"]))))


# -- coroutines


def gathered(rows: list):
    async def one(row):
        return get_token(row["symbol"], row["exchange"])  # one line: return await asyncio.gather(*[one(row) for row in get_token.over(rows, lambda row: (row["symbol"], row["exchange"]))])

    async def every():
        return await asyncio.gather(*[one(row) for row in rows])

    return asyncio.run(every())


def gathered_by_map(rows: list):
    async def one(row):
        return get_token(row["symbol"], row["exchange"])  # one line: return await asyncio.gather(*map(one, get_token.over(rows, lambda row: (row["symbol"], row["exchange"]))))

    async def every():
        return await asyncio.gather(*map(one, rows))

    return asyncio.run(every())


def gathered_futures(rows):
    async def one(row):
        found = await SymbolLoader.current().load((row["symbol"], row["exchange"]))  # seen
        return found and found.token

    async def every():
        return await asyncio.gather(*[one(row) for row in rows])

    return asyncio.run(every())


def awaited_one_by_one(rows):
    async def one(row):
        return get_token(row["symbol"], row["exchange"])  # seen

    async def every():
        return [await one(row) for row in rows]

    return asyncio.run(every())


def in_threads_of_asyncio(rows: list):
    async def every():
        return [await asyncio.to_thread(get_token, row["symbol"], row["exchange"]) for row in rows]  # one line: return [await asyncio.to_thread(get_token, row["symbol"], row["exchange"]) for row in get_token.over(rows, "symbol", "exchange")]

    return asyncio.run(every())


def in_an_executor(rows):
    async def every():
        run = asyncio.get_running_loop().run_in_executor
        loop = asyncio.get_running_loop()
        assert run
        return [await loop.run_in_executor(None, get_token, row["symbol"], row["exchange"]) for row in rows]  # by hand

    return asyncio.run(every())


# -- classes


class Leg:
    def __init__(self, row):
        self.symbol = row["symbol"]
        self.exchange = row["exchange"]

    def token_of_leg(self):
        return get_token(self.symbol, self.exchange)  # seen

    def __call__(self, row):
        return get_token(row["symbol"], self.exchange)  # seen


def methods_of_rows(rows):
    return [leg.token_of_leg() for leg in [Leg(row) for row in rows]]


def called_as_a_function(rows):
    leg = Leg(rows[0])
    return [leg(row) for row in rows]


class Mapping:
    def all(self, rows):
        return [self.one_of(row) for row in rows]

    def key(self, row):
        return turned(row["symbol"])

    def computed(self, rows: list):
        found = []
        for row in rows:
            found.append(get_token(self.key(row), row["exchange"]))  # one line: for row in get_token.over(rows, lambda row: (self.key(row), row["exchange"])):
        return found


class OfBroker(Mapping):
    def one_of(self, row):
        return get_token(row["symbol"], row["exchange"])  # seen


class OfOther(OfBroker):
    def one_of(self, row):
        return super().one_of(row)


def in_a_class_below(rows):
    return OfOther().all(rows)


def by_a_method_that_makes_the_key(rows):
    return Mapping().computed(rows)


# -- keys with text around


def with_a_suffix(rows):
    return [get_oa_symbol(row["symbol"] + "-EQ", row["exchange"]) for row in rows]  # seen


def with_text_around(rows):
    return [get_oa_symbol(f"A:{row['symbol']}-EQ", row["exchange"]) for row in rows]  # seen


def formatted(rows):
    return [get_oa_symbol("{}-EQ".format(row["symbol"]), row["exchange"]) for row in rows]  # seen


def formatted_by_percent(rows):
    return [get_oa_symbol("%s-EQ" % row["symbol"], row["exchange"]) for row in rows]  # seen


def added_to(rows):
    found = []
    for row in rows:
        name = row["symbol"]
        name += "-EQ"
        found.append(get_oa_symbol(name, row["exchange"]))  # seen
    return found


def behind_stars(rows):
    return [get_token(*key) for key in [(row["symbol"], row["exchange"]) for row in rows]]  # seen


def computed_beside_stars(rows):
    keys = [(row["symbol"], row["exchange"]) for row in rows]
    return [get_token(turned(key[0]), *key[1:]) for key in keys]  # by hand


# -- variables


def rebound(rows: list):
    found = []
    for row in rows:
        row = {**row}
        found.append(get_token(turned(row["symbol"]), row["exchange"]))  # one line: for row in get_token.over(rows, lambda row: (turned({**row}["symbol"]), {**row}["exchange"])):
    return found


def added_to_what_is_computed(rows: list):
    found = []
    for row in rows:
        name = turned(row["symbol"])
        name += ""
        found.append(get_token(name, row["exchange"]))  # by hand
    return found


def exchanged(rows: list):
    found = []
    for row in rows:
        at, name = turned(row["symbol"]), row["exchange"]
        at, name = name, at
        found.append(get_token(name, at))  # one line: for row in get_token.over(rows, lambda row: (turned(row["symbol"]), row["exchange"])):
    return found


def computed_and_overwritten(rows: list):
    found = []
    for row in rows:
        row["symbol"] = turned(row["symbol"])
        found.append(get_token(row["symbol"], row["exchange"]))  # one line: for row in get_token.over(rows, lambda row: (turned(row["symbol"]), row["exchange"])):
    return found


def turn(row):
    row["symbol"] = turned(row["symbol"])


def overwritten_by_a_helper(rows: list):
    found = []
    for each in rows:
        turn(each)
        found.append(get_token(each["symbol"], each["exchange"]))  # by hand
    return found


def taken_from_an_iterator(rows):
    left = iter(rows)
    found = []
    while (row := next(left, None)) is not None:
        found.append(get_token(row["symbol"], row["exchange"]))  # seen
    return found


class Waiting:
    def __init__(self, rows):
        self.left = deque(rows)

    def tokens(self):
        found = []
        while self.left:
            row = self.left.popleft()
            found.append(get_token(row["symbol"], row["exchange"]))  # seen
        return found


def taken_off_an_attribute(rows):
    return Waiting(rows).tokens()


def beside_by_number(rows):
    names = [row["symbol"] for row in rows]
    found = []
    for number, row in enumerate(rows):
        found.append(get_token(names[number], row["exchange"]))  # seen
    return found


# -- rows of a database, and of files


def table_of(orders):
    table = sqlite3.connect(":memory:")
    table.execute("CREATE TABLE orders (symbol, exchange)")
    pairs = [(turned(row["symbol"]), row["exchange"]) for row in orders]
    table.executemany("INSERT INTO orders VALUES (?, ?)", pairs)
    return table


def from_a_cursor(rows):
    cursor = table_of(rows).cursor()
    cursor.execute("SELECT symbol, exchange FROM orders")
    found = []
    for name, at in cursor:
        found.append(get_token(name, at))  # one line: for name, at in get_token.over(cursor, lambda row: (row[0], row[1])):
    return found


def from_a_statement(rows):
    found = []
    for name, at in table_of(rows).execute("SELECT symbol, exchange FROM orders"):
        found.append(get_token(name, at))  # by hand
    return found


def fetched_one_by_one(rows):
    cursor = table_of(rows).execute("SELECT symbol, exchange FROM orders")
    found = []
    while True:
        row = cursor.fetchone()
        if row is None:
            return found
        found.append(get_token(row[0], row[1]))  # by hand


def from_lines(rows):
    lines = io.StringIO("\n".join(f"{turned(row['symbol'])},{row['exchange']}" for row in rows))
    found = []
    for line in lines:
        name, at = line.strip().split(",")
        found.append(get_token(name, at))  # one line: for line in get_token.over(lines, lambda line: (line.strip().split(",")[0], line.strip().split(",")[1])):
    return found
