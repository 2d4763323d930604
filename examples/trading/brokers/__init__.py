"""The brokers: talking to them, and translating between their terms and the application's.

`registry.py` has them by name. Each is a package:

- `order_api.py`: where the broker has what, and how its answers begin;
- `transform_data.py`: orders, from the application's terms into the broker's;
- `order_data.py`, and a module for each other book: from its terms into the application's;
- `market_data.py`: prices.
"""
