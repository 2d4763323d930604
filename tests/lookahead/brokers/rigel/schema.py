"""Rigel's messages as pydantic models."""

from pydantic import BaseModel, ConfigDict, Field, computed_field, model_validator

from tests.lookahead.token_db import get_br_symbol, get_oa_symbol, get_symbol, get_token

PREFIXES = {"NSE": "EQ.", "NFO": "FO.", "BSE": "BE.", "BFO": "BO.", "MCX": "CM.", "CDS": "CD."}
BOARDS = {prefix: exchange for exchange, prefix in PREFIXES.items()}


def board_and_code(scrip):
    """`"EQ.RELIANCE"` -> `("NSE", "RELIANCE")`."""
    return BOARDS.get(scrip[:3]), scrip[3:]


class Message(BaseModel):
    model_config = ConfigDict(populate_by_name=True, extra="ignore")


class OrderIn(Message):
    ref: str = Field(alias="orderRef")
    scrip: str | None = None
    state: str
    quantity: int = Field(alias="qty")

    @property
    def symbol(self):
        if not self.scrip:
            return ""
        exchange, code = board_and_code(self.scrip)
        return get_oa_symbol(code, exchange) or code


class PositionIn(Message):
    scrip_id: int | str | None = Field(alias="scripId")
    board: str
    net: int
    ltp: float

    @computed_field
    @property
    def exchange(self) -> str:
        return BOARDS[self.board]

    @computed_field
    @property
    def symbol(self) -> str | None:
        return get_symbol(self.scrip_id, self.exchange)


class TradeIn(Message):
    """Validated into the application's terms at once."""

    code: str
    exchange: str = Field(alias="board")
    quantity: int
    price: float

    @model_validator(mode="after")
    def translate(self):
        self.exchange = BOARDS.get(self.exchange, self.exchange)
        self.code = get_oa_symbol(brsymbol=self.code, exchange=self.exchange) or self.code
        return self


class LegOut(Message):
    symbol: str | None
    exchange: str
    quantity: int
    side: str = "BUY"

    def wire(self):
        token = get_token(self.symbol, self.exchange)
        if token is None:
            raise LookupError(f"{self.symbol} on {self.exchange}")
        return {
            "scripId": int(token),
            "scrip": PREFIXES[self.exchange] + get_br_symbol(self.symbol, self.exchange),
            "qty": self.quantity if self.side == "BUY" else -self.quantity,
        }
