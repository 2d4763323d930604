"""Loops as applications write them, and what is to be said of each lookup: at the end of its line.

Each takes a list of rows with symbol, exchange, code (the broker's symbol), token, segment and
quantity. After `one line` stands the changed line.
"""


import csv
import io
import itertools
from concurrent.futures import ThreadPoolExecutor

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
