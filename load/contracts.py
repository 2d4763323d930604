"""The master contracts that are in force one after the other: the same symbols, other tokens."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from sqlalchemy import create_engine

from dataloaders.symbols import generate_contract, replace_contract
from examples.trading.contract_sample import TRADABLE, WATCHABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTRACTS: Final = 3
SAMPLE: Final = 2_000
LONGEST_CHAIN: Final = 400
"""Options on one underlying and day: the broker is asked for all of them in one call."""


def contract(number: int, rows: int) -> Iterator[dict[str, object]]:
    """Yields the rows of a contract: those of contract 0, with the tokens of another seed.

    Every symbol is in every contract, so that no request has a reason to fail; the numbers overlap,
    so that a token of one contract is that of another instrument in the next.
    """
    for row, other in zip(
        generate_contract(rows), generate_contract(rows, seed=number), strict=True
    ):
        segment = int(str(row["token"])) & 0xFF
        yield row | {"token": str(int(str(other["token"])) & ~0xFF | segment)}


def write_all_contracts(path: Path, rows: int) -> None:
    """Writes a SQLite file with the rows of all contracts, for who has to know each token."""
    engine = create_engine(f"sqlite:///{path}")
    replace_contract(
        engine, chain.from_iterable(contract(number, rows) for number in range(CONTRACTS))
    )
    engine.dispose()


@dataclass(frozen=True, slots=True)
class Known:
    """An instrument that clients ask for.

    Attributes:
        symbol: Its name.
        exchange: Where.
        lotsize: Units in a lot.
        tokens: Its token in each contract.
    """

    symbol: str
    exchange: str
    lotsize: int
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Market:
    """What clients know of the contracts.

    Attributes:
        instruments: Some of those that can be traded or watched.
        chains: The paths of option chains: exchange, underlying and expiry.
    """

    instruments: tuple[Known, ...]
    chains: tuple[str, ...]

    @property
    def tradable(self) -> list[Known]:
        """Those that can be bought."""
        return [each for each in self.instruments if each.exchange in TRADABLE]

    @classmethod
    def of(cls, rows: int, seed: int) -> Self:
        """Picks them, as many of each exchange as of any other as far as there are."""
        tokens: dict[tuple[object, object], list[int]] = {}
        lots: dict[tuple[object, object], int] = {}
        for number in range(CONTRACTS):
            for row in contract(number, rows):
                pair = row["symbol"], row["exchange"]
                tokens.setdefault(pair, []).append(int(str(row["token"])))
                lots[pair] = max(1, int(str(row["lotsize"])))
        by_exchange: dict[object, list[tuple[object, object]]] = {}
        for pair in tokens:
            if pair[1] in WATCHABLE:
                by_exchange.setdefault(pair[1], []).append(pair)
        draw = random.Random(seed)  # noqa: S311 - which ones is no secret
        share = SAMPLE // len(by_exchange)
        picked = [
            pair
            for pairs in by_exchange.values()
            for pair in draw.sample(pairs, min(share, len(pairs)))
        ]
        return cls(
            tuple(Known(str(s), str(e), lots[s, e], tuple(tokens[s, e])) for s, e in picked),
            tuple(_chains(rows)),
        )

    def as_json(self) -> dict[str, Any]:
        """Returns what `from_json` reads."""
        return {"instruments": [asdict(each) for each in self.instruments], "chains": self.chains}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Reads what `as_json` makes."""
        return cls(
            tuple(
                Known(**(each | {"tokens": tuple(each["tokens"])}))
                for each in document["instruments"]
            ),
            tuple(document["chains"]),
        )


def _chains(rows: int) -> list[str]:
    counts: dict[str, int] = {}
    for row in contract(0, rows):
        if row["instrumenttype"] in {"CE", "PE"}:
            path = f"{row['exchange']}/{row['name']}/{row['expiry']}"
            counts[path] = counts.get(path, 0) + 1
    return sorted(path for path, count in counts.items() if count <= LONGEST_CHAIN)


class Database(NamedTuple):
    """A database that the application runs on: what it is called, and SQLAlchemy's URL."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Ground:
    """What all runs have in common.

    Attributes:
        folder: For files.
        market: What clients know of the contracts.
    """

    folder: Path
    market: Market

    @property
    def everything(self) -> Path:
        """The file with the instruments of all contracts."""
        return self.folder / "everything.db"

    @property
    def market_file(self) -> Path:
        """The file with what clients know."""
        return self.folder / "market.json"

    @classmethod
    def made(cls, folder: Path, rows: int, seed: int) -> Self:
        """Writes the files."""
        ground = cls(folder, Market.of(rows, seed))
        ground.market_file.write_text(json.dumps(ground.market.as_json()))
        write_all_contracts(ground.everything, rows)
        return ground


@dataclass(frozen=True, slots=True)
class InForce:
    """A contract, and when it was in force, in seconds of the monotonic clock.

    The times are those at which it can have begun and ended at the earliest and at the latest.

    Attributes:
        number: Which contract.
        since: When its import began.
        until: When the import of the next one was over.
    """

    number: int
    since: float
    until: float

    def overlaps(self, begin: float, end: float) -> bool:
        """Whether it was in force at any time of a span."""
        return self.since <= end and begin <= self.until
