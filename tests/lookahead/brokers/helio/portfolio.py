"""Positions, holdings, trades and ledgers of Helio."""

import copy
from collections import OrderedDict
from dataclasses import dataclass

from tests.lookahead.brokers.helio.segments import (
    EXCHANGE_OF_SEGMENT,
    BaseService,
    exchange_from_segment,
    first_known_symbol,
)
from tests.lookahead.token_db import get_oa_symbol, get_symbol, get_symbol_info, get_token


@dataclass
class PositionRecord:
    security_id: str
    segment: str
    product: str
    net_quantity: int
    buy_average: float
    last_price: float
    symbol: str = ""
    exchange: str = ""

    @property
    def profit(self):
        return round((self.last_price - self.buy_average) * self.net_quantity, 2)


class PortfolioService(BaseService):
    """Reads the portfolio pages."""

    def _record_from_row(self, row):
        return PositionRecord(
            security_id=str(row.get("securityId")).strip(),
            segment=str(row.get("exchangeSegment", "")).upper(),
            product=row.get("productType", "INTRADAY"),
            net_quantity=int(self.to_number(row.get("netQty"))),
            buy_average=self.to_number(row.get("buyAvg")),
            last_price=self.to_number(row.get("lastTradedPrice")),
        )

    def positions(self, payload):
        """Positions as plain rows: records first, symbols in a second pass over the records."""
        if not isinstance(payload, dict):
            self.note_problem("positions: unexpected answer")
            return []
        body = payload.get("data")
        if not isinstance(body, list):
            self.note_problem("positions: no data")
            return []

        records = []
        for row in body:
            if not isinstance(row, dict):
                continue
            try:
                records.append(self._record_from_row(row))
            except (TypeError, ValueError) as error:
                self.note_problem(f"bad position: {error}")

        output = []
        for record in records:
            record.exchange = exchange_from_segment(record.segment)
            symbol = get_symbol(record.security_id, record.exchange)
            record.symbol = symbol if symbol is not None else record.security_id
            output.append({
                "symbol": record.symbol,
                "exchange": record.exchange,
                "product": record.product,
                "quantity": record.net_quantity,
                "pnl": record.profit,
            })
        return output

    def holdings(self, payload):
        """Holdings come as an object with the ISIN as key."""
        portfolio = OrderedDict()
        holdings = payload.get("holdings", {}) if isinstance(payload, dict) else {}
        total_value = 0.0
        for isin, holding in holdings.items():
            quantity = int(self.to_number(holding.get("totalQty")))
            if quantity <= 0:
                continue
            security_id = holding.get("nseSecurityId")
            exchange = "NSE"
            if not security_id:
                security_id = holding.get("bseSecurityId")
                exchange = "BSE"
            symbol = get_symbol(security_id, exchange) if security_id else None
            if not symbol:
                self.note_problem(f"holding {isin} is not mapped")
                symbol = holding.get("displayName", isin)
            value = round(quantity * self.to_number(holding.get("closePrice")), 2)
            total_value += value
            portfolio[isin] = {
                "symbol": symbol,
                "exchange": exchange,
                "quantity": quantity,
                "value": value,
            }
        return {"rows": dict(portfolio), "total": round(total_value, 2), "problems": self.problems}

    def trades(self, pages):
        """The trade book comes in pages; the pages are copied, not changed."""
        rows = []
        for page in pages:
            rows.extend(copy.deepcopy(page.get("content") or []))
        for row in rows:
            row["exchange"] = exchange_from_segment(row.pop("exchangeSegment"))
            symbol = self._symbol_or_none(row["securityId"], row["exchange"])
            if symbol:
                row["tradingSymbol"] = symbol
            row["tradedValue"] = round(
                self.to_number(row.get("tradedPrice")) * self.to_number(row.get("tradedQty")), 2)
        totals = {}
        for row in rows:
            key = (row["tradingSymbol"], row["transactionType"])
            totals[key] = totals.get(key, 0) + row["tradedValue"]
        return {
            "rows": rows,
            "totals": {f"{name}/{side}": round(value, 2) for (name, side), value in totals.items()},
        }

    def ledger(self, payload):
        """Charges by instrument; the scrip is named only by its display name."""
        charges = []
        for number, entry in enumerate(payload["entries"]):
            name = entry["scrip"].strip().upper()
            symbol, exchange = first_known_symbol(name, ("NSE", "BSE", "NFO"))
            charges.append((number, symbol or "OTHER", exchange or "-", self.to_number(entry["amount"])))
        by_symbol = {}
        for _, symbol, _, amount in charges:
            by_symbol[symbol] = round(by_symbol.get(symbol, 0.0) + amount, 2)
        return {"charges": charges, "by_symbol": by_symbol}

    def exposure(self, rows):
        """Exposure per underlying by the contract's lot size and strike."""
        exposure = {}
        unknown = []
        for row in rows:
            info = get_symbol_info(row["symbol"], row["exchange"])
            if info is None:
                unknown.append(row["symbol"])
                continue
            lots = int(self.to_number(row["quantity"])) // max(info.lotsize or 1, 1)
            bucket = exposure.setdefault(info.name, {"lots": 0, "strikes": [], "tokens": []})
            bucket["lots"] += lots
            if info.strike:
                bucket["strikes"].append(float(info.strike))
            bucket["tokens"].append(info.token)
        for bucket in exposure.values():
            bucket["strikes"].sort()
        return {"exposure": exposure, "unknown": unknown}


def read_positions(payload):
    service = PortfolioService()
    rows = service.positions(payload)
    return {"rows": rows, "problems": service.problems}


def read_holdings(payload):
    return PortfolioService("H0002").holdings(payload)


def read_trades(pages):
    return PortfolioService().trades(pages)


def read_ledger(payload):
    return PortfolioService().ledger(payload)


def read_exposure(rows):
    return PortfolioService().exposure(rows)


def family_positions(accounts):
    """Positions of all accounts of a family: accounts hold portfolios, portfolios hold rows."""
    overview = []
    for account in accounts:
        rows = account.get("positions") or []
        open_count = 0
        names = []
        for row in rows:
            exchange = EXCHANGE_OF_SEGMENT.get(row["exchangeSegment"], row["exchangeSegment"])
            if not row.get("netQty"):
                continue
            open_count += 1
            symbol = get_oa_symbol(brsymbol=row["tradingSymbol"], exchange=exchange)
            names.append(symbol if symbol else f"?{row['tradingSymbol']}")
        overview.append({"client": account["clientId"], "open": open_count, "symbols": names})
    return overview


def reconcile(history, positions):
    """Mark which bookkeeping entries still have a position; entries are keyed by symbol."""
    by_token = {}
    for position in positions:
        by_token[str(position["securityId"])] = position
    report = []
    for symbol, entry in history.items():
        token = get_token(symbol, entry["exchange"])
        if token is None:
            report.append((symbol, "UNKNOWN"))
        elif token in by_token:
            difference = int(by_token[token]["netQty"]) - entry["quantity"]
            report.append((symbol, "MATCH" if difference == 0 else f"OFF BY {difference}"))
        else:
            report.append((symbol, "GONE"))
    return report
