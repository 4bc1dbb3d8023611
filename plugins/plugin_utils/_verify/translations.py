# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""Whether what clients and servers initiate leaves a firewall with a public address of the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._declaration.model import Declaration
from .._firewall import nat
from .._firewall import variables as firewall
from .._roles.module_lists import NatRule

REMEDY = "deploy the host again, and look for another program that changes its translations"


def hosts(declaration: Declaration) -> list[str]:
    """The firewalls that are asked: all, where there are networks of clients."""
    return sorted({line.firewall for line in declaration.lines if line.firewall}) if declaration.networks else []


def _rules(declaration: Declaration, host: str) -> list[NatRule]:
    return nat.nat_rules(
        firewall.lines(declaration, host),
        snat=firewall.snat(declaration, host),
        networks=firewall.networks(declaration, host),
    )


def expected(declaration: Declaration, host: str) -> list[NatRule]:
    """The source translations of a firewall."""
    return [rule for rule in _rules(declaration, host) if rule["type"] == "snat"]


def _exempts_sources(rule: Mapping[str, object]) -> bool:
    """Whether an entry keeps the source of what it matches."""
    return rule.get("type") == "exempt" and rule.get("keeps") != "destination" and not rule.get("in_interface")


def _source_match(rule: Mapping[str, object]) -> tuple[object, ...]:
    """What an entry matches."""
    return tuple(rule.get(name) for name in ("source", "destination", "out_interface", "protocol"))


def faults(declaration: Declaration, host: str, found: object) -> list[str]:
    """Sources that leave untranslated, or with another address, by the list ``nat_rules`` of multihome_info."""
    if not isinstance(found, Sequence) or isinstance(found, str):
        return [f"{host}: its translations are not known: see its messages above"]
    leaving = {
        (rule.get("source"), rule.get("out_interface")): rule.get("to_address")
        for rule in found
        if isinstance(rule, Mapping) and rule.get("type") == "snat"
    }
    wrong = []
    exempt = {_source_match(rule) for rule in _rules(declaration, host) if rule["type"] == "exempt"}
    others = [rule for rule in found if isinstance(rule, Mapping) and _exempts_sources(rule)]
    for rule in others:
        if _source_match(rule) not in exempt:
            what = rule.get("source") or "whatever it forwards"
            where = f" to {rule['destination']}" if rule.get("destination") else ""
            wrong.append(f"{host}: {what} leaves{where} untranslated by an exemption that is not declared: {REMEDY}")
    for rule in expected(declaration, host):
        public = leaving.get((rule["source"], rule["out_interface"]))
        if public != rule["to_address"]:
            how = "untranslated" if public is None else f"as {public}, not as {rule['to_address']}"
            wrong.append(f"{host}: {rule['source']} leaves by {rule['out_interface']} {how}: {REMEDY}")
    return wrong
