from tests.lookahead.brokers.granite.mapping.instruments import Instrument


def transform_margin_positions(positions):
    portfolio, unknown = [], []
    for position in positions:
        instrument = Instrument.find(position["symbol"], position["exchange"])
        if not instrument:
            unknown.append(position["symbol"])
            continue
        portfolio.append({**instrument.body(), "quantity": int(position["quantity"])})
    return {"portfolio": portfolio, "unknown": unknown}
