# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from each declaration is what was read and found right once.

After a wanted change, `python -m tests.unit.filter.test_golden` in the checkout writes the files anew. Read the diff.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.unit.filter import declarations, derived

GOLDEN = Path(__file__).parent / "golden"


def as_text(value: Any, depth: int = 0) -> str:
    """JSON with one object of a list on each line, so that a diff shows what changed."""
    space = "  " * (depth + 1)
    if isinstance(value, dict) and any(isinstance(part, (dict, list)) for part in value.values()) and depth < 3:
        parts = [f"{space}{json.dumps(key)}: {as_text(part, depth + 1)}" for key, part in value.items()]
        return "{\n" + ",\n".join(parts) + f"\n{space[2:]}}}"
    if isinstance(value, list) and any(isinstance(part, (dict, list)) for part in value):
        return "[\n" + ",\n".join(space + json.dumps(part) for part in value) + f"\n{space[2:]}]"
    return json.dumps(value)


@pytest.mark.parametrize("name", declarations.ALL)
def test_what_follows_from_a_declaration(name: str) -> None:
    expected = json.loads((GOLDEN / f"{name}.json").read_text())
    assert derived.everything(declarations.ALL[name]) == expected


def test_there_is_no_golden_file_of_nothing() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(declarations.ALL)


if __name__ == "__main__":
    for label, declaration in declarations.ALL.items():
        (GOLDEN / f"{label}.json").write_text(as_text(derived.everything(declaration)) + "\n")
