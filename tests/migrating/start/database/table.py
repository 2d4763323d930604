import os

from sqlalchemy import Column, Float, Index, Integer, String, create_engine
from sqlalchemy.orm import declarative_base, scoped_session, sessionmaker

engine = create_engine(os.environ["DATABASE_URL"])
db_session = scoped_session(sessionmaker(autocommit=False, autoflush=False, bind=engine))

Base = declarative_base()
Base.query = db_session.query_property()


class SymToken(Base):
    __tablename__ = "symtoken"

    id = Column(Integer, primary_key=True)
    symbol = Column(String(64), nullable=False, index=True)
    brsymbol = Column(String(64), nullable=False, index=True)
    name = Column(String(255))
    exchange = Column(String(32), index=True)
    brexchange = Column(String(32), index=True)
    token = Column(String(64), index=True)
    expiry = Column(String(16))
    strike = Column(Float(53))
    lotsize = Column(Integer)
    instrumenttype = Column(String(16))
    tick_size = Column(Float(53))
    contract_value = Column(Float(53))

    __table_args__ = (
        Index("idx_symbol_exchange", "symbol", "exchange"),
        Index("idx_brsymbol_exchange", "brsymbol", "exchange"),
    )


symtoken = SymToken.__table__
