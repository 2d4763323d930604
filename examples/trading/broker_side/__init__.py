"""The brokers' own side of the wire: one account, served in the terms of each of them.

Nothing of it belongs to the application. `server.py` is the process, `replies.py` what it says.
"""
