# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: may change or be removed without notice.

"""The translations of a firewall: whether all leaves with a public address of the line, and whether others take any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...module_utils._core.fields import family_of
from .._declaration.model import Declaration
from .._firewall import nat
from .._firewall import variables as firewall
from .._input.addresses import contains
from .._roles.module_lists import NatRule

REMEDY = "deploy the host again, and look for another program that changes its translations"
FIRST = "first"


def hosts(declaration: Declaration, expect_down: Sequence[str]) -> list[str]:
    """The firewalls that are asked: all but those whose lines are all expected to be down."""
    return sorted({line.firewall for line in declaration.lines if line.firewall and line.name not in expect_down})


def taken(host: str, found: object) -> tuple[list[str], list[str]]:
    """The translations of other programs that take connections, and those that may take some.

    ``found`` is the list ``taken_translations`` of multihome_info, false where the host could not be asked.
    """
    if not isinstance(found, Sequence) or isinstance(found, str):
        return [f"{host}: translations of other programs are not known: see its messages above"], []
    certain, possible = list[str](), list[str]()
    for one in found:
        if isinstance(one, Mapping):
            texts = certain if one.get("order") == FIRST else possible
            texts.append(f"{host}: {one.get('message')}; remedy: {one.get('remedy')}")
    return certain, possible


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


def _decides(rule: Mapping[str, object], expected: NatRule) -> bool:
    """Whether an entry matches all packets that an expected one is for. One for some of them is a wanted exception."""
    if any(rule.get(name) for name in ("protocol", "destination", "source_port", "destination_port")):
        return False
    if rule.get("out_interface") not in (None, expected["out_interface"]):
        return False
    source = rule.get("source")
    if source is None:
        family = 6 if rule.get("family") == "ipv6" else family_of(str(rule.get("to_address", "")))
        return family == family_of(expected["source"])
    return contains(str(source), expected["source"])


def faults(declaration: Declaration, host: str, found: object) -> list[str]:
    """Sources that leave untranslated, or with another address, by the list ``nat_rules`` of multihome_info.

    They are judged where there are networks of clients.
    """
    if not declaration.networks:
        return []
    if not isinstance(found, Sequence) or isinstance(found, str):
        return [f"{host}: its translations are not known: see its messages above"]
    leaving = [rule for rule in found if isinstance(rule, Mapping) and rule.get("type") in ("snat", "masquerade")]
    wrong = []
    exempt = {_source_match(rule) for rule in _rules(declaration, host) if rule["type"] == "exempt"}
    others = [rule for rule in found if isinstance(rule, Mapping) and _exempts_sources(rule)]
    for rule in others:
        if _source_match(rule) not in exempt:
            what = rule.get("source") or "whatever it forwards"
            where = f" to {rule['destination']}" if rule.get("destination") else ""
            wrong.append(f"{host}: {what} leaves{where} untranslated by an exemption that is not declared: {REMEDY}")
    for rule in expected(declaration, host):
        # The first that matches decides.
        public = next((one.get("to_address", "the interface's own") for one in leaving if _decides(one, rule)), None)
        if public != rule["to_address"]:
            how = "untranslated" if public is None else f"as {public}, not as {rule['to_address']}"
            wrong.append(f"{host}: {rule['source']} leaves by {rule['out_interface']} {how}: {REMEDY}")
    return wrong
