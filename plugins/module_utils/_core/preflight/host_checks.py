# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of interfaces, of kernel parameters and of programs that change them, one function each. No I/O."""

from __future__ import annotations

import fnmatch
import ipaddress
import itertools
import os
import socket
from collections.abc import Iterator
from dataclasses import replace

from ..fields import listed
from ..host import networkd_facts
from ..host.boot_configuration import Setting
from ..host.installed_paths import COMMAND
from ..host.kernel_parameter_file import followers, parameter_name
from .catalogue import WARNING, Finding, finding
from .facts import Facts
from .model import FIREWALL, Desired, Line, Network

_FORWARDING = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}
# One variable of the kernel under two names.
_SAME = {"net/ipv4/conf/all/forwarding": _FORWARDING[4]}
# Parameters that Linux copies from all interfaces to each (net/ipv4/devinet.c, net/ipv6/addrconf.c).
_CARRIED_OVER = ("/ip_forward", "/forwarding", "/disable_ipv6")


def interfaces(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """The lines' interfaces: whether they exist, are up and have a carrier; and lines that cannot be used now."""
    for name, lines in desired.interfaces.items():
        link = facts.links.get(name)
        if name in facts.alternative_names and desired.filters_packets:
            own_name = facts.alternative_names[name]
            message = f"{_of(lines)} ends on {name}, which is another name of {own_name}"
            yield finding("interface-alternative-name", name, message, interface=own_name)
        if link is None:
            there = listed(sorted(facts.links))
            kind = "interface-not-yet" if all(line.dynamic for line in lines) else "interface-missing"
            missing = finding(kind, name, f"{_of(lines)} ends on {name}, which does not exist; this host has {there}")
            yield _waiting(desired, missing)
            continue
        for line in lines:
            if line.left_out:
                yield finding("line-left-out", name, f"{line} cannot be used now: {line.left_out}")
        if all(line.dynamic for line in lines):
            # The program that gives it an address switches it on.
            continue
        if not link.up:
            down = finding("interface-down", name, f"{_of(lines)} ends on {name}, which is down", interface=name)
            yield _waiting(desired, down)
        elif not link.running:
            yield finding("no-carrier", name, f"{_of(lines)} ends on {name}, which has no carrier")


def _waiting(desired: Desired, found: Finding) -> Finding:
    """A line that waits for its interface must not stop the others."""
    if not desired.skips_unavailable:
        return found
    message = f"{found.message}; the line is stored, and the keeper configures it when the interface is up"
    return replace(found, severity=WARNING, message=message)


def ipv6(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """IPv6 for lines that have it."""
    if 6 in desired.families and _FORWARDING[6] not in facts.parameters:
        yield finding("ipv6-missing", "IPv6", "this kernel runs without IPv6")
        return
    for name, lines in desired.interfaces.items():
        having = [line for line in lines if 6 in line.families]
        if having and facts.parameters.get(f"net/ipv6/conf/{name}/disable_ipv6") == "1":
            message = f"{_of(having)} has IPv6 on {name}, where it is disabled"
            yield finding("ipv6-disabled", name, message, interface=_written(name))


def rp_filter(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Strict reverse path filtering (Linux takes the larger of the interface's value and that of ``all``)."""
    names = [name for name, lines in desired.interfaces.items() if any(4 in line.families for line in lines)]
    shared = {name for pair in _sharing(desired) for name in pair}
    for name in names:
        if _effective(facts, name, "rp_filter") != 1:
            continue
        # Measured: the reverse path look-up uses source rules, but not a connection's mark.
        breaks = name in shared or (desired.uses_marks and len(names) > 1)
        kind = "rp-filter-strict" if breaks else "rp-filter-strict-tolerated"
        own, overall = (facts.parameters.get(f"net/ipv4/conf/{which}/rp_filter") for which in (name, "all"))
        message = f"rp_filter is strict (1) on {name}: its own value is {own}, that of all is {overall}"
        yield finding(kind, name, message, interface=_written(name))


def forwarding(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Forwarding on a firewall, for each family of its lines. For IPv4 each interface has a parameter of its own."""
    if desired.role != FIREWALL:
        return
    for family in desired.families:
        if facts.parameters.get(_FORWARDING[family]) == "0":
            name = parameter_name(_FORWARDING[family])
            message = f"this firewall does not forward: {name} = 0"
            yield finding("forwarding-off", f"IPv{family}", message, parameter=name)
        elif family == 4:
            for interface, lines in desired.interfaces.items():
                path = f"net/ipv4/conf/{interface}/forwarding"
                if facts.parameters.get(path) == "0" and any(4 in line.families for line in lines):
                    message = f"packets that arrive on {interface} are not forwarded"
                    yield finding("forwarding-off", interface, message, parameter=parameter_name(path))


def arp(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Whether the host answers ARP requests of the gateway (Linux arp_ignore(), net/ipv4/arp.c).

    0, 1 and 3 answer for every alias of the interface, 1 not for one with a peer unless another alias's subnet contains
    it; 2 only senders in the alias's subnet; 8 never; others are 0.
    """
    peers = _with_peer(facts)
    for name, lines in desired.interfaces.items():
        link, value = facts.links.get(name), _effective(facts, name, "arp_ignore")
        if value not in (1, 2, 8) or (link and not link.neighbours):
            continue
        deaf = [address for line in lines for address in _unanswered(line, value, peers)]
        if deaf:
            message = f"arp_ignore is {value}, so the host does not answer gateways that ask for {listed(deaf)}"
            yield finding("arp-ignored", name, message, interface=_written(name))


def _with_peer(facts: Facts) -> frozenset[str]:
    """Return the IPv4 addresses that are in no network of their interface, as those with a peer (inet_ifa_match())."""
    messages = facts.routing.messages["address"] if facts.routing else ()
    own: dict[int, list[str]] = {}
    networks: dict[int, list[Network]] = {}
    for message in messages:
        if message.header["family"] == socket.AF_INET:
            index, network = message.header["index"], f"{message.get('IFA_ADDRESS')}/{message.header['prefixlen']}"
            own.setdefault(index, []).append(message.get("IFA_LOCAL") or message.get("IFA_ADDRESS"))
            networks.setdefault(index, []).append(ipaddress.ip_network(network, strict=False))
    return frozenset(
        address
        for index, addresses in own.items()
        for address in addresses
        if not any(ipaddress.ip_address(address) in network for network in networks[index])
    )


def _unanswered(line: Line, value: int, peers: frozenset[str]) -> list[str]:
    addresses = [text for text in line.addresses if ":" not in text]
    if value == 1:
        return [text for text in addresses if text.partition("/")[0] in peers]
    if value == 8:
        return addresses
    gateways = [text for text in line.gateways if ":" not in text]
    outside = []
    for address, network in zip(addresses, line.networks(4)):
        if any(ipaddress.ip_address(gateway) not in network for gateway in gateways):
            outside.append(address)
    return outside


def shared_subnets(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """ARP of interfaces that share a subnet with another one. For aliases of one interface every value works."""
    others: dict[str, list[str]] = {}
    for one, other in _sharing(desired):
        others.setdefault(one, []).append(other)
        others.setdefault(other, []).append(one)
    for name, sharing in sorted(others.items()):
        with_whom = f"{name} is in one subnet with {listed(sorted(sharing))}"
        answers = _effective(facts, name, "arp_ignore"), _effective(facts, name, "arp_filter")
        if answers == (0, 0):
            message = f"{with_whom}, and also answers for its addresses (arp_ignore is 0)"
            yield finding("arp-answers-twice", name, message, interface=_written(name))
        announce = _effective(facts, name, "arp_announce")
        if announce is not None and announce < 2:
            message = f"{with_whom}, and also sends requests from its addresses (arp_announce is {announce})"
            yield finding("arp-announces-other", name, message, interface=_written(name))


def boot(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Whether the kernel parameters of the role keep their values after a boot: the last file decides."""
    assigned = [(_SAME.get(path, path), setting) for path, setting in facts.boot]
    needed = {_SAME.get(path, path): value for path, value in desired.kernel_parameters.items()}
    if not needed:
        needed = {path: setting.value for path, setting in assigned if setting.file == desired.file}
    if desired.role == FIREWALL:
        needed.update({_FORWARDING[family]: "1" for family in desired.families})
    found: dict[tuple[str, str], Finding] = {}
    for path, value in needed.items():
        having = [(given, setting) for given, setting in assigned if _sets(given, path)]
        given, setting = having[-1] if having else (path, Setting(value, ""))
        # An earlier file does not matter where the role writes the parameter into its own file.
        before = os.path.basename(setting.file) <= os.path.basename(desired.file)
        if setting.value == value or (before and desired.kernel_parameters.get(path) == value):
            continue
        name = parameter_name(given)
        message = f"at boot, {setting.file} sets {name} last: to {setting.value}, not {value}"
        words = {"parameter": name, "file": setting.file, "value": value}
        found.setdefault((given, setting.file), finding("sysctl-overridden", name, message, **words))
    yield from found.values()


def _sets(given: str, path: str) -> bool:
    """Tell whether an assignment to ``given`` sets the parameter ``path``."""
    return given == path or (given.endswith(_CARRIED_OVER) and fnmatch.fnmatch(path, followers(given) or ""))


def networkd(_desired: Desired, facts: Facts) -> Iterator[Finding]:
    """A systemd-networkd that removes foreign objects (networkd.conf(5): both settings are yes by default)."""
    if facts.networkd is None:
        return
    for setting, what in (("ManageForeignRoutes", "routes"), ("ManageForeignRoutingPolicyRules", "policy rules")):
        given = facts.networkd.get(setting)
        if not networkd_facts.is_off(given):
            why = f"{given.file} says {setting}={given.value}" if given else f"{setting} is yes by default"
            message = f"systemd-networkd removes {what} of other owners when it reconfigures an interface: {why}"
            yield finding("networkd-removes-foreign", what, message, setting=setting)


def command(_desired: Desired, facts: Facts) -> Iterator[Finding]:
    """A file of another program in the place of the command."""
    if facts.foreign_command:
        yield finding("command-name-taken", COMMAND, "this file is not one of this collection", path=COMMAND)


def _of(lines: list[Line]) -> str:
    return " and ".join(map(str, lines))


def _written(interface: str) -> str:
    # sysctl writes a dot within an interface's name as "/".
    return interface.replace(".", "/")


def _effective(facts: Facts, interface: str, parameter: str) -> int | None:
    """Return the larger of the interface's value and that of ``all`` (Linux IN_DEV_MAXCONF); None without interface."""
    paths = (f"net/ipv4/conf/{which}/{parameter}" for which in (interface, "all"))
    values = [facts.parameters.get(path, "") for path in paths]
    if not all(value.lstrip("-").isdecimal() for value in values):
        return None
    return max(map(int, values))


def _sharing(desired: Desired) -> list[tuple[str, str]]:
    """Return the pairs of interfaces whose lines have IPv4 addresses in overlapping subnets."""
    networks = {
        name: [network for line in lines for network in line.networks(4)] for name, lines in desired.interfaces.items()
    }
    return [
        (one, other)
        for one, other in itertools.combinations(networks, 2)
        if any(first.overlaps(second) for first in networks[one] for second in networks[other])
    ]
