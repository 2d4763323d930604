"""What tiers take of a process: memory for what was asked for, and nothing of a parent."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine

from dataloaders.symbols import generate_contract, replace_contract
from tests.threads import run_green

if TYPE_CHECKING:
    from pathlib import Path

MEGABYTE = 1_000_000

MEMORY = """
import gc, json, os, sys
from sqlalchemy import create_engine, select
from dataloaders.symbols import SymbolMaster, symtoken
from dataloaders.tiers import Tiers

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

engine = create_engine(sys.argv[1])
with engine.connect() as connection:
    query = select(symtoken.c.symbol, symtoken.c.exchange).limit(6_000)
    pairs = [(symbol, exchange) for symbol, exchange in connection.execute(query)]
master = SymbolMaster(engine, tiers=Tiers())

def request(some):
    with master.scope():
        for symbol, exchange in some:
            assert master.get_token(symbol, exchange) is not None

for start in range(5_000, 6_000, 50):
    request(pairs[start : start + 50])
before = resident()
for start in range(0, 5_000, 50):
    request(pairs[start : start + 50])
print(json.dumps(resident() - before))
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'symbols.db'}"
    engine = create_engine(url)
    replace_contract(engine, generate_contract(8_000))
    engine.dispose()
    return url


def output_of(program: str, *arguments: str) -> Any:  # noqa: ANN401 - JSON
    done = subprocess.run(  # noqa: S603 - this test's own program
        [sys.executable, "-c", program, *arguments],
        check=True,
        timeout=120,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_working_set_of_5000_symbols_takes_10_megabytes_at_most(url: str) -> None:
    used = output_of(MEMORY, url)
    assert used <= 10 * MEGABYTE


FORK = """
import json, os, sys, threading
from sqlalchemy import create_engine
from dataloaders.symbols import SymbolMaster, replace_contract, generate_contract
from dataloaders.tiers import Tiers

engine = create_engine(sys.argv[1])
master = SymbolMaster(engine, tiers=Tiers(check_seconds=0))

def tokens():
    with master.scope():
        return [master.get_token("RELIANCE", "NSE"), master.get_token("TCS", "NSE")]

before = tokens()
ends = threading.Event()
busy = threading.Thread(target=lambda: [tokens() for _ in iter(ends.is_set, True)], daemon=True)
busy.start()
reading, writing = os.pipe()
for number in range(8):  # while another thread may hold any lock
    if number == 4:
        replace_contract(engine, generate_contract(8_000, seed=5))
    expected = tokens()
    pid = os.fork()
    if not pid:
        os.write(writing, b"y" if tokens() == expected and tokens() == expected else b"n")
        os._exit(0)
    os.waitpid(pid, 0)
ends.set()
busy.join()
print(json.dumps([os.read(reading, 100).decode(), tokens() != before]))
"""


def test_a_forked_process_begins_anew(url: str) -> None:
    assert output_of(FORK, url) == ["y" * 8, True]


GREEN = """
import sys
from concurrent.futures import ThreadPoolExecutor
from sqlalchemy import create_engine
from dataloaders.symbols import SymbolMaster
from dataloaders.tiers import Tiers
from dataloaders.tiers.redis import RedisTier

engine = create_engine(sys.argv[1])
redis = RedisTier(sys.argv[2], timeout=2.0)
master = SymbolMaster(engine, tiers=Tiers(check_seconds=0, redis=redis))

def request(_):
    with master.scope():
        return [master.get_token("RELIANCE", "NSE"), master.get_token("TCS", "NSE")]

with ThreadPoolExecutor(8) as pool:
    answers = list(pool.map(request, range(80)))
assert all(answer == answers[0] and all(answer) for answer in answers)
counts = master.tiers.counts()["SymbolLoader"]
print(counts.fetched <= 2 * 8 and counts.hits > 100)
"""


@pytest.mark.parametrize("green", ["none", "gevent", "eventlet"])
def test_green_threads_have_tiers(url: str, redis_url: str, green: str) -> None:
    assert run_green(green, GREEN, url, redis_url).splitlines()[-1] == "True"
