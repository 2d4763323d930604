from concurrent.futures import ThreadPoolExecutor
from functools import partial

from .orders import place_order

AT_ONCE = 10


def place_basket(client, orders):
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(partial(place_order, client), orders))
