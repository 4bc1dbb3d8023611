# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module is compiled on the host in every run: what only a change needs is not loaded with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

ENGINE = "ansible_collections.multihome.linux.plugins.module_utils._core"
MODULES = "ansible_collections.multihome.linux.plugins.modules"
ONLY_FOR_CHANGES = {
    "routing.changes",
    "routing.restore",
    "routing.rtnetlink_encoding",
    "routing.disconnection",
    "routing.way_back",
    "host.connection",
    "routing.rule_sequence",
    "routing.rule_walk",
    "routing.gratuitous_arp",
    "routing.loopback_placeholders",
    "routing.duplicate_address_detection",
    "store.change",
    "references",
    "learned.engine",
    "store.journal",
    "routing.owner_records",
    "confirm",
}


def loaded(statement: str) -> set[str]:
    """The modules of the engine that a statement loads in a new process."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {name.removeprefix(f"{ENGINE}.") for name in done.stdout.split() if name.startswith(ENGINE)}


@pytest.mark.parametrize("module", ["policy_routing", "ip_aliases"])
def test_what_only_a_change_needs_is_not_loaded(module: str) -> None:
    found = loaded(f"import {MODULES}.{module}")
    assert "routing.executor" in found
    assert found & ONLY_FOR_CHANGES == set()


def test_control_these_modules_exist() -> None:
    needed = (
        "confirm",
        "routing.changes",
        "routing.disconnection",
        "store.change",
        "routing.rule_walk",
        "learned.engine",
    )
    found = loaded(f"import {', '.join(f'{ENGINE}.{name}' for name in needed)}")
    assert found >= ONLY_FOR_CHANGES
