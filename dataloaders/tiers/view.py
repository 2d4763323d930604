"""One request's view of the tiers, for one of its loaders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataloaders.batch import MISSING
from dataloaders.dispatch.steps import run, run_on_loop

from .asking import answers

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from dataloaders.dispatch.steps import Steps
    from dataloaders.loader import DataLoader
    from dataloaders.scope import LoaderScope

    from .shelf import Shelf
    from .snapshot import Snapshot
    from .tiers import Tiers


class View:
    """What a loader sees of the tiers, from its request's first lookup to its end.

    All loaders of a request go by one snapshot, so that their answers are of one generation. Only
    what no tier has of that one any more moves the request on to the next, and what it knew of the
    one before is forgotten then.

    Args:
        tiers: The tiers.
        loader: The loader.
        scope: The loader's, if it has one.

    Attributes:
        name: The loader's.
        is_warming: Whether it asks for what others may need, and not for a caller.
    """

    def __init__(
        self,
        tiers: Tiers,
        loader: DataLoader[Any, Any],
        scope: LoaderScope | None,
    ) -> None:
        self.name = loader.name
        self._tiers = tiers
        self._loader = loader
        self._values: dict[Hashable, Any] = loader.values
        self._scope = scope
        self._form = loader.form
        self._record = self._form.record
        self._table = tiers.watch(loader.versioned_table)
        self._moment: Snapshot | None = None
        self._shelf: Shelf | None = None
        self._entry: Callable[[Hashable], tuple[float, Any] | None] = self._first_entry
        self._passes_on = loader.passes_on
        self._now = 0.0
        self._hits = 0
        self.is_warming = False
        self._bypasses = False
        self._bypassed: set[Hashable] | None = set()  # None for all

    # -- single keys

    def get(self, cache_key: Hashable) -> Any:  # noqa: ANN401 - any value may be loaded
        """Returns what this process keeps for a key, and has the loader know it; or MISSING.

        May have to look at the versions first, and wait for that.
        """
        entry = self._entry(cache_key)
        if entry is None or entry[0] < self._now:
            return MISSING
        kept = entry[1]
        record = self._record
        if record is None:
            answer = self._form.from_kept(kept)
        else:
            answer = None if kept is None else record(*kept)
        self._values[cache_key] = answer
        if self._bypasses and self.bypassed(cache_key):  # looked at last: it may be just now
            self._values.pop(cache_key, None)
            return MISSING
        self._hits += 1
        if self._passes_on:
            self._loader.pass_on((answer,))
        return answer

    def get_at_once(self, cache_key: Hashable) -> Any:  # noqa: ANN401 - as above
        """The same without waiting; MISSING if the versions have to be looked at first."""
        if self._shelf is None:
            snapshot = self.pinned() or self._tiers.current()
            if snapshot is None:
                return MISSING
            self.pin(snapshot)
        return self.get(cache_key)

    def has(self, cache_key: Hashable) -> bool:
        """Whether this process keeps something for a key."""
        return self._shelf is not None and cache_key in self._shelf

    @property
    def is_empty(self) -> bool:
        """Whether it keeps nothing for this loader."""
        return self._shelf is None or not self._shelf

    def keep(self, cache_key: Hashable, answer: Any) -> None:  # noqa: ANN401 - as above
        """Keeps an answer that follows from another one that was kept."""
        if self._shelf is not None:
            self._shelf.put({cache_key: answer})

    def forget(self, cache_key: Hashable) -> None:
        """Has a key be asked of the source the next time, by this request and by others."""
        self._bypasses = True
        if self._bypassed is not None:
            self._bypassed.add(cache_key)
        for shelf in self._shelves():
            shelf.drop(cache_key)

    def forget_all(self) -> None:
        """Has this request ask the source for whatever it asks for from now on."""
        self._bypasses = True
        self._bypassed = None
        for shelf in self._shelves():
            shelf.clear()

    def close(self) -> None:
        """Has what outlives the request know how it was used."""
        if self._shelf is not None:
            self._shelf.counts.hits += self._hits
        if not self.is_warming:
            self._tiers.note_used(self.name, self._values)

    def _shelves(self) -> set[Shelf]:
        """Returns this request's shelf, and that of the requests which begin now."""
        shelves = set() if self._shelf is None else {self._shelf}
        newest = self._tiers.newest
        if newest is not None and newest.knows(self._table):
            shelves.add(self.shelf_in(newest))
        return shelves

    def _first_entry(self, cache_key: Hashable) -> tuple[float, Any] | None:
        """Finds the snapshot that the request is to go by, for its first lookup."""
        snapshot = self.pinned() or self._tiers.current() or self._tiers.looked()
        if snapshot is None:
            return None
        self.pin(snapshot)
        return None if self._shelf is None else self._entry(cache_key)

    # -- batches, and what they need to know: see `asking.Asker`

    def ask(self, function: Callable[[list[Any]], Any], keys: list[Any]) -> list[Any]:
        """Answers a batch, asking the source for what no tier has."""
        return self._passed_on(run(self._answers(function, keys)))

    async def ask_on_loop(self, function: Callable[[list[Any]], Any], keys: list[Any]) -> list[Any]:
        """The same for a batch function that is async."""
        return self._passed_on(await run_on_loop(self._answers(function, keys)))

    def _passed_on(self, found: list[Any]) -> list[Any]:
        if self._passes_on:
            self._loader.pass_on(found)
        return found

    def _answers(self, function: Callable[[list[Any]], Any], keys: list[Any]) -> Steps[list[Any]]:
        cache_keys = self._loader.cache_keys_of(keys)
        if cache_keys is keys:
            return answers(self._tiers, self, keys, function)
        key_of = dict(zip(cache_keys, keys, strict=True))
        return answers(
            self._tiers,
            self,
            cache_keys,
            lambda some: function([key_of[cache_key] for cache_key in some]),
        )

    def pinned(self) -> Snapshot | None:
        """Returns the snapshot that the request goes by, if it goes by one already."""
        moment = self._moment if self._scope is None else self._scope.moment
        return moment if moment is not None and moment.knows(self._table) else None

    def pin(self, snapshot: Snapshot | None) -> None:
        """Has the request go by another snapshot, or by none; forgets what has changed in it."""
        scope = self._scope
        if scope is None:
            before, self._moment = self._moment, snapshot
            views = [self]
        else:
            before, scope.moment = scope.moment, snapshot
            views = [loader.batched.view for loader in list(scope.loaders.values())]
        if before is not None and before is not snapshot:
            for view in views:
                if view is not None:
                    view.leave(before, snapshot)
        if self._shelf is None and snapshot is not None and snapshot.knows(self._table):
            self._shelf = shelf = self.shelf_in(snapshot)
            self._now = self._tiers.now()
            self._entry = shelf.entry

    def leave(self, before: Snapshot, snapshot: Snapshot | None) -> None:
        """Forgets what it knew as of a snapshot, unless that is the same in another one."""
        version = None if snapshot is None else snapshot.version_of(self._table)
        if snapshot is None or version != before.version_of(self._table):
            self._shelf, self._entry = None, self._first_entry
            self._loader.forget_known()

    def shelf_in(self, snapshot: Snapshot) -> Shelf:
        """Returns the loader's shelf in a snapshot."""
        return self._tiers.shelf(
            snapshot, self.name, self._table, self._form, self._loader.kept_seconds
        )

    def bypassed(self, cache_key: Hashable) -> bool:
        """Whether this request has cleared a key, and so wants to know what the source says."""
        return self._bypassed is None or cache_key in self._bypassed

    def source_is_empty(self) -> Any:  # noqa: ANN401 - a bool, or an awaitable of it
        """Returns whether the source has nothing at all just now."""
        return self._loader.source_is_empty()
