"""The README's pictures: that they are there, and can be taken again."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import browsers
from tests.databases import NotHereError, not_tested
from tests.examples.screenshots import FOLDER, SIZES

ROOT = Path(__file__).parents[2]

PNG = b"\x89PNG\r\n\x1a\n"


def check_pictures(folder: Path) -> None:
    for name, size in SIZES.items():
        data = (folder / name).read_bytes()
        assert data.startswith(PNG)
        # Width and height are the first that is in a PNG.
        assert (int.from_bytes(data[16:20]), int.from_bytes(data[20:24])) == size
        assert 20_000 < len(data) < 150_000


def test_the_readme_shows_them_and_says_what_is_on_them() -> None:
    check_pictures(FOLDER)
    shown = re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", (ROOT / "README.md").read_text())
    assert {path for _, path in shown} == {f"docs/images/{name}" for name in SIZES}
    assert all(len(text) > 60 for text, _ in shown)
    assert {path.name for path in FOLDER.iterdir()} == set(SIZES)


@pytest.mark.timeout(120)
def test_they_can_be_taken_again(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    try:
        browsers.chromium()
    except NotHereError as error:
        not_tested(pytestconfig, f"the README's pictures: {error}")
    command = [sys.executable, "-m", "tests.examples.screenshots", str(tmp_path)]
    done = subprocess.run(  # noqa: S603 - the project's own program
        command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=100
    )
    assert done.returncode == 0, done.stderr
    check_pictures(tmp_path)
