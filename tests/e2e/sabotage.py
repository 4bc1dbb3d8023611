# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults put into a deployed lab by hand, each with the check that has to notice it and what it has to say."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from ..lab.lab import Lab
from ..lab.topology import LAN_CLIENT
from . import checks


@dataclass(frozen=True)
class Fault:
    """One thing taken out on ``host``, by ``command``; ``check`` then says ``symptom``, until the next deployment."""

    host: str
    command: str
    check: Callable[[Lab], list[str]]
    symptom: str

    def inflict(self, lab: Lab) -> None:
        """Take it out; raise LabError if it was not there."""
        lab.exec(self.host, *self.command.split())

    def is_noticed(self, lab: Lab) -> bool:
        """Tell whether the check says so."""
        return any(self.symptom in problem for problem in self.check(lab))


@dataclass(frozen=True)
class LostRule(Fault):
    """A fault of which ``command`` is the comment of a rule of source translation, and its family: ip or ip6."""

    def inflict(self, lab: Lab) -> None:
        """Take the rule out; raise ValueError unless there is one such rule."""
        comment, family = self.command.split()
        chain = ("inet", "multihome", "nat_postrouting")
        listed = json.loads(lab.exec(self.host, "nft", "--json", "list", "chain", *chain).stdout)["nftables"]
        rules = [part["rule"] for part in listed if "rule" in part]
        of_family = [rule for rule in rules if f'"protocol": "{family}"' in json.dumps(rule)]
        (handle,) = [str(rule["handle"]) for rule in of_family if rule.get("comment") == comment]
        lab.exec(self.host, "nft", "delete", "rule", *chain, "handle", handle)


def _services(lab: Lab) -> list[str]:
    return checks.services_answered(lab, timeout=1)


def _lan(lab: Lab) -> list[str]:
    return checks.lan_reaches_aliases(lab, timeout=1)


def _inside(lab: Lab) -> list[str]:
    """A client in an inside network that only main has a route to gets an answer from every alias, directly."""
    problems: list[str] = []
    servers = list(lab.topology.servers)
    for client, network in (("10.250.0.1", "10.250.0.0/24"), ("fd00:250::1", "fd00:250::/64")):
        host = f"{client}/{128 if ':' in client else 32}"
        nodad = ["nodad"] if ":" in client else []
        lab.exec(LAN_CLIENT, "ip", "address", "add", host, "dev", "eth0", *nodad)
        for server in servers:
            lab.exec(server.name, "ip", "route", "add", network, "dev", "eth0")
        try:
            problems += checks.client_reaches_aliases(lab, client, timeout=1)
        finally:
            lab.exec(LAN_CLIENT, "ip", "address", "del", host, "dev", "eth0")
            for server in servers:
                lab.exec(server.name, "ip", "route", "del", network, "dev", "eth0")
    return problems


def _hairpin(lab: Lab) -> list[str]:
    return checks.hairpin(lab, timeout=1)


def _outbound(lab: Lab) -> list[str]:
    return checks.outbound_by_alias(lab, timeout=1)


def _unbound(lab: Lab) -> list[str]:
    return checks.outbound_unbound(lab, timeout=1)


_ELEMENT = "nft delete element inet multihome"

# Unicom is fw-a and has aliases 192.168.168.1 and fd00:168::1, routing table 1001, policy rules 23010;
# interlink is fw-b and has 192.168.168.2, fd00:168::2, 1002, 23020.
# The faults of one group have different symptoms, so that each can be noticed on top of those before it.
GROUPS = {
    "policy rules and tables": (
        Fault("web1", "ip rule del priority 23020", _services, "line interlink, web IPv4"),
        Fault("web1", "ip -6 rule del priority 23020", _services, "line interlink, web IPv6"),
        Fault("web1", "ip route del default table 1001", _services, "line unicom, web IPv4"),
        Fault("web1", "ip -6 route del default table 1001", _services, "line unicom, web IPv6"),
    ),
    "table main": (
        Fault("web1", "ip route del default src 192.168.168.1", _unbound, "web1 IPv4: seen as 198.51.100.20"),
        Fault("web1", "ip -6 route del default via fd00:168::11", _unbound, "web1 IPv6: seen as 2001:db8:b::20"),
        Fault("web1", "ip rule del priority 20000", _inside, "alias 192.168.168.1: 10.250.0.1 gets no answer"),
        Fault("web1", "ip -6 rule del priority 20000", _inside, "alias fd00:168::1: fd00:250::1 gets no answer"),
    ),
    "aliases": (
        Fault("web1", "ip address del 192.168.168.2/24 dev eth0", _services, "line interlink, web IPv4"),
        Fault("web1", "ip address del fd00:168::1/64 dev eth0", _lan, "alias fd00:168::1: the LAN client gets no"),
    ),
    "destination translation and forwarding": (
        Fault(
            "fw-b",
            f"{_ELEMENT} dnat_ipv4_daddr_proto_dport {{ 198.51.100.20 . tcp . 80 }}",
            _services,
            "line interlink, web IPv4",
        ),
        Fault(
            "fw-b",
            f"{_ELEMENT} dnat_ipv6_daddr_proto_dport {{ 2001:db8:b::20 . udp . 53 }}",
            _services,
            "line interlink, query IPv6",
        ),
        Fault(
            "fw-b",
            f"{_ELEMENT} dnat_ipv4_daddr_proto_dports {{ 198.51.100.20 . tcp . 5000-5010 }}",
            _services,
            "line interlink, echo IPv4, tcp://198.51.100.20:5010",
        ),
        Fault("fw-b", "sysctl -w net.ipv4.ip_forward=0", _services, "line interlink, query IPv4"),
        Fault("fw-b", "sysctl -w net.ipv6.conf.all.forwarding=0", _services, "line interlink, web IPv6"),
    ),
    "source translation": (
        LostRule("fw-a", "hairpin ip", _hairpin, "line unicom, web IPv4"),
        LostRule("fw-a", "hairpin ip6", _hairpin, "line unicom, web IPv6"),
        Fault(
            "fw-a",
            f"{_ELEMENT} snat_ipv4_oif_saddr {{ wan0 . 192.168.168.1 }}",
            _outbound,
            "web1 from 192.168.168.1: seen as None",
        ),
        Fault(
            "fw-a",
            f"{_ELEMENT} snat_ipv6_oif_saddr {{ wan0 . fd00:168::1 }}",
            _outbound,
            "web1 from fd00:168::1: seen as None",
        ),
    ),
}
