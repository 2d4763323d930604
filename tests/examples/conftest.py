from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine

from dataloaders.lookahead.sites import forget_sites
from dataloaders.symbols import generate_contract, replace_contract
from tests.examples.contracts import MODES, url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from examples.trading.broker_side.account import BrokerAccount

# The examples are in the source only, not in what is installed.
sys.path.insert(0, str(Path(__file__).parents[2]))


def fill(database: Path, rows: int, seed: int = 0) -> Path:
    engine = create_engine(url_of(database))
    replace_contract(engine, generate_contract(rows, seed))
    engine.dispose()
    return database


@pytest.fixture(scope="session")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a contract in which some broker's symbols and tokens have two rows."""
    return fill(tmp_path_factory.mktemp("contract") / "trading.db", 9_000)


@pytest.fixture(scope="session")
def other_contract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with another contract, whose tokens are others."""
    return fill(tmp_path_factory.mktemp("other") / "trading.db", 500, seed=1)


@pytest.fixture(autouse=True)
def _new_process() -> None:
    """Each test starts with what a new process knows: look-ahead learns of each call site."""
    forget_sites()


@pytest.fixture
def serve(contract: Path) -> Callable[..., AbstractContextManager[dict[str, str]]]:
    """Starts a broker with an account and both variants; gives the variants' addresses."""
    from examples.trading.broker_side.server import BrokerServer, running
    from examples.trading.serving import app_serving

    @contextmanager
    def serving(account: BrokerAccount, broker: str = "kite") -> Iterator[dict[str, str]]:
        with ExitStack() as stack:
            url = stack.enter_context(running(BrokerServer(account)))
            yield {
                variant: stack.enter_context(app_serving(url_of(contract), url, mode, broker))
                for variant, mode in MODES.items()
            }

    return serving
