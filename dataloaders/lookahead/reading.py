"""Reads what objects hold, without running any of their code.

Only data is read: the items of builtin containers, instance dictionaries, slots. No property, no
`__getattr__`, no lazy relationship of an ORM, no `__eq__`, no `__iter__` of a subclass runs, so
reading neither fails nor has effects, whatever the objects are.
"""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import gc
import itertools
import sys
import types
import uuid
from typing import TYPE_CHECKING, Any, Final

from dataloaders.batch import MISSING

from .libraries import LIBRARIES, OWN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# What a value is for the search, by its type.
PLAIN: Final = 0  # a part of a key may be or come from it; nothing is inside it
OPAQUE: Final = 1  # nothing in it is of interest
RECORD: Final = 2  # an object with attributes of its own
MAPPING: Final = 3
SEQUENCE: Final = 4  # a list, tuple, set or deque
INDIRECT: Final = 5  # an iterator or a view: what it goes over is of interest
FRAME: Final = 6  # a pandas.DataFrame

PLAIN_TYPES: Final[frozenset[type]] = frozenset(
    {
        str,
        int,
        float,
        bool,
        bytes,
        type(None),
        complex,
        decimal.Decimal,
        dt.date,
        dt.datetime,
        dt.time,
        dt.timedelta,
        uuid.UUID,
    }
)

_OPAQUE_TYPES: Final = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.CodeType,
    types.FrameType,
    types.TracebackType,
    BaseException,
    range,
    bytearray,
    memoryview,
)

_INDIRECT_TYPES: Final = frozenset(
    {
        enumerate,
        filter,
        map,
        reversed,
        zip,
        itertools.accumulate,
        itertools.chain,
        itertools.compress,
        itertools.cycle,
        itertools.dropwhile,
        itertools.filterfalse,
        itertools.groupby,
        itertools.islice,
        itertools.pairwise,
        itertools.starmap,
        itertools.takewhile,
        itertools.zip_longest,
        type({}.items()),
        type({}.keys()),
        type({}.values()),
        type(iter([])),
        type(iter(())),
        type(iter({})),
        type(iter({}.items())),
        type(iter({}.values())),
        type(iter(set())),
        type(iter(collections.deque())),
        type(reversed([])),
        types.GeneratorType,
        types.MappingProxyType,
        types.MethodType,
    }
)

# Objects of these hold no rows of the application, and much else.
_NO_RECORDS: Final = (
    LIBRARIES
    | sys.stdlib_module_names - {"__main__", "argparse", "collections", "functools", "types"}
    | {"builtins", "requests", "httpx", "redis"}
)

_MAX_KNOWN_TYPES: Final = 2_000
_kinds: dict[type, int] = dict.fromkeys(PLAIN_TYPES, PLAIN)
_kinds |= {list: SEQUENCE, tuple: SEQUENCE, dict: MAPPING}

_readers: dict[type, _Attributes] = {}
_row_types: dict[type, Callable[[Any], Sequence[Any]]] = {}


def read_as_sequence(row_type: type, items: Callable[[Any], Sequence[Any]]) -> None:
    """Has objects of a type read as the sequence of items that a function finds in them."""
    _row_types[row_type] = items


def kind_of(value: object) -> int:
    """Returns what a value is for the search."""
    try:
        return _kinds[type(value)]
    except KeyError:
        return _learn(type(value))


def _learn(cls: type) -> int:
    if len(_kinds) > _MAX_KNOWN_TYPES:  # an application that makes types as it goes
        for known in [known for known, kind in _kinds.items() if kind in {RECORD, OPAQUE}]:
            _kinds.pop(known, None)
            _readers.pop(known, None)
    kind = _kinds[cls] = _kind_of_type(cls)
    return kind


def _kind_of_type(cls: type) -> int:
    kind = OPAQUE
    if cls in _INDIRECT_TYPES:
        kind = INDIRECT
    elif issubclass(cls, dict):
        kind = MAPPING
    elif issubclass(cls, list | tuple | set | frozenset | collections.deque) or cls in _row_types:
        kind = SEQUENCE
    elif issubclass(cls, tuple(PLAIN_TYPES - {type(None), bool})):
        kind = PLAIN
    elif issubclass(cls, _OPAQUE_TYPES):
        kind = OPAQUE
    elif _package_of(cls) == "pandas":
        kind = {"DataFrame": FRAME, "Series": SEQUENCE}.get(_of_class(cls, "__name__"), OPAQUE)
        if kind == SEQUENCE:
            _row_types[cls] = _items_of_series
    elif _package_of(cls) == "numpy" and _of_class(cls, "__name__") == "ndarray":
        kind = SEQUENCE
        _row_types[cls] = _items_of_array
    elif _may_be_a_record(cls) and _attributes_of(cls).readable:
        kind = RECORD
    return kind


def _may_be_a_record(cls: type) -> bool:
    if "__dataclass_fields__" in _of_class(cls, "__dict__") and _package_of(cls) in OWN:
        return True  # what loaders return are rows like others; they themselves are none
    packages = {_package_of(base) for base in _of_class(cls, "__mro__")}
    return packages.isdisjoint(OWN) and _package_of(cls) not in _NO_RECORDS


def _of_class(cls: type, name: str) -> Any:  # noqa: ANN401 - an attribute of a class
    return type.__getattribute__(cls, name)  # past what its metaclass makes of it


def _package_of(cls: type) -> str:
    name = _of_class(cls, "__module__")
    return name.partition(".")[0] if type(name) is str else ""


_SLOT: Final = types.MemberDescriptorType
_DESCRIPTORS: Final = frozenset({_SLOT, types.GetSetDescriptorType})


class _Attributes:
    """How the attributes of a type's instances are read."""

    __slots__ = ("dictionary", "slots")

    def __init__(self, cls: type) -> None:
        self.slots: dict[str, Callable[[Any], Any]] = {}
        self.dictionary: Callable[[Any], dict[str, Any]] | None = None
        for base in reversed(_of_class(cls, "__mro__")):
            for name, descriptor in _of_class(base, "__dict__").items():
                if type(descriptor) not in _DESCRIPTORS:
                    continue
                if name == "__dict__":
                    self.dictionary = descriptor.__get__
                elif type(descriptor) is _SLOT and _of_class(base, "__module__") != "builtins":
                    self.slots[name] = descriptor.__get__

    @property
    def readable(self) -> bool:
        return bool(self.slots) or self.dictionary is not None


def _attributes_of(cls: type) -> _Attributes:
    try:
        return _readers[cls]
    except KeyError:
        reader = _readers[cls] = _Attributes(cls)
        return reader


def attribute(record: Any, name: str) -> Any:  # noqa: ANN401 - any object may hold anything
    """Returns an attribute that an object itself holds, or MISSING."""
    reader = _attributes_of(type(record))
    slot = reader.slots.get(name)
    try:
        if slot is not None:
            return slot(record)
        if reader.dictionary is not None:
            return reader.dictionary(record).get(name, MISSING)
    except AttributeError:  # a slot without a value
        pass
    return MISSING


def attributes(record: Any) -> dict[str, Any]:  # noqa: ANN401 - any object may be read
    """Returns the attributes that an object itself holds; not to be written to."""
    reader = _attributes_of(type(record))
    held: dict[str, Any] = {}
    if reader.dictionary is not None:
        held = reader.dictionary(record)
        if not reader.slots:
            return held
    held = dict(held)
    for name, slot in reader.slots.items():
        try:
            held[name] = slot(record)
        except AttributeError:  # a slot without a value
            continue
    return held


_ALL: Final = slice(None)


def items_of(value: Any) -> Sequence[Any]:  # noqa: ANN401 - a SEQUENCE
    """Returns the items of a SEQUENCE, in its order."""
    cls = type(value)
    if cls is list or cls is tuple:
        return value  # type: ignore[no-any-return]  # as the line before says
    if cls in _row_types:
        return _row_types[cls](value)
    if isinstance(value, list):
        return list.__getitem__(value, _ALL)
    if isinstance(value, tuple):
        return tuple.__getitem__(value, _ALL)
    for base in (set, frozenset, collections.deque):
        if isinstance(value, base):
            return _snapshot(base, value)
    return ()


def _snapshot(base: Any, value: Any) -> Sequence[Any]:  # noqa: ANN401 - a set's or deque's type
    try:
        return list(base.__iter__(value))
    except RuntimeError:  # another thread has changed it meanwhile
        return ()


def values_of(mapping: dict[Any, Any]) -> Sequence[Any]:
    """Returns the values of a MAPPING."""
    return list(dict.values(mapping))


def keys_of(mapping: dict[Any, Any]) -> Sequence[Any]:
    """Returns the keys of a MAPPING."""
    return list(dict.keys(mapping))


def columns_of(frame: Any) -> dict[Any, Any]:  # noqa: ANN401 - a pandas.DataFrame
    """Returns the columns of a pandas DataFrame as lists; pandas itself is asked for them."""
    try:
        return {name: frame[name].tolist() for name in frame.columns}
    except Exception:  # noqa: BLE001 - columns of one name, types of extensions: then it is not read
        return {}


def _items_of_series(series: Any) -> Sequence[Any]:  # noqa: ANN401 - a pandas.Series
    return series.tolist()  # type: ignore[no-any-return]  # pandas is not imported here


_MAX_ARRAY: Final = 10_000


def _items_of_array(array: Any) -> Sequence[Any]:  # noqa: ANN401 - a numpy.ndarray
    return array.tolist() if array.ndim == 1 and array.size <= _MAX_ARRAY else ()


def behind(value: object) -> Sequence[Any]:
    """Returns the containers that an INDIRECT value, an iterator or a view, goes over.

    The garbage collector is asked what it refers to, so it does not move on.
    """
    found: list[Any] = []
    level: list[Any] = [value]
    for _ in range(4):  # zip over enumerate over islice over a list
        following: list[Any] = []
        for each in level:
            for referent in gc.get_referents(each):
                kind = kind_of(referent)
                if kind == INDIRECT:
                    following.append(referent)
                elif kind == SEQUENCE and _is_tuple_of_iterators(referent):
                    following.extend(referent)
                elif kind in {SEQUENCE, MAPPING, RECORD, FRAME}:
                    found.append(referent)
        level = following
    return found


def _is_tuple_of_iterators(value: object) -> bool:
    return type(value) is tuple and all(kind_of(item) == INDIRECT for item in value)
