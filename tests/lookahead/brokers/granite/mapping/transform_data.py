from tests.lookahead.brokers.granite.mapping.instruments import NAME_OF, lots


def transform_data(data, token):
    quantity = lots(data["symbol"], data["exchange"], int(data["quantity"]))
    return {
        "exchangeSegment": NAME_OF[data["exchange"]],
        "exchangeInstrumentID": token,
        "productType": data["product"],
        "orderType": {"SL": "STOPLIMIT", "SL-M": "STOPMARKET"}.get(
            data["pricetype"], data["pricetype"]
        ),
        "orderSide": data["action"].upper(),
        "timeInForce": "DAY",
        "orderQuantity": quantity,
        "limitPrice": data.get("price", "0"),
        "orderUniqueIdentifier": "granite",
    }
