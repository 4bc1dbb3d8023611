# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of third-party translations, and of filters that drop connections from inside. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import fields
from ..filters.rulesets import Table
from ..filters.verdicts import INITIATED_INSIDE, Traffic, possible_verdicts
from ..nat.coverage import untranslated as uncovered
from ..nat.foreign import FIRST, UNKNOWN, foreign_translations
from ..nat.model import NatRule
from ..routing.model import MAIN_TABLE
from .catalogue import Finding, finding
from .facts import Facts
from .filter_checks import foreign_chains
from .forward_checks import can_be_passed, towards, with_own_chain
from .model import FIREWALL, Desired

_DECLARE = "add them to multihome_networks, or to isp_firewall_networks without the lists"
_KINDS = {FIRST: "translation-taken", UNKNOWN: "translation-contested"}


def translations(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Third-party translations of connections that an entry of nat_rules is for."""
    for taken in foreign_translations(facts.filters, desired.nat_rules, facts.nat_backend, desired.table):
        kind = _KINDS.get(taken.order, "translation-preceded")
        yield finding(kind, taken.place, taken.message, owner=taken.owner or "the program that wrote it")


def outgoing(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Third-party packet filters that drop connections which servers or clients inside initiate."""
    if desired.role != FIREWALL:
        return
    leaving = [rule for rule in desired.nat_rules if rule.type in ("snat", "masquerade") and rule.out_interface]
    lines = [rule for rule in leaving if rule.out_interface in desired.interfaces]
    for table in facts.filters:
        own = [rule for rule in lines if rule.family in table.families]
        for chain in foreign_chains(desired, table) if own else ():
            if chain.hook != "forward":
                continue
            traffic = Traffic(_arriving_by(own, facts), _names(own), states=INITIATED_INSIDE)
            found = possible_verdicts(with_own_chain(table, desired), chain, traffic)
            if "drop" not in found:
                continue
            kind = "outgoing-filtered" if "accept" in found else "outgoing-dropped"
            if can_be_passed(table, chain, facts):
                kind = f"iptables-{kind}"
            message = f"{'its policy' if chain.policy == 'drop' else 'a rule'} drops new connections to the lines"
            message += f" by {', '.join(_names(own))}"
            message += f"; {table.owner} manages it" if table.owner else ""
            command = _command(table, chain.name, traffic)
            yield finding(kind, f"{table}, chain {chain.name}", message, command=command)


def untranslated(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Networks inside from which something leaves with the source that it has."""
    if desired.role != FIREWALL:
        return
    for network in desired.translated_networks:
        family = fields.family_of(network)
        lines = {line.interface: str(line) for line in desired.lines if family in line.families}
        for interface, line in lines.items():
            rest = uncovered(desired.nat_rules, interface, network)
            if rest:
                what = "all of it" if rest == [network] else fields.listed(rest)
                message = f"leaves by {interface} ({line}) untranslated: {what}"
                yield finding("leaves-untranslated", network, message, remedy=_DECLARE)
        for interface in _other_ways_out(family, desired, facts):
            if uncovered(desired.nat_rules, interface, network):
                message = f"may leave by {interface} untranslated: main has a default route there, and it is no line's"
                remedy = f"declare the line of {interface}, or remove the route"
                yield finding("leaves-untranslated", network, message, remedy=remedy)


def _other_ways_out(family: int, desired: Desired, facts: Facts) -> list[str]:
    """Return the interfaces of main's default routes that are no line's."""
    routes = [item.object for item in facts.routing.routes()] if facts.routing else []
    found = [
        hop.interface
        for route in routes
        if (route.table, route.family, route.type) == (MAIN_TABLE, family, "unicast")
        and fields.is_everything(route.destination)
        for hop in route.nexthops or (route,)
    ]
    return [name for name in dict.fromkeys(found) if name and name not in desired.interfaces]


def _names(rules: list[NatRule]) -> list[str]:
    return list(dict.fromkeys(str(rule.out_interface) for rule in rules))


def _arriving_by(rules: list[NatRule], facts: Facts) -> list[str]:
    """Return the interfaces towards the sources of the entries."""
    sources = dict.fromkeys(rule.source.partition("/")[0] for rule in rules if rule.source)
    return towards(list(sources), facts)


def _command(table: Table, chain: str, traffic: Traffic) -> str:
    inside, outside = list(traffic.in_interfaces) or ["INSIDE"], traffic.out_interfaces
    if table.owner == "firewalld":
        return _firewalld_commands(inside, outside)
    if table.tool == "nft":
        quoted = ", ".join(f'"{name}"' for name in inside), ", ".join(f'"{name}"' for name in outside)
        match = f"iifname {{ {quoted[0]} }} oifname {{ {quoted[1]} }}"
        return f"nft insert rule {table.kind} {table.name} {chain} {match} accept"
    return f"{table.kind} -I {chain} -i {inside[0]} -o {outside[0]} -j ACCEPT"


def _firewalld_commands(inside: Sequence[str], outside: Sequence[str]) -> str:
    """Return the commands of a policy between the zones. Interfaces without a zone of their own pass no policy."""
    zones = [("internal", name) for name in inside] + [("public", name) for name in outside]
    permanent = "firewall-cmd --permanent"
    assigned = [f"{permanent} --zone={zone} --change-interface={name}" for zone, name in zones]
    policy = f"{permanent} --policy=multihome-out"
    commands = [f"{permanent} --new-policy=multihome-out", f"{policy} --set-target=ACCEPT"]
    for option, names in (("ingress", inside), ("egress", outside)):
        commands += [f'{policy} --add-{option}-zone="$(firewall-cmd --get-zone-of-interface={name})"' for name in names]
    reload = "firewall-cmd --reload"
    return (
        f"unless the interfaces have zones, and different ones: {'; '.join([*assigned, reload])}; "
        f"then: {'; '.join([*commands, reload])}"
    )
