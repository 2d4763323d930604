"""`flask dataloaders scan`: finds the per-key lookups in the loops of a code base."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("scan")
@click.argument(
    "paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path)
)
@click.option("--fix", is_flag=True, help="Write the lines that announce.")
@click.option(
    "--lookup",
    "own",
    multiple=True,
    metavar="NAME",
    help="A lookup function or method of your own.",
)
def scan_command(paths: tuple[Path, ...], own: tuple[str, ...], *, fix: bool) -> None:
    """List the lookups in loops, and what each of them needs.

    Exits with 0 if nothing needs a change, with 1 if something does, with 2 if a file could not be
    read or written.
    """
    try:
        from dataloaders.scan import run  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(run(paths, own, fix=fix))
