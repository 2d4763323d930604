"""What must hold of a run: each check returns what is not so, in words; nothing if all is well."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from .figures import slope
from .records import OK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from examples.trading.broker_side.account import Placed

    from .contracts import InForce, Known
    from .records import Request, Seen, Size, Told

_COMPLAINT: Final = re.compile(r"Traceback|\b\w*Error\b|ERROR|CRITICAL|WARNING")

TOLERATED_GROWTH: Final = 0.02
"""Of a worker's size, in the time that is looked at: pages that the allocator keeps."""


def failed(requests: Sequence[Request]) -> list[str]:
    """Every request has to be answered 200, with what it asked for."""
    return [
        f"{each.name}: status {each.status} {each.fault}".rstrip()
        for each in requests
        if each.status != OK or each.fault
    ]


def lost_or_doubled(told: Sequence[Told], placed: Sequence[Placed]) -> list[str]:
    """Every order that a client was told of is at the broker once, as sent; none other is."""
    log: dict[str, list[Placed]] = {}
    for entry in placed:
        log.setdefault(entry.order_id, []).append(entry)
    faults = []
    known = Counter(order.order_id for order in told if order.order_id is not None)
    faults += [
        f"Order {name} was told {count} times." for name, count in known.items() if count > 1
    ]
    for order in told:
        if order.order_id is None:
            continue
        at_broker = log.get(order.order_id, [])
        if not at_broker:
            faults.append(f"Order {order.order_id} of {order.symbol} is lost.")
        elif len(at_broker) > 1:
            faults.append(f"Order {order.order_id} is at the broker {len(at_broker)} times.")
        elif at_broker[0].quantity != order.quantity:
            faults.append(
                f"Order {order.order_id} of {order.quantity} {order.symbol} is one of"
                f" {at_broker[0].quantity} at the broker."
            )
    faults += [f"Nobody was told of order {name}." for name in log if name not in known]
    return faults


def stale_tokens(
    told: Sequence[Told],
    placed: Sequence[Placed],
    instruments: Sequence[Known],
    in_force: Sequence[InForce],
) -> list[str]:
    """An order's token is that of a contract in force at some time of its request."""
    tokens = {(each.symbol, each.exchange): each.tokens for each in instruments}
    sent = {order.order_id: order.token for order in placed}
    faults = []
    for order in told:
        if order.order_id not in sent:
            continue
        ours = tokens[order.symbol, order.exchange]
        valid = {ours[each.number] for each in in_force if each.overlaps(order.begin, order.end)}
        if sent[order.order_id] not in valid:
            faults.append(
                f"Order {order.order_id} of {order.symbol} on {order.exchange} has the token"
                f" {sent[order.order_id]}, not {' or '.join(map(str, sorted(valid)))}."
            )
    return faults


def stale_prices(prices: Sequence[Seen], in_force: Sequence[InForce], late: float) -> list[str]:
    """A streamed price is of a token in force while its client was there, or shortly before.

    Args:
        prices: What clients saw.
        in_force: The contracts.
        late: Seconds that the stream may take to hear of a new contract, and the price to come.
    """
    faults = []
    for seen in prices:
        valid = {each.number for each in in_force if each.overlaps(seen.begin - late, seen.at)}
        if not seen.contracts:
            faults.append(f"A price of {seen.symbol} is that of no token it ever had.")
        elif valid.isdisjoint(seen.contracts):
            faults.append(
                f"A price of {seen.symbol} is that of its token in contract {seen.contracts[0]},"
                f" not {' or '.join(map(str, sorted(valid)))}."
            )
    return faults


def growth(sizes: Mapping[int, Sequence[Size]], caches_mib: float = 0.0) -> list[str]:
    """The workers do not grow: by no more than the error, or what is tolerated.

    Args:
        sizes: Of each worker, after the first while.
        caches_mib: What caches that have a limit may still come to in that time.
    """
    faults = []
    for pid, samples in sizes.items():
        found = slope(samples)
        minutes = (samples[-1].at - samples[0].at) / 60
        surely = (found.per_minute - 2 * found.error) * minutes
        if surely > TOLERATED_GROWTH * samples[0].mib + caches_mib:
            faults.append(
                f"Worker {pid} grows by {found.per_minute:.2f} ± {found.error:.2f} MiB a minute,"
                f" from {samples[0].mib:.0f} MiB on."
            )
    return faults


def timed_out(time_outs: int) -> list[str]:
    """Nobody waits for a connection in vain."""
    return ["A request had no connection within 30 s."] * time_outs


def complaints(log: str) -> list[str]:
    """The server has nothing to complain of."""
    return [line for line in log.splitlines() if _COMPLAINT.search(line)]
