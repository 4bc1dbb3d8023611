# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a connection in somebody's packet filter, as far as it can be told without the packet. Pure."""

from __future__ import annotations

import fnmatch
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .rulesets import Chain, FilterRule, Match, Table

_ICMP = frozenset(("icmp", "icmpv6", "ipv6-icmp", "1", "58"))
# What the first packet of a connection is when it is forwarded: mapped to a server, or begun inside.
MAPPED = frozenset(("new", "dnat"))
BEGUN_INSIDE = frozenset(("new",))


@dataclass(frozen=True)
class Way:
    """What is known of connections: by which interfaces they come in and leave, where they go, what they are.

    An empty list says that nothing is known.
    """

    in_interfaces: Sequence[str] = ()
    out_interfaces: Sequence[str] = ()
    destinations: Sequence[str] = ()
    states: frozenset[str] = MAPPED


def fates(table: Table, chain: Chain, way: Way, visited: frozenset[str] = frozenset()) -> set[str]:
    """Return all that may become of connections in a chain: accept, drop, or pass on to the next rule.

    A rule that drops some of them means to, and is left out. ``visited`` are the chains that led to this one.
    """
    visited |= {chain.name}
    policy = chain.policy or ("accept" if chain.hook else "pass")
    found: set[str] = set()
    for rule in chain.rules:
        meets = _meets(rule, way)
        verdicts = _verdicts(table, rule, way, visited) if meets != "never" else {"pass"}
        if meets == "sometimes" and verdicts == {"drop"}:
            continue
        found |= {policy if verdict == "return" else verdict for verdict in verdicts - {"pass"}}
        if meets == "always" and "pass" not in verdicts:
            return found
    return found | {policy}


def _verdicts(table: Table, rule: FilterRule, way: Way, visited: frozenset[str]) -> set[str]:
    """Return what a rule may do with what it meets; ``pass`` is to go on with the next one."""
    if rule.verdict == "other":
        return {"accept", "drop"}
    if rule.verdict not in ("jump", "goto"):
        return {rule.verdict or "pass"}
    target = table.chains.get(rule.target)
    # A target that is no chain (LOG, MARK) ends nothing; one that was visited is a loop no kernel accepts.
    if target is None or target.name in visited:
        return {"pass"}
    # Whoever goes to a chain does not come back from it.
    return {
        "return" if fate == "pass" and rule.verdict == "goto" else fate for fate in fates(table, target, way, visited)
    }


def _meets(rule: FilterRule, way: Way) -> str:
    """Tell whether a rule meets such connections: always, sometimes or never."""
    answers = {_holds(match, way) for match in rule.matches}
    return "never" if "never" in answers else "sometimes" if "sometimes" in answers else "always"


def _holds(match: Match, way: Way) -> str:
    if match.what in ("in_interface", "out_interface"):
        names = way.in_interfaces if match.what == "in_interface" else way.out_interfaces
        return _of_all(names, match, lambda name: any(fnmatch.fnmatchcase(name, value) for value in match.values))
    if match.what == "destination":
        networks = [ipaddress.ip_network(value, strict=False) for value in match.values]
        return _of_all(way.destinations, match, lambda text: any(ipaddress.ip_address(text) in net for net in networks))
    if match.what in ("state", "status"):
        hit = bool(match.values & way.states)
        return "always" if hit != match.negated else "never"
    if match.what == "protocol" and match.values <= _ICMP and not match.negated:
        return "never"
    return "sometimes"


def _of_all(values: Sequence[str], match: Match, hit: Callable[[str], bool]) -> str:
    """Tell whether a match holds for all values, some or none; with no values known, it may."""
    hits = {hit(value) != match.negated for value in values}
    return "always" if hits == {True} else "never" if hits == {False} else "sometimes"
