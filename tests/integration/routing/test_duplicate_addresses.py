# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ip_aliases returns when its IPv6 addresses are usable as sources, and refuses those that a neighbour has."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.multihome.linux.tests.integration.namespaces import Hosts
from ansible_collections.multihome.linux.tests.integration.run_module import run_module
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

ROOT = Path(__file__).resolve().parents[3]
LIST = [{"address": f"fd00:168::{last}/64", "interface": "eth0"} for last in (1, 2)]


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """A server and a neighbour on one link; the server checks for duplicates, as Linux does by itself."""
    with Hosts("server", "neighbour") as hosts:
        hosts.link("server", "eth0", "neighbour", "eth0")
        hosts["neighbour"].address("eth0", "fd00:168::9/64")
        hosts["server"].run("sysctl", "-q", "-w", "net/ipv6/conf/eth0/accept_dad=1")
        hosts["server"].run("ip", "link", "set", "dev", "eth0", "up")
        wait_for_carrier(hosts, there=True)
        yield hosts


def wait_for_carrier(hosts: Hosts, there: bool) -> None:
    """The kernel takes notice of a carrier a moment after both ends of a cable are up."""
    eventually(lambda: ("state UP" in hosts["server"].run("ip", "link", "show", "dev", "eth0").stdout) is there)


def aliases(hosts: Hosts) -> dict[str, Any]:
    return run_module("ip_aliases", {"aliases": LIST}, netns_prefix=hosts["server"].prefix)


def route(hosts: Hosts, source: str) -> int:
    """Return the exit code of a route whose source is `source`: the kernel takes no tentative address."""
    words = ("ip", "-6", "route", "add", "default", "via", "fd00:168::9", "dev", "eth0", "src", source)
    return hosts["server"].run(*words, check=False).returncode


def test_a_route_can_have_a_new_address_as_its_source_at_once(hosts: Hosts) -> None:
    # The control: ip(8) does not wait.
    hosts["server"].run("ip", "address", "add", "fd00:168::3/64", "dev", "eth0")
    assert route(hosts, "fd00:168::3") != 0
    assert aliases(hosts)["changed"]
    assert route(hosts, "fd00:168::1") == 0


def test_an_address_that_a_neighbour_has_is_refused_and_all_is_as_before(hosts: Hosts) -> None:
    hosts["neighbour"].address("eth0", "fd00:168::2/64")
    before = hosts["server"].run("ip", "-6", "route").stdout
    result = aliases(hosts)
    assert result["failed"]
    assert "fd00:168::2/64 on eth0: another host on this link has the address already" in result["msg"]
    assert "fd00:168::1/64" not in result["msg"].splitlines()[0]
    assert "fd00:168::" not in hosts["server"].run("ip", "-6", "address").stdout
    assert hosts["server"].run("ip", "-6", "route").stdout == before


def test_without_a_cable_there_is_nobody_to_ask(hosts: Hosts) -> None:
    hosts["neighbour"].run("ip", "link", "set", "dev", "eth0", "down")
    wait_for_carrier(hosts, there=False)
    assert aliases(hosts)["changed"]
    assert route(hosts, "fd00:168::1") == 0


def test_a_gateway_is_found_while_the_link_local_address_is_tentative(hosts: Hosts) -> None:
    """As at boot: until its detection ends the kernel asks for no neighbour."""
    server = hosts["server"]
    # Two probes, a second each: longer than the control waits for an answer.
    server.run("sysctl", "-q", "-w", "net/ipv6/conf/eth0/dad_transmits=2")
    for state in ("down", "up"):
        server.run("ip", "link", "set", "dev", "eth0", state)
    server.address("eth0", "fd00:168::3/64")
    code = f"""
import sys
sys.path.insert(0, {str(ROOT / "plugins" / "module_utils")!r})
from _core.routing import neighbours
if sys.argv[1:]:
    neighbours.is_detecting = lambda *_: False
print(neighbours.resolve([("fd00:168::9", "eth0")]).reasons)
"""
    assert "tentative" in server.run("ip", "-6", "address", "show", "dev", "eth0", "scope", "link").stdout
    # The control does not wait for the detection.
    control = server.start(sys.executable, "-c", code, "control", stdout=subprocess.PIPE, text=True)
    assert server.run(sys.executable, "-c", code).stdout == "{}\n"
    assert "no answer on eth0" in control.communicate(timeout=30)[0]
