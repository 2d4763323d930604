"""The brokers: talking to them, and translating between their terms and the application's.

`registry.py` has them by name. Each is a package with a table of what it offers in `broker.py`, a
module for each loop, and `server.py`, its own side of the wire.
"""
