"""Fir's segment names, and cleaning of what its JSON says."""

SEG = {
    "nse_cm": "NSE",
    "bse_cm": "BSE",
    "nse_fo": "NFO",
    "bse_fo": "BFO",
    "cde_fo": "CDS",
    "mcx_fo": "MCX",
}
SEG_BACK = {ours: theirs for theirs, ours in SEG.items()}


def ours(seg):
    seg = (seg or "").strip().lower()
    return SEG.get(seg, seg.upper())


def clean(name):
    """Fir appends the series to cash names and sometimes a blank."""
    name = (name or "").strip()
    return name[:-3] if name.endswith("-EQ") else name


def number(tok):
    """JSON from Fir has instrument numbers as floats or texts: 2885.0 -> '2885'."""
    return str(int(float(tok)))
