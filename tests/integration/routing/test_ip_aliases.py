# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ip_aliases on a real host."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..namespaces import Host
from ..run_module import run_module
from . import hosts as routing_hosts
from .hosts import Variant, addresses, owner_tags, quartet, routes, run, variant, whole

__all__ = ["variant"]

ALIASES = [
    {"name": "unicom", "address": "192.168.168.1/24", "interface": "eth0"},
    {"name": "interlink", "address": "192.168.168.2/24", "interface": "eth0", "label": "eth0:2"},
    {"address": "203.0.113.7", "interface": "eth1"},
    {"address": "10.9.0.1/31", "interface": "eth1"},
    {"address": "fd00:168::1/64", "interface": "eth0"},
    {"address": "fd00:168::2/128", "interface": "eth1"},
    {"address": "::ffff:192.0.2.1/128", "interface": "eth1"},
]


@pytest.fixture
def host() -> Iterator[Host]:
    with routing_hosts.server() as made:
        yield made


def alias(address: str, interface: str = "eth0", **more: Any) -> dict[str, Any]:
    return {"address": address, "interface": interface, **more}


def held(host: Host, interface: str = "eth0") -> list[str]:
    return [f"{a['local']}/{a['prefixlen']}" for a in addresses(host) if a["interface"] == interface]


def test_check_real_check_real(host: Host, variant: Variant) -> None:
    done = quartet(host, "ip_aliases", variant, aliases=ALIASES)
    assert [action["op"] for action in done["actions"]] == ["add"] * len(ALIASES)
    by_text = {address["local"]: address for address in addresses(host)}
    assert by_text["192.168.168.1"]["label"] == "eth0"
    assert by_text["192.168.168.1"]["broadcast"] == "192.168.168.255"
    assert by_text["192.168.168.2"]["label"] == "eth0:2"
    assert by_text["203.0.113.7"]["prefixlen"] == 32
    tags = owner_tags(host)
    ours = [entry["address"].partition("/")[0] for entry in ALIASES]
    assert {text: tags[text] for text in ours} == dict.fromkeys(ours, 109)
    assert tags["127.0.0.1"] != 109

    purged = run(host, "ip_aliases", variant, aliases=ALIASES[:1], purge=True)
    assert len(purged["actions"]) == len(ALIASES) - 1
    assert held(host) == ["192.168.168.1/24"]
    assert held(host, "eth1") == []


def test_purge_touches_nothing_of_others(host: Host) -> None:
    run(host, "ip_aliases", aliases=[alias("10.0.0.77/24"), alias("fd00::77/64")], protocol=77)
    host.address("eth1", "10.1.0.1/24", "fd01::1/64")
    host.run("ip", "route", "add", "10.8.0.0/16", "via", "10.1.0.9", "table", "77", "protocol", "bird")
    host.run("ip", "rule", "add", "priority", "77", "from", "10.0.0.77", "table", "77")
    before, tags = whole(host), owner_tags(host)
    own = [alias("10.0.0.1/24"), alias("10.1.0.2/24", "eth1"), alias("fd00::1/64"), alias("10.3.0.1/24")]
    assert run(host, "ip_aliases", aliases=own)["changed"] is True
    assert whole(host) != before
    assert len(run(host, "ip_aliases", aliases=[], purge=True)["actions"]) == len(own)
    assert whole(host) == before
    assert owner_tags(host) == tags


def test_a_foreign_address_in_the_way_is_named_with_its_owner(host: Host) -> None:
    run(host, "ip_aliases", aliases=[alias("10.0.0.1/24", label="eth0:9"), alias("fd00::1/64")], protocol=18)
    before = whole(host)
    listed = [alias("10.0.0.1/24", label="eth0:1"), alias("10.0.0.2/24"), alias("fd00::1/48")]
    for check in (True, False):
        conflicts = run(host, "ip_aliases", aliases=listed, check=check)["conflicts"]
        assert [text.partition(" is in its place and belongs to ")[0] for text in conflicts] == [
            "aliases[0] (10.0.0.1/24): address 10.0.0.1/24 on eth0",
            "aliases[2] (fd00::1/48): address fd00::1/64 on eth0",
        ]
        assert all("protocol 18 (keepalived)" in text for text in conflicts)
    assert whole(host) == before
    # What is asked for and stands is satisfied, and not taken over.
    assert run(host, "ip_aliases", aliases=[alias("10.0.0.1/24"), alias("fd00::1/64")])["changed"] is False
    assert owner_tags(host)["10.0.0.1"] == 18


def test_a_changed_label_keeps_every_route(host: Host) -> None:
    run(host, "ip_aliases", aliases=[alias("10.0.0.1/24")])
    host.run("ip", "route", "add", "default", "via", "10.0.0.254", "protocol", "dhcp")
    host.run("ip", "route", "add", "10.8.0.0/16", "via", "10.0.0.254", "src", "10.0.0.1", "table", "77")
    before = routes(host)
    done = run(host, "ip_aliases", aliases=[alias("10.0.0.1/24", label="eth0:1")])
    assert [action["op"] for action in done["actions"]] == ["replace"]
    assert [a["label"] for a in addresses(host) if a["local"] == "10.0.0.1"] == ["eth0:1"]
    assert routes(host) == before
    # Done by hand, it takes them along.
    host.run("ip", "address", "delete", "10.0.0.1/24", "dev", "eth0")
    host.run("ip", "address", "add", "10.0.0.1/24", "dev", "eth0", "label", "eth0:2")
    assert routes(host) != before


def test_an_address_that_is_never_preferred_is_no_source(host: Host, variant: Variant) -> None:
    """One after the other, so that whichever the kernel prefers by itself, one of the two shows the difference."""
    both = [alias("fd00::1/64"), alias("fd00::2/64")]
    run(host, "ip_aliases", variant, aliases=both)

    def source() -> Any:
        return run(host, "path_info", variant, paths=[{"destination": "fd00::9"}])["paths"][0]["preferred_source"]

    def sent_from() -> str:
        """The source that a socket gets."""
        program = "import socket; s = socket.socket(10, 2); s.connect(('fd00::9', 9)); print(s.getsockname()[0])"
        return host.run(variant.python, "-c", program).stdout.strip()

    for chosen, never in ((0, 1), (1, 0)):
        listed = [both[chosen], {**both[never], "preferred_lifetime": 0}]
        before = {a["local"]: a for a in addresses(host)}
        done = quartet(host, "ip_aliases", variant, aliases=listed)
        assert {action["op"] for action in done["actions"]} == {"replace"}
        expected = both[chosen]["address"].partition("/")[0]
        assert (source(), sent_from()) == (expected, expected)
        deprecated = [a["local"] for a in addresses(host) if a.get("deprecated")]
        assert deprecated == [both[never]["address"].partition("/")[0]]
        assert set(before) == {a["local"] for a in addresses(host)}
        assert run(host, "multihome_info", variant, gather_subset=["ip_aliases"])["ip_aliases"] in (
            listed,
            listed[::-1],
        )
    assert set(owner_tags(host).values()) >= {109}
    run(host, "ip_aliases", variant, aliases=both)
    assert not [a for a in addresses(host) if a.get("deprecated")]


def test_an_address_whose_lifetime_changes_is_never_away(host: Host) -> None:
    run(host, "ip_aliases", aliases=[alias("fd00::1/64")])
    host.run("ip", "-6", "route", "add", "fd09::/64", "via", "fd00::9", "src", "fd00::1")
    before = routes(host)
    monitor = host.start("ip", "-oneline", "monitor", "address", "route", stdout=subprocess.PIPE)
    run(host, "ip_aliases", aliases=[alias("fd00::1/64", preferred_lifetime=0)])
    assert routes(host) == before
    host.run("ip", "address", "add", "10.99.0.1/32", "dev", "eth1")
    assert monitor.stdout is not None
    said: list[str] = []
    for line in iter(monitor.stdout.readline, ""):
        said.append(line)
        if "10.99.0.1" in line:
            break
    assert any("deprecated" in line and "fd00::1" in line for line in said)
    assert not [line for line in said if line.startswith("Deleted")]


def test_ipv4_knows_no_preference(host: Host) -> None:
    faults = run(host, "ip_aliases", aliases=[alias("10.0.0.1/24", preferred_lifetime=0)])["faults"]
    assert len(faults) == 1
    assert faults[0].startswith(
        "aliases[0] (10.0.0.1/24): preferred_lifetime: IPv4 chooses the first address of a subnet"
    )
    (fault,) = run(host, "ip_aliases", aliases=[alias("fd00::1/64", preferred_lifetime=60)])["faults"]
    assert "only 0 is meant to last" in fault


def test_a_removed_primary_keeps_its_secondaries(host: Host, variant: Variant) -> None:
    setting = "/proc/sys/net/ipv4/conf/eth0/promote_secondaries"
    host.sysctl(net__ipv4__conf__eth0__promote_secondaries=0)
    run(host, "ip_aliases", aliases=[alias("10.0.0.1/24")])
    host.address("eth0", "10.0.0.2/24", "10.0.0.3/24")
    run(host, "ip_aliases", variant, aliases=[alias("10.0.0.4/24")], purge=True)
    assert held(host) == ["10.0.0.2/24", "10.0.0.3/24", "10.0.0.4/24"]
    assert host.run("cat", setting).stdout.strip() == "0"
    # Done by hand, it takes them along.
    host.run("ip", "address", "delete", "10.0.0.2/24", "dev", "eth0")
    assert held(host) == []


def test_a_changed_length_of_an_ipv6_address(host: Host) -> None:
    run(host, "ip_aliases", aliases=[alias("fd00::1/64")])
    done = run(host, "ip_aliases", aliases=[alias("fd00::1/48")])
    assert done["actions"] == [{"op": "replace", "object": alias("fd00::1/48")}]
    assert held(host) == ["fd00::1/48"]
    assert [route["dst"] for route in routes(host) if route["dst"].startswith("fd00::/")] == ["fd00::/48"]


def test_an_interface_that_is_missing_or_down(host: Host) -> None:
    host.run("ip", "link", "set", "dev", "eth1", "down")
    before = whole(host)
    missing = run(host, "ip_aliases", aliases=[alias("10.0.0.1/24"), alias("10.7.0.1/24", "wan7")])
    assert missing["msg"] == (
        'aliases[1] (10.7.0.1/24): interface "wan7" does not exist on this host; it has eth0, eth1, lo'
    )
    assert whole(host) == before
    # An interface that is down can have its addresses before it is up.
    assert run(host, "ip_aliases", aliases=[alias("10.1.0.1/24", "eth1")])["changed"] is True
    assert held(host, "eth1") == ["10.1.0.1/24"]


def test_a_family_that_is_switched_off(host: Host) -> None:
    host.sysctl(net__ipv6__conf__eth0__disable_ipv6=1)
    before = whole(host)
    result = run(host, "ip_aliases", aliases=[alias("10.0.0.1/24"), alias("fd00::1/64")])
    hint = "the kernel does not allow it here; is the family disabled on this interface?"
    assert result["msg"].splitlines() == [
        f"aliases[1] (fd00::1/64): cannot add address fd00::1/64 on eth0: Permission denied ({hint})",
        "undone: add address 10.0.0.1/24 on eth0",
        "the host is as it was before",
    ]
    assert whole(host) == before


NOT_ROOT = "Operation not permitted (run as root (CAP_NET_ADMIN is needed))"


def test_without_the_rights(host: Host) -> None:
    def powerless(**options: Any) -> dict[str, Any]:
        prefix = [*host.prefix, "setpriv", "--bounding-set=-net_admin"]
        return run_module("ip_aliases", {"aliases": [alias("10.0.0.1/24")]}, netns_prefix=prefix, **options)

    assert powerless(check=True)["changed"] is True, "who only looks needs no rights"
    assert powerless()["msg"].splitlines() == [
        f"aliases[0] (10.0.0.1/24): cannot add address 10.0.0.1/24 on eth0: {NOT_ROOT}",
        "the host is as it was before",
    ]


@pytest.fixture
def forgetful(tmp_path: Path) -> list[str]:
    """A directory that, first on Python's path, makes the kernel one that never hears of owner tags (before 5.18)."""
    (tmp_path / "sitecustomize.py").write_text(
        "import socket, struct\n"
        "class Deaf(socket.socket):\n"
        "    def send(self, data, *flags):\n"
        "        if self.family == socket.AF_NETLINK:\n"
        "            heard = data.replace(struct.pack('=HHB3x', 5, 11, 109), b'')\n"
        "            data = struct.pack('=I', len(heard)) + heard[4:]\n"
        "        return super().send(data, *flags)\n"
        "socket.socket = Deaf\n"
    )
    return [str(tmp_path)]


@pytest.mark.parametrize("oldest", [False, True], ids=["newest", "oldest"])
def test_a_kernel_without_owner_tags(host: Host, forgetful: list[str], oldest: bool) -> None:
    old = Variant(path=(*forgetful, *((routing_hosts.OLDEST_PYROUTE2,) if oldest else ())))
    host.address("eth0", "10.0.0.9/24")
    done = quartet(host, "ip_aliases", old, aliases=ALIASES)
    assert len(done["actions"]) == len(ALIASES)
    assert {owner_tags(host)[text] for text in ("192.168.168.1", "fd00:168::1", "10.0.0.9")} == {None}
    record = "/var/lib/multihome/addresses.json"
    assert host.run("stat", "-c", "%a", record).stdout == "600\n"
    # Removed and added again by somebody else, it is not ours any more.
    host.run("ip", "address", "del", "203.0.113.7/32", "dev", "eth1")
    host.run("ip", "address", "add", "203.0.113.7/32", "dev", "eth1")
    purged = run(host, "ip_aliases", old, aliases=ALIASES[:1], purge=True)
    assert len(purged["actions"]) == len(ALIASES) - 2
    assert held(host) == ["10.0.0.9/24", "192.168.168.1/24"]
    assert held(host, "eth1") == ["203.0.113.7/32"]
    run(host, "ip_aliases", old, aliases=[], purge=True)
    assert held(host) == ["10.0.0.9/24"]
    assert host.run("test", "-e", record, check=False).returncode == 1
    # With tags nothing is written down.
    run(host, "ip_aliases", Variant(), aliases=ALIASES)
    assert host.run("test", "-e", record, check=False).returncode == 1
