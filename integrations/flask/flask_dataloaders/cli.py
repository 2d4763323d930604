"""`flask symbols`: imports, generates and reads the master contract."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import Engine, Table, func, select
from sqlalchemy.exc import SQLAlchemyError

from dataloaders.errors import DataLoaderError
from dataloaders.sql.triggers import unwatch_table, watch_table
from dataloaders.symbols import (
    BrokerSymbolLoader,
    SymbolLoader,
    SymbolMaster,
    TokenLoader,
    generate_contract,
    import_contract,
    replace_contract,
)

if TYPE_CHECKING:
    from dataloaders.symbols import Symbol

SHOWN_REJECTS = 20

symbols = AppGroup("symbols", help="The master contract.")


def _contract() -> tuple[SymbolMaster, Engine, Table]:
    master = current_app.extensions["dataloaders"].registry
    if (
        isinstance(master, SymbolMaster)
        and isinstance(master.bind, Engine)
        and isinstance(master.table, Table)
    ):
        return master, master.bind, master.table
    raise click.ClickException(
        "These commands need a database with a sync driver: set DATALOADERS_DATABASE_URI to its "
        "SQLAlchemy URL, for example sqlite:///symbols.db"
    )


def _failed(error: Exception) -> click.ClickException:
    # Of a database's error what it says and what helps, and not the whole statement.
    text = str(getattr(error, "orig", None) or error)
    return click.ClickException("\n".join([text, *getattr(error, "__notes__", [])]))


@symbols.command("import")
@click.argument("source")
def import_(source: str) -> None:
    """Replace the contract by Kite's instrument dump: a CSV file (or .gz), or its address."""
    _, engine, table = _contract()
    with click.progressbar(length=0, label="Reading", show_percent=True) as bar:

        def progress(done: int, total: int | None) -> None:
            bar.length = total or done
            bar.update(done - bar.pos)

        try:
            report = import_contract(engine, source, table=table, progress=progress)
        except (DataLoaderError, OSError, SQLAlchemyError) as error:
            raise _failed(error) from error
    for row in report.rejected[:SHOWN_REJECTS]:
        click.echo(f"line {row.line}: {row.reason}", err=True)
    if len(report.rejected) > SHOWN_REJECTS:
        click.echo(f"and {len(report.rejected) - SHOWN_REJECTS} more", err=True)
    click.echo(f"{report.imported} symbols imported, {len(report.rejected)} lines rejected")


@symbols.command()
@click.option("--rows", default=150_000, show_default=True, type=click.IntRange(1, 1_000_000))
@click.option("--seed", default=0, show_default=True, help="Another seed, another contract.")
def generate(rows: int, seed: int) -> None:
    """Replace the contract by an invented one, the same for everybody."""
    _, engine, table = _contract()
    try:
        count = replace_contract(engine, generate_contract(rows, seed), table)
    except SQLAlchemyError as error:
        raise _failed(error) from error
    click.echo(f"{count} symbols generated")


@symbols.command()
@click.argument("name")
@click.argument("exchange")
@click.option("--by", type=click.Choice(["symbol", "brsymbol", "token"]), default="symbol")
def lookup(name: str, exchange: str, by: str) -> None:
    """Show the row of a symbol; exit with 1 if there is none."""
    master, _, _ = _contract()
    loader: Any = {
        "symbol": master.symbols,
        "brsymbol": master.broker_symbols,
        "token": master.tokens,
    }[by]
    try:
        record: Symbol = loader.require((name, exchange))
    except (DataLoaderError, SQLAlchemyError) as error:
        raise _failed(error) from error
    for field, value in asdict(record).items():
        click.echo(f"{field:15}{'' if value is None else value}")


@symbols.command()
def count() -> None:
    """Count the symbols of each exchange."""
    _, engine, table = _contract()
    exchange = table.c.exchange
    query = select(exchange, func.count()).group_by(exchange).order_by(exchange)
    try:
        with engine.connect() as connection:
            rows = connection.execute(query).all()
    except SQLAlchemyError as error:
        raise _failed(error) from error
    for name, number in rows:
        click.echo(f"{name or '':15}{number:>9}")
    click.echo(f"{'total':15}{sum(number for _, number in rows):>9}")


@symbols.command()
def warm() -> None:
    """Load the most used symbols into Redis, before anybody asks for them."""
    master, _, _ = _contract()
    tiers = master.tiers
    if tiers is None or tiers.redis is None or tiers.usage is None:
        raise click.ClickException(
            "Warming needs a list of keys, and a Redis that has them when this command is over: "
            "set DATALOADERS_WARM_FILE and DATALOADERS_REDIS_URL, as for the application"
        )
    from dataloaders.tiers.warming import warm as load  # noqa: PLC0415 - of an extra

    found = 0
    try:
        for loader in (SymbolLoader, BrokerSymbolLoader, TokenLoader):
            found += load(master, loader, tiers.usage.most_used(loader.__name__))
    except (DataLoaderError, SQLAlchemyError) as error:
        raise _failed(error) from error
    refused = tiers.redis.counts.errors
    if refused:
        raise click.ClickException(f"Redis has refused {refused} commands; see the log")
    click.echo(f"{found} symbols loaded")


@symbols.command()
@click.option("--stop", is_flag=True, help="Remove the triggers.")
def watch(*, stop: bool) -> None:
    """Have triggers tell of changes to the contract, whoever makes them."""
    _, engine, table = _contract()
    try:
        (unwatch_table if stop else watch_table)(engine, table)
    except (DataLoaderError, SQLAlchemyError) as error:
        raise _failed(error) from error
    click.echo(f"{table.name} is {'not ' if stop else ''}watched")
