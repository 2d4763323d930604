"""Decorators, the walk over nested answers, and Pavo's instrument codes."""

from functools import wraps

from tests.lookahead.token_db import get_oa_symbol, get_symbol

EXCH = {"nse_cm": "NSE", "bse_cm": "BSE", "nse_fo": "NFO", "bse_fo": "BFO", "mcx_fo": "MCX"}
SEGS = {v: k for k, v in EXCH.items()}
SERIES = ("-EQ", "-BE", "-A", "-X")


def each(mapper):
    """Makes a mapper of one row a mapper of a list; rows it cannot map are left out."""

    @wraps(mapper)
    def over(rows, *args, **options):
        mapped = []
        for row in rows:
            try:
                result = mapper(row, *args, **options)
            except (KeyError, AttributeError):
                continue
            if result is not None:
                mapped.append(result)
        return mapped

    return over


def cut_series(code):
    return next((code[: -len(tail)] for tail in SERIES if code.endswith(tail)), code)


def oa(tsym, seg):
    """The application's symbol of a trading symbol in a segment."""
    if not tsym:
        return None
    return get_oa_symbol(brsymbol=cut_series(tsym), exchange=EXCH[seg])


def symbol_by_id(tok, seg):
    return get_symbol(int(tok), EXCH.get(seg, seg)) if tok else None


def walk(node, visit):
    """Calls `visit` with every dictionary of an answer, outer ones first."""
    if isinstance(node, dict):
        visit(node)
        for child in list(node.values()):
            walk(child, visit)
    elif isinstance(node, list):
        for child in node:
            walk(child, visit)
