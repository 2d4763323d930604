"""Market data of a broker with limits: quotes, candles and option chains, one at a time.

The endpoints ask as any code would that knows no limits; `loaders.py` and `sources.py` are all
there is to that.
"""
