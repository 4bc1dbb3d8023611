# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses that an ISP assigns, on a real server: the keeper follows an interface, and the name of another host."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.multihome.linux.tests.lab.waiting import eventually

from ..keeper.host import Kept
from ..namespaces import Hosts
from .servers import KEY, KINDS, ZONE, NameServer

DOMAIN, LINE = f"dsl.{ZONE}", f"line-2.{ZONE}"
FIXED, OLD, NEW = "203.0.113.10", "198.51.100.20", "198.51.101.77"
OLD6, NEW6 = "2001:db8:b::20", "2001:db8:c::77"
REFERENCES = [{"address": f"auto:b:ipv{family}", "line": "b"} for family in (4, 6)]
FIXED_ENTRY = {"address": FIXED, "line": "a"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NameServer]:
    """A name server, on a host with an interface to an ISP."""
    with Hosts("host", "isp") as hosts:
        hosts.link("host", "b", "isp", "customer")
        hosts["host"].run("mkdir", "-p", "/etc/multihome")
        hosts["host"].run("rm", "-f", "/run/multihome/health.json", "/run/multihome/learned.json")
        directory = tmp_path / "server"
        directory.mkdir()
        made = KINDS["knot"](hosts["host"], directory)
        made.start()
        yield made
        made.stop()


def assign(server: NameServer, *addresses: str) -> None:
    """What the ISP gives the interface now, in place of everything before."""
    server.host.run("ip", "address", "flush", "dev", "b", "scope", "global")
    for each in addresses:
        server.host.run("ip", "address", "add", each, "dev", "b", *(("nodad",) if ":" in each else ()))


def publish(kept: Kept, server: NameServer, domain: str, *entries: object, **more: object) -> dict[str, object]:
    """Deploy one domain."""
    records = [{"domain": domain, "addresses": list(entries)}]
    return kept.run("dns_records", zone=ZONE, servers=[server.address], records=records, **KEY.options(), **more)


def asked(server: NameServer, domain: str = DOMAIN) -> list[str]:
    """Both sets of a domain."""
    return [*server.ask(domain, "A"), *server.ask(domain, "AAAA")]


def _is_published(server: NameServer, *addresses: str) -> bool:
    return asked(server) == sorted(addresses)


def test_the_keeper_publishes_the_address_that_an_interface_gets(server: NameServer, keeper: Kept) -> None:
    assign(server, f"{OLD}/24", f"{OLD6}/64")
    done = publish(keeper, server, DOMAIN, FIXED_ENTRY, *REFERENCES)
    assert done.get("msg") is None
    assert asked(server) == [*sorted([FIXED, OLD]), OLD6]
    stored = server.host.run("cat", f"/etc/multihome/dns_records.{ZONE}.json").stdout
    assert "auto:b:ipv4" in stored
    assert OLD not in stored
    assign(server, f"{NEW}/24", f"{NEW6}/64")
    eventually(lambda: asked(server) == [*sorted([NEW, FIXED]), NEW6], keeper.log)
    # A deployment finds nothing to do, and stores the same; neither calls the former address somebody's.
    again = publish(keeper, server, DOMAIN, FIXED_ENTRY, *REFERENCES)
    assert not again["changed"]
    assert server.host.run("cat", f"/etc/multihome/dns_records.{ZONE}.json").stdout == stored
    assert "another owner" not in keeper.log()
    # Without an address the line has no part in the domain, and IPv6, which no other line has, stays as it is.
    assign(server)
    eventually(lambda: asked(server) == [FIXED, NEW6], keeper.log)
    # Nor does a deployment without a keeper.
    keeper.stop()
    assign(server, f"{OLD}/24")
    later = publish(keeper, server, DOMAIN, FIXED_ENTRY, *REFERENCES)
    assert later["changed"]
    assert later["replaced"] == []
    assert asked(server) == [*sorted([FIXED, OLD]), NEW6]


def test_control_without_a_keeper_the_address_stays(server: NameServer, tmp_path: Path) -> None:
    kept = Kept(server.host, tmp_path)
    assign(server, f"{OLD}/24")
    publish(kept, server, DOMAIN, *REFERENCES)
    assign(server, f"{NEW}/24")
    with pytest.raises(AssertionError):
        eventually(lambda: asked(server) == [NEW], seconds=3)
    assert asked(server) == [OLD]


def test_a_name_that_another_host_publishes_is_followed(server: NameServer, keeper: Kept) -> None:
    entry = {"address": LINE, "line": "b", "family": "ipv4"}
    publish(keeper, server, DOMAIN, FIXED_ENTRY, entry)
    # The other host has not published yet.
    assert asked(server) == [FIXED]
    for address in (OLD, NEW):
        # As the firewall's keeper does it; this run is not stored, so the keeper here does not know of it.
        publish(keeper, server, LINE, address, OLD6, persist=False)
        eventually(functools.partial(_is_published, server, FIXED, address), keeper.log)
    assert "another owner" not in keeper.log()
    check = publish(keeper, server, DOMAIN, FIXED_ENTRY, entry)
    assert not check["changed"]


def test_updates_leave_from_the_address_of_the_interface(server: NameServer, keeper: Kept) -> None:
    assign(server, f"{OLD}/24")
    sources = [{"address": "auto:b:ipv4", "line": "b"}]
    done = publish(keeper, server, DOMAIN, *REFERENCES, sources=sources)
    assert done.get("msg") is None
    assert asked(server) == [OLD]
    assign(server, f"{NEW}/24")
    eventually(lambda: asked(server) == [NEW], keeper.log)
