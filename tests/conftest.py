"""What the tests of several directories need."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
from pathlib import Path

import pytest


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
