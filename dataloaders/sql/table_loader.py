"""Loads rows of a table by key: one statement for a batch, plain records out."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from itertools import compress
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

from sqlalchemy import Integer, literal_column, select
from sqlalchemy import Row as QueryRow
from sqlalchemy.exc import DBAPIError

from dataloaders.batch import MISSING, Batch, Failure
from dataloaders.dispatch.context import asking_batch
from dataloaders.dispatch.steps import run, run_on_loop
from dataloaders.errors import ConfigurationError, NoShardError
from dataloaders.loader import NO_TYPES, DataLoader
from dataloaders.lookahead.modes import ON
from dataloaders.lookahead.origins import ABSENT
from dataloaders.lookahead.peers import MAX_PEERS
from dataloaders.lookahead.reading import read_as_sequence

from .definition import Definition, define
from .fallback import Parts
from .kept import GroupForm, RecordForm
from .plan import MAX_ROWS
from .plans import plan_for
from .prefix import UNKNOWN, PrefixAnswer
from .replicas import UNAVAILABLE
from .sources import source_of

if TYPE_CHECKING:
    from dataloaders.dispatch.steps import Steps
    from dataloaders.form import Form
    from dataloaders.lookahead.origins import Origin
    from dataloaders.lookahead.sites import Site

    from .plan import Connected, Keys, Plan, Row
    from .sources import Bind, Source

R = TypeVar("R")

# Look-ahead finds keys in the rows of other queries, too; its room knows nothing of SQLAlchemy.
read_as_sequence(QueryRow, attrgetter("_data"))

_NOT_THE_KEYS = (*UNAVAILABLE, NoShardError)
_NOTHING = (None, "")
"""First parts that are asked for with any number of others, by rows that have none."""


class TableLoader(DataLoader[Any, R | None]):
    """Loads one row for each key, as a plain record with slots.

    Subclasses say what is loaded::

        class UserLoader(TableLoader[Any]):
            table, key = User.__table__, ("id",)

    A key is a tuple with one value for each column of `key`, or the value itself where there is
    one column. Values are cast to their columns' types; None stands for NULL. Among several rows
    of one key the one with the lowest primary key is the answer.

    Args:
        bind: The database: an Engine (each batch takes a connection for as long as it lasts), an
            AsyncEngine (for `load` only; each event loop has a pool of its own), `Replicas` or
            `Shards` of such engines, or a Session (whose transaction the batch is part of, and in
            whose thread `load` runs it too).
        options: As for `DataLoader`.

    Raises:
        ConfigurationError: The bind or a class attribute is not what it has to be.
    """

    table: ClassVar[Any]
    """A Core table, or a mapped class."""

    key: ClassVar[tuple[str, ...]]
    """The names of the columns that a key stands for, the most selective first."""

    columns: ClassVar[tuple[str, ...] | None] = None
    """The names of the columns to load; all of them by default."""

    record: ClassVar[Callable[..., Any] | None] = None
    """Makes a record of the values of `columns`; by default a dataclass with slots."""

    unique: ClassVar[bool] = False
    """Whether a key has one row at most, so that any row that has it is its answer."""

    lookahead = ON
    own_key_types = NO_TYPES  # every key is cast

    _defined: ClassVar[Definition | None] = None
    _form_class: ClassVar[type[RecordForm]] = RecordForm
    _form: ClassVar[RecordForm | None] = None

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - whatever other bases take
        super().__init_subclass__(**options)
        cls._defined = cls._form = None

    def __init__(
        self,
        bind: Bind | None = None,
        **options: Any,  # noqa: ANN401 - DataLoader's options
    ) -> None:
        source = source_of(bind)
        if source is None:
            expected = (
                "an Engine, an AsyncEngine, a Session, Replicas or Shards (which a scope gives to "
                "its loaders if an EngineRegistry or a SymbolMaster made it)"
            )
            raise ConfigurationError(f"{type(self).__name__}'s bind", expected, bind)
        self.bind = bind
        self._source = source
        self._definition = self.definition()
        self._cast = self._definition.cast
        if not source.is_whole:
            # An error is that of a shard, and not the key's to keep.
            options.setdefault("cache_errors", False)
        if source.is_async:
            super().__init__(self._load_async, **options)
        else:
            super().__init__(**options)

    @classmethod
    def definition(cls) -> Definition:
        """Returns the class's table, key, columns and record, resolved and checked.

        Raises:
            ConfigurationError: A class attribute is missing or wrong.
        """
        if cls._defined is None:
            cls._defined = define(
                cls.__name__,
                getattr(cls, "table", None),
                getattr(cls, "key", ()),
                cls.columns,
                cls.record,
            )
        return cls._defined

    def get(self, key: Any) -> R | None:  # noqa: ANN401 - a caller may pass anything
        """Returns the record of one key, or None, and blocks until it is there.

        Raises:
            InvalidKeyError: The key has the wrong number of parts, or one of the wrong type.
            sqlalchemy.exc.SQLAlchemyError: The database refused, or is not there.
            As `DataLoader.get`.
        """
        # Equal keys are cast alike, so a key that is known as it stands needs no casting.
        try:
            answer = self._values.get(key, MISSING)
            if answer is MISSING and self._store.ahead:
                answer = self._store.take(key)
            if answer is MISSING and self.view is not None:
                answer = self.view.get(key)
                if answer is not MISSING and self.watch is not None:
                    self.watch.found_in_process()
        except TypeError:  # not hashable: the cast below says what it should have been
            answer = MISSING
        if answer is MISSING or type(answer) is Failure:
            return super().get(key)
        watch = self.watch
        if watch is not None:
            if watch.wants_each:
                watch.asked((key,), (key,))
            else:  # without the call, which would be half of what this costs
                watch.lookups += 1
        record: R | None = answer
        return record

    def batch_load(self, keys: list[Any]) -> list[Any]:
        """Fetches a batch in one statement where the database allows it.

        Args:
            keys: Keys as tuples of values of their columns' types; some of them may be prefixes.

        Returns:
            A record, or None, for each key, and for a prefix what is known of its keys.
        """
        began = time.monotonic()
        try:
            answers: list[Any] = self._load(keys)
        except DBAPIError as error:
            answers = run(self._in_parts(keys, error, began))
        return answers

    async def _load_async(self, keys: list[Any]) -> list[Any]:
        began = time.monotonic()
        try:
            answers: list[Any] = await self._load(keys)
        except DBAPIError as error:
            answers = await run_on_loop(self._in_parts(keys, error, began))
        return answers

    def _load(self, keys: Keys) -> Any:  # noqa: ANN401 - answers, or an awaitable of them
        return self._asked.load(self, keys)

    def _in_parts(self, keys: list[Any], error: DBAPIError, began: float) -> Steps[list[Any]]:
        if self._source.is_transaction:
            raise error  # the transaction is the session's, and perhaps over
        parts = Parts(self.name, self._load, self.timeout, began)
        answers: list[Any] = yield from parts.answers(keys, error)
        batch = asking_batch()
        if batch is not None:
            # What fails alone is an error of the database, and not the key's to keep.
            failed = [isinstance(answer, Exception) for answer in answers]
            batch.forgotten.update(compress(keys, failed))
        return answers

    @property
    def may_be_compared(self) -> bool:
        """Whether a batch that fails leaves the transaction of single queries alone."""
        return not self._source.is_transaction

    @property
    def _asked(self) -> Source:
        # What is kept for others must not come from a replica that is behind.
        return self._source if self.view is None else self._source.up_to_date

    def fetch(self, execute: Connected, keys: Keys) -> list[Any]:
        """Asks for the keys through `execute` and makes their answers of the rows."""
        if set(map(len, keys)) != {len(self._definition.key)}:
            return self._fetch_by_prefix(execute, keys)
        rows = self.plan(execute).rows(execute, keys)
        record = self._definition.record
        start = 1 + len(self._definition.lead)
        values: list[Any] = [None] * len(keys)
        if self.unique or len(rows) == len({row[0] for row in rows}):
            for row in rows:
                values[row[0]] = record(*row[start:])
        else:
            for row in reversed(_in_order(rows, self._definition)):
                values[row[0]] = record(*row[start:])
        return values

    def _fetch_by_prefix(self, execute: Connected, keys: Keys) -> list[Any]:
        """Asks for all rows with the first parts of the keys, which may be prefixes themselves."""
        prefixes = list(dict.fromkeys([key[:1] for key in keys]))
        definition = self._definition.by_prefix
        start = 1 + len(definition.lead)
        end = start + len(self._definition.key) - 1
        record = definition.record
        rows_of: list[list[tuple[Any, Any]]] = [[] for _ in prefixes]
        for row in _in_order(self.plan(execute).rows_by_prefix(execute, prefixes), definition):
            rows_of[row[0]].append((tuple(row[start:end]), record(*row[end:])))
        known: dict[tuple[Any, ...], Any] = {}
        is_text = self._definition.is_text
        for prefix, rows in zip(prefixes, rows_of, strict=True):
            known[prefix] = PrefixAnswer(rows) if len(rows) <= MAX_ROWS else UNKNOWN
            if len(rows) == 1 and is_text:  # of equal texts one is the other
                rest, answer = rows[0]
                known[prefix + rest] = answer
        values = [known.get(key, MISSING) for key in keys]
        undecided = []
        for position, value in enumerate(values):
            if value is MISSING:
                key = keys[position]
                values[position] = answer = known[key[:1]].answer(key[1:])
                if answer is MISSING:
                    undecided.append(key)
        if undecided:
            decided = dict(zip(undecided, self.fetch(execute, undecided), strict=True))
            values = [
                decided[key] if value is MISSING else value
                for key, value in zip(keys, values, strict=True)
            ]
        return values

    @property
    def form(self) -> Form:
        """How tiers keep its records."""
        cls = type(self)
        if cls._form is None:
            cls._form = cls._form_class(self._definition)
        return cls._form

    @property
    def versioned_table(self) -> Any:  # noqa: ANN401 - a table, or None
        """The table whose version its records depend on; None within a session's transaction."""
        return None if self._source.is_transaction else self._definition.table

    def source_is_empty(self) -> Any:  # noqa: ANN401 - a bool, or an awaitable of one
        """Returns whether the table has no rows just now."""
        return self._asked.load(cast("Any", _IsEmpty(self)), [()])

    @property
    def is_stated(self) -> bool:
        """Whether whoever watches is told of each statement: not of an application's function."""
        return type(self).batch_load is TableLoader.batch_load

    @property
    def asks_by_prefix(self) -> bool:
        """Whether look-ahead asks for rows by the first part of the key alone."""
        # A batch function of the application's own expects keys, and not parts of them.
        return self.is_stated and self._source.is_whole and self._definition.is_selective

    def ahead_keys(
        self,
        key: Any,  # noqa: ANN401 - a key is whatever the application uses
        siblings: list[tuple[Any, ...]],
        site: Site,
        origin: Origin | None = None,
    ) -> dict[Hashable, Any]:
        """Returns the keys of sibling rows, or prefixes of them, that are not known yet."""
        if self._source.is_transaction and None in self._definition.cast_types:
            # What is not cast, the database may refuse, and end the transaction of the session.
            return {}
        if not (self.asks_by_prefix and self.cache) or site.is_exact:
            return super().ahead_keys(key, siblings, site, origin)
        if siblings and siblings[-1][0] is ABSENT:
            *siblings, (_, *rest) = siblings
            siblings += [(nothing, *rest) for nothing in _NOTHING]
        own = self._cast(key)
        as_read = self._unknown_prefixes(siblings)
        if as_read.keys() == {own[:1]}:
            return {own[:1]: own[:1]} if own[0] in _NOTHING else {}
        if not as_read:
            return {}
        as_read.pop(own[:1], None)
        self.ledger.expect_prefixes(as_read, site, origin)
        as_read[own[:1]] = own[1:]
        found: dict[Hashable, Any] = dict(zip(as_read, as_read, strict=True))
        whole = [prefix + rest for prefix, rest in as_read.items()]
        if self._definition.are_cast(whole):
            # Most loops ask for just these, and then find them without a detour.
            whole.pop()
            found |= zip(whole, whole, strict=True)
        return found

    def _unknown_prefixes(self, siblings: list[tuple[Any, ...]]) -> dict[Hashable, Any]:
        """Returns the first parts of siblings' keys that are not known yet, each with the rest."""
        store = self._store
        view = self.view
        is_first = not (store.values or store.ahead or store.pending)
        if is_first and (view is None or view.is_empty) and len(siblings) <= MAX_PEERS:
            texts = [parts[0] for parts in siblings]
            if self._definition.cast_types[0] is str and set(map(type, texts)) == {str}:
                # The first lookup of a request: there is nothing to cast, and nothing known.
                first: dict[Hashable, Any] = dict(
                    zip(zip(texts), [parts[1:] for parts in siblings], strict=True)
                )
                if len(first) == len(siblings):
                    return first
        cast = self._definition.cast_prefix
        as_read: dict[Hashable, Any] = {}
        for parts in siblings:
            prefix = cast(parts[0])
            if prefix is not None and prefix not in as_read and self._is_unknown(prefix):
                if view is not None and view.has(prefix + tuple(parts[1:])):
                    continue
                as_read[prefix] = parts[1:]
                if len(as_read) == MAX_PEERS:
                    break
        return as_read

    def _unknown_among(
        self,
        key: Any,  # noqa: ANN401 - a caller may pass anything
        siblings: list[tuple[Any, ...]],
    ) -> Iterator[tuple[Hashable, Any]]:
        if self.cache and self._definition.are_cast(siblings):  # all at once, as is usual
            values, ahead, pending = self._store.values, self._store.ahead, self._store.pending
            if values or ahead or pending or self.view is not None:
                return ((each, each) for each in siblings if self._is_unknown(each))
            return zip(siblings, siblings, strict=True)
        return super()._unknown_among(key, siblings)

    def _take_ahead(self, cache_key: Any) -> Any:  # noqa: ANN401 - any value may be loaded
        answer = super()._take_ahead(cache_key)
        if answer is MISSING and self.asks_by_prefix:
            prefix = cache_key[:1]
            known = self._store.ahead.get(prefix)
            if known is not None:
                answer = known.answer(cache_key[1:])
                if answer is not MISSING:
                    self.ledger.use_prefix(prefix, cache_key[1:])
                    if not self._store.keep(cache_key, answer, prefix):
                        return MISSING
                    if answer is None and self.view is not None:
                        self.view.keep(cache_key, answer)  # of the rows, it keeps all there are
        return answer

    def known(self) -> list[Any]:
        """Returns the records that are known, in the order of `DataLoader.known`."""
        known = []
        for answer in super().known():
            if isinstance(answer, PrefixAnswer):
                known += [record for _, record in answer.rows]
            elif answer is not None and type(answer) is not Failure:
                known.append(answer)
        return known

    def prefix_of(self, cache_key: Any) -> Hashable | None:  # noqa: ANN401 - a cast key
        """Returns the cache key of the question for all rows with a key's first part."""
        return cache_key[:1] if self.asks_by_prefix else None

    def answer_within(self, answers: Mapping[Hashable, Any], cache_key: Any) -> Any:  # noqa: ANN401 - a cast key, and any value
        """Returns the answer to a key that follows from what is known of its first part."""
        known = answers.get(cache_key[:1])
        return known.answer(cache_key[1:]) if isinstance(known, PrefixAnswer) else MISSING

    def may_blame_keys(self, error: Exception) -> bool:
        """Whether a batch may have failed because of keys that look-ahead has added to it."""
        # Not what says that the database is not there, which would only be waited for again.
        return not isinstance(error, _NOT_THE_KEYS) and super().may_blame_keys(error)

    def clear(self, key: Any) -> Self:  # noqa: ANN401 - a caller may pass anything
        """Forgets a key; see `DataLoader.clear`."""
        super().clear(key)
        if self.cache:
            prefix = self._cast(key)[:1]
            if self.view is not None:
                self.view.forget(prefix)
            self._store.clear(prefix)
        return self

    @property
    def stays_on_thread(self) -> bool:
        """Whether the batch function has to run on the thread that asks."""
        return self._source.stays_on_thread

    def keys_of(self, batch: Batch) -> list[Any]:
        """Returns what the batch function is given: keys as the columns hold them."""
        if self.cache:
            return list(batch.keys)
        return [self._cast(key) for key in batch.keys.values()]

    def cache_keys_of(self, keys: list[Any]) -> list[Hashable]:
        """Returns what the batch function's keys are cached under: themselves."""
        return keys

    def _cache_key(self, key: Any) -> Hashable:  # noqa: ANN401 - a caller may pass anything
        cast = self._cast(key)
        return cast if self.cache else object()

    def _cache_keys(self, keys: Iterable[Any] | object) -> tuple[list[Hashable], list[Any]]:
        if self.cache and (type(keys) is list or isinstance(keys, Iterable)):
            keys = list(keys)
            if self._definition.are_cast(keys):
                return keys, keys
        return super()._cache_keys(keys)

    def plan(self, connected: Connected) -> Plan:
        """Returns how the database of a connection is asked for its keys."""
        return plan_for(connected.engine, type(self), self._definition)


class GroupedTableLoader(TableLoader[R]):
    """Loads all rows of each key, as a list of records in the order of their primary keys.

    A key without rows has an empty list. Otherwise as `TableLoader`::

        class OptionChainLoader(GroupedTableLoader[Any]):
            table, key = contracts, ("underlying", "expiry")
    """

    _form_class = GroupForm

    @property
    def asks_by_prefix(self) -> bool:
        """Whether look-ahead asks for rows by the first part of the key alone."""
        return False

    def fetch(self, execute: Connected, keys: Keys) -> list[Any]:
        """Asks for the keys through `execute` and makes their answers of the rows."""
        record = self._definition.record
        start = 1 + len(self._definition.lead)
        values: list[list[Any]] = [[] for _ in keys]
        rows = self.plan(execute).rows(execute, keys)
        for row in _in_order(rows, self._definition):
            values[row[0]].append(record(*row[start:]))
        return values


class _IsEmpty:
    """Asks a loader's source whether its table has no rows; in the place of the loader."""

    def __init__(self, loader: TableLoader[Any]) -> None:
        self.name = loader.name
        self.timeout = loader.timeout
        self._loader = loader

    def fetch(self, execute: Connected, keys: Keys) -> bool:  # noqa: ARG002 - as a loader's
        """Returns whether there are no rows."""
        table = self._loader.definition().table
        statement = select(literal_column("1", Integer)).select_from(table).limit(1)
        text = str(self._loader.plan(execute).compiled(statement, with_values=True))
        rows, _ = execute(text, (), describe=False)
        return not rows


def _in_order(rows: list[Row], definition: Definition) -> list[Row]:
    try:
        return sorted(rows, key=definition.rank)
    except TypeError:  # a view's rows, which may be ranked by NULL
        return rows
