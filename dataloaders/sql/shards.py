"""A table whose rows are spread over several databases."""

from __future__ import annotations

from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from dataloaders.dispatch.together import called_together, gathered
from dataloaders.errors import ConfigurationError, NoShardError

from .replicas import members
from .sources import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from .plan import Keys
    from .sources import Bind
    from .table_loader import TableLoader

Rule: TypeAlias = "str | Callable[[tuple[Any, ...]], Hashable]"


class Shards(Source):
    """Asks each of several databases for the keys that are its own, all at the same time.

    For example, where a column of the key is what the rows are spread by::

        master = SymbolMaster(Shards({"NSE": cash, "BSE": cash, "NFO": futures}, by="exchange"))

    A shard that fails, fails its own keys only: they get its error, and the others their answers.

    Args:
        engines: The shards by their names, all of them sync or all async. Each is an engine or
            `Replicas`; several names may have the same one.
        by: Which shard has a key: the name of a column, whose value is the shard's name; or a
            function of the key, as a tuple of values of its columns' types, that returns the name.
        default: The name of the shard for keys of which `by` gives no shard's name. Without one,
            such a key gets a NoShardError.

    Raises:
        ConfigurationError: There is no shard, one is no engine, they are of both kinds, or
            `default` is none of them.
    """

    is_whole = False

    def __init__(
        self, engines: Mapping[Any, Bind], by: Rule, default: Hashable | None = None
    ) -> None:
        if not engines:
            raise ConfigurationError("Shards", "at least one engine by name", engines)
        if default is not None and default not in engines:
            raise ConfigurationError("Shards' default", f"one of {list(engines)}", default)
        if not (isinstance(by, str) or callable(by)):
            raise ConfigurationError("Shards' rule", "a column's name or a function", by)
        sources = members("Shards", list(engines.values()))
        self._sources: dict[Hashable, Source] = dict(zip(engines, sources, strict=True))
        self._by = by
        self._default = default
        self.is_async = sources[0].is_async
        self.stays_on_thread = any(source.stays_on_thread for source in sources)

    def load(self, loader: TableLoader[Any], keys: Keys) -> Any:  # noqa: ANN401 - see Source
        """Answers a batch; see `Source.load`.

        Returns:
            The error of its shard, that of the rule, or a NoShardError, in the place of a key's
            answer.
        """
        answers: list[Any] = [None] * len(keys)
        asked: dict[Source, list[int]] = {}
        rule = self._rule_for(loader)
        for position, key in enumerate(keys):
            try:
                name = rule(key)
                source = self._source_for(name)
            except Exception as error:  # noqa: BLE001 - the rule is the application's
                answers[position] = error
                continue
            if source is None:
                answers[position] = NoShardError(loader.name, key, name, list(self._sources))
            else:
                asked.setdefault(source, []).append(position)
        calls = [
            partial(source.load, loader, [keys[position] for position in positions])
            for source, positions in asked.items()
        ]
        if self.is_async:
            return self._load_async(calls, answers, asked)
        outcomes = called_together(calls, here=self.stays_on_thread)
        return _spread(outcomes, answers, asked)

    async def _load_async(
        self,
        calls: Sequence[Callable[[], Any]],
        answers: list[Any],
        asked: dict[Source, list[int]],
    ) -> list[Any]:
        return _spread(await gathered([call() for call in calls]), answers, asked)

    def _rule_for(self, loader: TableLoader[Any]) -> Callable[[tuple[Any, ...]], Hashable]:
        if callable(self._by):
            return self._by
        if self._by not in loader.key:
            expected = f"one of the columns of {loader.name}'s key: {', '.join(loader.key)}"
            raise ConfigurationError("Shards' rule", expected, self._by)
        return itemgetter(loader.key.index(self._by))

    def _source_for(self, name: Hashable) -> Source | None:
        source = self._sources.get(name)
        if source is None and self._default is not None:  # None may be the name of NULL's shard
            return self._sources[self._default]
        return source


def _spread(outcomes: list[Any], answers: list[Any], asked: dict[Source, list[int]]) -> list[Any]:
    """Puts the shards' answers, or the error of one in their place, where their keys were."""
    for outcome, positions in zip(outcomes, asked.values(), strict=True):
        its = outcome if isinstance(outcome, list) else [outcome] * len(positions)
        for position, answer in zip(positions, its, strict=True):
            answers[position] = answer
    return answers
