# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose kernel runs without IPv6: modules and keeper work for IPv4 lines, and say so of IPv6 addresses."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.filter import multihomed_web
from ansible_collections.multihome.linux.tests.integration.keeper.host import write_program
from ansible_collections.multihome.linux.tests.integration.namespaces import Host, Hosts
from ansible_collections.multihome.linux.tests.integration.run_module import run_module
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

SERVER = multihomed_web.FilterModule().filters()
WRAPPER = Path(__file__).resolve().parents[1] / "without_ipv6.py"
ANYWHERE, BEHIND = "192.0.2.9", "192.0.2.10"
ISPS = {"a": ("203.0.113.1", "203.0.113.10"), "b": ("198.51.100.1", "198.51.100.10")}
PURGE = {"purge": True, "persist": True}


class Site:
    """A server with two lines."""

    def __init__(self, hosts: Hosts, directory: Path) -> None:
        self.hosts, self.host = hosts, hosts["host"]
        self._log, self._program = directory / "log", write_program(directory)
        self._python = directory / "python"
        self._python.write_text(f'#!/bin/sh\nexec {sys.executable} {WRAPPER} "$@"\n')
        self._python.chmod(0o755)
        for name, (gateway, address) in ISPS.items():
            hosts.link("host", name, f"isp-{name}", "customer")
            hosts[f"isp-{name}"].address("customer", f"{gateway}/24")
            hosts[f"isp-{name}"].address("lo", f"{ANYWHERE}/32", f"{BEHIND}/32")
            self.host.sysctl(**{f"net__ipv6__conf__{name}__disable_ipv6": 1})
            self.host.address(name, f"{address}/24")
        self.host.sysctl(net__ipv6__conf__all__disable_ipv6=1, net__ipv6__conf__default__disable_ipv6=1)

    def run(self, module: str, check: bool = False, **options: Any) -> dict[str, Any]:
        """Run a module on the host, as without IPv6; also one that fails gives its result."""
        return run_module(module, options, check=check, netns_prefix=self.host.prefix, python=str(self._python))

    def start(self) -> None:
        """Start the keeper, and wait until it has looked."""
        with self._log.open("a") as log:
            self.host.start("/usr/bin/python3", str(WRAPPER), str(self._program), stderr=log)
        self.eventually(lambda: bool(self.report("keeper")), "the keeper has looked")

    def report(self, name: str) -> dict[str, Any]:
        """A file of the keeper."""
        text = self.host.run("cat", f"/run/multihome/{name}.json", check=False).stdout
        found: dict[str, Any] = json.loads(text) if text else {}
        return found

    def state(self, line: str, family: int) -> dict[str, Any]:
        """What the keeper says of a line."""
        lines = self.report("health").get("lines", {})
        found: dict[str, Any] = lines.get(line, {}).get(f"ipv{family}", {})
        return found

    def eventually(self, holds: Callable[[], object], what: str) -> None:
        """Wait until something holds."""
        eventually(holds, lambda: f"{what}\n{self.log()[-3000:]}")

    def log(self) -> str:
        """What the keeper has written."""
        return self._log.read_text()


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Site]:
    with Hosts("host", "isp-a", "isp-b") as hosts:
        yield Site(hosts, tmp_path)


def lines(*more: str) -> list[dict[str, Any]]:
    """The lines as role multihomed_web has them; line a has ``more`` addresses."""
    return [
        {
            "name": name,
            "id": number,
            "interface": name,
            "addresses": [f"{ISPS[name][1]}/24", *(more if name == "a" else ())],
            "gateways": [ISPS[name][0], *(["2001:db8:a::1"] if name == "a" and more else [])],
            "weight": 3 - number,
            "health": {"targets": [BEHIND, ANYWHERE], "up_after": 0},
        }
        for number, name in enumerate(ISPS, 1)
    ]


def deploy(made: Site, way: str, *more: str, check: bool = False) -> list[dict[str, Any]]:
    """What role multihomed_web does."""
    own = lines(*more)
    done = [made.run("ip_aliases", check, aliases=SERVER["multihomed_web_aliases"](own, way), **PURGE)]
    if way == "balance":
        done.append(made.run("connection_marks", check, **SERVER["multihomed_web_marks"](own, "source", way), **PURGE))
    tables = SERVER["multihomed_web_tables"](own, way)
    rules = SERVER["multihomed_web_rules"](own, 1000, 20000, 23000, "source", way)
    groups = SERVER["multihomed_web_interface_groups"](own)
    options = {"tables": tables, "rules": rules, "interface_groups": groups, **PURGE}
    done.append(made.run("policy_routing", check, **options))
    health = SERVER["multihomed_web_line_health"](own, "source", way)
    return [*done, made.run("line_health", check, lines=health)]


def faults(results: list[dict[str, Any]]) -> list[str]:
    return [str(result.get("msg")) for result in results if result.get("failed")]


@pytest.mark.parametrize("way", ["failover", "balance"])
def test_lines_of_ipv4_work_and_their_health_is_followed(made: Site, way: str) -> None:
    assert faults(deploy(made, way)) == []
    assert [result["changed"] for result in deploy(made, way)] == [False] * len(deploy(made, way, check=True))
    made.start()
    made.eventually(lambda: [made.state(name, 4).get("state") for name in ISPS] == ["up"] * 2, "both lines are up")
    assert made.state("a", 6) == {}
    made.hosts["isp-a"].run(
        "nft", "-f", "-", feed="table ip t { chain c { type filter hook prerouting priority -400; drop; }; }"
    )
    made.eventually(lambda: made.state("a", 4)["state"] == "down", "line a is down")
    made.eventually(lambda: _answers(made.host), "new connections leave by line b")
    assert [result["changed"] for result in deploy(made, way)] == [False] * len(deploy(made, way, check=True))
    assert made.report("keeper")["last_error"] is None
    # Repairs too.
    made.host.run("ip", "rule", "del", "priority", "23010")
    made.eventually(lambda: "23010:" in made.host.run("ip", "rule").stdout, "the rule is restored")


def _answers(host: Host) -> bool:
    return host.run("ping", "-c", "1", "-W", "1", ANYWHERE, check=False).returncode == 0


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("ip_aliases", {"aliases": [{"address": "2001:db8:a::10/64", "interface": "a"}]}),
        ("policy_routing", {"tables": [], "rules": [{"priority": 100, "source": "2001:db8:a::10", "table": 1001}]}),
        (
            "policy_routing",
            {"tables": [{"id": 1001, "routes": [{"destination": "2001:db8:1::/48", "interface": "a"}]}], "rules": []},
        ),
    ],
)
def test_a_declared_ipv6_address_is_refused_by_name(made: Site, module: str, options: dict[str, Any]) -> None:
    for check in (True, False):
        result = made.run(module, check, **options)
        assert result.get("failed"), result
        assert "IPv6" in result["msg"]
        assert "runs without IPv6" in result["msg"], result["msg"]


def test_preflight_names_the_lines_and_readers_read(made: Site) -> None:
    for more, named in ((["2001:db8:a::10/64"], True), ([], False)):
        result = made.run("preflight", lines=lines(*more), role="server", fail_on="never")
        assert ("ipv6-missing" in {finding["id"] for finding in result["findings"]}) == named, result
    assert not made.run("multihome_info").get("failed")
    assert not made.run("multihome_info", gather_subset=["interfaces"]).get("failed")
    translations = [{"type": "snat", "source": "10.0.0.0/24", "out_interface": "a", "to_address": ISPS["a"][1]}]
    for backend in ("nftables", "iptables"):
        assert faults([made.run("nat_rules", rules=translations, backend=backend)]) == []
        assert faults([made.run("nat_rules", rules=[], purge=True, backend=backend)]) == []
    assert not made.run("path_info", paths=[{"destination": ANYWHERE}]).get("failed")


def test_an_ipv6_address_in_the_lines_health_does_not_disturb_the_others(made: Site) -> None:
    own = [
        {"name": "a", "id": 1, "interface": "a", "addresses": [ISPS["a"][1], "2001:db8:a::10"]},
        {"name": "b", "id": 2, "interface": "b", "addresses": [ISPS["b"][1]]},
    ]
    own[0]["health"] = {"targets": [BEHIND, ANYWHERE, "2001:db8:f::1", "2001:db8:f::2"], "up_after": 0}
    own[1]["health"] = {"targets": [BEHIND, ANYWHERE], "up_after": 0}
    # For the routes of IPv4.
    assert faults(deploy(made, "failover")) == []
    assert not made.run("line_health", lines=own).get("failed")
    made.start()
    made.eventually(lambda: made.state("a", 4).get("state") == "up", "IPv4 is up")
    made.eventually(lambda: made.state("a", 6).get("state") == "down", "IPv6 is down")
    assert "IPv6" in made.state("a", 6)["reason"]
    assert made.state("b", 4)["usable"]
