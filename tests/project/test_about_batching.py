"""The list of tests that are left out where nothing is batched."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.conftest import ABOUT_BATCHING

ROOT = Path(__file__).parents[2]


def test_it_lists_tests_that_there_are() -> None:
    for path in {listed.partition("::")[0] for listed in ABOUT_BATCHING}:
        tree = ast.parse((ROOT / path).read_text())
        names = {
            f"{path}::{node.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        methods = {
            f"{path}::{node.name}" for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
        }
        listed = {each for each in ABOUT_BATCHING if each.startswith(f"{path}::")}
        assert {each for each in listed if each.count("::") == 1} <= names | methods
