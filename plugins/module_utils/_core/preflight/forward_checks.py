# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of what becomes of mapped connections in other people's packet filters. Pure.

A chain of nftables that drops has the last word, whatever other chains accept. In iptables an accept in front of a drop
has it, so that the role can let its connections pass by a chain of its own (see forwarding/iptables.py).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..filters.rulesets import Chain, FilterRule, Table
from ..filters.verdicts import Traffic, possible_verdicts
from ..routing.model import MAIN_TABLE
from .catalogue import Finding, finding
from .facts import Facts
from .filter_checks import foreign_chains
from .model import FIREWALL, Wanted

_MAPPED = "-m conntrack --ctstate DNAT -j ACCEPT"


def forwarded(wanted: Wanted, facts: Facts) -> Iterator[Finding]:
    """Packet filters of others that drop what the firewall forwards to its servers."""
    if wanted.role != FIREWALL:
        return
    traffic = Traffic(list(wanted.interfaces), _towards(wanted.servers, facts), wanted.servers)
    for table in facts.filters:
        for chain in foreign_chains(wanted, table) if table.families & set(wanted.families) else ():
            found = possible_verdicts(_with_ours(table, wanted), chain, traffic) if chain.hook == "forward" else set()
            if "drop" in found:
                kind = "forward-filtered" if "accept" in found else "forward-dropped"
                if _can_be_passed(table, chain, facts):
                    kind = f"iptables-{kind}"
                whose = _owner(table)
                message = f"drops {'by its policy' if chain.policy == 'drop' else 'by a rule'} what it does not accept"
                message += f"; it is the filter of {whose}" if whose else ""
                command = _command(table, chain, whose)
                yield finding(kind, f"{table}, chain {chain.name}", message, command=command)


def _with_ours(table: Table, wanted: Wanted) -> Table:
    """Return the table with our own chain as what it is there for: every mapped connection is accepted."""
    name = f"{wanted.table}-forward"
    if name not in table.chains:
        return table
    return replace(table, chains={**table.chains, name: Chain(name, rules=[FilterRule("accept")])})


def _can_be_passed(table: Table, chain: Chain, facts: Facts) -> bool:
    """Tell whether a chain of ours in front of this one can let connections pass, by this host's iptables."""
    # What nft can tell of a table in full, it is asked for; it is iptables' table all the same.
    tool = "iptables" if table.tool == "nft" and table.kind in ("ip", "ip6") else table.tool
    is_filter = (table.name, chain.name) == ("filter", "FORWARD")
    return is_filter and {(tool, family) for family in table.families} <= facts.iptables


def _towards(servers: Sequence[str], facts: Facts) -> list[str]:
    """Return the interfaces by which main leads to the servers, by the longest prefix."""
    routes = [
        (ipaddress.ip_network(item.object.destination), item.object.interface)
        for item in (facts.routing.routes() if facts.routing else ())
        if item.object.table == MAIN_TABLE and item.object.interface
    ]
    found = []
    for server in map(ipaddress.ip_address, servers):
        leading = [(network.prefixlen, name) for network, name in routes if server in network]
        if leading:
            found.append(max(leading)[1])
    return list(dict.fromkeys(found))


def _owner(table: Table) -> str:
    names = " ".join([table.name, *table.chains])
    for word, owner in (("DOCKER", "Docker"), ("ufw", "ufw"), ("firewalld", "firewalld"), ("LIBVIRT", "libvirt")):
        if word in names:
            return owner
    return ""


def _command(table: Table, chain: Chain, owner: str) -> str:
    if table.tool == "nft":
        return f"nft insert rule {table.kind} {table.name} {chain.name} ct status dnat accept"
    if owner == "ufw":
        prefix, file = ("ufw6", "before6.rules") if 6 in table.families else ("ufw", "before.rules")
        return f"in /etc/ufw/{file}, -A {prefix}-before-forward {_MAPPED}; then ufw reload"
    place = "DOCKER-USER" if "DOCKER-USER" in table.chains else chain.name
    return f"{table.kind} -I {place} {_MAPPED}"
