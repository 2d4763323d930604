"""When a batch goes, and who runs it.

`tick` for callers on an event loop, `turns` for callers without one.
"""
