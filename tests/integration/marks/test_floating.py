# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line whose address another program adds and removes (hold: false), with failover and with balance.

The heaviest line is that of the floating address. Its rules and routes exist also while the address is on another host:
the host's own connections must not use it then, and it answers at once when the address comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.filter.multihomed_web import FilterModule
from ansible_collections.multihome.linux.tests.integration.marks import lab as mark_lab
from ansible_collections.multihome.linux.tests.integration.marks.lab import (
    CLIENT,
    FAMILIES,
    LENGTH,
    alias,
    gateway,
    must,
)
from ansible_collections.multihome.linux.tests.integration.marks.test_balance import seen, share
from ansible_collections.multihome.linux.tests.integration.namespaces import Host, Hosts
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

FILTERS = FilterModule().filters()
FLOATING = [f"{alias(2, family)}/{LENGTH[family]}" for family in FAMILIES]
# Only line 2's own firewall lets its address out, as an ISP that filters sources.
FOREIGN = "table inet isp { chain leaving { type filter hook forward priority 0; oifname wan %s drop; }; }"


def lines() -> list[dict[str, Any]]:
    """The role's variable."""
    variables = [
        {
            "name": f"line{line}",
            "id": line,
            "interface": "eth0",
            "addresses": [f"{alias(line, family)}/{LENGTH[family]}" for family in FAMILIES],
            "gateways": [gateway(line, family) for family in FAMILIES],
        }
        for line in (1, 2)
    ]
    variables[1].update(weight=4, not_held=FLOATING)
    return variables


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with Hosts(*mark_lab.NAMES) as made:
        mark_lab.build(made)
        for family, word in zip(FAMILIES, ("ip", "ip6"), strict=True):
            table = FOREIGN % f"{word} saddr {alias(2, family)}"
            made["fw1"].run("nft", "-f", "-", feed=table)
        move(made["server"], here=False)
        yield made


def move(server: Host, here: bool) -> None:
    """Another program adds or removes the floating addresses."""
    for address in FLOATING:
        detection = ["nodad"] if here and ":" in address else []
        server.run("ip", "address", "add" if here else "delete", address, "dev", "eth0", *detection)


def deploy(server: Host, default_route: str, **marks: Any) -> set[str]:
    """Run the modules with the lists of the role; return those that changed something."""
    variables = lines()
    lists: dict[str, dict[str, Any]] = {
        "ip_aliases": {"aliases": FILTERS["multihomed_web_aliases"](variables, default_route)},
        "policy_routing": {
            "tables": FILTERS["multihomed_web_tables"](variables, default_route),
            "rules": FILTERS["multihomed_web_rules"](variables, default_route=default_route),
        },
        "connection_marks": {**FILTERS["multihomed_web_marks"](variables, "source", default_route), **marks},
    }
    done = {module: must(server, module, **options, purge=True) for module, options in lists.items()}
    return {module for module, result in done.items() if result["changed"]}


def answers(hosts: Hosts, family: int, line: int) -> bool:
    """Tell whether a client is answered by the server's address of a line."""
    ping = ("ping", "-n", "-c", "1", "-W", "3", "-I", CLIENT[family], alias(line, family))
    return hosts["client"].run(*ping, check=False).returncode == 0


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("default_route", ["failover", "balance"])
def test_a_floating_address_with_own_connections(hosts: Hosts, default_route: str, family: int) -> None:
    server, own, floating = hosts["server"], alias(1, family), alias(2, family)
    assert "policy_routing" in deploy(server, default_route)
    # On another host: rules and routes are there, and own connections leave by the other line, all of them.
    assert deploy(server, default_route) == set()
    assert floating in server.run("ip", f"-{family}", "rule").stdout
    assert seen(hosts, family, 20) == {own: 20}
    assert (answers(hosts, family, 1), answers(hosts, family, 2)) == (True, False)
    # Here: it answers at once, by its own line, and a deployment leaves it there.
    move(server, here=True)
    # Its firewall has just not found it, and asks again.
    eventually(lambda: answers(hosts, family, 2))
    assert answers(hosts, family, 1)
    assert deploy(server, default_route) == set()
    assert answers(hosts, family, 2)
    assert seen(hosts, family, 20) == {own: 20}
    assert seen(hosts, family, 4, source=floating) == {floating: 4}
    if default_route == "failover":
        # The control: without its rule it is not answered by its line. With balance main's first route is by that line.
        for priority in ("23020", "23021"):
            server.run("ip", f"-{family}", "rule", "delete", "priority", priority)
        assert not answers(hosts, family, 2)
        assert deploy(server, default_route) == {"policy_routing"}
        eventually(lambda: answers(hosts, family, 2))
    move(server, here=False)
    assert seen(hosts, family, 20) == {own: 20}


@pytest.mark.parametrize("family", FAMILIES)
def test_control_a_share_of_an_absent_address_loses_connections(hosts: Hosts, family: int) -> None:
    deploy(hosts["server"], "balance", balance=[share(1), share(2)])
    assert seen(hosts, family, 4).get(alias(1, family)) == 2


def test_control_a_preferred_route_without_the_address_loses_connections(hosts: Hosts) -> None:
    server = hosts["server"]
    deploy(server, "failover")
    assert seen(hosts, 4, 4) == {alias(1, 4): 4}
    route = {"destination": "default", "gateway": gateway(2, 4), "interface": "eth0", "metric": 5}
    assert must(server, "policy_routing", tables=[{"id": 254, "routes": [route]}])["changed"] is True
    # IPv4 chooses the first address of the interface, which is no line's.
    assert alias(1, 4) not in seen(hosts, 4, 2)
