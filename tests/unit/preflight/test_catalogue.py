# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/preflight.md, the catalogue of findings and the list of checks say the same."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight import (
    filter_checks,
    forward_checks,
    health_checks,
    host_checks,
    line_checks,
    nat_checks,
    routing_checks,
)
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight import run as preflight
from ansible_collections.multihome.linux.plugins.module_utils._core.preflight.catalogue import KINDS, Finding, finding

PAGE = Path(__file__).resolve().parents[3] / "docs" / "preflight.md"
MODULES = (host_checks, line_checks, health_checks, routing_checks, filter_checks, forward_checks, nat_checks)
Row = tuple[str, str, str, str, str]


def rows(text: str) -> list[Row]:
    """The rows of the table of findings in a page."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 5 and cells[0].startswith("`"):
            found.append((cells[0].strip("`"), cells[1], cells[2], cells[3], cells[4].strip("`")))
    return found


def expected() -> list[Row]:
    """The rows as the code has them."""
    return [(name, kind.severity, kind.meaning, kind.remedy, kind.fixed_by) for name, kind in KINDS.items()]


def test_the_page_tells_every_finding_as_the_code_has_it() -> None:
    assert rows(PAGE.read_text()) == expected()


@pytest.mark.parametrize("column", range(5))
def test_control_a_page_that_differs_in_one_cell_is_noticed(column: int) -> None:
    name, kind = next(iter(KINDS.items()))
    cell = ("`" + name + "`", kind.severity, kind.meaning, kind.remedy, "")[column]
    text = PAGE.read_text()
    line = next(line for line in text.splitlines() if line.startswith(f"| `{name}`"))
    cells = line.split("|")
    assert cells[column + 1].strip() == cell
    cells[column + 1] = " `something-else` "
    assert rows(text.replace(line, "|".join(cells))) != expected()


def test_every_check_is_made() -> None:
    written = [
        function
        for module in MODULES
        for name, function in inspect.getmembers(module, inspect.isgeneratorfunction)
        if not name.startswith("_") and function.__module__ == module.__name__
    ]
    assert len(written) == len(preflight.CHECKS)
    assert set(written) == set(preflight.CHECKS)


def test_a_remedy_is_filled_in_or_refused() -> None:
    made = finding("interface-down", "eth0", "it is off", interface="eth0")
    assert made == Finding(
        "interface-down",
        "error",
        "eth0",
        "it is off",
        "ip link set dev eth0 up, and have your network configuration do so at boot",
    )
    with pytest.raises(KeyError):
        finding("interface-down", "eth0", "it is off")
