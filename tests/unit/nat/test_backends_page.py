# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One table in the documentation has all differences between the backends, and its limits are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.multihome.linux.plugins.module_utils._core.forwarding.iptables import chain_name
from ansible_collections.multihome.linux.plugins.module_utils._core.marks.iptables import IptablesMarks
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.iptables_chains import chain_names
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.iptables_text import faults
from ansible_collections.multihome.linux.plugins.module_utils._core.nat.model import NatRule

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "backends.md"
BOTH = re.compile(r"^\|.*\bnftables\b.*\|.*\biptables\b.*\|\n\|[-|]+\|$", re.MULTILINE)


def test_no_other_page_has_such_a_table() -> None:
    pages = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "roles").glob("*/README.md")]
    assert [page.name for page in pages if BOTH.search(page.read_text())] == ["backends.md"]
    for page in ("docs/nat.md", "docs/marks.md", "README.md", "roles/isp_firewall/README.md"):
        assert "backends.md" in (ROOT / page).read_text()


@pytest.mark.parametrize(
    ("module", "make"),
    [("connection_marks", IptablesMarks), ("nat_rules", chain_names), ("forward_policy", chain_name)],
)
def test_the_length_of_a_tables_name(module: str, make: object) -> None:
    found = re.search(rf"(\d+) for `{module}`", PAGE.read_text())
    assert found is not None
    most = int(found[1])
    assert callable(make)
    make("x" * most)
    with pytest.raises(InvalidInput):
        make("x" * (most + 1))


def test_what_iptables_refuses_of_an_entry() -> None:
    made = {
        kind: NatRule(4, kind, persistent=True, to_address="192.0.2.1")
        for kind in ("dnat", "snat", "masquerade", "redirect")
    }
    refused = {kind for kind, rule in made.items() if faults(rule)}
    (row,) = re.findall(r"^\| `persistent` \|.*$", PAGE.read_text(), re.MULTILINE)
    assert refused == set(re.findall(r"`(\w+)`", row.rpartition("refused for")[2]))
