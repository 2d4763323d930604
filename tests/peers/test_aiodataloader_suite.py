"""aiodataloader's own tests, run on this project's `DataLoader`.

The file comes from aiodataloader's published sdist; only its import is changed.
"""

import os
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import dataloaders

# Fetching the sdist also installs what it is built with: pip asks it for its metadata.
pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]

VERSION = "0.4.3"

IMPORT = "from aiodataloader import DataLoader\n"

# The one difference: each call of `load` has a future of its own, so that a caller who is
# cancelled does not cancel the others who wait for the same key.
DIFFERENT = "test_coalesces_identical_requests"
DIFFERENT_LINE = "    assert promise1 == promise2\n"

SAME = (
    "test_build_a_simple_data_loader",
    "test_can_build_a_data_loader_from_a_partial",
    "test_supports_loading_multiple_keys_in_one_call",
    "test_batches_multiple_requests",
    "test_batches_multiple_requests_with_max_batch_sizes",
    "test_caches_repeated_requests",
    "test_clears_single_value_in_loader",
    "test_clears_all_values_in_loader",
    "test_allows_priming_the_cache",
    "test_does_not_prime_keys_that_already_exist",
    "test_resolves_to_error_to_indicate_failure",
    "test_can_represent_failures_and_successes_simultaneously",
    "test_does_not_attempt_to_set_cancelled_future",
    "test_does_not_attempt_to_set_future_with_result",
    "test_does_not_attempt_to_set_future_with_exception",
    "test_does_not_attempt_to_set_done_future_in_failed_dispatch",
    "test_caches_failed_fetches",
    "test_caches_failed_fetches_2",
    "test_batches_loads_occuring_within_promises",
    "test_catches_error_if_loader_resolver_fails",
    "test_can_call_a_loader_from_a_loader",
    "test_dataloader_clear_with_missing_key_works",
    "test_load_no_key",
    "test_load_none",
)

# Of each test how it failed, "" if it passed.
Results = dict[str, str]


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> tuple[int, str]:
    done = subprocess.run(  # noqa: S603 - the commands are those below
        command,
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def run_tests(text: str, directory: Path) -> Results:
    """Run the tests of a file with that text in a pytest of their own."""
    (directory / "test_suite.py").write_text(text)
    # The `dataloaders` of this process, also where it is not installed.
    env = os.environ | {"PYTHONPATH": str(Path(dataloaders.__file__).parents[1])}
    pytest_here = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir=.")
    arguments = ("-c", ROOT / "setup.cfg", "--junitxml=results.xml", "test_suite.py")
    status, output = run(*pytest_here, *arguments, cwd=directory, env=env)
    assert status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), output
    cases = ET.parse(directory / "results.xml").iter("testcase")  # noqa: S314 - pytest wrote it
    return {case.attrib["name"]: "".join(child.text or "" for child in case) for case in cases}


@pytest.fixture(scope="session")
def suite(pytestconfig: pytest.Config) -> str:
    """The text of aiodataloader's test file, fetched once and then kept in pytest's cache."""
    assert pytestconfig.cache is not None
    directory = pytestconfig.cache.mkdir("aiodataloader")
    sdist = directory / f"aiodataloader-{VERSION}.tar.gz"
    if not sdist.exists():
        download = ("-m", "pip", "download", "--no-deps", "--no-binary", "aiodataloader")
        status, output = run(sys.executable, *download, f"aiodataloader=={VERSION}", cwd=directory)
        if status != 0:
            pytest.fail(f"The sdist of aiodataloader {VERSION} could not be fetched:\n{output}")
    with tarfile.open(sdist) as archive:
        file = archive.extractfile(f"aiodataloader-{VERSION}/test_aiodataloader.py")
        assert file is not None
        text = file.read().decode()
    assert text.count(IMPORT) == 1
    assert text.count(DIFFERENT_LINE) == 1
    return text


@pytest.fixture(scope="session")
def results(suite: str, tmp_path_factory: pytest.TempPathFactory) -> Results:
    text = suite.replace(IMPORT, "from dataloaders import DataLoader\n")
    return run_tests(text, tmp_path_factory.mktemp("results"))


def test_aiodataloader_itself_passes_all(suite: str, tmp_path: Path) -> None:
    assert run_tests(suite, tmp_path) == dict.fromkeys([*SAME, DIFFERENT], "")


def test_no_other_tests_were_run(results: Results) -> None:
    assert sorted(results) == sorted([*SAME, DIFFERENT])


@pytest.mark.parametrize("name", SAME)
def test_same(name: str, results: Results) -> None:
    assert results[name] == ""


def test_different_only_in_the_identity_of_what_load_returns(results: Results) -> None:
    failure = results[DIFFERENT].splitlines()
    assert [line[1:].strip() for line in failure if line.startswith(">")] == [
        DIFFERENT_LINE.strip()
    ]
    assert failure[-1].endswith(": AssertionError")


def test_the_same_but_for_that_line(suite: str, tmp_path: Path) -> None:
    text = suite.replace(IMPORT, "from dataloaders import DataLoader\n").replace(DIFFERENT_LINE, "")
    assert run_tests(text, tmp_path) == dict.fromkeys([*SAME, DIFFERENT], "")
