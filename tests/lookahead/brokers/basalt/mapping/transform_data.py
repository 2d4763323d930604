from tests.lookahead.brokers.basalt.mapping.exchange import TO_SEGMENT


def transform_data(data, token):
    return {
        "quantity": int(data["quantity"]),
        "product": {"CNC": "D", "NRML": "D", "MIS": "I"}.get(data["product"], "I"),
        "validity": "DAY",
        "price": float(data.get("price", 0)),
        "tag": "string",
        "instrument_token": f"{TO_SEGMENT[data['exchange']]}|{token}",
        "order_type": data["pricetype"],
        "transaction_type": data["action"].upper(),
        "disclosed_quantity": 0,
        "trigger_price": float(data.get("trigger_price", 0)),
        "is_amo": False,
    }
