"""Totals as a text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .totals import Totals


def report(totals: Totals) -> str:
    """Returns what people ask for first, then a table by group and loader."""
    total = totals.total
    scopes = sum(totals.scopes.values())
    lines = [
        f"cache hit rate       {total.hit_rate:.1%}",
        f"average query time   {total.milliseconds:.2f} ms",
        f"total operations     {total.lookups:,} lookups in {scopes:,} requests",
        f"queries              {total.queries:,}",
        f"queries saved        {total.saved:,}",
    ]
    if total.errors:
        lines.append(f"keys in error        {total.errors:,}")
    findings = sum(totals.findings.values())
    if findings:
        lines.append(f"to be mended         {findings:,}")
    return "\n".join([*lines, "", *_table(totals)])


_TITLES = ("", "requests", "lookups", "queries", "saved", "hit rate", "ms/query", "wasted")


def _table(totals: Totals) -> Iterator[str]:
    rows = [_TITLES]
    for group in sorted(totals.loaders, key=lambda name: -totals.of(name).seconds):
        loaders = totals.loaders[group]
        rows.append((group, f"{totals.scopes[group]:,}", "", "", "", "", "", ""))
        for name, stats in sorted(loaders.items()):
            rows.append(
                (
                    f"  {name}",
                    "",
                    f"{stats.lookups:,}",
                    f"{stats.queries:,}",
                    f"{stats.saved:,}",
                    f"{stats.hit_rate:.1%}",
                    f"{stats.milliseconds:.2f}",
                    f"{stats.wasted:,}",
                )
            )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = [text.rjust(width) for text, width in zip(rest, widths[1:], strict=True)]
        yield "  ".join([first.ljust(widths[0]), *cells]).rstrip()
