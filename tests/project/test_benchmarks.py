"""What the project says of its speed is what the last recorded run holds."""

from __future__ import annotations

from pathlib import Path

from benchmarks import report

ROOT = Path(__file__).parents[2]


def test_the_page_is_that_of_the_recorded_run() -> None:
    assert (ROOT / "docs" / "benchmarks.md").read_text() == report.page(report.last_run())


def test_the_readmes_table_is_that_of_the_recorded_run() -> None:
    readme = (ROOT / "README.md").read_text()
    _, begin, rest = readme.partition(report.BEGIN)
    table, end, _ = rest.partition(report.END)
    assert begin
    assert end
    assert table == report.promises(report.last_run())
