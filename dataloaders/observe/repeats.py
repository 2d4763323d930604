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
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from .batches import BatchRecord
    from .places import Caller, Spot

LEAST: Final = 4
"""How many chains are one too many: look-ahead may need three lookups to learn what a loop does."""

MAX_TRIES: Final = 10
"""How many keys are taken for one that is tried elsewhere, because nothing was found so far."""

MAX_PLACES: Final = 1_000
"""Places of a scope that are kept apart."""

_MAX_KNOWN: Final = 1_000  # keys of a place, and parts of them
_MAX_UNDECIDED: Final = 100  # batches of a place
_LINKS: Final = 64  # lookups, of which some may be of a chain and known already
_RECENT: Final = 16  # batches whose answers a key may come from
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

    Batches are links of a chain if each one's key is in an answer that has come since the place
    was there before, or tries elsewhere what had no answer: they had to follow each other. Where
    the batches of a place are of four chains or more, these could have gone side by side.

    Attributes:
        needs_lookups: Whether it has to be told of lookups: from the second batch of a place on,
            whose key may come from what was known already.
    """

    def __init__(self) -> None:
        self._places: dict[tuple[str, tuple[Spot, ...], Hashable], _Place] = {}
        self._recent: deque[_Got] = deque(maxlen=_RECENT)
        self._lookups: deque[tuple[Callable[[Hashable], Any], Hashable]] = deque(maxlen=_LINKS)
        self._asked = 0
        self.needs_lookups = False

    def asked(self, known: Callable[[Hashable], Any], cache_keys: Sequence[Hashable]) -> None:
        """Takes note of a lookup.

        Args:
            known: Returns what is known of a key.
            cache_keys: What stands for its keys.
        """
        for cache_key in cache_keys[:_OF_EACH]:
            self._asked += 1
            self._lookups.append((known, cache_key))

    def begins(
        self,
        sent: BatchRecord,
        identity: Hashable,
        key: Any,  # noqa: ANN401 - any key
        are_of_use: Callable[[set[Hashable]], bool],
    ) -> Link:
        """Looks at a batch before it is sent.

        Args:
            sent: The batch.
            identity: What tells the first of its keys from others.
            key: That key.
            are_of_use: Whether somebody has asked for any of some keys that went along.
        """
        caller = sent.caller
        if caller is None or caller.works or (place := self._place(sent, caller)) is None:
            return Link(self._source_of(_texts_of_key(key), 0.0) or object())
        texts = _texts_of_key(key)
        chain = self._source_of(texts - place.parts, place.begun)
        self.needs_lookups |= place.key is not None
        if chain is None and place.key is not None:
            chain = self._by_way_of_known(texts - place.parts, place)
        tries = place.tries if chain is None else 0
        if tries and not _share(key, place.key):
            tries = 0
        if 0 < tries <= MAX_TRIES:
            chain = place.chain
        # What was opened while the one before was under way is another task's, or was meant for
        # it; and what is asked for again cannot be asked for with what it was asked for before.
        follows = sent.opened >= place.ended and not place.is_under_way
        may_count = sent.asked == 1 and follows and identity not in place.known
        if may_count:
            place.sent = sent
        place.caller, place.are_of_use = caller, are_of_use
        return Link(chain or object(), place if may_count else None, identity, key, tries)

    def ended(self, sent: BatchRecord, link: Link, answer: Any) -> None:  # noqa: ANN401 - any value
        """Takes note of such a batch when it has its answer."""
        place = link.place
        if place is None:
            return
        place.begun, place.ended = sent.begun or 0.0, sent.ended_at or 0.0
        if len(place.known) < _MAX_KNOWN:
            place.known.add(link.identity)
            place.parts |= _texts_of_key(link.key)
        place.key, place.chain, place.asked = link.key, link.chain, self._asked
        place.tries = link.tries + 1 if _is_nothing(answer) else 0
        place.add(Sent(sent.seconds, place.begun, link.chain), sent.ahead)

    def refused(self, link: Link, begun: float) -> None:
        """Takes note of one that was not sent because it was one too many."""
        if link.place is not None:
            link.place.sent = None
            link.place.add(Sent(0.0, begun, link.chain))

    def got(self, sent: BatchRecord, link: Link, answers: Iterable[Any]) -> None:
        """Takes note of what a batch was answered."""
        some = list(islice(answers, _OF_EACH))
        self._recent.append(_Got(link.chain, sent.ended_at or 0.0, some))

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
        self._lookups.clear()
        for place in list(self._places.values()):
            place.decide()
            place.known.clear()
            place.parts.clear()
            place.key = place.sent = None

    def _place(self, sent: BatchRecord, caller: Caller) -> _Place | None:
        name = (sent.loader, caller.spots, sent.flow)
        place = self._places.get(name)
        if place is None:
            if len(self._places) >= MAX_PLACES:
                guilty = {each: held for each, held in self._places.items() if held.is_guilty}
                if len(guilty) >= MAX_PLACES:
                    return None
                self._places = guilty
            place = self._places.setdefault(name, _Place(sent.loader, caller))
        return place

    def _source_of(self, texts: set[str], since: float) -> object | None:
        """Returns the chain whose answer, of this moment or later, has all of some texts."""
        if texts:
            for got in reversed(list(self._recent)):
                if got.ended >= since and texts <= got.texts:
                    return got.chain
        return None

    def _by_way_of_known(self, texts: set[str], place: _Place) -> object | None:
        """Returns the chain that leads to some texts by way of answers that were known before."""
        lookups = list(self._lookups)
        since = len(lookups) - (self._asked - place.asked)
        for known, cache_key in reversed(lookups[max(since, 0) :]):
            if texts and texts <= _texts(known(cache_key)):
                texts = _texts_of_key(cache_key) - place.parts
                if not texts or (place.tries and _share(cache_key, place.key)):
                    return place.chain
                chain = self._source_of(texts, place.begun)
                if chain is not None:
                    return chain
        return None


class Link(NamedTuple):
    """A batch as a link of a chain.

    Attributes:
        chain: What stands for the chain.
        place: Where it may be one too many; None if it cannot be.
        identity: What tells its key from others.
        key: Its key.
        tries: How many keys were tried before in its place.
    """

    chain: object
    place: _Place | None = None
    identity: Hashable = None
    key: Any = None
    tries: int = 0

    @property
    def is_one_too_many(self) -> bool:
        """Whether with it there would be too many."""
        place = self.place
        if place is None or self.chain in place.chains:
            return False
        return len(place.chains) >= LEAST - 1

    def once_more(self, place: _Place) -> Repeated:
        """Returns what there would be to tell of its place."""
        told = place.told()
        return replace(told, count=told.count + 1)


class Sent(NamedTuple):
    """What is kept of such a batch.

    Attributes:
        seconds: What it took.
        begun: When it was sent.
        chain: What it is a link of.
    """

    seconds: float
    begun: float
    chain: object


class _Got:
    """Answers that have come."""

    __slots__ = ("_answers", "_texts", "chain", "ended")

    def __init__(self, chain: object, ended: float, answers: list[Any]) -> None:
        self.chain = chain
        self.ended = ended
        self._answers = answers
        self._texts: set[str] | None = None

    @property
    def texts(self) -> set[str]:
        """The texts that are in the answers."""
        if self._texts is None:
            self._texts = set().union(*map(_texts, self._answers))
            self._answers = []
        return self._texts


class _Place:
    """Such batches of one place.

    Attributes:
        loader: The loader's name.
        caller: Who asked last.
        are_of_use: See `Repeats.begins`.
        asked: How many lookups the scope had seen when it last had an answer.
        sent: The last batch.
        begun: When it was sent.
        ended: When it had its answer.
        known: The keys that were asked for.
        parts: The texts in them.
        key: The last of them.
        chain: What that was a link of.
        tries: How many keys were tried, this one included; 0 if it had an answer.
        count: How many batches there were.
        chains: What they were links of.
        seconds: What they took.
        guilty_since: When they became too many.
    """

    __slots__ = (
        "_undecided",
        "are_of_use",
        "asked",
        "begun",
        "caller",
        "chain",
        "chains",
        "count",
        "ended",
        "guilty_since",
        "key",
        "known",
        "loader",
        "parts",
        "seconds",
        "sent",
        "tries",
    )

    def __init__(self, loader: str, caller: Caller) -> None:
        self.loader = loader
        self.caller = caller
        self.are_of_use: Callable[[set[Hashable]], bool] = bool
        self.sent: BatchRecord | None = None
        self.begun = self.ended = 0.0
        self.known: set[Hashable] = set()
        self.parts: set[str] = set()
        self.key: Any = None
        self.chain: object = None
        self.tries = 0
        self.count = self.asked = 0
        self.chains: set[object] = set()
        self.seconds = 0.0
        self.guilty_since = 0.0
        self._undecided: list[tuple[Sent, set[Hashable]]] = []

    @property
    def is_guilty(self) -> bool:
        """Whether they are too many."""
        return len(self.chains) >= LEAST

    def told(self) -> Repeated:
        """Returns what there is to tell of it."""
        return Repeated(self.loader, self.caller, self.count, self.seconds)

    @property
    def is_under_way(self) -> bool:
        """Whether the last batch has no answer yet."""
        return self.sent is not None and self.sent.ended_at is None

    def add(self, sent: Sent, ahead: set[Hashable] | None = None) -> None:
        """Adds a batch; one with which others went along, once it is clear whether to any use."""
        if ahead:
            self._undecided.append((sent, ahead))
            if len(self._undecided) > _MAX_UNDECIDED:
                self.decide()
            return
        self.count += 1
        self.seconds += sent.seconds
        if len(self.chains) < LEAST:
            self.chains.add(sent.chain)
            if len(self.chains) == LEAST:
                self.guilty_since = sent.begun

    def decide(self) -> None:
        """Counts batches with which others went along, unless these were of use."""
        undecided, self._undecided = self._undecided, []
        for sent, ahead in undecided:
            if not self.are_of_use(ahead):
                self.add(sent)


def _is_nothing(answer: Any) -> bool:  # noqa: ANN401 - any value
    return answer is None or type(answer) is Failure or (type(answer) is list and not answer)


def _text(value: Any) -> str:  # noqa: ANN401 - any value
    text = text_of(value)
    return "" if text is None else text.strip().casefold()


def _texts_of_key(key: Any) -> set[str]:  # noqa: ANN401 - any key
    parts = key if isinstance(key, tuple) else (key,)
    return {_text(part) for part in parts} - {""}


def _texts(answer: Any) -> set[str]:  # noqa: ANN401 - any value
    return {_text(value) for _, value in plain_fields(answer)} - {""}


def _share(key: Any, other: Any) -> bool:  # noqa: ANN401 - any keys
    """Whether two keys have a piece of their first, and most selective, parts in common."""
    return not _pieces(key).isdisjoint(_pieces(other))


def _pieces(key: Any) -> set[str]:  # noqa: ANN401 - any key
    text = _text(key[0] if isinstance(key, tuple) and key else key)
    return set(_BETWEEN_PIECES.split(text)) - {""}
