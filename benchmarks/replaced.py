"""What is served while a contract is replaced under load: `python -m benchmarks.replaced`.

Two threads look symbols up, in requests of ten, while the contract is replaced ten times. The copy
is loaded as such applications do it: emptied when the replacement begins, filled from the database
when it is over. What the newest contract is, the thread that replaces it says after each commit.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine

from dataloaders.symbols import SymbolMaster, replace_contract
from dataloaders.tiers import Tiers

from .symbols import full_copy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SYMBOLS = 20_000
ASKED = 500
EACH = 10
REPLACEMENTS = 10
PAUSE = 0.3


@dataclass
class Served:
    """What was served, in lookups; a stale one is older than when its request began."""

    lookups: int = 0
    stale: int = 0
    missing: int = 0


def main() -> None:
    """Prints what both served."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "symbols.db"
        engine = create_engine(f"sqlite:///{path}")
        replace_contract(engine, _rows(0))
        master = SymbolMaster(engine, tiers=Tiers(check_seconds=0))

        def in_a_scope(numbers: list[int]) -> list[str | None]:
            with master.scope():
                return [master.get_token(f"S{number}", "NSE") for number in numbers]

        _print("tiers", _measured(in_a_scope, lambda number: _replace(engine, number)))
        copy = [full_copy(path)]

        def replace_and_load(number: int) -> None:
            copy[0].loaded_at = None
            _replace(engine, number)
            copy[0] = full_copy(path)

        def from_the_copy(numbers: list[int]) -> list[str | None]:
            return [copy[0].get_token(f"S{number}", "NSE") for number in numbers]

        _print("a full copy, emptied first", _measured(from_the_copy, replace_and_load))

        def replace_and_swap(number: int) -> None:
            _replace(engine, number)
            copy[0] = full_copy(path)

        _print("a full copy, swapped when loaded", _measured(from_the_copy, replace_and_swap))
        engine.dispose()


def _rows(generation: int) -> Iterator[dict[str, Any]]:
    for number in range(SYMBOLS):
        yield {
            "id": number + 1,
            "symbol": f"S{number}",
            "brsymbol": f"B{number}",
            "exchange": "NSE",
            "token": f"{generation}-{number}",
        }


_newest = [0]


def _replace(engine: Engine, generation: int) -> None:
    replace_contract(engine, _rows(generation))
    _newest[0] = generation


def _measured(
    ask: Callable[[list[int]], list[str | None]], replace: Callable[[int], None]
) -> Served:
    served = Served()
    lock = threading.Lock()
    is_over = threading.Event()

    def requests(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - no secret
        while not is_over.is_set():
            newest = _newest[0]
            tokens = ask([chance.randrange(ASKED) for _ in range(EACH)])
            found = [int(token.partition("-")[0]) for token in tokens if token is not None]
            with lock:
                served.lookups += EACH
                served.missing += EACH - len(found)
                served.stale += sum(generation < newest for generation in found)

    replace(_newest[0] + 1)
    threads = [threading.Thread(target=requests, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(REPLACEMENTS):
        time.sleep(PAUSE)
        replace(_newest[0] + 1)
    is_over.set()
    for thread in threads:
        thread.join()
    return served


def _print(name: str, served: Served) -> None:
    print(  # noqa: T201 - it reports to the terminal
        f"{name}: {served.stale} stale and {served.missing} missing of {served.lookups} lookups"
    )


if __name__ == "__main__":
    main()
