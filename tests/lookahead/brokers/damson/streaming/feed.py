import logging

from tests.lookahead.token_db import get_brexchange, get_oa_symbol, get_token

logger = logging.getLogger(__name__)

MAX_PER_MESSAGE = 20


def subscribe_messages(instruments):
    messages = [{"code": 15, "list": []}]
    for inst in instruments:
        try:
            brexch = get_brexchange(inst.symbol, inst.exchange)
            token = get_token(inst.symbol, inst.exchange)
            item = {"exchange": brexch.lower(), "id": int(token)}
        except (AttributeError, TypeError, ValueError):
            logger.debug("feed: skipping %s", inst)
            continue
        if len(messages[-1]["list"]) == MAX_PER_MESSAGE:
            messages.append({"code": 15, "list": []})
        messages[-1]["list"].append(item)
    return messages


def order_updates(events, sink):
    """Order alerts: a few alerts are about something else and have no data."""
    for event in events:
        data = event.get("Data")
        if not data:
            continue
        data["symbol"] = get_oa_symbol(brsymbol=data["symbol"].upper(), exchange=data["exch"])
        if data["symbol"] is None:
            continue
        sink.append((data["orderNo"], data["symbol"], data["status"]))
    return len(sink)
