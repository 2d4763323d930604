"""How many users each variant serves at the same 95th percentile: more of them in each step."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import create_engine

from dataloaders.symbols import replace_contract

from .contracts import contract
from .figures import percentile
from .phase import MODES
from .processes import Clients, application
from .records import OK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .contracts import Database, Ground
    from .phase import Settings

LIMITS_MS: Final = (100, 250, 500, 1_000, 2_000)
POOL: Final = 90
"""Connections of the one worker, of the hundred that PostgreSQL has: the naive variant holds ten
for a basket, and with few of them two baskets would wait for each other."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a number of users came to.

    Attributes:
        database: On which.
        variant: Which one.
        users: So many.
        p95_ms: Of all requests.
        requests_per_second: That were answered.
        failed: That were not answered 200.
    """

    database: str
    variant: str
    users: int
    p95_ms: float
    requests_per_second: float
    failed: int


def search(
    database: Database, ground: Ground, settings: Settings, counts: Sequence[int], seconds: float
) -> Iterator[Step]:
    """Yields each step of both variants, which take turns.

    The broker is in the application's own process: what is measured is the application.

    Args:
        database: On which database; contract 0 is put into it.
        ground: What all runs have in common.
        settings: What clients are like.
        counts: The numbers of users.
        seconds: How long a step lasts.
    """
    engine = create_engine(database.url)
    replace_contract(engine, contract(0, settings.rows))
    engine.dispose()
    for users in counts:
        for variant, mode in MODES.items():
            directory = ground.folder / f"step-{database.name}-{variant}-{users}"
            environment = {
                "TRADING_DATABASE_URI": database.url,
                "TRADING_BROKER_URL": "memory:",
                "TRADING_POOL_SIZE": str(POOL),
                "DATALOADERS_MODE": mode,
            }
            plan = {
                "market": str(ground.market_file),
                "users": users,
                "streams": 0,
                "seconds": seconds,
                "seed": settings.seed,
                "think_seconds": settings.think_seconds,
            }
            with ExitStack() as stack:
                app = stack.enter_context(
                    application(directory, environment, settings.worker, 1, users + 2)
                )
                heard = Clients(plan | {"url": app.url}, directory).wait()
            first = min(each.begin for each in heard.requests)
            # The first third is for the workers to become warm, and for users to arrive.
            counted = [each for each in heard.requests if each.begin > first + seconds / 3]
            times = [each.seconds for each in counted if each.status == OK]
            yield Step(
                database.name,
                variant,
                users,
                round(1_000 * percentile(times, 95), 1),
                round(len(times) / (seconds * 2 / 3), 1),
                len(counted) - len(times),
            )


def users_within(steps: Sequence[Step], limit_ms: float) -> int:
    """Returns the most users whose step stays within a limit, without a failure; 0 of none."""
    passed = [step.users for step in steps if not step.failed and step.p95_ms <= limit_ms]
    return max(passed, default=0)
