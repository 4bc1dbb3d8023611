# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Never two backends at once: the kernel knows a table of nftables even where nft is missing or broken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.namespaces import Host, Hosts
from ansible_collections.multihome.linux.tests.integration.run_module import run_module

RULES = [{"type": "masquerade", "family": "ipv4", "out_interface": "wan0"}]
MODULES: dict[str, dict[str, Any]] = {
    "nat_rules": {"rules": RULES},
    "connection_marks": {"marks": [{"mark": 1, "in_interface": "wan0"}]},
    "forward_policy": {"policy": "drop", "accept": [{"mapped_to": "10.0.0.1"}]},
}


@pytest.fixture
def host() -> Iterator[Host]:
    """A host where nftables holds something of the collection."""
    with Hosts("host") as hosts:
        done = run_module("nat_rules", {"rules": RULES, "backend": "nftables"}, netns_prefix=hosts["host"].prefix)
        assert done["changed"], done
        yield hosts["host"]


def hide_nft(host: Host, how: str, directory: Path) -> None:
    """Have no program nft on the host, or one that fails to list anything."""
    path = host.run("sh", "-c", "command -v nft").stdout.strip()
    program = directory / "nft"
    program.write_text('#!/bin/sh\n[ "$1" = --version ] && { echo "nftables v1.0.6 (x)"; exit; }\nexit 1\n')
    program.chmod(0o755 if how == "broken" else 0o644)
    for place in {path, *(f"{place}/nft" for place in ("/usr/sbin", "/sbin"))}:
        if host.run("test", "-e", place, check=False).returncode == 0:
            host.run("mount", "--bind", str(program), place)


def iptables_rules(host: Host) -> list[str]:
    """All rules of iptables."""
    return [line for line in host.run("iptables-save").stdout.splitlines() if line.startswith("-A")]


@pytest.mark.parametrize("backend", ["auto", "iptables"])
@pytest.mark.parametrize("how", ["missing", "broken"])
@pytest.mark.parametrize("module", list(MODULES))
def test_no_rule_of_iptables_beside_a_table_of_nftables(
    host: Host, module: str, how: str, backend: str, tmp_path: Path
) -> None:
    hide_nft(host, how, tmp_path)
    done = run_module(module, {**MODULES[module], "backend": backend}, netns_prefix=host.prefix)
    assert done.get("failed"), done
    assert "nft" in done["msg"]
    assert iptables_rules(host) == []


@pytest.mark.parametrize("module", list(MODULES))
def test_control_without_such_a_table_iptables_is_used(module: str, host: Host, tmp_path: Path) -> None:
    host.run("nft", "delete", "table", "inet", "multihome")
    hide_nft(host, "missing", tmp_path)
    done = run_module(module, {**MODULES[module], "backend": "auto"}, netns_prefix=host.prefix)
    assert done.get("changed"), done
    assert iptables_rules(host) != []
