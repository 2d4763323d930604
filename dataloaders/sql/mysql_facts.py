"""What a MariaDB or MySQL server says of a table, before it is asked for rows by JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Table, bindparam, false, func, literal_column, select
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Dialect, TableValuedAlias

    from .plan import Connected, Plan

_LITERAL = 4
"""The coercibility of a literal; a column's is 2."""

_NAME, _COLUMN, _KIND, _USABLE = 2, 4, 10, 13
"""Places in a row of SHOW INDEX, of which one is called otherwise in MySQL."""

_UNKNOWN = ((1064,), (1235,), (1305,))
"""Errors of servers that only speak like MySQL: of syntax, not supported, no such function."""

_PARAMETER = "json"
_SMILE = "\N{GRINNING FACE}"


class TextFacts(NamedTuple):
    """How texts compare.

    Attributes:
        as_literals: Whether what JSON_UNQUOTE returns is compared as a literal is.
        whole: Whether the columns have every character. Where one has not, a literal with such a
            character is an error, but what JSON_UNQUOTE returns gets a question mark for it.
    """

    as_literals: bool
    whole: bool


def json_table(name: str, columns: Mapping[str, str]) -> TableValuedAlias:
    """Returns the one JSON parameter of a statement as a table.

    Args:
        name: The table's name.
        columns: What each of its columns is, by name.
    """
    defined = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    shape: ColumnElement[Any] = literal_column(f"'$[*]' COLUMNS ({defined})")
    return func.json_table(bindparam(_PARAMETER, None), shape).table_valued(*columns, name=name)


def parameters(dialect: Dialect, value: str) -> Any:  # noqa: ANN401 - a tuple or a dict, as the driver wants them
    """Returns the one JSON parameter as a statement's parameters."""
    return (value,) if dialect.positional else {_PARAMETER: value}


def has_json_table(dialect: Dialect) -> bool:
    """Whether a server is new enough."""
    least = (10, 6) if getattr(dialect, "is_mariadb", False) else (8, 0, 4)
    return (getattr(dialect, "server_version_info", None) or ()) >= least


def text_facts(plan: Plan, execute: Connected, columns: Sequence[ColumnElement[Any]]) -> TextFacts:
    """Asks a server how it compares texts with these columns, and whether it can do so at all."""
    # ASCII, because a connection's own characters may be fewer.
    texts = json_table("made", {"a": "JSON PATH '$'"})
    unquoted = func.json_unquote(texts.c.a)
    asked = [func.coercibility(unquoted), func.hex(unquoted)]
    for column in columns:
        asked += [func.coercibility(column), func.charset(column)]
    nowhere = texts.outerjoin(plan.definition.table, false())
    text = str(plan.compiled(select(*asked).select_from(nowhere)))
    try:
        rows = execute.inquire(text, parameters(plan.dialect, r'["\ud83d\ude00"]'))
    except DBAPIError as error:
        if getattr(error.orig, "args", ())[:1] not in _UNKNOWN:
            raise
        return TextFacts(as_literals=False, whole=False)
    [[weakness, code, *of_columns]] = rows
    return TextFacts(
        as_literals=weakness == _LITERAL
        and code == _SMILE.encode().hex().upper()
        and all(weakness < _LITERAL for weakness in of_columns[::2]),
        whole=set(of_columns[1::2]) == {"utf8mb4"},
    )


def best_index(
    plan: Plan, execute: Connected, schemas: Mapping[str | None, str] | None
) -> str | None:
    """Returns the name, quoted, of the index that most parts of the key lead into.

    It has the first part's column among those, because that is the selective one.
    """
    table = plan.definition.table
    if not isinstance(table, Table):
        return None
    quote = plan.dialect.identifier_preparer.quote
    schema = (schemas or {}).get(table.schema, table.schema)
    name = ".".join(quote(part) for part in (schema, table.name) if part)
    listed = execute.inquire(f"SHOW INDEX FROM {name}", ())
    usable = "NO" if getattr(plan.dialect, "is_mariadb", False) else "YES"  # Ignored, or Visible
    indexes: dict[str, list[str]] = {}
    for row in listed:
        if row[_KIND] == "BTREE" and row[_USABLE] == usable:
            # MySQL's index of an expression has no column there.
            indexes.setdefault(row[_NAME], []).append((row[_COLUMN] or "").lower())
    key = [column.name.lower() for column in plan.definition.key]
    led = {index: _led(columns, key) for index, columns in indexes.items()}
    fitting = [index for index in indexes if key[0] in led[index]]
    if not fitting:
        return None
    return str(quote(max(fitting, key=lambda index: (len(led[index]), -len(indexes[index])))))


def _led(columns: Iterable[str], key: Sequence[str]) -> list[str]:
    """Returns the columns of an index, up to the first that is none of the key's."""
    led = []
    for column in columns:
        if column not in key:
            break
        led.append(column)
    return led
