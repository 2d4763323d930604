"""Looks at the batches of one loader: whether one is too many, and whether it is to be refused."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dataloaders.errors import NPlusOneError

from .findings import repeated

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from dataloaders.batch import Batch

    from .batches import BatchRecord
    from .record import Record

logger = logging.getLogger(__name__)


class Judge:
    """Looks at the batches of one loader, as long as its scope is open.

    Args:
        record: The scope's record.
        are_of_use: Whether somebody has asked for any of some keys that went along.
        may_repeat: Whether the loader batches, so that batches of one key are worth a look.
        has_cache: Whether it remembers, so that its cache keys tell one key from another.
    """

    def __init__(
        self,
        record: Record,
        are_of_use: Callable[[set[Hashable]], bool],
        *,
        may_repeat: bool,
        has_cache: bool,
    ) -> None:
        self._record = record
        self._are_of_use = are_of_use
        self._may_repeat = may_repeat
        self._has_cache = has_cache

    def begins(self, sent: BatchRecord, batch: Batch) -> None:
        """Looks at a batch that is about to be sent.

        Raises:
            NPlusOneError: It would be one too many, and somebody wants such to fail.
        """
        sent.link = None
        if not self._may_repeat or self._record.ended_at is not None:
            return
        found = next((each for each in batch.keys.items() if each[0] not in batch.ahead), None)
        if found is None:
            return
        cache_key, key = found
        try:
            # Without a cache, no two cache keys are the same.
            identity = cache_key if self._has_cache else _hashable(key)
            sent.link = self._record.repeats.begins(sent, identity, key, self._are_of_use)
        except Exception:  # a lookup must not fail of being watched
            logger.exception("A batch could not be looked at.")
        self._refuse(sent, batch)

    def _refuse(self, sent: BatchRecord, batch: Batch) -> None:
        link = sent.link
        if link is None or link.place is None or batch.ahead or not link.is_one_too_many:
            return
        raising = [each for each in self._record.observers if each.detect == "raise"]
        if raising and _callers(batch) == 1:  # what others ask for as well is theirs to have
            finding = repeated(link.once_more(link.place), self._record)
            if not all(each.allows(finding) for each in raising):
                self._record.repeats.refused(link, sent.begun or 0.0)
                raise NPlusOneError(str(finding))

    def ended(self, sent: BatchRecord, batch: Batch) -> None:
        """Takes note of a batch that has its answers."""
        answers, link, sent.link = batch.answers, sent.link, None
        if answers is None or link is None or self._record.ended_at is not None:
            return
        repeats = self._record.repeats
        if sent.queries:
            answer = next((each for key, each in answers.items() if key not in sent.ahead), None)
            repeats.ended(sent, link, answer)
        repeats.got(sent, link, answers.values())

    def interrupted(self, sent: BatchRecord) -> None:
        """Takes note of a batch that was interrupted: it is not under way any more."""
        link, sent.link = sent.link, None
        if link is not None and link.place is not None:
            link.place.sent = None


def _callers(batch: Batch) -> int:
    """Returns how many wait for a batch."""
    alone = sum(future is not None for future in batch.futures)
    others = len(batch.callers) + len(batch.followers) + len(batch.groups)
    return alone + others + len(batch.threads)


def _hashable(key: object) -> Hashable:
    """Returns what tells a key from others; one that is not hashable is like no other."""
    try:
        hash(key)
    except TypeError:
        return object()
    return key
