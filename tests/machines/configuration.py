# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that make a Debian root this or that host of a lab: its name, its interfaces, its web server. No I/O.

A mapping holds each file's text by its path; None where there must be none.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping

from ..lab.holder import LOG_DIRECTORY
from ..lab.state import CHECKOUT
from ..lab.topology import Host, Interface, Topology

Files = Mapping[str, str | None]

NETWORKD, NETWORK_MANAGER, IFUPDOWN = "systemd-networkd", "NetworkManager", "ifupdown"
# What manages interfaces -> its units. Those of the others are masked, which is what an empty unit file does.
MANAGERS = {
    NETWORKD: ("systemd-networkd.service", "systemd-networkd.socket"),
    NETWORK_MANAGER: ("NetworkManager.service",),
    IFUPDOWN: ("networking.service",),
}
# Below this path a machine sees the checkout's tests, read-only, at the same place.
TESTS = CHECKOUT / "tests"
_UNITS = "/etc/systemd/system"
# The unit that makes what is not ours.
FOREIGN = "foreign.service"


def identity(host: Host, topology: Topology) -> Files:
    """Return what a host is known by, and how it knows the others: by name, without a name server."""
    names = ["127.0.0.1 localhost", "::1 localhost"]
    for other in topology.hosts.values():
        names += [f"{plain(address)} {other.name}" for each in other.interfaces for address in each.addresses]
    files: dict[str, str | None] = {
        "/etc/hostname": f"{host.name}\n",
        "/etc/hosts": "".join(f"{line}\n" for line in names),
        # Without one of its own every boot would be a first boot (machine-id(5)).
        "/etc/machine-id": f"{hashlib.md5(host.name.encode(), usedforsecurity=False).hexdigest()}\n",
    }
    # The distribution's own service of Knot DNS has no zone, and delays the boot until the network is online.
    files[f"{_UNITS}/knot.service"] = ""
    files |= _foreign()
    if host.role == "server":
        files[f"{_UNITS}/webserver.service"] = _web_server()
        files[f"{_UNITS}/multi-user.target.d/webserver.conf"] = "[Unit]\nWants=webserver.service\n"
    return files


def managed_by(manager: str, host: Host) -> Files:
    """Return what has ``manager``, and none of the others, bring the host's interfaces up with their addresses.

    Raises KeyError for a manager that there is not.
    """
    own = MANAGERS[manager]
    units = [unit for each in MANAGERS.values() for unit in each]
    files: dict[str, str | None] = {f"{_UNITS}/{unit}": None if unit in own else "" for unit in units}
    files[f"{_UNITS}/multi-user.target.d/interfaces.conf"] = f"[Unit]\nWants={' '.join(own)}\n"
    for name, rendered in _RENDERED.items():
        files |= {path: text if name == manager else None for path, text in rendered(host).items()}
    return files


def disabled_filter_programs() -> Files:
    """Return what has none of ufw, firewalld and Docker start at boot, as `systemctl disable` does.

    When Docker is started it waits for all that waits for the network. NetworkManager, which does not run, never ends.
    """
    wanted = {
        "multi-user": ("ufw.service", "firewalld.service", "docker.service", "containerd.service"),
        "sockets": ("docker.socket",),
    }
    links = [f"{_UNITS}/{target}.target.wants/{unit}" for target, units in wanted.items() for unit in units]
    links.append(f"{_UNITS}/dbus-org.fedoraproject.FirewallD1.service")
    return {**dict.fromkeys(links), f"{_UNITS}/NetworkManager-wait-online.service": ""}


def hardware_address(host: str, interface: str) -> str:
    """Return a MAC address that stays the same over reboots, so that the neighbours' caches hold; locally given."""
    digest = hashlib.md5(f"{host} {interface}".encode(), usedforsecurity=False).digest()
    return ":".join(["02", *(f"{byte:02x}" for byte in digest[:5])])


def plain(address: str) -> str:
    """Return an address without its prefix length."""
    return address.partition("/")[0]


def _gateways(host: Host, interface: Interface) -> list[str]:
    """Return the next hops of the host's default routes that are reached by an interface."""
    networks = [ipaddress.ip_interface(address).network for address in interface.addresses]
    return [
        gateway
        for destination, gateway in host.routes
        if destination in ("0.0.0.0/0", "::/0") and any(ipaddress.ip_address(gateway) in each for each in networks)
    ]


def _networkd(host: Host) -> dict[str, str]:
    files = {}
    for interface in host.interfaces:
        lines = ["[Match]", f"Name={interface.name}", "[Network]", "IPv6AcceptRA=no", "DHCP=no"]
        lines += [f"Address={address}" for address in interface.addresses]
        lines += [f"Gateway={gateway}" for gateway in _gateways(host, interface)]
        files[f"/etc/systemd/network/50-{interface.name}.network"] = "".join(f"{line}\n" for line in lines)
    return files


def _network_manager(host: Host) -> dict[str, str]:
    # Inside a machine no udev tells NetworkManager that it may take an interface.
    lines = ["[keyfile]", "unmanaged-devices=none", "[device]", "match-device=*", "managed=1"]
    files = {"/etc/NetworkManager/conf.d/machine.conf": "".join(f"{line}\n" for line in lines)}
    for interface in host.interfaces:
        lines = ["[connection]", f"id={interface.name}", "type=ethernet", f"interface-name={interface.name}"]
        for family, version in (("ipv4", 4), ("ipv6", 6)):
            own = [address for address in interface.addresses if ipaddress.ip_interface(address).version == version]
            gateways = [each for each in _gateways(host, interface) if ipaddress.ip_address(each).version == version]
            lines += [f"[{family}]", f"method={'manual' if own else 'disabled'}"]
            lines += [f"address{place}={address}" for place, address in enumerate(own, 1)]
            lines += [f"gateway={gateway}" for gateway in gateways]
        path = f"/etc/NetworkManager/system-connections/{interface.name}.nmconnection"
        files[path] = "".join(f"{line}\n" for line in lines)
    return files


def _ifupdown(host: Host) -> dict[str, str]:
    lines = ["auto lo", "iface lo inet loopback"]
    for interface in host.interfaces:
        lines.append(f"auto {interface.name}")
        for address in interface.addresses:
            version = ipaddress.ip_interface(address).version
            lines += [f"iface {interface.name} {'inet' if version == 4 else 'inet6'} static", f"    address {address}"]
            gateways = [each for each in _gateways(host, interface) if ipaddress.ip_address(each).version == version]
            lines += [f"    gateway {gateway}" for gateway in gateways]
    return {"/etc/network/interfaces": "".join(f"{line}\n" for line in lines)}


_RENDERED = {NETWORKD: _networkd, NETWORK_MANAGER: _network_manager, IFUPDOWN: _ifupdown}


def _foreign() -> Files:
    """Return what other programs of a host have put there of each kind of object: none of it is ours to touch."""
    objects = [
        "address add 10.77.0.1/32 dev lo",
        "-6 address add fd00:77::1/128 dev lo",
        "route add blackhole 10.78.0.0/16 table 77",
        "-6 route add blackhole fd00:78::/64 table 77 metric 77",
        "rule add from 10.77.0.1 table 77 priority 30077",
        "-6 rule add from fd00:77::1 table 77 priority 30077",
    ]
    removed = [words.replace(" add ", " delete ") for words in objects]
    lines = ["[Unit]", "After=network.target", "[Service]", "Type=oneshot", "RemainAfterExit=yes"]
    lines += [f"ExecStart=/usr/sbin/ip {words}" for words in objects]
    lines += [f"ExecStop=-/usr/sbin/ip {words}" for words in removed]
    return {
        f"{_UNITS}/{FOREIGN}": "".join(f"{line}\n" for line in lines),
        f"{_UNITS}/multi-user.target.d/foreign.conf": f"[Unit]\nWants={FOREIGN} nftables.service\n",
        # As Debian's own begins.
        "/etc/nftables.conf": "#!/usr/sbin/nft -f\nflush ruleset\n"
        "table inet foreign {\n"
        "  set known { type ipv4_addr; elements = { 10.77.0.1 } }\n"
        "  chain output { type filter hook output priority 10; policy accept; ip daddr @known counter accept; }\n"
        "}\n",
    }


def _web_server() -> str:
    program = TESTS / "lab" / "webserver.py"
    lines = ["[Service]", "Environment=PYTHONDONTWRITEBYTECODE=1", f"LogsDirectory={LOG_DIRECTORY.name}"]
    lines += [f"ExecStart=/usr/bin/python3 {program} --log {LOG_DIRECTORY}/access.log"]
    return "".join(f"{line}\n" for line in lines)
