# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts that a third-party packet filter may give on connections, as far as known without a packet. Pure."""

from __future__ import annotations

import fnmatch
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .rulesets import Chain, FilterRule, Match, Table

_ICMP = frozenset(("icmp", "icmpv6", "ipv6-icmp", "1", "58"))
# State and status of the first packet of a forwarded connection: mapped to a server, or initiated from the inside.
MAPPED = frozenset(("new", "dnat"))
INITIATED_INSIDE = frozenset(("new",))


@dataclass(frozen=True)
class Traffic:
    """Known facts of connections: the interfaces they arrive and leave by, their destinations, their states.

    An empty list means that nothing is known.
    """

    in_interfaces: Sequence[str] = ()
    out_interfaces: Sequence[str] = ()
    destinations: Sequence[str] = ()
    states: frozenset[str] = MAPPED


def possible_verdicts(table: Table, chain: Chain, traffic: Traffic, visited: frozenset[str] = frozenset()) -> set[str]:
    """Return the verdicts that a chain may give: accept, drop, or pass (go on with the calling chain's next rule).

    A rule that drops only some of the connections does so on purpose, and is left out. ``visited`` are the chains that
    led to this one.
    """
    visited |= {chain.name}
    policy = chain.policy or ("accept" if chain.hook else "pass")
    found: set[str] = set()
    for rule in chain.rules:
        matched = _matches(rule, traffic)
        verdicts = _verdicts(table, rule, traffic, visited) if matched != "never" else {"pass"}
        if matched == "sometimes" and verdicts == {"drop"}:
            continue
        found |= {policy if verdict == "return" else verdict for verdict in verdicts - {"pass"}}
        if matched == "always" and "pass" not in verdicts:
            return found
    return found | {policy}


def _verdicts(table: Table, rule: FilterRule, traffic: Traffic, visited: frozenset[str]) -> set[str]:
    """Return the verdicts of a rule on traffic that it matches; ``pass`` is to go on with the next rule."""
    if rule.verdict == "other":
        return {"accept", "drop"}
    if rule.verdict not in ("jump", "goto"):
        return {rule.verdict or "pass"}
    target = table.chains.get(rule.target)
    # A target that is no chain (LOG, MARK) ends nothing; one that was visited is a loop no kernel accepts.
    if target is None or target.name in visited:
        return {"pass"}
    found = possible_verdicts(table, target, traffic, visited)
    # A goto does not come back to this chain.
    return {"return" if verdict == "pass" and rule.verdict == "goto" else verdict for verdict in found}


def _matches(rule: FilterRule, traffic: Traffic) -> str:
    """Return whether a rule matches such connections: always, sometimes or never."""
    answers = {_holds(match, traffic) for match in rule.matches}
    return "never" if "never" in answers else "sometimes" if "sometimes" in answers else "always"


def _holds(match: Match, traffic: Traffic) -> str:
    if match.what in ("in_interface", "out_interface"):
        names = traffic.in_interfaces if match.what == "in_interface" else traffic.out_interfaces
        return _of_all(names, match, lambda name: any(fnmatch.fnmatchcase(name, value) for value in match.values))
    if match.what == "destination":
        networks = [ipaddress.ip_network(value, strict=False) for value in match.values]
        return _of_all(
            traffic.destinations, match, lambda text: any(ipaddress.ip_address(text) in net for net in networks)
        )
    if match.what in ("state", "status"):
        hit = bool(match.values & traffic.states)
        return "always" if hit != match.negated else "never"
    if match.what == "protocol" and match.values <= _ICMP and not match.negated:
        return "never"
    return "sometimes"


def _of_all(values: Sequence[str], match: Match, hit: Callable[[str], bool]) -> str:
    """Return whether a match holds for all values, some or none; sometimes when no value is known."""
    hits = {hit(value) != match.negated for value in values}
    return "always" if hits == {True} else "never" if hits == {False} else "sometimes"
