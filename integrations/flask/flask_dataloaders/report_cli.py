"""`flask dataloaders report`: what loaders did, of a running application or a recorded file."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import TYPE_CHECKING, Final

import click
from flask import current_app
from flask.cli import with_appcontext

from dataloaders.observe import Totals, report
from dataloaders.observe.recording import read

from .inspector.routes import ROOT
from .inspector.visible import visible

if TYPE_CHECKING:
    from .extension import _Application

SECONDS: Final = 10.0
"""How long an application may take to answer."""

MAX_BYTES: Final = 50_000_000
"""The largest answer that is read."""


@click.command("report")
@click.argument("source", required=False)
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="NAME:VALUE",
    help="A header for the application, by which it knows who may see its inspector.",
)
@with_appcontext
def report_command(source: str | None, headers: tuple[str, ...]) -> None:
    """Show totals: hit rate, time of a query, operations, queries saved.

    SOURCE is the address of a running application (of one of its processes, that is; its inspector
    has to be on), or the path of a file that DATALOADERS_RECORD has had written; by default, the
    file that it names.
    """
    if source is None:
        application: _Application = current_app.extensions["dataloaders"]
        source = application.observing.recorded_in
    if source is None:
        message = (
            "Say which file or application, or set DATALOADERS_RECORD to a file to which each "
            "request adds a line"
        )
        raise click.UsageError(message)
    is_address = source.startswith(("http://", "https://"))
    try:
        totals = _asked(source, headers) if is_address else read(source)
    except (OSError, HTTPException) as error:
        raise click.ClickException(f"{source}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise click.ClickException(f"{source} has no totals: {error}") from error
    click.echo(visible(report(totals), keeping="\n"))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it may lead to another host, which must not have the headers."""

    def redirect_request(self, *_answer: object) -> None:
        """Returns no request, so that the answer is an error."""


_opener = urllib.request.build_opener(_NoRedirect)


def _asked(address: str, headers: tuple[str, ...]) -> Totals:
    if ROOT not in address:
        address = address.rstrip("/") + ROOT
    request = urllib.request.Request(f"{address.partition(ROOT)[0]}{ROOT}totals.json")  # noqa: S310 - http or https, see above
    for header in headers:
        name, separator, value = header.partition(":")
        if not separator:
            raise click.BadParameter(f"{header!r} is not NAME:VALUE", param_hint="--header")
        request.add_header(name.strip(), value.strip())
    try:
        with _opener.open(request, timeout=SECONDS) as answer:
            return Totals.from_data(json.loads(answer.read(MAX_BYTES)))
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 404:  # noqa: PLR2004 - what the inspector says to whom may not see it
                message = (
                    f"there is no inspector at {request.full_url}, or it is not for you: see "
                    "DATALOADERS_INSPECTOR, and --header"
                )
                raise OSError(message) from error
            if "Location" in error.headers:
                message = f"it redirects to {error.headers['Location']}: say the address itself"
                raise OSError(message) from error
            raise
