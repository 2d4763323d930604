"""A broker that answers as Kite Connect v3 is documented to, and fails when it is told to.

`server.py` puts it together; `calls.py` is what every call goes through; `quotes.py`, `candles.py`
and `orders.py` answer them; `feed.py` streams ticks; `control.py` is for tests and demonstrations.
"""
