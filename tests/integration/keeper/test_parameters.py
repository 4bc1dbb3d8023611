# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel parameters that another program sets back, and those of an interface that appears late, are set again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..namespaces import Hosts
from ..run_module import run_module
from .host import Kept

PARAMETERS = [
    {"name": "net.ipv4.ip_forward", "value": "1"},
    {"name": "net.ipv6.conf.all.forwarding", "value": "1"},
    {"name": "net.ipv4.conf.wan1.rp_filter", "value": "2", "optional": True},
    {"name": "net.ipv4.conf.wan2.rp_filter", "value": "2", "optional": True},
]


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with Hosts("server", "isp", "lan") as made:
        for name in made.names:
            made[name].sysctl(net__ipv6__conf__all__accept_dad=0, net__ipv6__conf__default__accept_dad=0)
        for name in ("wan1", "wan2"):
            made.link("server", name, "isp", name)
        made.link("server", "lan0", "lan", "eth0")
        made["server"].address("wan1", "203.0.113.10/24", "2001:db8:a::10/64")
        made["server"].address("lan0", "192.168.168.11/24", "fd00:168::11/64")
        made["isp"].address("wan1", "203.0.113.1/24", "2001:db8:a::1/64")
        made["lan"].address("eth0", "192.168.168.1/24", "fd00:168::1/64")
        for host, gateways in (
            ("isp", ("203.0.113.10", "2001:db8:a::10")),
            ("lan", ("192.168.168.11", "fd00:168::11")),
        ):
            for gateway in gateways:
                made[host].run("ip", "route", "add", "default", "via", gateway)
        yield made


@pytest.fixture
def kept(hosts: Hosts, tmp_path: Path) -> Iterator[Kept]:
    made = Kept(hosts["server"], tmp_path)
    done = run_module("kernel_parameters", {"parameters": PARAMETERS}, netns_prefix=hosts["server"].prefix)
    assert done["changed"] is True, done
    yield made
    made.stop()


def value(kept: Kept, path: str) -> str:
    return kept.host.run("cat", f"/proc/sys/net/ipv4/{path}").stdout.strip()


def test_parameters_are_held(hosts: Hosts, kept: Kept) -> None:
    server = hosts["server"]
    kept.start()
    server.run("sysctl", "-w", "net.ipv4.ip_forward=0", "net.ipv4.conf.wan1.rp_filter=1")
    assert value(kept, "ip_forward") == "0"
    kept.eventually(lambda: value(kept, "ip_forward") == "1", 10)
    kept.eventually(lambda: value(kept, "conf/wan1/rp_filter") == "2", 10)
    assert "kernel_parameters: set net.ipv4.ip_forward = 1" in kept.log()
    server.run("ip", "link", "delete", "wan2")
    hosts.link("server", "wan2", "isp", "wan2")
    kept.eventually(lambda: value(kept, "conf/wan2/rp_filter") == "2", 10)


SWITCHES = {"192.168.168.1": "net.ipv4.ip_forward", "fd00:168::1": "net.ipv6.conf.all.forwarding"}


@pytest.mark.parametrize("inside", SWITCHES)
def test_forwarding_comes_back(hosts: Hosts, kept: Kept, inside: str) -> None:
    """R10: packets through this host."""

    def passes() -> bool:
        return hosts["isp"].run("ping", "-n", "-c", "1", "-W", "1", inside, check=False).returncode == 0

    assert passes()
    hosts["server"].run("sysctl", "-w", f"{SWITCHES[inside]}=0")
    assert not passes(), "the control: without the keeper"
    kept.start()
    kept.eventually(passes, 30)


CLIENT = "192.0.2.9"


def set_back(hosts: Hosts) -> None:
    """Another program sets the parameter."""
    hosts["server"].sysctl(net__ipv4__conf__wan2__rp_filter=1)


def created_again(hosts: Hosts) -> None:
    """The interface appears late, with the strict value that all new ones get here."""
    hosts["server"].run("ip", "link", "delete", "wan2")
    second_line(hosts)


def second_line(hosts: Hosts) -> None:
    """A client asks by wan2, and the way back to it, looked up without a mark, leads by wan1."""
    server, isp = hosts["server"], hosts["isp"]
    if server.run("ip", "link", "show", "wan2", check=False).returncode:
        hosts.link("server", "wan2", "isp", "wan2")
    server.address("wan2", "198.51.100.10/24")
    isp.address("wan2", "198.51.100.1/24")
    isp.run("ip", "route", "add", "192.168.168.1", "via", "198.51.100.10")
    isp.sysctl(**{f"net__ipv4__conf__{name}__rp_filter": 0 for name in ("all", "wan1", "wan2")})


@pytest.mark.parametrize("asked", ["192.168.168.1", "198.51.100.10"], ids=["forwarded", "own"])
@pytest.mark.parametrize("happens", [set_back, created_again])
def test_packets_that_a_strict_filter_drops_pass_again(
    hosts: Hosts, kept: Kept, happens: Callable[[Hosts], None], asked: str
) -> None:
    """R10: for a server inside, and for an address of this host."""
    server, isp = hosts["server"], hosts["isp"]
    server.sysctl(net__ipv4__conf__all__rp_filter=0, net__ipv4__conf__default__rp_filter=1)
    server.run("ip", "route", "add", "default", "via", "203.0.113.1")
    isp.address("lo", f"{CLIENT}/32")
    second_line(hosts)

    def passes() -> bool:
        return isp.run("ping", "-n", "-c", "1", "-W", "1", "-I", CLIENT, asked, check=False).returncode == 0

    kept.eventually(passes, 30)
    happens(hosts)
    assert not passes(), "the control: without the keeper"
    kept.start()
    kept.eventually(passes, 30)
    happens(hosts)
    kept.eventually(lambda: value(kept, "conf/wan2/rp_filter") == "2" and passes(), 30)


def test_another_program_that_keeps_setting_one_back_is_backed_off_from(hosts: Hosts, kept: Kept) -> None:
    server = hosts["server"]
    kept.start()
    for _time in range(12):
        server.run("sysctl", "-w", "net.ipv4.ip_forward=0")
        # Any event of an interface makes it look.
        server.run("ip", "address", "add", "10.0.0.1/32", "dev", "lo")
        server.run("ip", "address", "del", "10.0.0.1/32", "dev", "lo")
        server.run("sleep", "0.7")
        if kept.said("damped"):
            break
    assert [entry["object"] for entry in kept.said("damped")] == ["net.ipv4.ip_forward = 1"]


def test_control_without_the_keeper_they_stay_as_somebody_set_them(hosts: Hosts, kept: Kept) -> None:
    hosts["server"].run("sysctl", "-w", "net.ipv4.ip_forward=0")
    hosts["server"].run("sleep", "6")
    assert value(kept, "ip_forward") == "0"
