"""The table that holds the master contract, as trading apps already have it.

Apps arrive with a table of their own making: columns and indexes may be fewer than here. There is
deliberately no (token, exchange) index, because the apps' tables have none.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, MetaData, String, Table

metadata = MetaData()

# Text has a length because MariaDB cannot index it otherwise. 53 bits, because its plain FLOAT
# has 24 and would turn the strike 76300.05 into 76300.047.
symtoken = Table(
    "symtoken",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("symbol", String(64), nullable=False, index=True),
    Column("brsymbol", String(64), nullable=False, index=True),
    Column("name", String(255)),
    Column("exchange", String(32), index=True),
    Column("brexchange", String(32), index=True),
    Column("token", String(64), index=True),
    Column("expiry", String(16)),
    Column("strike", Float(53)),
    Column("lotsize", Integer),
    Column("instrumenttype", String(16)),
    Column("tick_size", Float(53)),
    Column("contract_value", Float(53)),
    Index("idx_symbol_exchange", "symbol", "exchange"),
    Index("idx_brsymbol_exchange", "brsymbol", "exchange"),
)
