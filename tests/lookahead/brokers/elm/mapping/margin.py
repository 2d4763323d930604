import logging

from pydantic import BaseModel, ValidationError, field_validator

from tests.lookahead.brokers.elm.mapping.ticker import ticker_of
from tests.lookahead.token_db import get_token

logger = logging.getLogger(__name__)


class MarginLeg(BaseModel):
    symbol: str | None
    exchange: str
    qty: int
    side: int = 1

    @field_validator("qty")
    @classmethod
    def positive(cls, v):
        if v <= 0:
            raise ValueError("quantity")
        return v


def span_request(rows):
    data, errors = [], []
    for row in rows:
        try:
            leg = MarginLeg(**row)
            data.append({"symbol": ticker_of(leg.symbol, leg.exchange), "qty": leg.qty})
        except ValidationError:
            errors.append("invalid")
        except ValueError as e:
            errors.append(str(e))
    return {"data": data, "errors": errors}


def freeze_table(legs):
    """Quantity by Elm's number; legs of the same instrument are added up."""
    table = {}
    for leg in legs:
        number = get_token(leg.symbol, leg.exchange)
        if number:
            table[number] = table.get(number, 0) + leg.qty * leg.side
    return table
