"""Batches of one key, one after another from the same place: what should have been one batch."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dataloaders.batch import Failure
from dataloaders.lookahead.paths import plain_fields
from dataloaders.lookahead.transforms import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from .batches import BatchRecord
    from .places import Caller, Spot

LEAST: Final = 3
"""How many such batches are one too many: look-ahead may need two to learn what a loop does."""

MAX_TRIES: Final = 10
"""How many keys are taken for one that is tried elsewhere, because nothing was found so far."""

MAX_PLACES: Final = 1_000
"""Places of a scope that are kept apart."""

_MAX_KNOWN: Final = 1_000  # keys of a place
_MAX_UNDECIDED: Final = 100  # batches of a place
_RECENT: Final = 4  # batches whose answers a key may follow from
_OF_EACH: Final = 8  # of their answers
_BETWEEN_PIECES = re.compile(r"\W+")


@dataclass(frozen=True, slots=True)
class Repeated:
    """Such batches of one place.

    Attributes:
        loader: The loader's name.
        caller: Who asked.
        count: How many there were.
        seconds: What they took.
    """

    loader: str
    caller: Caller
    count: int
    seconds: float


class Repeats:
    """Such batches of one scope, by loader, place, and who runs there: a thread, a task, a batch.

    A batch does not count if it could not have gone together with the one before: that one was
    still under way, or its key was asked for before and is asked for again, or its key follows from
    an answer that has come since, or tries elsewhere what had no answer. Where enough count, all of
    the place are told of.

    Args:
        newest: Yields the answers that were got last.
    """

    def __init__(self, newest: Callable[[], Iterable[Any]]) -> None:
        self._newest = newest
        self._places: dict[tuple[str, tuple[Spot, ...], Hashable], _Place] = {}
        self._recent: deque[list[Any]] = deque(maxlen=_RECENT)

    def begins(
        self,
        sent: BatchRecord,
        identity: Hashable,
        key: Any,  # noqa: ANN401 - any key
        are_of_use: Callable[[set[Hashable]], bool],
    ) -> Candidate | None:
        """Looks at a batch that somebody has asked for one key of, before it is sent.

        Args:
            sent: The batch.
            identity: What tells its key from others.
            key: The key.
            are_of_use: Whether somebody has asked for any of some keys that went along.
        """
        caller = sent.caller
        if caller is None or caller.works:
            return None
        place = self._place(sent.loader, caller, sent.flow)
        if place is None or sent.opened < place.ended:
            return None
        place.caller, place.are_of_use = caller, are_of_use
        if identity in place.known:
            return None
        is_excused = place.key is not None and (
            place.tries_elsewhere(key) or self._follows(key, place.key)
        )
        return Candidate(place, identity, key, is_excused)

    def ended(self, sent: BatchRecord, candidate: Candidate, answer: Any) -> None:  # noqa: ANN401 - any value
        """Takes note of such a batch when it has its answer."""
        place, identity, key, is_excused = candidate
        place.ended = max(place.ended, sent.ended_at or 0.0)
        if len(place.known) < _MAX_KNOWN:
            place.known.add(identity)
        is_nothing = _is_nothing(answer)
        place.tries = place.tries + 1 if is_nothing else 0
        place.key = key
        place.add(Sent(sent.seconds, sent.begun or 0.0, is_excused), sent.ahead)

    def refused(self, candidate: Candidate, begun: float) -> None:
        """Takes note of one that was not sent because it was one too many."""
        candidate.place.add(Sent(0.0, begun, is_excused=False))

    def got(self, answers: Iterable[Any]) -> None:
        """Takes note of what a batch was answered."""
        self._recent.append(list(islice(answers, _OF_EACH)))

    def too_many(self, since: float = 0.0) -> list[Repeated]:
        """Returns what is too many, by place.

        Args:
            since: Only where that became so at this moment (`perf_counter`) or later.
        """
        found: dict[tuple[str, tuple[Spot, ...]], Repeated] = {}
        for place in list(self._places.values()):
            place.decide()
            if place.is_guilty and place.guilty_since >= since:
                told, name = place.told(), (place.loader, place.caller.within_loop)
                others = found.get(name)
                if others is not None:
                    told = replace(
                        told, count=told.count + others.count, seconds=told.seconds + others.seconds
                    )
                found[name] = told
        return list(found.values())

    def forget_answers(self) -> None:
        """Lets go of keys and values."""
        self._recent.clear()
        for place in list(self._places.values()):
            place.decide()
            place.known.clear()
            place.key = None

    def _place(self, loader: str, caller: Caller, flow: Hashable) -> _Place | None:
        name = (loader, caller.spots, flow)
        place = self._places.get(name)
        if place is None:
            if len(self._places) >= MAX_PLACES:
                guilty = {each: held for each, held in self._places.items() if held.is_guilty}
                if len(guilty) >= MAX_PLACES:
                    return None
                self._places = guilty
            place = self._places.setdefault(name, _Place(loader, caller))
        return place

    def _follows(self, key: Any, before: Any) -> bool:  # noqa: ANN401 - any keys
        """Whether what is new in a key, compared with the one before, is in a recent answer."""
        new = _texts_of_key(key) - _texts_of_key(before)
        if not new:
            return False
        for answer in [*(each for some in list(self._recent) for each in some), *self._newest()]:
            new -= _texts(answer)
            if not new:
                return True
        return False


class Sent(NamedTuple):
    """What is kept of such a batch.

    Attributes:
        seconds: What it took.
        begun: When it was sent.
        is_excused: Whether it could not have gone together with the one before.
    """

    seconds: float
    begun: float
    is_excused: bool


class Candidate(NamedTuple):
    """A batch that may be one too many.

    Attributes:
        place: Where it was asked for.
        identity: What tells its key from others.
        key: Its key.
        is_excused: Whether it could not have gone together with the one before.
    """

    place: _Place
    identity: Hashable
    key: Any
    is_excused: bool

    @property
    def is_one_too_many(self) -> bool:
        """Whether with it there would be too many."""
        return not self.is_excused and self.place.counted >= LEAST - 1

    def once_more(self) -> Repeated:
        """Returns what there would be to tell."""
        told = self.place.told()
        return replace(told, count=told.count + 1)


class _Place:
    """Such batches of one place.

    Attributes:
        caller: Who asked last.
        are_of_use: See `Repeats.begins`.
        ended: When the last batch had its answer.
        known: The keys that were asked for.
        key: The last of them.
        tries: How many keys in a row had no answer, up to this one.
        count: How many batches there were.
        counted: How many of them could have gone together with the one before.
        seconds: What they took.
        guilty_since: When they became too many.
    """

    __slots__ = (
        "_undecided",
        "are_of_use",
        "caller",
        "count",
        "counted",
        "ended",
        "guilty_since",
        "key",
        "known",
        "loader",
        "seconds",
        "tries",
    )

    def __init__(self, loader: str, caller: Caller) -> None:
        self.loader = loader
        self.caller = caller
        self.are_of_use: Callable[[set[Hashable]], bool] = bool
        self.ended = 0.0
        self.known: set[Hashable] = set()
        self.key: Any = None
        self.tries = 0
        self.count = self.counted = 0
        self.seconds = 0.0
        self.guilty_since = 0.0
        self._undecided: list[tuple[Sent, set[Hashable]]] = []

    @property
    def is_guilty(self) -> bool:
        """Whether they are too many."""
        return self.counted >= LEAST

    def told(self) -> Repeated:
        """Returns what there is to tell of it."""
        return Repeated(self.loader, self.caller, self.count, self.seconds)

    def tries_elsewhere(self, key: Any) -> bool:  # noqa: ANN401 - any key
        """Whether a key shares something with the one before, which had no answer."""
        return 0 < self.tries <= MAX_TRIES and not _pieces(key).isdisjoint(_pieces(self.key))

    def add(self, sent: Sent, ahead: set[Hashable] | None = None) -> None:
        """Adds a batch; one with which others went along, once it is clear whether to any use."""
        if ahead:
            self._undecided.append((sent, ahead))
            if len(self._undecided) > _MAX_UNDECIDED:
                self.decide()
            return
        self.count += 1
        self.seconds += sent.seconds
        if not sent.is_excused:
            self.counted += 1
            if self.counted == LEAST:
                self.guilty_since = sent.begun

    def decide(self) -> None:
        """Counts batches with which others went along, unless these were of use."""
        undecided, self._undecided = self._undecided, []
        for sent, ahead in undecided:
            if not self.are_of_use(ahead):
                self.add(sent)


def _is_nothing(answer: Any) -> bool:  # noqa: ANN401 - any value
    return answer is None or type(answer) is Failure or (type(answer) is list and not answer)


def _parts(key: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any key
    return tuple(key) if isinstance(key, tuple) else (key,)


def _text(value: Any) -> str:  # noqa: ANN401 - any value
    text = text_of(value)
    return "" if text is None else text.strip().casefold()


def _texts_of_key(key: Any) -> set[str]:  # noqa: ANN401 - any key
    return {_text(part) for part in _parts(key)} - {""}


def _texts(answer: Any) -> set[str]:  # noqa: ANN401 - any value
    return {_text(value) for _, value in plain_fields(answer)}


def _pieces(key: Any) -> set[str]:  # noqa: ANN401 - any key
    texts = _texts_of_key(key)
    return {piece for text in texts for piece in _BETWEEN_PIECES.split(text)} - {""}
