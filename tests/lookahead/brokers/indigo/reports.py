"""Reports of Indigo: orders, trades, net positions, holdings, statements, chains."""

import logging
from datetime import datetime, timedelta

from tests.lookahead.brokers.indigo.codes import (
    MARKETS,
    IndigoError,
    key_of_symbol,
    market_name,
    rupees,
    split_key,
    symbol_of_key,
)
from tests.lookahead.token_db import get_oa_symbol, get_symbol, get_symbol_info, get_token

log = logging.getLogger(__name__)


def map_order_report(report):
    """Adds `symbol`, `exchange` to each order of a report; returns the counts by status."""
    if report is None or not report.get("Success"):
        raise IndigoError(report.get("Reason", "no report") if report else "no report")

    counters = {}
    orders = report["Body"]
    for i in range(len(orders)):
        entry = orders[i]
        exchange = market_name(entry.get("Market"))
        instrument = entry.get("Instrument")
        symbol = None
        if exchange is not None and instrument is not None:
            symbol = get_symbol(str(instrument), exchange)
        if symbol is None:
            entry["symbol"] = entry.get("Label", "")
        else:
            entry["symbol"] = symbol
        entry["exchange"] = exchange or "NA"
        status = entry.get("State", "Unknown")
        counters[status] = counters.get(status, 0) + 1
        orders[i] = entry
    return counters


def collect_fills(report):
    """Average price by symbol, weighted by quantity."""
    by_symbol = {}
    unreadable = 0
    for fill in report.get("Body") or []:
        symbol, exchange = symbol_of_key(fill.get("Key"))
        if symbol is None:
            unreadable += 1
            continue
        total = by_symbol.setdefault(
            f"{exchange}:{symbol}", {"quantity": 0, "value": 0.0, "fills": []})
        quantity = int(fill.get("Qty") or 0)
        price = rupees(fill.get("PricePaise"))
        total["quantity"] += quantity
        total["value"] = round(total["value"] + quantity * price, 2)
        total["fills"].append(fill.get("FillId"))
    for total in by_symbol.values():
        total["average"] = round(total["value"] / total["quantity"], 4) if total["quantity"] else 0
    return {"symbols": by_symbol, "unreadable": unreadable}


def net_positions(report):
    """Positions that are not flat; an unknown instrument ends the report early."""
    prepared = []
    try:
        for position in report["Body"]["Net"]:
            quantity = int(position["NetQty"])
            if not quantity:
                continue
            position["Exchange"] = MARKETS[int(position.pop("Market"))]
            symbol = get_symbol(int(position["Instrument"]), position["Exchange"])
            if symbol is None:
                raise IndigoError(f"instrument {position['Instrument']} is unknown")
            prepared.append({
                "symbol": symbol,
                "exchange": position["Exchange"],
                "quantity": quantity,
                "ltp": rupees(position.get("LtpPaise")),
                "is_option": symbol.endswith(("CE", "PE")),
            })
    except IndigoError as error:
        log.error("Report cut short: %s", error)
        return {"positions": prepared, "complete": False, "reason": str(error)}
    return {"positions": prepared, "complete": True, "reason": ""}


def first_net_position(report, wanted_symbol, wanted_exchange):
    """The quantity of a position, looked for among rows packed as text."""
    iterator = iter(report["Body"]["Packed"])
    while True:
        try:
            packed = next(iterator)
        except StopIteration:
            return 0
        market, instrument, quantity = packed.split(";")
        if int(quantity) == 0:
            continue
        exchange = MARKETS.get(int(market), "")
        symbol = get_symbol(instrument.lstrip("0"), exchange)
        if not symbol:
            continue
        if symbol == wanted_symbol and exchange == wanted_exchange:
            return int(quantity)


def holdings_statement(report):
    """Holdings with both listings; the better of the two identifies the scrip."""
    lines = []
    grand_total = 0.0
    for holding in report["Body"].get("Holdings", []):
        listings = holding.get("Listings") or []
        if not listings:
            lines.append({"symbol": holding["Name"], "listed": False})
            continue
        primary = listings[0]
        exchange = market_name(primary["Market"])
        symbol = get_symbol(primary["Instrument"], exchange)
        if symbol is None and len(listings) > 1:
            secondary = listings[1]
            exchange = market_name(secondary["Market"])
            symbol = get_symbol(secondary["Instrument"], exchange)
        worth = round(holding["Qty"] * rupees(holding["ClosePaise"]), 2)
        grand_total += worth
        lines.append({
            "symbol": symbol or holding["Name"],
            "exchange": exchange if symbol else None,
            "worth": worth,
            "listed": True,
        })
    return {"lines": lines, "grand_total": round(grand_total, 2)}


def option_chain(http, underlying, expiry):
    """Chain rows, two sides each; the gateway names them in its own way."""
    answer = http.get("chain", underlying=underlying, expiry=expiry)
    rows = answer.get("Rows", [])
    chain = []
    totals = {"CE": 0, "PE": 0}
    for row in rows:
        entry = {"strike": row["Strike"]}
        for side in ("CE", "PE"):
            quote = row.get(side)
            if not quote:
                entry[side.lower()] = None
                continue
            symbol = get_oa_symbol(brsymbol=quote["Name"], exchange="NFO")
            if symbol is None:
                entry[side.lower()] = {"symbol": "", "oi": 0}
                continue
            totals[side] += quote["OI"]
            entry[side.lower()] = {"symbol": symbol, "oi": quote["OI"], "ltp": rupees(quote["Ltp"])}
        chain.append(entry)
    ratio = round(totals["PE"] / totals["CE"], 4) if totals["CE"] else None
    return {"underlying": underlying, "chain": chain, "pcr": ratio}


def history_requests(watchlist, days):
    """Requests for candles of every symbol of a watchlist, cut into spans of thirty days."""
    end = datetime(2026, 8, 14)
    start = end - timedelta(days=days)
    requests = []
    missing = []
    for item in watchlist:
        try:
            key = key_of_symbol(item["symbol"], item["exchange"])
        except IndigoError as error:
            missing.append(str(error))
            continue
        cursor = start
        while cursor < end:
            until = min(cursor + timedelta(days=30), end)
            requests.append({
                "key": key,
                "from": cursor.strftime("%Y-%m-%d"),
                "to": until.strftime("%Y-%m-%d"),
            })
            cursor = until
    return requests, missing


def lot_check(orders):
    """Splits orders that are whole lots from those that are not."""
    fine = []
    broken = []
    statistics = {"count": 0, "ticks": set()}
    for order in (dict(raw) for raw in orders):
        statistics["count"] += 1
        contract = get_symbol_info(symbol=order["symbol"], exchange=order["exchange"])
        if contract is None:
            order["reason"] = "no contract"
            broken.append(order)
            continue
        lot = int(contract.lotsize) if contract.lotsize else 1
        statistics["ticks"].add(contract.tick_size)
        if order["quantity"] % lot:
            order["reason"] = f"lot size is {lot}"
            broken.append(order)
        else:
            order["lots"] = order["quantity"] // lot
            order["token"] = int(contract.token)
            fine.append(order)
    statistics["ticks"] = sorted(statistics["ticks"])
    return fine, broken, statistics


def pending_by_watch(watches, orders):
    """For each watched symbol, the orders that wait on its instrument."""
    found = {}
    for watch in watches:
        token = get_token(watch, "NSE")
        if token is None:
            found[watch] = None
            continue
        key = f"1|{int(token):010}"
        found[watch] = [order["id"] for order in orders if order["key"] == key]
    return found


def statement_lines(text):
    """A text report, one trade a line: key, side, quantity and paise between commas."""
    parsed = []
    faults = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        parts = line.split(",")
        try:
            exchange, instrument = split_key(parts[0])
            symbol = get_symbol(instrument, exchange)
            if symbol is None:
                faults.append((number, parts[0]))
                symbol = parts[0]
            parsed.append((symbol, exchange, parts[1].strip(), int(parts[2]), rupees(parts[3])))
        except (ValueError, IndexError) as error:
            faults.append((number, type(error).__name__))
    return {"lines": parsed, "faults": faults}
