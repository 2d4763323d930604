"""The system's browser, for the tests of what people see."""

from __future__ import annotations

import shutil
from typing import Final

from tests.databases import NotHereError

ARGUMENTS: Final = ["--no-sandbox"]
"""Root has no sandbox, and all that is looked at are the pages of this run."""


def chromium() -> str:
    """Returns the path of Chromium.

    Raises:
        NotHereError: There is none.
    """
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path is not None:
            return path
    raise NotHereError("install Chromium (Debian: chromium fonts-dejavu-core)")
