"""Which module may import which."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "dataloaders"

ALLOWED = {
    "errors": set(),
    "_version": set(),
    "keys": set(),
    "batch": {"errors"},
    "stats": set(),
    "watching": set(),
    "cache": {"batch", "errors"},
    "checks": {"errors"},
    "dispatch": {"batch", "cache", "errors", "forking"},
    "lookahead": {"batch", "errors"},
    "forking": set(),
    "form": set(),
    "modes": {"errors"},
    "shadow": {"errors", "modes"},
    "scope": {"errors", "lookahead", "modes", "stats"},
    "loader": {
        *("batch", "cache", "checks", "dispatch", "errors", "forking", "form", "keys", "lookahead"),
        *("modes", "scope", "shadow", "stats"),
    },
    "tiers": {"batch", "dispatch", "errors"},
    "remote": {"batch", "checks", "dispatch", "errors", "forking", "loader"},
    "sql": {"batch", "dispatch", "errors", "form", "loader", "lookahead", "scope", "tiers"},
    "observe": {
        *("_version", "batch", "dispatch", "errors", "forking", "loader", "lookahead", "modes"),
        *("scan", "scope", "stats"),
    },
    "testing": {"errors", "observe", "scope"},
    "symbols": {"errors", "loader", "modes", "scope", "sql"},
    "scan": {"errors"},
    "__init__": {"_version", "errors", "loader", "scope"},
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def runtime_imports(path: Path) -> set[str]:
    """Returns the modules that a file imports when it runs, as absolute names."""
    found: set[str] = set()
    folder = ("dataloaders", *path.relative_to(PACKAGE).parts[:-1])

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(folder[: len(folder) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found.add(module)
            if not node.module:
                found.update(f"{module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.name))
def test_a_module_imports_only_what_its_room_may(path: Path) -> None:
    room = room_of(path)
    rooms = {
        name.split(".")[1]
        for name in runtime_imports(path)
        if name.startswith("dataloaders.") and name != "dataloaders"
    }
    assert rooms - {room} <= ALLOWED[room]


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("sqlalchemy", {"sql", "symbols"}),
        ("asyncio", {"dispatch", "loader", "remote"}),
        ("flask", set()),
        (
            "threading",
            {
                *("cache", "dispatch", "forking", "loader", "observe", "remote", "sql"),
                *("testing", "tiers"),
            },
        ),
        ("redis", {"tiers"}),
        ("cachebox", {"tiers"}),
        ("msgspec", {"tiers"}),
        ("opentelemetry", {"observe"}),
        ("prometheus_client", {"observe"}),
        ("libcst", {"scan"}),
    ],
)
def test_only_these_rooms_import(library: str, rooms: set[str]) -> None:
    importing = {
        room_of(path)
        for path in PACKAGE.rglob("*.py")
        if any(name.split(".")[0] == library for name in runtime_imports(path))
    }
    assert importing == rooms


@pytest.mark.parametrize("name", ["batch.py", "remote/queue.py", "remote/judgement.py"])
def test_these_neither_wait_nor_read_a_clock(name: str) -> None:
    imported = {module.split(".")[0] for module in runtime_imports(PACKAGE / name)}
    assert not imported & {"asyncio", "threading", "time", "socket"}


def test_the_asyncio_side_of_dispatch_alone_imports_asyncio() -> None:
    importing = {
        path.name
        for path in (PACKAGE / "dispatch").glob("*.py")
        if "asyncio" in runtime_imports(path)
    }
    assert importing == {
        "background.py",
        "flows.py",
        "loops.py",
        "steps.py",
        "tick.py",
        "together.py",
    }


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        (
            "dataloaders",
            ["sqlalchemy", "flask", "gevent", "eventlet", "redis", "cachebox", "msgspec", "libcst"],
        ),
        (
            "dataloaders.symbols",
            ["flask", "gevent", "eventlet", "redis", "msgspec", "psycopg", "aiosqlite", "libcst"],
        ),
        ("dataloaders.observe", ["sqlalchemy", "flask", "opentelemetry", "prometheus_client"]),
    ],
)
def test_importing_does_not_load(module: str, absent: list[str]) -> None:
    program = f"import sys, {module}; print([name for name in {absent} if name in sys.modules])"
    done = subprocess.run(  # noqa: S603 - this test's own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["opentelemetry", "prometheus"])
def test_nothing_imports_an_exporter(name: str) -> None:
    exporter = f"dataloaders.observe.{name}"
    importing = [path.name for path in PACKAGE.rglob("*.py") if exporter in runtime_imports(path)]
    assert importing == []


def test_public_names_are_there_and_sorted() -> None:
    import dataloaders
    import dataloaders.remote
    import dataloaders.sql
    import dataloaders.symbols
    import dataloaders.tiers

    packages = (dataloaders.remote, dataloaders.sql, dataloaders.symbols, dataloaders.tiers)
    for module in (dataloaders, *packages):
        assert sorted(module.__all__) == sorted(set(module.__all__))
        for name in module.__all__:
            assert getattr(module, name) is not None
