"""Rows of Karst, validated. The books' field names are as wild as their spelling."""

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tests.lookahead.token_db import get_oa_symbol, get_symbol

PRODUCT = {"CNC": "CNC", "MIS": "MIS", "NRML": "NRML", "CO": "MIS", "BO": "MIS"}


class Row(BaseModel):
    model_config = ConfigDict(populate_by_name=True, extra="ignore")

    @field_validator("*", mode="before")
    @classmethod
    def no_dashes(cls, value):
        return None if value in ("--", "NA") else value


class OrderRow(Row):
    orderid: str = Field(alias="Nstordno")
    tradingsymbol: str | None = Field(alias="Trsym")
    exchange: str = Field(alias="Exchange")
    token: str | None = Field(default=None, alias="token")
    product: str | None = Field(alias="Pcode")
    side: str = Field(alias="Trantype")
    quantity: int = Field(alias="Qty")
    price: float | None = Field(alias="Avgprc")

    def to_platform(self):
        symbol = get_symbol(self.token, self.exchange) if self.token else None
        return {
            "symbol": symbol or self.tradingsymbol,
            "exchange": self.exchange,
            "action": "BUY" if self.side == "B" else "SELL",
            "product": PRODUCT.get(self.product or "", ""),
            "quantity": self.quantity,
            "price": self.price or 0.0,
            "orderid": self.orderid,
        }


class PositionRow(Row):
    tradingsymbol: str = Field(alias="Tsym")
    exchange: str = Field(alias="Exchange")
    token: int | None = Field(alias="Token")
    product: str = Field(alias="Pcode")
    net: int = Field(alias="Netqty")
    realised: float | None = Field(alias="realisedprofitloss")

    @property
    def symbol(self):
        if self.token is None:
            return get_oa_symbol(self.tradingsymbol, self.exchange)
        return get_symbol(str(self.token), self.exchange)


class TradeRow(OrderRow):
    filled_at: str | None = Field(default=None, alias="Filltime")
    symbol: str | None = None

    def model_post_init(self, context):
        self.symbol = get_oa_symbol((self.tradingsymbol or "").removesuffix("-EQ"), self.exchange)
