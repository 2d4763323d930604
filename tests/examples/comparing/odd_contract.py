"""A master contract in which whatever may be odd about one is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from dataloaders.symbols import generate_contract, replace_contract, symtoken

if TYPE_CHECKING:
    from sqlalchemy import Engine

Row = dict[str, Any]

_ORDINARY: Final = 2_000  # rows; some of them have twins


def _share(symbol: str, brsymbol: str, token: str | None, **columns: object) -> Row:
    share: Row = {
        "symbol": symbol,
        "brsymbol": brsymbol,
        "name": symbol,
        "exchange": "NSE",
        "brexchange": "NSE",
        "token": token,
        "expiry": "",
        "strike": 0.0,
        "lotsize": 1,
        "instrumenttype": "EQ",
        "tick_size": 0.05,
        "contract_value": None,
    }
    return share | columns


ODD: Final = [
    # What two instruments share at the broker, on one exchange and on two.
    _share("TWIN1", "TWIN", "900101"),
    _share("TWIN2", "TWIN", "900102"),
    _share("TOKEN1", "TOKEN-ONE", "900103"),
    _share("TOKEN2", "TOKEN-TWO", "900103"),
    _share("TOKEN3", "TOKEN-ONE", "900103", exchange="BSE", brexchange="BSE"),
    _share("TWIN1", "TWIN", "900104", exchange="BSE", brexchange="BSE"),
    # Each is called at the broker what the other one is called here.
    _share("OLDNAME", "NEWNAME", "900105"),
    _share("NEWNAME", "OLDNAME", "900106"),
    # Names that are numbers, and another one's token.
    _share("900101", "900102", "900107"),
    _share("007", "7", "900108"),
    _share("7", "007", "900109"),
    # Letters beyond ASCII; no two pairs of symbol and exchange are one to a collation.
    _share("ÉTOILE", "étoile", "900110"),
    _share("ETOILE2", "ETOILE-EQ", "900111"),
    _share("टाटा", "TATA 🚀", "900112"),
    _share("STRASSE", "STRAẞE", "900113"),
    _share("M&M2", "M%26M", "900114", exchange="BSE", brexchange="BSE"),
    _share("O'NEIL;--", 'O"NEIL\\', "900115"),
    _share("A B", "A\tB", "900116"),
    _share("A:B", "NSE:A", "900117"),
    _share("null", "None", "900118"),
    # What is blank, or missing.
    _share("NO BRSYMBOL", "", "900119"),
    _share("NO BREXCHANGE", "NO-BREXCHANGE", "900120", brexchange=None),
    _share("EMPTY BREXCHANGE", "EMPTY-BREXCHANGE", "900121", brexchange=""),
    _share("NO TOKEN", "NO-TOKEN", None),
    _share("NOWHERE", "NO-WHERE", "900122", exchange=None, brexchange=None),
    _share("NO LOT", "NO-LOT", "900123", lotsize=None, tick_size=None, name=None),
    _share("EMPTY LOT", "EMPTY-LOT", "900124", lotsize=0, tick_size=0.0, instrumenttype=None),
    # An exchange of another name at the broker, and one that no broker has a code for.
    _share("INDEX 50", "Index 50", "900125", exchange="NSE_INDEX", lotsize=0),
    _share("FAR", "FAR-OUT", "900126", exchange="NYSE", brexchange="XNYS"),
    _share("CODELESS", "CODELESS", "900127", exchange="OTHER", brexchange="OTHER"),
    # Options without a name for their underlying, or with one that a path has to quote.
    _share(
        "A/B27AUG2610CE",
        "A/B26AUG10CE",
        "900128",
        name="A/B ?#%",
        expiry="27-AUG-26",
        strike=10.0,
        instrumenttype="CE",
        exchange="NFO",
        brexchange="NFO",
    ),
    _share(
        "A/B27AUG2610PE",
        "A/B26AUG10PE",
        None,
        name="A/B ?#%",
        expiry="27-AUG-26",
        strike=10.0,
        instrumenttype="PE",
        exchange="NFO",
        brexchange="NFO",
    ),
]


def fill(engine: Engine) -> list[Row]:
    """Puts the contract into a database; returns its rows, the odd ones last."""
    replace_contract(engine, [*generate_contract(_ORDINARY), *ODD])
    with engine.connect() as connection:
        rows = connection.execute(select(symtoken).order_by(symtoken.c.id)).mappings()
        return [dict(row) for row in rows]
