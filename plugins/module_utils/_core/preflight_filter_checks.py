# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of other people's packet filters and of what the kernel can do, one function each. Pure."""

from __future__ import annotations

import fnmatch
import ipaddress
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .model import MAIN_TABLE
from .preflight_catalogue import Finding, finding
from .preflight_facts import Facts
from .preflight_filters import Chain, FilterRule, MarkWrite, Match, Table
from .preflight_model import FIREWALL, Wanted

# What a connection that is mapped to a server is, when its first packet is forwarded.
_STATES = frozenset(("new", "dnat"))
_ICMP = frozenset(("icmp", "icmpv6", "ipv6-icmp", "1", "58"))
_MAPPED = "-m conntrack --ctstate DNAT -j ACCEPT"


def kernel_features(wanted: Wanted, facts: Facts) -> Iterator[Finding]:
    """What the role needs of the kernel."""
    for option, there in facts.features.items():
        needed = "MULTIPLE_TABLES" in option or wanted.filters_packets
        if option == "IPV6_MULTIPLE_TABLES" and 6 not in wanted.families:
            continue
        if needed and there is False:
            message = f"this kernel was built without CONFIG_{option}, or its module is not installed"
            yield finding("kernel-feature-missing", option, message, option=f"CONFIG_{option}")


def legacy_iptables(_wanted: Wanted, facts: Facts) -> Iterator[Finding]:
    """Rules of iptables-legacy; its tables alone, which a mere look at them makes, do no harm."""
    for table in facts.filters:
        if table.tool != "iptables-legacy":
            continue
        rules = sum(len(chain.rules) for chain in table.chains.values())
        policies = [chain.name for chain in table.chains.values() if chain.policy == "drop"]
        if rules or policies:
            said = [f"{rules} rules"] if rules else []
            said += [f"policy DROP of {name}" for name in policies]
            yield finding("legacy-iptables", str(table), f"it has {' and '.join(said)}")


def marks(wanted: Wanted, facts: Facts) -> Iterator[Finding]:
    """Rules of others that write mark bits of ours: one finding for all of a chain with the same consequence."""
    if not wanted.uses_marks:
        return
    for table in facts.filters:
        for chain in _foreign_chains(wanted, table):
            writes = [write for rule in chain.rules for write in rule.marks if write.bits & wanted.mark_mask]
            taken = [write for write in writes if _is_a_line(wanted, write)]
            for kind, found in (("mark-in-use", taken), ("mark-bits-shared", [w for w in writes if w not in taken])):
                if found:
                    said = ", ".join(dict.fromkeys(_written(write) for write in found))
                    message = f"writes {said}, of which 0x{wanted.mark_mask:x} is ours"
                    yield finding(kind, f"{table}, chain {chain.name}", message, mask=wanted.mark_mask)


def _is_a_line(wanted: Wanted, write: MarkWrite) -> bool:
    bits = write.bits & wanted.mark_mask
    return write.value is not None and any(wanted.mark_of(line) & bits == write.value & bits for line in wanted.lines)


def _written(write: MarkWrite) -> str:
    value = "a mark of its own reckoning" if write.value is None else f"mark 0x{write.value:x}"
    return f"{value} in the bits 0x{write.bits:x}"


@dataclass(frozen=True)
class _Way:
    """What is known of mapped connections: by which interfaces they come in and leave, and where they go."""

    in_interfaces: Sequence[str]
    out_interfaces: Sequence[str]
    servers: Sequence[str]


def forwarded(wanted: Wanted, facts: Facts) -> Iterator[Finding]:
    """Packet filters of others that drop what the firewall forwards to its servers."""
    if wanted.role != FIREWALL:
        return
    way = _Way(list(wanted.interfaces), _towards(wanted.servers, facts), wanted.servers)
    for table in facts.filters:
        families = table.families & set(wanted.families)
        for chain in _foreign_chains(wanted, table) if families else ():
            fates = _fates(table, chain, way, frozenset((chain.name,))) if chain.hook == "forward" else set()
            if "drop" in fates:
                kind = "forward-filtered" if "accept" in fates else "forward-dropped"
                whose = _owner(table)
                message = f"drops {'by its policy' if chain.policy == 'drop' else 'by a rule'} what it does not accept"
                message += f"; it is the filter of {whose}" if whose else ""
                command = _command(table, chain, whose)
                yield finding(kind, f"{table}, chain {chain.name}", message, command=command)


def _towards(servers: Sequence[str], facts: Facts) -> list[str]:
    """Return the interfaces by which main leads to the servers, by the longest prefix."""
    routes = [
        (ipaddress.ip_network(item.object.destination), item.object.interface)
        for item in (facts.routing.existing("route") if facts.routing else ())
        if item.object.table == MAIN_TABLE and item.object.interface
    ]
    found = []
    for server in map(ipaddress.ip_address, servers):
        leading = [(network.prefixlen, name) for network, name in routes if server in network]
        if leading:
            found.append(max(leading)[1])
    return list(dict.fromkeys(found))


def _foreign_chains(wanted: Wanted, table: Table) -> list[Chain]:
    if table.tool == "nft":
        return [] if (table.kind, table.name) == ("inet", wanted.table) else list(table.chains.values())
    return [chain for chain in table.chains.values() if not chain.name.lower().startswith(wanted.table.lower())]


def _fates(table: Table, chain: Chain, way: _Way, visited: frozenset[str]) -> set[str]:
    """Return all that may become of mapped connections in a chain: accept, drop, or pass on to the next rule.

    A rule that drops some of them means to, and is left out.
    """
    policy = chain.policy or ("accept" if chain.hook else "pass")
    fates: set[str] = set()
    for rule in chain.rules:
        meets = _meets(rule, way)
        verdicts = _verdicts(table, rule, way, visited) if meets != "never" else {"pass"}
        if meets == "sometimes" and verdicts == {"drop"}:
            continue
        fates |= {policy if verdict == "return" else verdict for verdict in verdicts - {"pass"}}
        if meets == "always" and "pass" not in verdicts:
            return fates
    return fates | {policy}


def _verdicts(table: Table, rule: FilterRule, way: _Way, visited: frozenset[str]) -> set[str]:
    """Return what a rule may do with what it meets; ``pass`` is to go on with the next one."""
    if rule.verdict == "other":
        return {"accept", "drop"}
    if rule.verdict not in ("jump", "goto"):
        return {rule.verdict or "pass"}
    target = table.chains.get(rule.target)
    # A target that is no chain (LOG, MARK) ends nothing; one that was visited is a loop no kernel accepts.
    if target is None or target.name in visited:
        return {"pass"}
    fates = _fates(table, target, way, visited | {target.name})
    # Whoever goes to a chain does not come back from it.
    return {"return" if fate == "pass" and rule.verdict == "goto" else fate for fate in fates}


def _meets(rule: FilterRule, way: _Way) -> str:
    """Tell whether a rule meets mapped connections: always, sometimes or never."""
    answers = {_holds(match, way) for match in rule.matches}
    return "never" if "never" in answers else "sometimes" if "sometimes" in answers else "always"


def _holds(match: Match, way: _Way) -> str:
    if match.what in ("in_interface", "out_interface"):
        names = way.in_interfaces if match.what == "in_interface" else way.out_interfaces
        return _of_all(names, match, lambda name: any(fnmatch.fnmatchcase(name, value) for value in match.values))
    if match.what == "destination":
        networks = [ipaddress.ip_network(value, strict=False) for value in match.values]
        return _of_all(way.servers, match, lambda text: any(ipaddress.ip_address(text) in net for net in networks))
    if match.what in ("state", "status"):
        hit = bool(match.values & _STATES)
        return "always" if hit != match.negated else "never"
    if match.what == "protocol" and match.values <= _ICMP and not match.negated:
        return "never"
    return "sometimes"


def _of_all(values: Sequence[str], match: Match, hit: Callable[[str], bool]) -> str:
    """Tell whether a match holds for all values, some or none; with no values known, it may."""
    hits = {hit(value) != match.negated for value in values}
    return "always" if hits == {True} else "never" if hits == {False} else "sometimes"


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
