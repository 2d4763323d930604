"""Requests of Coral, and its names of segments and products."""

SEGMENTS = {
    "NSE": "NSE_EQ",
    "BSE": "BSE_EQ",
    "NFO": "NSE_FNO",
    "BFO": "BSE_FNO",
    "CDS": "NSE_CURRENCY",
    "MCX": "MCX_COMM",
    "NSE_INDEX": "IDX_I",
    "BSE_INDEX": "IDX_I",
}


def map_exchange_type(exchange):
    """Ours -> theirs."""
    return SEGMENTS.get(exchange)


def map_exchange(brexchange):
    """Theirs -> ours."""
    for ours, theirs in SEGMENTS.items():
        if theirs == brexchange:
            return ours
    return None


def map_product_type(product):
    return {"CNC": "CNC", "NRML": "MARGIN", "MIS": "INTRADAY"}.get(product, "INTRADAY")


def reverse_map_product_type(exchange, product):
    if product == "CNC" and exchange in ("NSE", "BSE"):
        return "CNC"
    if product in ("INTRADAY", "MARGIN"):
        return "MIS" if product == "INTRADAY" else "NRML"
    return None


def transform_data(data, token):
    transformed = {
        "dhanClientId": data.get("apikey", ""),
        "transactionType": data["action"].upper(),
        "exchangeSegment": map_exchange_type(data["exchange"]),
        "productType": map_product_type(data["product"]),
        "orderType": {"SL": "STOP_LOSS", "SL-M": "STOP_LOSS_MARKET"}.get(
            data["pricetype"], data["pricetype"]
        ),
        "validity": "DAY",
        "securityId": token,
        "quantity": int(data["quantity"]),
        "price": float(data.get("price", 0)),
    }
    if transformed["orderType"].startswith("STOP_LOSS"):
        transformed["triggerPrice"] = float(data.get("trigger_price", 0))
    return transformed
