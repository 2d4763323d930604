"""The steps of docs/migrating.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs/migrating.md"


@dataclass(frozen=True)
class Count:
    """A line of a step's table.

    Attributes:
        request: What is counted.
        cells: By column, what is promised.
    """

    request: str
    cells: dict[str, str]


@dataclass(frozen=True)
class Step:
    """A step.

    Attributes:
        number: From 1.
        title: Its heading.
        diff: What it changes.
        counts: What it promises.
        settings: Environment variables that are a way back, beside reverting it.
    """

    number: int
    title: str
    diff: str
    counts: list[Count]
    settings: dict[str, str]


def steps() -> list[Step]:
    """Reads the guide, whose steps all have the same form."""
    text = GUIDE.read_text().partition("## The steps")[2].partition("\n## ")[0]
    parts = re.split(r"^### (\d+)\. (.*)$", text, flags=re.MULTILINE)[1:]
    found = []
    for number, title, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        change, see, back = (body.index(f"\n**{each}.**") for each in ("Change", "See", "Back"))
        assert change < see < back
        [diff] = re.findall(r"^```diff\n(.*?)^```$", body[change:see], re.DOTALL | re.MULTILINE)
        settings = dict(re.findall(r"`(DATALOADERS_\w+)=(\w+)`", body[back:]))
        found.append(Step(int(number), title, diff, _counts(body[see:back]), settings))
    return found


def _counts(text: str) -> list[Count]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    if not cells:
        return []
    header, _rule, *rows = cells
    return [
        Count(name.strip("`"), dict(zip(header[1:], promised, strict=True)))
        for name, *promised in rows
    ]
