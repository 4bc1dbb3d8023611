# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that the previous version deployed gets the lists of this one without losing a packet."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.multihome.linux.plugins.filter.multihomed_web import FilterModule

from ..namespaces import Host, Hosts
from .lines import FAR, LINES, alive, deploy, host_in, length, options, server_with_lines

FILTERS = FilterModule().filters()
VARIABLES = [
    {
        "name": f"line{line}",
        "id": line,
        "interface": f"wan{line}",
        "addresses": [f"{host_in(line, family, 10)}/{length(family)}" for family in (4, 6)],
        "gateways": [host_in(line, family, 1) for family in (4, 6)],
    }
    for line in LINES
]


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with server_with_lines() as made:
        yield made


def new() -> dict[str, Any]:
    """What role multihomed_web gives to policy_routing."""
    return {
        "tables": FILTERS["multihomed_web_tables"](VARIABLES),
        "rules": FILTERS["multihomed_web_rules"](VARIABLES),
        "interface_groups": FILTERS["multihomed_web_interface_groups"](VARIABLES),
        "purge": True,
        "skip_unavailable": True,
    }


def old() -> dict[str, Any]:
    """What the previous version gave to it: no groups, and only default routes."""
    given = options({4: 0, 6: 0}, group=None)
    del given["interface_groups"]
    for table in given["tables"]:
        table["routes"] = [route for route in table["routes"] if route["destination"] == "default"]
    return given


def stream(host: Host, client: str, address: str) -> subprocess.Popen[str]:
    """Ask a hundred times a second, until the stream is stopped."""
    ping = ("ping", "-n", "-q", "-i", "0.01", "-W", "1", "-I", client, address)
    return host.start(*ping, stdout=subprocess.PIPE, text=True)


def lost(asking: subprocess.Popen[str]) -> tuple[int, int]:
    """Stop a stream; return how many requests it sent, and how many stayed without answer."""
    asking.send_signal(2)
    said = asking.communicate(timeout=10)[0]
    counts = re.search(r"(\d+) packets transmitted, (\d+) received", said)
    assert counts, said
    sent, received = map(int, counts.groups())
    return sent, sent - received


def streams(hosts: Hosts) -> list[subprocess.Popen[str]]:
    """The requests that the previous version answers: from far away by each line, from its neighbours, from the LAN."""
    asked = [(f"isp{line}", FAR[family], host_in(line, family, 10)) for line in LINES for family in (4, 6)]
    asked += [
        (f"isp{line}", host_in(line, family, 1), host_in(line, family, 10)) for line in LINES for family in (4, 6)
    ]
    asked += [("lan", "192.168.168.50", "192.168.168.1"), ("lan", "fd00:168::50", "fd00:168::1")]
    return [stream(hosts[name], client, address) for name, client, address in asked]


def test_nothing_is_lost_and_neighbours_of_other_lines_are_answered_afterwards(hosts: Hosts) -> None:
    server = hosts["server"]
    assert deploy(server, **old())["changed"] is True
    # The control: what this version is for does not work with the lists of the previous one.
    for family in (4, 6):
        assert alive(hosts, family, None)["neighbour of line 2 by line 1"] is False
    asking = streams(hosts)
    done = deploy(server, **new())
    assert done["changed"] is True, done
    losses = [lost(one) for one in asking]
    assert [missing for _sent, missing in losses] == [0] * len(losses), losses
    assert min(sent for sent, _missing in losses) > 0
    for family in (4, 6):
        assert all(alive(hosts, family).values()), alive(hosts, family)
    assert deploy(server, **new())["changed"] is False


def test_control_a_lost_packet_is_noticed(hosts: Hosts) -> None:
    server = hosts["server"]
    deploy(server, **new())
    asking = streams(hosts)
    deploy(server, tables=[], rules=[], interface_groups=[], purge=True)
    deploy(server, **new())
    assert sum(lost(one)[1] for one in asking) > 0
