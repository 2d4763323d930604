from database import symbol_cache
from database.table import SymToken


def get_token(symbol, exchange):
    row = SymToken.query.filter_by(symbol=symbol, exchange=exchange).first()
    return row.token if row else None


def get_symbol(token, exchange):
    row = SymToken.query.filter_by(token=str(token), exchange=exchange).first()
    return row.symbol if row else None


def get_oa_symbol(brsymbol, exchange):
    row = SymToken.query.filter_by(brsymbol=brsymbol, exchange=exchange).first()
    return row.symbol if row else None


def get_br_symbol(symbol, exchange):
    row = SymToken.query.filter_by(symbol=symbol, exchange=exchange).first()
    return row.brsymbol if row else None


def get_brexchange(symbol, exchange):
    row = SymToken.query.filter_by(symbol=symbol, exchange=exchange).first()
    return row.brexchange if row else None


def get_symbol_info(symbol, exchange):
    return symbol_cache.find(symbol, exchange)
