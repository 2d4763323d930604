"""Tiers against a simple model: of which generation may an answer be?"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dataloaders.tiers.tiers import SILENT_SECONDS
from tests.tiers.world import World, loader_class_of, registry_of

if TYPE_CHECKING:
    from dataloaders import LoaderScope

CHECK_SECONDS = 1.0

keys = st.integers(1, 6)


class Request:
    """A scope, and what the model knows of it."""

    def __init__(self, scope: LoaderScope, oldest: int) -> None:
        self.scope = scope
        self.oldest = oldest  # the oldest generation that an answer may be of
        self.has_asked = False
        self.is_unsure = False  # whether its versions could not be read


class TiersModel(RuleBasedStateMachine):
    """Requests, time, replacements, failures: every answer is of an allowed generation."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.registry = registry_of(self.world, check_seconds=CHECK_SECONDS, max_keys=4)
        assert self.registry.tiers is not None
        self.tiers = self.registry.tiers
        self.loader_class = loader_class_of(self.world)
        self.requests: list[Request] = []
        self.replaced: list[tuple[float, int]] = [(float("-inf"), 0)]  # when, and by what
        self.oldest_told = 0
        self.silent_at = float("-inf")

    # -- what requests do

    def oldest_allowed(self) -> int:
        """The oldest generation that a request which looks something up first now may see."""
        seen_for_certain = self.world.now - CHECK_SECONDS
        bound = max(number for when, number in self.replaced if when <= seen_for_certain)
        return max(bound, self.oldest_told)

    @rule()
    @precondition(lambda self: len(self.requests) < 3)
    def begin(self) -> None:
        self.requests.append(Request(self.registry.scope(), 0))

    @rule(index=st.integers(0, 2))
    @precondition(lambda self: self.requests)
    def end(self, index: int) -> None:
        if index < len(self.requests):
            self.requests.pop(index).scope.close()

    def check(self, request: Request, key: int, answer: Any) -> None:  # noqa: ANN401 - a pair, or None
        if answer is None:
            newer = range(request.oldest, self.world.generation + 1)
            assert any(key in self.world.history[number] for number in newer)
            return
        assert answer[0] == key
        generation = answer[1]
        assert generation >= request.oldest
        if not request.is_unsure:
            request.oldest = generation  # what comes next is of this one, or newer

    def note(self, request: Request) -> Request:
        """Takes note that a request looks something up now."""
        if not request.has_asked:
            request.has_asked = True
            request.oldest = self.oldest_allowed()
        if self.world.is_silent or self.world.now < self.silent_at + SILENT_SECONDS:
            request.is_unsure = True
        return request

    def ask(self, index: int, way: str, wanted: list[int]) -> None:
        if index >= len(self.requests):
            return
        request = self.note(self.requests[index])
        loader = request.scope.loader(self.loader_class)
        if self.world.is_broken:
            with suppress(OSError):
                loader.get_many(wanted)  # whatever of it is known already is no matter here
            return
        if way == "get":
            answers = [loader.get(key) for key in wanted]
        elif way == "get_many":
            answers = loader.get_many(wanted)
        else:
            answers = asyncio.run(_loaded(loader, wanted))
        if way == "load":
            # Those that were known already may be of the generation that the others have ended.
            order = zip(wanted, answers, strict=True)
            pairs = sorted(order, key=lambda pair: -1 if pair[1] is None else pair[1][1])
            newest = max((answer[1] for answer in answers if answer), default=request.oldest)
            for key, answer in pairs:
                self.check(request, key, answer)
            request.oldest = request.oldest if request.is_unsure else newest
            return
        for key, answer in zip(wanted, answers, strict=True):
            self.check(request, key, answer)
        numbers = {answer[1] for answer in answers if answer is not None}
        # What is asked for in one call is of one generation.
        assert way == "get" or request.is_unsure or len(numbers) <= 1

    @rule(
        index=st.integers(0, 2),
        way=st.sampled_from(["get", "get_many", "load"]),
        wanted=st.lists(keys, min_size=1, max_size=4),
    )
    @precondition(lambda self: self.requests)
    def look_up(self, index: int, way: str, wanted: list[int]) -> None:
        self.ask(index, way, wanted)

    @rule(index=st.integers(0, 2), key=keys)
    @precondition(lambda self: self.requests)
    def clear(self, index: int, key: int) -> None:
        if index < len(self.requests):
            request = self.note(self.requests[index])
            loader = request.scope.loader(self.loader_class)
            loader.clear(key)
            if self.world.is_broken:
                with pytest.raises(OSError, match="broken"):
                    loader.get(key)
                return
            answer = loader.get(key)
            # What was cleared is asked of the source, whatever any tier has.
            assert answer is None or answer[1] == self.world.generation
            assert answer is not None or key in self.world.absent
            self.check(request, key, answer)

    # -- what happens around them

    @rule(absent=st.sets(keys, max_size=2))
    def replace(self, absent: set[int]) -> None:
        self.world.replace(absent)
        self.replaced.append((self.world.now, self.world.generation))

    @rule(absent=st.sets(keys, max_size=2), is_told_after=st.booleans())
    def replace_and_tell(self, absent: set[int], is_told_after: bool) -> None:  # noqa: FBT001 - as below
        """What is told before the commit has to do: the writer may die after it."""
        self.tiers.hold()
        self.world.replace(absent)
        if is_told_after:
            self.tiers.moved()
        self.replaced.append((self.world.now, self.world.generation))
        self.oldest_told = self.world.generation

    @rule(
        absent=st.sets(keys, max_size=2),
        wanted=st.lists(keys, min_size=1, max_size=3),
        index=st.integers(0, 2),
    )
    @precondition(lambda self: self.requests)
    def replace_while_asked(self, absent: set[int], wanted: list[int], index: int) -> None:
        """The source changes between the rows' reading and the version's."""

        def change() -> None:
            self.world.while_asked = None
            self.replace(absent)

        self.world.while_asked = change
        self.ask(index, "get_many", wanted)
        self.world.while_asked = None

    @rule(seconds=st.sampled_from([0.1, 0.6, 1.0, 70.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds

    @rule(is_silent=st.booleans())
    def versions_fail(self, is_silent: bool) -> None:  # noqa: FBT001 - Hypothesis passes it by name
        self.world.is_silent = is_silent
        self.silent_at = self.world.now

    @rule(is_broken=st.booleans())
    def source_fails(self, is_broken: bool) -> None:  # noqa: FBT001 - as above
        self.world.is_broken = is_broken

    @invariant()
    def shelves_hold_no_more_than_they_may(self) -> None:
        snapshot = self.tiers.current()
        if snapshot is not None:
            assert all(len(shelf) <= 4 for _, shelf in snapshot.shelves.values())

    def teardown(self) -> None:
        for request in self.requests:
            request.scope.close()


async def _loaded(loader: Any, wanted: list[int]) -> list[Any]:  # noqa: ANN401 - a loader
    answers: list[Any] = await asyncio.gather(*map(loader.load, wanted))
    return answers


TestTiersModel = TiersModel.TestCase
TestTiersModel.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
