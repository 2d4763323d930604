"""A load test of the trading example: many clients at once, for minutes, on real servers.

`python -m load` runs it and writes docs/load.json and docs/load.md.
"""
