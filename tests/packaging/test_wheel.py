"""The wheel and the sdist: what is in them, and that the wheel works on its own."""

import configparser
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

# Builds and installs fetch packages.
pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]

# Where the packages are in the source, and under which name they are imported.
PACKAGES = {
    "dataloaders": "dataloaders",
    "integrations/flask/flask_dataloaders": "flask_dataloaders",
    "integrations/pytest/pytest_dataloaders": "pytest_dataloaders",
}

NO_SOURCE = shutil.ignore_patterns(
    ".git", ".venv*", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info", "build", "dist", "var"
)


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(  # noqa: S603 - the commands are those below
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def files_under(directory: Path, pattern: str = "*") -> set[str]:
    return {
        path.relative_to(directory).as_posix()
        for path in directory.rglob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheel and the sdist: those of `make wheel`, or newly built ones."""
    if given := os.environ.get("DATALOADERS_TEST_DIST"):
        return Path(given)
    # A build leaves files in the source, and takes in those that an earlier one left there.
    source = tmp_path_factory.mktemp("build") / "source"
    shutil.copytree(ROOT, source, ignore=NO_SOURCE)
    run(sys.executable, "-m", "build", "--outdir", source.parent / "dist", cwd=source)
    return source.parent / "dist"


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    (wheel,) = dist.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def wheel_files(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="session")
def metadata(wheel: Path) -> importlib.metadata.PackageMetadata:
    (found,) = importlib.metadata.distributions(path=[str(wheel)])
    return found.metadata


def test_the_wheel_has_the_packages_and_nothing_else(wheel_files: set[str]) -> None:
    expected = {
        f"{name}/{path}"
        for source, name in PACKAGES.items()
        for pattern in ("*.py", "py.typed", "templates/*")
        for path in files_under(ROOT / source, pattern)
    }
    assert "flask_dataloaders/inspector/templates/request.html" in expected
    assert {path for path in wheel_files if ".dist-info/" not in path} == expected


def test_the_wheel_has_the_licence(
    wheel_files: set[str], metadata: importlib.metadata.PackageMetadata
) -> None:
    assert any(path.endswith(".dist-info/licenses/LICENSE") for path in wheel_files)
    assert metadata["License-Expression"] == "MIT"


def test_the_metadata_is_that_of_setup_cfg(metadata: importlib.metadata.PackageMetadata) -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert metadata["Name"] == config["metadata"]["name"] == "request-dataloaders"
    assert metadata["Summary"] == config["metadata"]["description"]
    assert metadata["Requires-Python"] == config["options"]["python_requires"] == ">=3.11"
    extras = metadata.get_all("Provides-Extra") or []
    assert set(extras) == set(config["options.extras_require"])
    requirements = metadata.get_all("Requires-Dist") or []
    assert [line for line in requirements if "extra ==" not in line] == [
        "aiodataloader>=0.4.3",
        "SQLAlchemy>=2.0",
    ]


def test_the_sdist_has_all_that_building_and_testing_needs(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    expected = {"setup.cfg", "pyproject.toml", "ruff.toml", "MANIFEST.in", "Makefile", ".ci/run"}
    expected |= {"README.md", "CHANGELOG.md", "LICENSE"}
    for directory in ("benchmarks", "docs", "examples", "load", "tests", *PACKAGES):
        expected |= {f"{directory}/{path}" for path in files_under(ROOT / directory)}
    assert expected - files == set()


def test_the_wheel_works_in_an_empty_venv_without_flask(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", wheel, cwd=tmp_path)
    script = (
        "import dataloaders, importlib.metadata, importlib.util\n"
        "assert importlib.util.find_spec('flask') is None\n"
        "print(importlib.metadata.version('request-dataloaders'), dataloaders.__file__)"
    )
    output = run(python, "-I", "-W", "error", "-c", script, cwd=tmp_path)
    version, location = output.split()
    assert wheel.name.startswith(f"request_dataloaders-{version}-")
    assert Path(location).is_relative_to(tmp_path / "venv")


def test_the_wheels_inspector_has_its_pages(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", f"{wheel}[flask]", cwd=tmp_path)
    script = """
import re
from flask import Flask
from dataloaders import DataLoader
from flask_dataloaders import DataLoaders

class Doubles(DataLoader):
    def batch_load(self, keys):
        return {key: key * 2 for key in keys}

app = Flask("app")
app.debug = True
DataLoaders(app)
app.add_url_rule("/", view_func=lambda: Doubles.current().get_many(range(9)))
client = app.test_client()
assert client.get("/").json == list(range(0, 18, 2))
(path,) = re.findall('href="(.*/requests/.*?)"', client.get("/_dataloaders/").text)
for page in (path, "/_dataloaders/totals", "/_dataloaders/style.css"):
    answer = client.get(page)
    assert answer.status_code == 200, page
    print(len(answer.text))
"""
    output = run(python, "-I", "-W", "error", "-c", script, cwd=tmp_path)
    assert all(int(size) > 1_000 for size in output.split())
