# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""With the backend iptables a revert restores every rule, and the rules of Docker in the same tables stay."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .lab import MARKS, NAT, Server, server

DOCKER = """*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8088 -j DNAT --to-destination 172.17.0.2:80
COMMIT
*filter
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -j RETURN
COMMIT
"""
CLAMP = [{"interface": "eth0", "mss": 1400}]
PASSAGE = [{"mapped_to": "10.0.0.1"}]


def rules(host: Server) -> str:
    """All rules of all tables of iptables and ip6tables, without counters and dates."""
    text = "".join(host.host.run(f"{tool}-save").stdout for tool in ("iptables", "ip6tables"))
    return re.sub(r"\[\d+:\d+\]|^#.*\n", "", text, flags=re.MULTILINE)


def deploy(host: Server, **more: Any) -> None:
    """Configure translations, marks, the forward policy and the limit of segments by iptables."""
    backend: dict[str, Any] = {"backend": "iptables", "purge": True, **more}
    done = [
        host.run("nat_rules", rules=NAT, **backend),
        host.run("connection_marks", marks=MARKS, **backend),
        host.run("forward_policy", policy="drop", accept=PASSAGE, mss=CLAMP, **backend),
    ]
    assert [result.get("msg") for result in done if not result.get("changed")] == []


def break_it(host: Server, run: str) -> None:
    """Remove all of it as a run."""
    backend: dict[str, Any] = {"backend": "iptables", "purge": True, "run": run, "timeout": 60}
    assert host.run("nat_rules", rules=[], **backend)["changed"]
    assert host.run("connection_marks", marks=[], **backend)["changed"]
    assert host.run("forward_policy", policy="leave", accept=[], mss=[], **backend)["changed"]


def test_every_rule_is_restored_and_those_of_docker_stay() -> None:
    with server(deployed=False) as host:
        # Docker adds its rules to the tables that iptables has; the table of the fixture is another one.
        host.host.run("nft", "flush", "ruleset")
        host.host.run("iptables-restore", "--noflush", feed=DOCKER)
        deploy(host)
        before = rules(host)
        assert "10.0.0.1" in before
        assert "1400" in before
        break_it(host, "bad")
        # The control: everything but the rules of Docker was removed.
        assert "10.0.0.1" not in rules(host)
        assert "1400" not in rules(host)
        done = host.commit("reverted", run="bad")
        assert done.get("changed"), done
        assert rules(host) == before
        # And back to a host without any rule of this collection.
        break_it(host, "worse")
        assert host.commit("confirmed", run="worse")["changed"]
        empty = rules(host)
        deploy(host, run="first", timeout=60)
        done = host.commit("reverted", run="first")
        assert done.get("changed"), done
        assert rules(host) == empty


@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_limits_of_segments_are_restored(backend: str) -> None:
    """Alone, without a policy: neither backend is known by another part."""
    with server(deployed=False) as host:
        options: dict[str, Any] = {"policy": "leave", "accept": [], "purge": True, "backend": backend}
        assert host.run("forward_policy", mss=CLAMP, **options)["changed"]
        before = all_rules(host, backend)
        assert host.run("forward_policy", mss=[], run="bad", timeout=60, **options)["changed"]
        assert all_rules(host, backend) != before
        done = host.commit("reverted", run="bad")
        assert done.get("changed"), done
        assert all_rules(host, backend) == before


def all_rules(host: Server, backend: str) -> str:
    """All rules as the program of the backend shows them; the order of iptables' chains says nothing in nft."""
    return rules(host) if backend == "iptables" else host.state()["nft"]
