# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of whether third-party packet filters drop mapped connections. No I/O.

In nftables a drop is final, whatever other chains accept. In iptables an accept before a drop is final, so the role can
accept its connections in a chain of its own (see forwarding/iptables.py).
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
from .model import FIREWALL, Desired

_MAPPED = "-m conntrack --ctstate DNAT -j ACCEPT"


def forwarded(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Third-party packet filters that drop connections from the firewall to its servers."""
    if desired.role != FIREWALL:
        return
    traffic = Traffic(list(desired.interfaces), towards(desired.servers, facts), desired.servers)
    for table in facts.filters:
        for chain in foreign_chains(desired, table) if table.families & set(desired.families) else ():
            found = (
                possible_verdicts(with_own_chain(table, desired), chain, traffic) if chain.hook == "forward" else set()
            )
            if "drop" in found:
                kind = "forward-filtered" if "accept" in found else "forward-dropped"
                if can_be_passed(table, chain, facts):
                    kind = f"iptables-{kind}"
                whose = table.owner
                message = (
                    f"{'its policy' if chain.policy == 'drop' else 'a rule'} drops packets that it does not accept"
                )
                message += f"; {whose} manages it" if whose else ""
                command = _command(table, chain, whose)
                yield finding(kind, f"{table}, chain {chain.name}", message, command=command)


def own_ports(desired: Desired, _facts: Facts) -> Iterator[Finding]:
    """Ports that the firewall itself needs and that lead to a server."""
    for taken in desired.taken_ports:
        label = f" ({taken.name})" if taken.name else ""
        message = f"port {taken.port} leads to {taken.server}{label}, and no longer to the firewall itself"
        yield finding("own-port-mapped", taken.address, message)


def name_servers(desired: Desired, _facts: Facts) -> Iterator[Finding]:
    """Zones whose name servers are all on the lines."""
    for zone in desired.zones_on_lines_only:
        yield finding("name-servers-on-lines-only", zone, "it has no name server elsewhere")


def with_own_chain(table: Table, desired: Desired) -> Table:
    """Return the table with our own chain in its final form: it accepts every connection that it is for."""
    name = f"{desired.table}-forward"
    if name not in table.chains:
        return table
    return replace(table, chains={**table.chains, name: Chain(name, rules=[FilterRule("accept")])})


def can_be_passed(table: Table, chain: Chain, facts: Facts) -> bool:
    """Tell whether this host's iptables can accept connections in a chain before this one."""
    # Where nft can show a table in full, nft reads it; it is a table of iptables nevertheless.
    tool = "iptables" if table.tool == "nft" and table.kind in ("ip", "ip6") else table.tool
    is_filter = (table.name, chain.name) == ("filter", "FORWARD")
    return is_filter and {(tool, family) for family in table.families} <= facts.iptables


def towards(servers: Sequence[str], facts: Facts) -> list[str]:
    """Return the interfaces of main's routes to the servers, by the longest prefix."""
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


def _command(table: Table, chain: Chain, owner: str) -> str:
    if table.tool == "nft":
        return f"nft insert rule {table.kind} {table.name} {chain.name} ct status dnat accept"
    if owner == "ufw":
        prefix, file = ("ufw6", "before6.rules") if 6 in table.families else ("ufw", "before.rules")
        return f"in /etc/ufw/{file}, -A {prefix}-before-forward {_MAPPED}; then ufw reload"
    place = "DOCKER-USER" if "DOCKER-USER" in table.chains else chain.name
    return f"{table.kind} -I {place} {_MAPPED}"
