"""The back office: contract notes, ledgers, holdings and positions from text."""

import csv
import io
import logging

from tests.lookahead.brokers.kyanite.records import (
    AccountBook,
    RecordError,
    board_exchange,
    parse_fixed,
    parse_trade,
    plain_number,
)
from tests.lookahead.brokers.kyanite.resolver import NameResolver, Resolver, probe
from tests.lookahead.token_db import get_oa_symbol, get_symbol, get_symbol_info

logger = logging.getLogger(__name__)


def contract_note(lines):
    """Trades of a note: records first, then the symbols of the records."""
    records = []
    errors = []
    for number, line in enumerate(lines):
        try:
            records.append(parse_trade(line))
        except RecordError as error:
            errors.append(f"line {number}: {error}")

    resolver = Resolver()
    entries = []
    for record in records:
        symbol, exchange = resolver.resolve(record.scrip, record.board)
        if symbol is None:
            record.remarks.append("unresolved")
        entries.append({
            "reference": record.reference,
            "symbol": symbol or record.scrip,
            "exchange": exchange,
            "amount": round(record.lots * record.price, 2) * (1 if record.side == "B" else -1),
            "remarks": list(record.remarks),
        })
    return {"entries": entries, "errors": errors, "unresolved": resolver.unresolved}


def demat_statement(text):
    """Holdings from comma separated text with a header."""
    reader = csv.DictReader(io.StringIO(text))
    holdings = []
    blocked = 0
    for row in reader:
        name = (row.get("SCRIP") or "").strip().upper()
        if not name:
            blocked += 1
            continue
        symbol = get_oa_symbol(name, "NSE")
        exchange = "NSE"
        if not symbol:
            symbol = get_oa_symbol(name, "BSE")
            exchange = "BSE"
        if not symbol:
            blocked += 1
            continue
        holdings.append((symbol, exchange, int(row["UNITS"]), row["ISIN"]))
    return {"holdings": holdings, "blocked": blocked}


def book_positions(accounts):
    """Positions by owner. Accounts are books with rows that are lists."""
    books = [AccountBook(account["owner"], account["rows"]) for account in accounts]
    summary = {}
    for book in books:
        lines = []
        for scrip, board, quantity in book.rows:
            exchange = board_exchange(board)
            symbol = get_symbol(plain_number(scrip), exchange)
            if not symbol:
                continue
            lines.append(f"{symbol}:{quantity:+d}")
        summary[book.owner] = lines
    summary["_total"] = sum(len(lines) for lines in summary.values())
    return summary


def find_position(lines, wanted):
    """(quantity, line number) of the first position in a symbol."""
    for number, line in enumerate(lines, start=1):
        if len(line) < 28:
            continue
        scrip, board, quantity = parse_fixed(line)
        symbol = get_symbol(scrip, board_exchange(board))
        if symbol is not None and symbol == wanted and quantity != 0:
            return quantity, number
    return 0, None


def daily_ledger(stream):
    """Ledger lines are read one ahead: a '+' line continues the one before."""
    iterator = iter(stream)
    resolver = NameResolver()
    entries = []
    line = next(iterator, None)
    while line is not None:
        name, board, amount = line.split("~")
        following = next(iterator, None)
        extra = 0.0
        while following is not None and following.startswith("+"):
            extra += float(following[1:])
            following = next(iterator, None)
        symbol, exchange = resolver.resolve(name, board)
        entries.append([symbol if symbol else name, exchange, round(float(amount) + extra, 2)])
        line = following
    return {"entries": entries, "unresolved": resolver.unresolved}


def triggers_in_force(triggers):
    """GTT rows whose instrument is known, grouped by their state."""
    groups = {}
    for trigger in triggers:
        detail = dict(trigger.get("detail") or {})
        if not detail:
            continue
        detail["exchange"] = board_exchange(detail.get("board"))
        detail["symbol"] = get_oa_symbol(brsymbol=detail.get("name"), exchange=detail["exchange"])
        if detail["symbol"] is None:
            groups.setdefault("unknown", []).append(trigger["id"])
            continue
        groups.setdefault(trigger["state"], []).append((trigger["id"], detail["symbol"]))
    return groups


def corporate_actions(notices):
    """Notices name a scrip without its exchange."""
    routed = []
    for notice in notices:
        where = probe(notice["scrip"], ("BSE", "NFO", "NSE"))
        if where is None:
            routed.append({"scrip": notice["scrip"], "route": "manual"})
            continue
        exchange, broker_name = where
        routed.append({"scrip": notice["scrip"], "route": f"{exchange}:{broker_name}"})
    return routed


def expiry_calendar(symbols_by_exchange):
    """Expiries of held contracts; the outer object has exchanges, each a list."""
    calendar = {}
    dropped = 0
    for exchange, symbols in symbols_by_exchange.items():
        for symbol in symbols:
            info = get_symbol_info(symbol, exchange)
            if info is None or not info.expiry:
                dropped += 1
                continue
            day, month, year = info.expiry.split("-")
            calendar.setdefault(f"20{year}-{month.title()}-{day}", []).append(info.symbol)
    for held in calendar.values():
        held.sort()
    return {"calendar": calendar, "dropped": dropped}


def reconcile_files(ours, theirs):
    """Our lines beside theirs, pairwise."""
    differences = []
    agreed = 0
    for mine, other in zip(ours, theirs, strict=False):
        symbol = get_symbol(int(other["scrip"]), board_exchange(other["board"]))
        if symbol is None:
            differences.append((mine["symbol"], "not in contract"))
        elif symbol != mine["symbol"]:
            differences.append((mine["symbol"], symbol))
        elif mine["quantity"] != other["quantity"]:
            differences.append((symbol, mine["quantity"] - other["quantity"]))
        else:
            agreed += 1
    return {"agreed": agreed, "differences": differences}
