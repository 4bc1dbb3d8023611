# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts that preflight checks, read once: each kind by one dump. Nothing is written; link_probe.py sends packets.

A fact that cannot be read is recorded with the reason, and the rest is read nevertheless.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .. import fields
from ..errors import ReadFailed, Unsupported
from ..filters.iptables import Iptables
from ..filters.reader import read_filters, run
from ..filters.rulesets import Table
from ..host import boot_configuration, kernel_features, networkd_facts, requirements
from ..host.boot_configuration import Setting
from ..host.files import Files
from ..host.installed_paths import COMMAND, is_foreign
from ..host.kernel_parameters import System
from ..routing import rtnetlink_mapping
from ..routing.executor import Executor
from ..routing.foreseen import foreseen_host, indexes_with
from ..routing.reply_model import Finding as ReplyFinding
from ..routing.reply_model import Reply
from ..routing.reply_paths import check_replies
from ..routing.settled import settled_tables
from ..routing.snapshot import Snapshot
from .link_probe import Answers, Questions, Target, ask
from .model import Desired

# linux/sockios.h, linux/if.h, linux/if_arp.h
_GET_FLAGS, _GET_HARDWARE = 0x8913, 0x8927
_UP, _LOOPBACK, _RUNNING, _NO_ARP = 0x01, 0x08, 0x40, 0x80
_ETHERNET = 1
_REQUEST = struct.Struct("16sH14s")


@dataclass(frozen=True)
class Link:
    """An interface: whether it is up, has a carrier, and has neighbours to resolve (ppp0 has none)."""

    up: bool
    running: bool
    neighbours: bool = True
    hardware: str = ""


@dataclass(frozen=True)
class Facts:
    """The facts of a host. ``routing`` is None when it cannot be read; ``not_checked`` is (subject, reason).

    ``parameters``: path below /proc/sys to value; ``boot``: the same in the order set at boot; ``networkd``: its
    settings, None when it does not run; ``networkd_knows``: the relevant settings that it supports; ``features``:
    kernel options, None when unknown; ``asked``: the gateways that a request was sent to; ``iptables``: the filter
    tables, (tool, family) as in Table, that this host's iptables manages; ``replies``: what path_info finds about them;
    ``alternative_names``: those of interfaces, each with the interface's own name; ``foreign_command``: whether
    another program has a file in the place of the command.
    """

    links: Mapping[str, Link] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    boot: Sequence[tuple[str, Setting]] = ()
    routing: Snapshot | None = None
    filters: Sequence[Table] = ()
    iptables: frozenset[tuple[str, int]] = frozenset()
    nat_backend: str = "nftables"
    networkd: Mapping[str, Setting] | None = None
    networkd_knows: Sequence[str] = ()
    features: Mapping[str, bool | None] = field(default_factory=dict)
    asked: Sequence[Target] = ()
    answers: Answers = field(default_factory=Answers)
    replies: Sequence[ReplyFinding] = ()
    alternative_names: Mapping[str, str] = field(default_factory=dict)
    foreign_command: bool = False
    not_checked: Sequence[tuple[str, str]] = ()


def gather(desired: Desired, executor: Executor | None = None, root: str = "/") -> Facts:
    """Return the facts that the checks of ``desired`` need; raises nothing because of the host's state."""
    missing: list[tuple[str, str]] = []
    links = read_links()
    routing = read_routing(executor or Executor(), missing)
    own_names = alternative_names(routing)
    links.update({name: links[own] for name, own in own_names.items() if own in links and name not in links})
    features = kernel_features.kernel_features(root)
    filters: list[Table] = []
    if desired.filters_packets or desired.auto_reply:
        # Where no packet is marked yet, nothing is lacking when there is no packet filter.
        unread = missing if desired.filters_packets else []
        filters = read_filters(run, features, unread, os.path.join(root, "proc/net"))
    networkd = networkd_facts.networkd_process(os.path.join(root, "proc"))
    questions = questions_of(desired, links, routing)
    answers = ask(questions, desired.probe_timeout)
    replies = read_replies(desired, routing, missing)
    missing += [(name, f"cannot send requests to neighbours: {reason}") for name, reason in answers.unasked.items()]
    return Facts(
        links=links,
        parameters=read_parameters(desired, System()),
        boot=boot_configuration.boot_parameters(root),
        routing=routing,
        alternative_names=own_names,
        filters=filters,
        iptables=iptables_in_charge(filters, Iptables()),
        nat_backend=_nat_backend(desired.nat_backend),
        networkd=networkd_facts.networkd_settings(root) if networkd else None,
        networkd_knows=networkd_facts.networkd_knows(networkd) if networkd else (),
        features=features,
        asked=[t for t in questions.gateways if t[0] not in answers.unasked] if desired.probe_timeout > 0 else [],
        answers=answers,
        replies=replies,
        foreign_command=is_foreign(Files(root), COMMAND),
        not_checked=missing,
    )


def read_links() -> dict[str, Link]:
    """Return the interfaces of this network namespace."""
    found = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _index, name in socket.if_nameindex():
            request = _REQUEST.pack(os.fsencode(name), 0, b"")
            try:
                flags = _REQUEST.unpack(fcntl.ioctl(any_socket, _GET_FLAGS, request))[1]
                kind, address = _REQUEST.unpack(fcntl.ioctl(any_socket, _GET_HARDWARE, request))[1:]
            except OSError:
                # It was removed meanwhile.
                continue
            neighbours = not flags & (_NO_ARP | _LOOPBACK)
            hardware = address[:6].hex(":") if kind == _ETHERNET else ""
            found[name] = Link(bool(flags & _UP), bool(flags & _RUNNING), neighbours, hardware)
    return found


def read_parameters(desired: Desired, system: System) -> dict[str, str]:
    """Return the kernel parameters that matter to the lines' interfaces, those that this kernel has."""
    names = ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"]
    for interface in ("all", *desired.interfaces):
        names += [f"net/ipv4/conf/{interface}/{name}" for name in ("rp_filter", "arp_ignore", "arp_announce")]
        names += [f"net/ipv4/conf/{interface}/{name}" for name in ("arp_filter", "forwarding")]
        names.append(f"net/ipv6/conf/{interface}/disable_ipv6")
    found = {}
    for name in names:
        try:
            found[name] = system.get(name)
        except OSError:
            # No such interface, or no IPv6: the checks notice that it is missing.
            continue
    return found


def read_routing(executor: Executor, missing: list[tuple[str, str]]) -> Snapshot | None:
    """Return the addresses, routes and policy rules, or None with the reason added to ``missing``."""
    try:
        return executor.read("address", "route", "rule", "link")
    except (Unsupported, ReadFailed) as error:
        missing.append(("addresses, routes and policy rules", str(error)))
        return None


def alternative_names(routing: Snapshot | None) -> Mapping[str, str]:
    """Return the alternative names of interfaces, each with the own name."""
    return routing.alternative_names if routing and "link" in routing.messages else {}


def read_replies(desired: Desired, routing: Snapshot | None, missing: list[tuple[str, str]]) -> Sequence[ReplyFinding]:
    """Return the replies that do not leave by their line: asked of the kernel, computed where this run changes them."""
    if routing is None or not desired.replies:
        return ()
    # With auto_reply the caller may keep rules by mark that are not in its lists yet.
    purge = desired.purge and not desired.auto_reply
    tables = settled_tables(desired.routing, routing, desired.protocol, purge)
    settled = [reply for reply in desired.replies if reply.table in tables]
    others = [reply for reply in desired.replies if reply.table not in tables]
    try:
        found = check_replies(settled, desired.inside_networks, desired.protocol) if settled else []
        return [*found, *_foreseen_replies(desired, routing, purge, others)]
    except ReadFailed as error:
        missing.append(("the way of replies", str(error)))
        return ()


def _foreseen_replies(
    desired: Desired, routing: Snapshot, purge: bool, replies: Sequence[Reply]
) -> Sequence[ReplyFinding]:
    """Return what would take these replies once the lists are applied."""
    held = [(line.interface, text) for line in desired.lines for text in line.addresses if text not in line.not_held]
    routes = [entry.object for entry in desired.routing.routes or ()]
    names = (name for route in routes for name in rtnetlink_mapping.interfaces_of(route))
    indexes = indexes_with(routing.interfaces, (*names, *(name for name, _text in held)))
    host = foreseen_host(desired.routing, routing, desired.protocol, purge, held, indexes) if replies else None
    if host is None:
        return ()
    return check_replies(replies, desired.inside_networks, desired.protocol, lambda: host, lambda: indexes)


def iptables_in_charge(tables: Sequence[Table], iptables: Iptables) -> frozenset[tuple[str, int]]:
    """Return (tool, family) of the filter tables that this host's iptables reads and writes."""
    found = set()
    for family in sorted(
        {f for table in tables if table.name == "filter" and "FORWARD" in table.chains for f in table.families}
    ):
        try:
            iptables.read(family, "filter")
            found.add(("iptables-legacy" if iptables.variant(family) == "legacy" else "iptables", family))
        except (Unsupported, ReadFailed):
            continue
    return frozenset(found)


def _nat_backend(wanted: str) -> str:
    """Return the packet filter that nat_rules will use."""
    if wanted != "auto":
        return wanted
    return "nftables" if requirements.tool("nft") is not None or requirements.tool("iptables") is None else "iptables"


def questions_of(desired: Desired, links: Mapping[str, Link], routing: Snapshot | None) -> Questions:
    """Return whom to send requests to: every gateway, and every IPv4 address that the host will get."""
    own: dict[str, list[str]] = {}
    for item in routing.addresses() if routing else ():
        own.setdefault(item.object.interface, []).append(item.object.address)
    held = {address.partition("/")[0] for addresses in own.values() for address in addresses}
    lines = [line for line in desired.lines if _has_neighbours(links.get(line.interface))]
    gateways = [(line.interface, gateway) for line in lines for gateway in line.gateways if gateway not in held]
    future = [
        (line.interface, address.partition("/")[0])
        for line in lines
        for address in line.addresses
        if address not in line.not_held
    ]
    senders = {(name, gateway): _sender(gateway, own.get(name, ())) for name, gateway in gateways}
    return Questions(
        list(dict.fromkeys(gateways)),
        # Without the addresses of the host nobody knows which ones are new.
        [(n, a) for n, a in dict.fromkeys(future) if routing and fields.family_of(a) == 4 and a not in held],
        {target: sender for target, sender in senders.items() if sender},
        {name: link.hardware for name, link in links.items() if link.hardware},
    )


def _has_neighbours(link: Link | None) -> bool:
    """Tell whether requests can be sent on an interface."""
    return link is not None and link.running and link.neighbours


def _sender(gateway: str, addresses: Sequence[str]) -> str:
    """Return the first of the host's addresses on an interface whose network contains the gateway, else nothing."""
    parsed = ipaddress.ip_address(gateway)
    own = map(ipaddress.ip_interface, addresses)
    return next((str(interface.ip) for interface in own if parsed in interface.network), "")
