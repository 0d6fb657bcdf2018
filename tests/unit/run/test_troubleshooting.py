"""docs/troubleshooting.md: each of its fifteen complaints names tests that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.MULTILINE))


def test_it_has_the_fifteen() -> None:
    titles = re.findall(r"^### (\d+)\. .+$", PAGE, re.MULTILINE)
    assert titles == list(ROWS) == [str(number) for number in range(1, 16)]


@pytest.mark.parametrize("number", ROWS)
def test_the_tests_of_a_row_exist(number: str) -> None:
    named = re.findall(r"`([^`]+)`", ROWS[number])
    assert named
    for name in named:
        file, _, test = name.partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name
