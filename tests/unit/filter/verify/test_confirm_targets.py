# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services that are asked before and after the change of one host."""

from __future__ import annotations

from ansible_collections.multihome.linux.tests.unit.filter import declarations
from ansible_collections.multihome.linux.tests.unit.filter.derived import FILTERS


def lines(host: str, *changing: str) -> set[str]:
    """The lines of the targets of a host."""
    return {target["line"] for target in FILTERS["confirm_targets"](declarations.seed(), host, changing)}


def test_a_server_is_asked_by_all_of_its_lines_and_a_firewall_by_its_own() -> None:
    assert lines("web1", "fw-a", "web1") == {"unicom", "interlink"}
    assert lines("fw-a", "fw-a") == {"unicom"}
    assert lines("fw-b") == {"interlink"}
    assert lines("other") == set()


def test_services_of_a_server_that_is_changed_later_wait() -> None:
    assert lines("fw-a", "fw-a", "web1") == set()
