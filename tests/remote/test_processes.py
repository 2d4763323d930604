"""Remote sources under green threads, after a fork, and when a process ends."""

from __future__ import annotations

import sys

import pytest

from tests.threads import run_green

SOURCE = """
import threading, time
from dataloaders.remote import Rate, RemoteLoader, RemoteSource, asking
from dataloaders.errors import GreenThreadsError, WaitTimeoutError

class Slow(RemoteSource):
    max_concurrency = 1
    rates = (Rate(1, 0.2),)
    calls = []
    def fetch(self, keys, account):
        self.calls.append(sorted(keys))
        time.sleep(0.05)
        return {key: -key for key in keys}

source = Slow()

class Loader(RemoteLoader):
    shared = True
"""

TOGETHER = """
answers = {}
def ask(key):
    answers[key] = Loader(source=source).get(key)
threads = [threading.Thread(target=ask, args=(key,)) for key in range(50)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert answers == {key: -key for key in range(50)}, answers
assert len(source.calls) <= 3, source.calls
begun = time.monotonic()
def hurry():
    try:
        with asking(within=0.05):
            Loader(source=source).get(99)
    except WaitTimeoutError:
        answers[99] = "late"
Loader(source=source).get(1)
hurried = threading.Thread(target=hurry)
hurried.start()
hurried.join()
assert answers[99] == "late"
source.close()
print(len(source.calls) <= 4)
"""


@pytest.mark.parametrize("green", ["none", "gevent", "eventlet"])
def test_threads_of_each_kind_stand_in_one_line(green: str) -> None:
    assert run_green(green, SOURCE + TOGETHER) == "True"


KILLED = """
import {green}
first = {green}.spawn(Loader(source=source).get, 1)
{green}.sleep(0.02)
killed = {green}.spawn(Loader(source=source).get, 2)
late = {green}.spawn(Loader(source=source).get, 3)
{green}.sleep(0.02)
killed.kill()
with {green}.Timeout(0.01, False):
    Loader(source=source).get(4)
assert (first.{result}(), late.{result}()) == (-1, -3)
print(source.calls)
"""


@pytest.mark.parametrize(("green", "result"), [("gevent", "get"), ("eventlet", "wait")])
def test_a_green_thread_that_is_killed_in_the_line_costs_nothing(green: str, result: str) -> None:
    program = SOURCE + KILLED.format(green=green, result=result)
    assert run_green(green, program) == "[[1], [3]]"


@pytest.mark.parametrize("green", ["gevent", "eventlet"])
def test_an_async_fetch_is_refused_where_threads_are_green(green: str) -> None:
    program = """
class Async(RemoteSource):
    async def fetch(self, keys, account):
        return keys
try:
    Loader(source=Async()).get(1)
except GreenThreadsError as error:
    print(error)
"""
    assert f"but {green} has made" in run_green(green, SOURCE + program)


def test_a_forked_process_has_a_line_of_its_own() -> None:
    program = """
import os
parents = threading.Thread(target=Loader(source=source).get, args=(1,))
parents.start()
time.sleep(0.02)  # its call is under way, and no thread of the child's will end it
child = os.fork()
if child == 0:
    try:
        assert Loader(source=source).get(2) == -2
        assert source.calls == [[1], [2]], source.calls
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
parents.join()
assert Loader(source=source).get(3) == -3
print(source.calls)
"""
    assert run_green("none", SOURCE + program) == "[[1], [3]]"


def test_a_fork_while_a_loop_is_being_started_leaves_the_child_its_own() -> None:
    program = """
import asyncio, os
class Async(RemoteSource):
    max_wait = 5.0
    async def fetch(self, keys, account):
        return keys
begun = threading.Event()
new_event_loop = asyncio.new_event_loop
def slow_to_start():
    begun.set()
    time.sleep(0.2)
    return new_event_loop()
asyncio.new_event_loop = slow_to_start
answers = []
parents = threading.Thread(target=lambda: answers.append(Loader(source=Async()).get(1)))
parents.start()
begun.wait()
child = os.fork()
if child == 0:
    try:
        os._exit(Loader(source=Async()).get(0))
    finally:
        os._exit(1)
assert os.waitpid(child, 0)[1] == 0
parents.join()
print(answers)
"""
    assert run_green("none", SOURCE + program) == "[1]"


def test_a_process_ends_although_a_call_hangs() -> None:
    program = """
class Hanging(RemoteSource):
    def fetch(self, keys, account):
        threading.Event().wait()
try:
    with asking(within=0.05):
        Loader(source=Hanging()).get(1)
except WaitTimeoutError:
    print("late")
"""
    assert run_green("none", SOURCE + program) == "late"


def test_who_asks_when_the_main_thread_ends_is_answered_or_refused() -> None:
    program = """
def ask():
    try:
        print(Loader(source=source).get(1))
    except RuntimeError:
        print("refused")
threading.Thread(target=ask).start()
"""
    # From Python 3.12 on no thread can be started any more by then.
    allowed = {"-1"} if sys.version_info < (3, 12) else {"-1", "refused"}
    assert run_green("none", SOURCE + program) in allowed
