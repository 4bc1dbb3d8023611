# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""path_info and multihome_info on a real host: what they say is what the kernel does, and they write nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..namespaces import Host, Hosts
from ..run_module import run_module

OLDEST_PYROUTE2 = str(Path(__file__).resolve().parents[3] / ".venv" / "oldest")
ALIASES = [
    {"address": "192.168.168.1/24", "interface": "eth0"},
    {"address": "192.168.168.2/24", "interface": "eth0", "label": "eth0:2"},
    {"address": "fd00:168::1/64", "interface": "eth0"},
]
TABLES = [
    {
        "id": 1001,
        "name": "unicom",
        "routes": [
            {"destination": "default", "gateway": "192.168.168.11", "interface": "eth0"},
            {"destination": "default", "gateway": "fd00:168::11", "interface": "eth0"},
        ],
    },
    {"id": 1003, "routes": [{"destination": "10.0.0.0/8", "type": "prohibit"}]},
]
MARKS: dict[str, Any] = {
    "mask": "0x3ff",
    "marks": [
        {"mark": 3, "in_interface": "wan3"},
        {"mark": 1, "gateway": "192.168.168.11", "in_interface": "eth0", "name": "unicom"},
    ],
    "balance": [{"mark": 1, "weight": 4, "sources": ["192.168.168.1", "fd00:168::1"]}],
    "balance_from": ["100::8", "192.0.0.8"],
    "balance_exclude": ["10.1.0.0/16"],
    "balance_networks": ["10.2.0.0/16", "fd00:2::/64"],
    "keep_networks": ["10.3.0.0/16"],
}
RULES = [
    {"priority": 20000, "family": "ipv4", "table": 254, "suppress_prefix_length": 0},
    {"priority": 23010, "family": "ipv4", "source": "192.168.168.1", "table": 1001},
    {"priority": 23020, "family": "ipv4", "source": "192.168.168.2", "table": 1002},
    {"priority": 23021, "family": "ipv4", "source": "192.168.168.2", "action": "unreachable"},
    {"priority": 23900, "family": "ipv4", "mark": "0x7/0xff", "table": 1001},
    {"priority": 23910, "family": "ipv4", "mark": "0x8", "table": 1003},
    {"priority": 20000, "family": "ipv6", "table": 254, "suppress_prefix_length": 0},
    {"priority": 23010, "family": "ipv6", "source": "fd00:168::1", "table": 1001},
]


@pytest.fixture(scope="module", params=["newest", "oldest"])
def pyroute2_path(request: pytest.FixtureRequest) -> list[str]:
    return [OLDEST_PYROUTE2] if request.param == "oldest" else []


@pytest.fixture(scope="module")
def server() -> Iterator[Host]:
    with Hosts("server", "lan") as hosts:
        hosts.link("server", "eth0", "lan", "eth0")
        server = hosts["server"]
        server.run("ip", "link", "set", "eth0", "up")
        hosts["lan"].run("ip", "link", "set", "eth0", "up")
        # Somebody else's, which must not be taken for ours.
        server.run("ip", "address", "add", "192.168.168.99/24", "dev", "eth0")
        server.run("ip", "rule", "add", "priority", "100", "from", "172.16.0.0/12", "table", "77")
        server.run("ip", "route", "add", "172.31.0.0/16", "via", "192.168.168.254", "table", "77")
        server.run("tee", "/etc/iproute2/rt_tables.d/vpn.conf", feed="77 vpn\n")
        run_module("ip_aliases", {"aliases": ALIASES}, netns_prefix=server.prefix)
        run_module("policy_routing", {"tables": TABLES, "rules": RULES}, netns_prefix=server.prefix)
        yield server


def ask(server: Host, path: list[str], *paths: dict[str, Any]) -> list[dict[str, Any]]:
    result = run_module("path_info", {"paths": list(paths)}, netns_prefix=server.prefix, path=path)
    assert result["changed"] is False, result
    rows = result["paths"]
    assert isinstance(rows, list)
    return rows


def way(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["gateway"], row["interface"], row["table"], row["rule_priority"]


def test_each_alias_leaves_by_its_table_and_rule(server: Host, pyroute2_path: list[str]) -> None:
    rows = ask(
        server,
        pyroute2_path,
        {"destination": "192.0.2.1", "source": "192.168.168.1"},
        {"destination": "2001:db8::1", "source": "fd00:168::1"},
        {"destination": "192.168.168.7", "source": "192.168.168.1"},
        {"destination": "192.0.2.1", "mark": "7"},
        {"destination": "192.168.168.2"},
    )
    assert [way(row) for row in rows] == [
        ("192.168.168.11", "eth0", 1001, 23010),
        ("fd00:168::11", "eth0", 1001, 23010),
        (None, "eth0", 254, 20000),
        ("192.168.168.11", "eth0", 1001, 23900),
        (None, "lo", 255, 0),
    ]
    assert [row["reachable"] for row in rows] == [True] * 5
    assert rows[4]["type"] == "local"


def test_a_packet_without_a_way_is_a_row_that_says_why(server: Host, pyroute2_path: list[str]) -> None:
    dead, prohibited, nowhere = ask(
        server,
        pyroute2_path,
        {"destination": "192.0.2.1", "source": "192.168.168.2"},
        {"destination": "10.1.1.1", "mark": "0x8"},
        {"destination": "2001:db8::1"},
    )
    assert (dead["reachable"], dead["rule_priority"]) == (False, 23021)
    assert prohibited["error"] == "prohibited"
    assert nowhere["reachable"] is False
    assert nowhere["error"]


def test_the_answer_follows_the_kernel(server: Host) -> None:
    """Negative control: without its rule the alias has no way, and path_info says so."""
    question = {"destination": "192.0.2.1", "source": "192.168.168.1"}
    server.run("ip", "rule", "del", "priority", "23010", "from", "192.168.168.1")
    assert ask(server, [], question)[0]["reachable"] is False
    run_module("policy_routing", {"rules": RULES}, netns_prefix=server.prefix)
    assert ask(server, [], question)[0]["reachable"] is True


def test_faults_of_questions_come_all_at_once(server: Host) -> None:
    wrong = {"paths": [{"destination": "nowhere"}, {}, {"destination": "192.0.2.1", "source": "fd00::1"}]}
    result = run_module("path_info", wrong, netns_prefix=server.prefix)
    assert result["faults"] == [
        "paths[0] (nowhere): not an IP address",
        "paths[1]: destination is missing",
        "paths[2] (192.0.2.1): mixes IPv4 and IPv6",
    ]
    missing = {"paths": [{"destination": "192.0.2.1", "in_interface": "eth9"}]}
    said = run_module("path_info", missing, netns_prefix=server.prefix)["msg"]
    assert said == 'paths[0] (192.0.2.1): interface "eth9" does not exist on this host'


def test_info_gives_back_what_the_modules_were_given(server: Host, pyroute2_path: list[str]) -> None:
    result = run_module("multihome_info", {}, netns_prefix=server.prefix, path=pyroute2_path)
    assert sorted(result["ip_aliases"], key=str) == sorted(ALIASES, key=str)
    assert result["policy_routing"]["tables"] == TABLES
    assert sorted(result["policy_routing"]["rules"], key=str) == sorted(RULES, key=str)


def test_what_info_says_is_a_list_that_changes_nothing(server: Host) -> None:
    state = run_module("multihome_info", {}, netns_prefix=server.prefix)
    aliases = {"aliases": state["ip_aliases"], "purge": True}
    assert run_module("ip_aliases", aliases, netns_prefix=server.prefix)["changed"] is False
    routing = {**state["policy_routing"], "purge": True}
    assert run_module("policy_routing", routing, netns_prefix=server.prefix)["changed"] is False


def test_info_tells_others_apart(server: Host) -> None:
    everything = run_module("multihome_info", {"owned_only": False}, netns_prefix=server.prefix)
    foreign = {"priority": 100, "family": "ipv4", "source": "172.16.0.0/12", "table": 77}
    assert foreign in everything["policy_routing"]["rules"]
    assert {"address": "192.168.168.99/24", "interface": "eth0"} in everything["ip_aliases"]
    names = {table["id"]: table.get("name") for table in everything["policy_routing"]["tables"]}
    assert (names[77], names[1001], names[1003]) == ("vpn", "unicom", None)
    owned = run_module("multihome_info", {}, netns_prefix=server.prefix)
    assert foreign not in owned["policy_routing"]["rules"]
    assert 77 not in [table["id"] for table in owned["policy_routing"]["tables"]]
    assert run_module("multihome_info", {"protocol": 110}, netns_prefix=server.prefix)["ip_aliases"] == []


def test_info_tells_the_addresses_of_others(server: Host, pyroute2_path: list[str]) -> None:
    asked = {"gather_subset": ["foreign_addresses"]}
    found = run_module("multihome_info", asked, netns_prefix=server.prefix, path=pyroute2_path)
    assert found["foreign_addresses"] == ["192.168.168.99"]
    # For another owner ours are those of others.
    found = run_module("multihome_info", {**asked, "protocol": 110}, netns_prefix=server.prefix, path=pyroute2_path)
    assert found["foreign_addresses"] == ["192.168.168.1", "192.168.168.2", "192.168.168.99", "fd00:168::1"]


def test_info_gives_back_translations_and_what_they_counted(server: Host) -> None:
    rules = [{"type": "snat", "source": "192.168.168.1", "out_interface": "eth0", "to_address": "203.0.113.10"}]
    run_module("nat_rules", {"rules": rules}, netns_prefix=server.prefix)
    assert run_module("multihome_info", {}, netns_prefix=server.prefix)["nat_rules"] == rules
    counters = {"gather_subset": ["nat_counters"]}
    assert run_module("multihome_info", counters, netns_prefix=server.prefix)["nat_counters"] == [
        {**rules[0], "packets": 0, "bytes": 0}
    ]
    server.run("ip", "neighbour", "replace", "192.168.168.11", "lladdr", "02:00:00:00:00:01", "dev", "eth0")
    server.run("ping", "-c", "1", "-W", "1", "-I", "192.168.168.1", "192.0.2.1", check=False)
    counted = run_module("multihome_info", counters, netns_prefix=server.prefix)["nat_counters"]
    assert counted == [{**rules[0], "packets": 1, "bytes": 84}]


@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_info_gives_back_the_marks_of_connections(server: Host, backend: str) -> None:
    asked = {"gather_subset": ["connection_marks"]}

    def read() -> dict[str, Any]:
        result = run_module("multihome_info", asked, netns_prefix=server.prefix)
        assert result["changed"] is False, result
        marks = result["connection_marks"]
        assert isinstance(marks, dict)
        return marks

    def set_to(**options: Any) -> dict[str, Any]:
        options = {"backend": backend, "purge": True, **options}
        return run_module("connection_marks", options, netns_prefix=server.prefix)

    assert (read()["marks"], read()["balance"]) == ([], [])
    assert set_to(**MARKS)["changed"] is True
    found = read()
    assert found == MARKS
    assert set_to(**found)["changed"] is False
    # What is said is what stands: with another mark it is another answer, and a change.
    other = {**found, "marks": [{**found["marks"][0], "mark": 9}, *found["marks"][1:]]}
    assert set_to(**other)["changed"] is True
    assert read() == other
    assert set_to(**MARKS)["changed"] is True
    assert set_to(marks=[], balance=[])["changed"] is True
    assert read()["marks"] == []


def test_a_host_without_nft_and_iptables_still_tells_the_rest(server: Host, tmp_path: Path) -> None:
    # A sitecustomize that Python runs first takes them off the search path.
    (tmp_path / "sitecustomize.py").write_text(
        "import shutil\nfind = shutil.which\n"
        "shutil.which = lambda name, **more: None if name in ('nft', 'iptables-restore') else find(name, **more)\n"
    )
    path = [str(tmp_path)]
    result = run_module("multihome_info", {}, netns_prefix=server.prefix, path=path)
    assert result["ip_aliases"]
    assert "needs 1.0.2 or newer, found none" in result["left_out"]["nat_rules"]
    assert sorted(result["left_out"]) == ["connection_marks", "forward_policy", "nat_rules"]
    for subset in result["left_out"]:
        asked = run_module("multihome_info", {"gather_subset": [subset]}, netns_prefix=server.prefix, path=path)
        assert asked["failed"] is True


def test_a_missing_pyroute2_is_named_with_version_and_place(server: Host, tmp_path: Path) -> None:
    # A sitecustomize that Python runs first says that there is none.
    (tmp_path / "sitecustomize.py").write_text('import sys\nsys.modules["pyroute2"] = None\n')
    path = [str(tmp_path)]
    result = run_module("path_info", {"paths": []}, netns_prefix=server.prefix, path=path)
    assert result["failed"] is True
    assert "pyroute2: needs 0.7.2 or newer, found none" in result["msg"]
    assert "pyroute2" in result["msg"]
    found = run_module("multihome_info", {"gather_subset": ["requirements"]}, netns_prefix=server.prefix, path=path)[
        "requirements"
    ]
    assert {name: row["ok"] for name, row in found.items()} == {"pyroute2": False, "nft": True, "ip": True}


def test_requirements_name_what_was_found_and_where(server: Host, pyroute2_path: list[str]) -> None:
    asked = {"gather_subset": ["requirements"]}
    found = run_module("multihome_info", asked, netns_prefix=server.prefix, path=pyroute2_path)["requirements"]
    assert [row["ok"] for row in found.values()] == [True] * 3
    version, place = found["pyroute2"]["found"].split(" in ")
    assert version == "0.7.2" if pyroute2_path else version != "0.7.2"
    assert place.startswith(pyroute2_path[0] if pyroute2_path else "/")


def test_a_too_old_pyroute2_is_named_with_version_and_place(server: Host, tmp_path: Path) -> None:
    (tmp_path / "pyroute2" / "config").mkdir(parents=True)
    (tmp_path / "pyroute2" / "__init__.py").touch()
    (tmp_path / "pyroute2" / "config" / "version.py").write_text('__version__ = "0.6.9"\n')
    result = run_module("path_info", {"paths": []}, netns_prefix=server.prefix, path=[str(tmp_path)])
    assert f"needs 0.7.2 or newer, found 0.6.9 in {tmp_path}/pyroute2/__init__.py" in result["msg"]


def test_info_tells_what_interfaces_have_got_from_others() -> None:
    with Hosts("server", "isp") as hosts:
        server = hosts["server"]
        for interface in ("wan1", "wan2", "wan3"):
            hosts.link("server", interface, "isp", interface)
            hosts["isp"].address(interface)
        server.sysctl(net__ipv6__conf__all__accept_dad=0, net__ipv6__conf__default__accept_dad=0)
        server.address("wan1", "203.0.113.10/24", "2001:db8:a::10/64")
        server.address("wan2", "198.51.100.20/24")
        server.address("wan3")
        server.run("ip", "address", "add", "192.0.2.7", "peer", "192.0.2.1", "dev", "wan3")
        server.run("ip", "address", "add", "2001:db8:a::dead/64", "dev", "wan1", "nodad", "preferred_lft", "0")
        server.run("ip", "route", "add", "default", "via", "203.0.113.9", "metric", "50")
        server.run("ip", "route", "add", "default", "via", "203.0.113.1", "metric", "5")
        server.run("ip", "-6", "route", "add", "default", "via", "fe80::1", "dev", "wan1")
        # As tunnels have; where a gateway or another end is known too, that is it.
        server.run("ip", "route", "add", "default", "dev", "wan2", "metric", "9")
        server.run("ip", "-6", "route", "add", "default", "dev", "wan2", "metric", "9")
        server.run("ip", "route", "add", "default", "dev", "wan3", "metric", "10")
        server.run("ip", "-6", "route", "add", "unreachable", "default", "metric", "11")
        # Ours say nothing about the ISP: neither an alias nor a default route.
        server.run("ip", "route", "add", "default", "via", "198.51.100.1", "metric", "7", "proto", "109")
        run_module(
            "ip_aliases", {"aliases": [{"address": "10.0.0.1/24", "interface": "wan1"}]}, netns_prefix=server.prefix
        )
        asked = {"gather_subset": ["interfaces"]}
        found = run_module("multihome_info", asked, netns_prefix=server.prefix)["interfaces"]
        assert [of_interface.pop("onlink") for of_interface in found.values()] == [[]] * len(found)
        assert found == {
            "lo": {"addresses": [], "gateways": [], "without_gateway": []},
            "wan1": {
                "addresses": ["203.0.113.10/24", "2001:db8:a::10/64"],
                "gateways": ["203.0.113.1", "fe80::1"],
                "without_gateway": [],
            },
            "wan2": {"addresses": ["198.51.100.20/24"], "gateways": [], "without_gateway": ["ipv4", "ipv6"]},
            "wan3": {"addresses": ["192.0.2.7/32"], "gateways": ["192.0.2.1"], "without_gateway": []},
        }
