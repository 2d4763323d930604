SEGMENTS = {
    "NSE_CASH": "NSE",
    "BSE_CASH": "BSE",
    "NSE_DERIV": "NFO",
    "BSE_DERIV": "BFO",
    "NSE_CURR": "CDS",
    "MCX_COMM": "MCX",
    "IDX": "NSE_INDEX",
}
SEGMENTS_BACK = {v: k for k, v in SEGMENTS.items()}


def map_exchange(segment):
    """None for what we do not trade."""
    return SEGMENTS.get(segment)


def map_segment(exchange):
    return SEGMENTS_BACK.get(exchange)
