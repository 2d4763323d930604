"""What is kept between requests, and how it is known to be up to date."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import WeakSet

from dataloaders.dispatch.steps import Call, run
from dataloaders.dispatch.workers import workers
from dataloaders.errors import ConfigurationError

from .codec import codec_of
from .counts import TierCounts
from .shelf import Shelf
from .snapshot import Snapshot
from .usage import Usage
from .view import View
from .warming import warm_soon

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from dataloaders.dispatch.steps import Steps
    from dataloaders.form import Form
    from dataloaders.loader import DataLoader
    from dataloaders.scope import LoaderScope

    from .channel import Channel
    from .redis import RedisTier

logger = logging.getLogger(__name__)

STRICT_SECONDS: Final = 5.0
"""For how long a held process looks at each request, unless the writer goes on."""

SILENT_SECONDS: Final = 1.0
"""For how long the versions are not looked at again that could not be read."""

NEVER: Final = float("-inf")

UNVERSIONED: Final = ""
"""The name of what has no version, and its version."""


class Versions(Protocol):
    """Knows which version each table is of; whoever changes a table changes its version with it."""

    is_async: bool
    stays_on_thread: bool

    def watch(self, table: Any) -> str:  # noqa: ANN401 - a table
        """Has `read` tell of one more table; returns its name there."""

    def read(self) -> Mapping[str, str]:
        """Returns the version of each table, as it is now."""

    def read_async(self) -> Awaitable[Mapping[str, str]]:
        """The same, on an event loop."""


class Tiers:
    """Caches that outlive a request, for loaders that are declared `shared`.

    A value is kept for the version that its table is of. Processes look at the version every
    `check_seconds` at most, and a request goes by the version that it began with, so no answer is
    older than that bound; with a `channel`, whoever replaces the table has all processes look at
    it from before the commit on, and none is older than the request.

    Args:
        max_keys: Keys of one loader that this process keeps, at most.
        seconds: How long a value is kept.
        absent_seconds: How long it is kept that there is none.
        check_seconds: How long a look at the versions is good for; 0 to look at each request.
        redis: What processes and machines have in common, if anything.
        channel: What processes tell each other by that a table is about to change.
        bridge_seconds: For how long keys that an empty table does not have are answered as they
            were before it was emptied; 0 for not at all. For tables that somebody refills in two
            transactions.
        warm_file: Where the most used keys are listed, from one day to the next. A process loads
            them in the background when it first uses their loader.
        warm_keys: Keys of one loader in that list, at most.
        clock: Returns seconds.

    Attributes:
        redis: As given.
        usage: What is in the `warm_file`, if there is one.

    Raises:
        ConfigurationError: A number is not what it has to be.
    """

    def __init__(
        self,
        *,
        max_keys: int = 100_000,
        seconds: float = 86_400.0,
        absent_seconds: float = 60.0,
        check_seconds: float = 1.0,
        redis: RedisTier | None = None,
        channel: Channel | None = None,
        bridge_seconds: float = 0.0,
        warm_file: str | os.PathLike[str] | None = None,
        warm_keys: int = 5_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, value, least in (
            ("max_keys", max_keys, 1),
            ("seconds", seconds, 0),
            ("absent_seconds", absent_seconds, 0),
            ("check_seconds", check_seconds, 0),
            ("bridge_seconds", bridge_seconds, 0),
            ("warm_keys", warm_keys, 1),
        ):
            if not _is_number(value) or value < least:
                raise ConfigurationError(f"Tiers.{name}", f"a number from {least} on", value)
        self.redis = redis
        self.check_seconds = check_seconds
        self._limits: dict[str, Any] = {
            "max_keys": int(max_keys),
            "seconds": seconds,
            "absent_seconds": absent_seconds,
            "clock": clock,
        }
        self._channel = channel
        self._bridge_seconds = bridge_seconds
        self._clock = clock
        self.usage = None if warm_file is None else Usage(warm_file, int(warm_keys))
        self._versions: Versions | None = None
        self._counts: dict[str, TierCounts] = {}
        self.forget()
        _all.add(self)

    def forget(self) -> None:
        """Begins anew, as in a forked process: another thread may have held what was here."""
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._looked = (NEVER, NEVER)  # when the newest look began and ended
        self._strict_until = NEVER
        self._silent_until = NEVER
        self._warmed: set[str] = set()

    def use(self, versions: Versions) -> None:
        """Has the versions be read from there; the first caller's stay."""
        if self._versions is None:
            self._versions = versions

    def counts(self) -> dict[str, TierCounts]:
        """Returns what the tiers did in this process, by loader."""
        return dict(self._counts)

    # -- which version things are of

    def current(self) -> Snapshot | None:
        """Returns the newest snapshot, if a look at the versions is recent enough."""
        if self._versions is None:
            return self._snapshot or self._note({}, self._clock())
        if self._channel is not None:
            self._channel.listen(self.hold_here, self.look_soon)
        looked = self._looked[0]
        age = self._clock() - looked
        # After a hold it takes a look from when that was over: the commit may have come at any time
        # until then, and a look before it has seen nothing of it.
        if looked < self._strict_until or not age < self.check_seconds:
            return None
        if age > self.check_seconds / 2:
            self._look_ahead_of_time(self._versions)
        return self._snapshot

    @property
    def newest(self) -> Snapshot | None:
        """The newest snapshot, however long ago the versions were looked at."""
        return self._snapshot

    def _look_ahead_of_time(self, versions: Versions) -> None:
        """Has a worker thread look at the versions, so that callers need not wait for it."""
        if versions.is_async or versions.stays_on_thread:
            return
        if self._reading.acquire(blocking=False):
            try:
                workers().submit(self._look_and_release, self._reading)
            except RuntimeError:  # the interpreter ends, or can start no thread
                self._reading.release()

    def _look_and_release(self, reading: threading.Lock) -> None:
        try:
            run(self.look())
        finally:
            reading.release()

    def look(self) -> Steps[Snapshot | None]:
        """Reads the versions and returns the snapshot of now; None if nobody can say."""
        versions = self._versions
        if versions is None:
            return self.current()
        read = versions.read_async if versions.is_async else versions.read
        while True:
            began = self._clock()
            if began < self._silent_until:
                return None
            try:
                found = yield Call(read)
            except Exception as error:  # noqa: BLE001 - whatever it is, the loaders will say so
                logger.warning("Tiers are left out: versions cannot be read (%r).", error)
                self._silent_until = self._clock() + SILENT_SECONDS
                self.look_soon()
                return None
            snapshot = self._note(found, began)
            if snapshot is not None:
                return snapshot

    def _note(self, versions: Mapping[str, str], began: float) -> Snapshot | None:
        """Takes note of versions that were read; None if another look makes the order unclear."""
        with self._lock:
            snapshot = self._snapshot
            last_began, last_ended = self._looked
            if snapshot is not None and snapshot.versions == versions:
                self._looked = (max(began, last_began), max(self._clock(), last_ended))
                return snapshot
            if began < last_ended:
                return None
            following = self._following(snapshot, versions)
            self._snapshot = following
            # Last, for those who look at it without the lock.
            self._looked = (began, self._clock())
            return following

    def _following(self, snapshot: Snapshot | None, versions: Mapping[str, str]) -> Snapshot:
        if snapshot is None:
            return Snapshot(versions)
        following = snapshot.followed_by(versions)
        if self._bridge_seconds:
            until = self._clock() + self._bridge_seconds
            following.before.update(
                {
                    name: before
                    for name, before in snapshot.before.items()
                    if name not in following.shelves
                }
            )
            for name, (_, shelf) in list(snapshot.shelves.items()):
                if name not in following.shelves:
                    before = (shelf, until) if shelf.is_good else shelf.before
                    if before is not None:
                        following.before[name] = before
        return following

    def before(self, shelf: Shelf) -> Shelf | None:
        """Returns the shelf to answer from while the source is empty, as long as there is one."""
        if shelf.before is None or shelf.before[1] < self._clock():
            return None
        return shelf.before[0]

    # -- what others tell

    def hold(self) -> None:
        """Has all processes look at the versions at each request, until there is a new one."""
        self.hold_here()
        if self._channel is not None:
            self._channel.hold()

    def moved(self) -> None:
        """Has all processes look at the versions once more."""
        self.look_soon()
        if self._channel is not None:
            self._channel.moved()

    def hold_here(self) -> None:
        """As `hold`, in this process."""
        # It stays so after the change: another one may have been announced meanwhile.
        self._strict_until = self._clock() + STRICT_SECONDS

    def look_soon(self) -> None:
        """As `moved`, in this process."""
        with self._lock:
            self._looked = (NEVER, self._looked[1])

    # -- what is kept

    def view(
        self,
        loader: DataLoader[Any, Any],
        scope: LoaderScope | None,
    ) -> View | None:
        """Returns a loader's view of the tiers, if they keep anything of it.

        They keep values as long as the loader says, or as the version of its table stands.

        Raises:
            ConfigurationError: There is a Redis, and its values are not to be sent as data.
        """
        if loader.versioned_table is None and loader.kept_seconds is None:
            return None
        if self.redis is not None:
            codec_of(loader.form.wire_type)
        if self.usage is not None and scope is not None and loader.name not in self._warmed:
            self._warmed.add(loader.name)
            keys = self.usage.most_used(loader.name)
            if keys:
                warm_soon(scope.registry, type(loader), keys)
        return View(self, loader, scope)

    def note_used(self, loader: str, keys: Iterable[Any]) -> None:
        """Counts the keys that a request has asked for."""
        if self.usage is not None and self.usage.note(loader, keys):
            with suppress(RuntimeError):  # the interpreter ends, when it is saved anyhow
                workers().submit(self.usage.save)

    def now(self) -> float:
        """Returns the time, in seconds, by which values end."""
        return self._clock()

    def looked(self) -> Snapshot | None:
        """Looks at the versions and waits for it; None if only an event loop can, or nobody."""
        if self._versions is not None and self._versions.is_async:
            return None
        return run(self.look())

    def watch(self, table: Any) -> str:  # noqa: ANN401 - a table, or None
        """Has the versions of a table be looked at from now on; returns its name among them."""
        if self._versions is None or table is None:
            return UNVERSIONED
        name = self._versions.watch(table)
        snapshot = self._snapshot
        if snapshot is not None and name not in snapshot.versions:
            self.look_soon()
        return name

    def shelf(
        self, snapshot: Snapshot, loader: str, table: str, form: Form, seconds: float | None
    ) -> Shelf:
        """Returns a loader's shelf in a snapshot, made at the first call.

        Args:
            snapshot: The snapshot, which knows the table.
            loader: The loader's name.
            table: The table's name, as `watch` has returned it.
            form: How the loader's values are kept.
            seconds: How long they are kept at most, if the loader says so.
        """
        known = snapshot.shelves.get(loader)
        if known is not None:
            return known[1]
        limits = self._limits
        if seconds is not None:
            limits = limits | {"seconds": min(seconds, limits["seconds"])}
        with self._lock:
            counts = self._counts.setdefault(loader, TierCounts())
            space = None
            if self.redis is not None:
                version = snapshot.versions.get(table, UNVERSIONED)
                space = self.redis.space(version, loader, codec_of(form.wire_type))
            made = Shelf(form, counts, space, **limits)
            made.before = snapshot.before.get(loader)
            return snapshot.shelves.setdefault(loader, (table, made))[1]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_all: WeakSet[Tiers] = WeakSet()


def _forget_all() -> None:
    for tiers in list(_all):
        tiers.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
