# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What depends on an interface is restored when the interface comes up, or is made again: its group and its routes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..namespaces import Hosts
from .host import Kept

OPTIONS: dict[str, Any] = {
    "tables": [
        {"id": 1001, "routes": [{"destination": "default", "gateway": "198.18.1.1", "interface": "wan1"}]},
        {"id": 1002, "routes": [{"destination": "default", "gateway": "198.18.2.1", "interface": "wan2"}]},
    ],
    "rules": [
        {
            "priority": 20000,
            "family": "ipv4",
            "table": "main",
            "suppress_prefix_length": 7,
            "suppress_interface_group": 109,
        },
    ],
    "interface_groups": [{"interface": "wan1", "group": 109}, {"interface": "wan2", "group": 109}],
    "skip_unavailable": True,
}


def plug(hosts: Hosts, line: int) -> None:
    hosts.link("server", f"wan{line}", "isp", f"wan{line}")
    hosts["isp"].address(f"wan{line}", f"198.18.{line}.1/24")


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with Hosts("server", "isp") as made:
        plug(made, 1)
        made["server"].address("wan1", "198.18.1.10/24")
        yield made


@pytest.fixture
def kept(hosts: Hosts, tmp_path: Path) -> Iterator[Kept]:
    made = Kept(hosts["server"], tmp_path)
    yield made
    made.stop()


def state(kept: Kept) -> tuple[dict[str, str], list[str]]:
    """Return the groups of the lines' interfaces, and the interfaces of the defaults of the lines' tables."""
    links = [line.split() for line in kept.host.run("ip", "-o", "link").stdout.splitlines()]
    groups = {words[1].partition("@")[0]: words[words.index("group") + 1] for words in links}
    groups = {name.rstrip(":"): group for name, group in groups.items() if name.startswith("wan")}
    routes = [
        line.split()[4]
        for table in ("1001", "1002")
        for line in kept.host.run("ip", "route", "show", "table", table, check=False).stdout.splitlines()
    ]
    return groups, routes


BOTH = ({"wan1": "109", "wan2": "109"}, ["wan1", "wan2"])


def test_the_keeper_waits_for_interfaces(hosts: Hosts, kept: Kept) -> None:
    server = hosts["server"]
    server.run("sh", "-c", "echo 109 109 >> /etc/iproute2/group")
    done = kept.run("policy_routing", **OPTIONS)
    assert [entry["interface"] for entry in done["skipped"]] == ["wan2"]
    assert state(kept) == ({"wan1": "109"}, ["wan1"])
    kept.start()
    waits = {entry["object"]: entry["reason"] for entry in kept.said("waiting")}
    assert waits["route 0.0.0.0/0 in table 1002"] == 'interface "wan2" does not exist on this host'
    assert "interface wan2 does not exist" in waits["group 109 of interface wan2"]
    # It appears, as a modem does.
    plug(hosts, 2)
    server.address("wan2", "198.18.2.10/24")
    kept.eventually(lambda: state(kept) == BOTH)
    kept.eventually(lambda: kept.said("waiting") == [])
    # It goes, and is made again.
    server.run("ip", "link", "delete", "wan2")
    kept.eventually(lambda: kept.said("waiting"))
    assert state(kept) == ({"wan1": "109"}, ["wan1"])
    plug(hosts, 2)
    server.address("wan2", "198.18.2.10/24")
    kept.eventually(lambda: state(kept) == BOTH)
    # It goes down, and comes up.
    server.run("ip", "link", "set", "wan1", "down")
    kept.eventually(lambda: any('"wan1" is down' in entry["reason"] for entry in kept.said("waiting")))
    assert state(kept)[1] == ["wan2"]
    server.run("ip", "link", "set", "wan1", "up")
    kept.eventually(lambda: state(kept) == BOTH)
    # Somebody takes it out of its group, and somebody else puts it into one of his own.
    server.run("ip", "link", "set", "wan1", "group", "0")
    kept.eventually(lambda: state(kept) == BOTH)
    server.run("ip", "link", "set", "wan1", "group", "5")
    kept.eventually(lambda: any("is in group 5 already" in entry["reason"] for entry in kept.said("waiting")))
    assert state(kept)[0]["wan1"] == "5"


def test_without_the_keeper_nothing_comes_back(hosts: Hosts, kept: Kept) -> None:
    kept.run("policy_routing", **OPTIONS)
    plug(hosts, 2)
    hosts["server"].address("wan2", "198.18.2.10/24")
    groups, routes = state(kept)
    assert groups["wan2"] == "default"
    assert routes == ["wan1"]


def test_the_keeper_refuses_while_lookup_local_does_not_come_first(hosts: Hosts, kept: Kept) -> None:
    server = hosts["server"]
    kept.run("policy_routing", **OPTIONS)
    server.run("ip", "rule", "add", "priority", "32765", "lookup", "local")
    server.run("ip", "rule", "delete", "priority", "0")
    server.run("ip", "rule", "delete", "priority", "20000")
    kept.start()
    kept.eventually(lambda: '"lookup local" has priority 32765' in kept.log())
    assert "20000:" not in server.run("ip", "rule").stdout
    server.run("ip", "rule", "add", "priority", "0", "lookup", "local")
    kept.eventually(lambda: "20000:" in server.run("ip", "rule").stdout, 20)


def reachable(hosts: Hosts) -> bool:
    return hosts["isp"].run("ping", "-n", "-c", "1", "-W", "1", "198.18.1.10", check=False).returncode == 0


def test_the_keeper_keeps_the_host_reachable_when_lookup_local_is_moved(hosts: Hosts, kept: Kept) -> None:
    server = hosts["server"]
    # Without a group, as on a LAN that lines share: main's connected network would say where our own address is.
    first = {name: value for name, value in OPTIONS["rules"][0].items() if name != "suppress_interface_group"}
    kept.run("policy_routing", **{**OPTIONS, "rules": [first], "interface_groups": []})
    server.run("ip", "rule", "add", "priority", "32765", "lookup", "local")
    server.run("ip", "rule", "delete", "priority", "0")
    # The control: without the keeper nobody reaches it.
    assert not reachable(hosts)
    kept.start()
    kept.eventually(lambda: "20000:" not in server.run("ip", "rule").stdout)
    # The control's question for the hardware address is asked again only after a second.
    kept.eventually(lambda: reachable(hosts), 20)
    kept.eventually(lambda: any("has to come first" in entry["reason"] for entry in kept.said("waiting")))
    server.run("ip", "rule", "add", "priority", "0", "lookup", "local")
    kept.eventually(lambda: "20000:" in server.run("ip", "rule").stdout, 20)
    kept.eventually(lambda: reachable(hosts), 20)


def test_the_keeper_tells_a_reply_that_is_taken_and_that_it_is_over(hosts: Hosts, kept: Kept) -> None:
    server = hosts["server"]
    source = {"priority": 23010, "source": "198.18.1.10", "table": 1001}
    options = {**OPTIONS, "rules": [*OPTIONS["rules"], source]}
    kept.run("policy_routing", **options)
    kept.start()
    assert kept.said("taken") == []
    server.run("ip", "rule", "add", "priority", "100", "from", "198.18.1.10", "lookup", "200")
    server.run("ip", "route", "add", "default", "via", "198.18.1.2", "dev", "wan1", "table", "200")
    # Any change of our own objects makes it look at once; else it looks once a minute.
    server.run("ip", "rule", "delete", "priority", "23010")
    kept.eventually(lambda: [entry["line"] for entry in kept.said("taken")] == ["1001"], 10)
    assert "rule 100 (source 198.18.1.10, table 200)" in kept.said("taken")[0]["message"]
    assert kept.log().count("rule 100") == 1
    server.run("ip", "rule", "delete", "priority", "100")
    server.run("ip", "rule", "delete", "priority", "23010")
    kept.eventually(lambda: kept.said("taken") == [], 10)
    assert "leave by their line again" in kept.log()
