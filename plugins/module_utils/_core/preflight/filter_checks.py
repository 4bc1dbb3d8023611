# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of third-party packet filters and of kernel features, one function each. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .. import fields
from ..fields import listed
from ..filters.rulesets import TRANSLATION_PRIORITY, Chain, MarkWrite, Table
from .catalogue import Finding, finding
from .facts import Facts
from .model import FIREWALL, Desired


def kernel_features(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Kernel features that the role needs."""
    for option, there in facts.features.items():
        needed = "MULTIPLE_TABLES" in option or desired.filters_packets
        if option == "IPV6_MULTIPLE_TABLES" and 6 not in desired.families:
            continue
        if needed and there is False:
            message = f"this kernel was built without CONFIG_{option}, or its module is not installed"
            yield finding("kernel-feature-missing", option, message, option=f"CONFIG_{option}")


def legacy_iptables(_desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Rules of iptables-legacy. Its empty tables, which reading them creates, do no harm."""
    for table in facts.filters:
        if table.tool != "iptables-legacy":
            continue
        rules = sum(len(chain.rules) for chain in table.chains.values())
        policies = [chain.name for chain in table.chains.values() if chain.policy == "drop"]
        if rules or policies:
            said = [f"{rules} rules"] if rules else []
            said += [f"policy DROP of {name}" for name in policies]
            yield finding("legacy-iptables", str(table), f"it has {' and '.join(said)}")


def marks(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Third-party rules that write bits of the mark mask: one finding for all of a chain with the same consequence."""
    if not desired.uses_marks:
        return
    for table in facts.filters:
        for chain in foreign_chains(desired, table):
            writes = [write for rule in chain.rules for write in rule.marks if write.bits & desired.mark_mask]
            taken = [write for write in writes if _is_a_line(desired, write)]
            for kind, found in (("mark-in-use", taken), ("mark-bits-shared", [w for w in writes if w not in taken])):
                if found:
                    said = listed(dict.fromkeys(_written(write) for write in found))
                    message = f"it writes {said}; this collection's mark mask is 0x{desired.mark_mask:x}"
                    yield finding(kind, f"{table}, chain {chain.name}", message, mask=desired.mark_mask)


def gives_mark(desired: Desired, tables: Iterable[Table], rule: Mapping[str, Any]) -> str:
    """Return what makes replies that a policy rule selects by mark or interface; empty where nothing visible does."""
    selected = fields.mark(rule["mark"]) if rule.get("mark") else None
    for table in tables:
        for chain in foreign_chains(desired, table):
            if selected is None:
                # Selected by the interface alone: what is translated to there is answered from there.
                if chain.translates:
                    return f"{table}, chain {chain.name} translates destinations"
                continue
            for write in (write for each in chain.rules for write in each.marks):
                value, mask = selected
                if write.value is not None and write.bits & mask and write.value & write.bits & mask == value:
                    return f"{table}, chain {chain.name} writes {_written(write)}"
    return ""


def _is_a_line(desired: Desired, write: MarkWrite) -> bool:
    bits = write.bits & desired.mark_mask
    return write.value is not None and any(desired.mark_of(line) & bits == write.value & bits for line in desired.lines)


def _written(write: MarkWrite) -> str:
    value = "a computed mark" if write.value is None else f"mark 0x{write.value:x}"
    return f"{value} in the bits 0x{write.bits:x}"


def reverse_path(desired: Desired, facts: Facts) -> Iterator[Finding]:
    """Filters that drop packets whose way back, looked up without the connection's mark, leads by another line."""
    if not (desired.filters_packets or desired.auto_reply) or len(desired.interfaces) < 2:
        return
    for table in facts.filters:
        for chain in foreign_chains(desired, table):
            if chain.hook != "prerouting":
                continue
            late = chain.priority > TRANSLATION_PRIORITY
            families = [
                f"IPv{family}"
                for family in sorted(table.families & set(desired.families))
                if any(rule.drops_without_way_back(family) for rule in chain.rules)
                and _needs_marks(desired, facts, family, late)
            ]
            if families:
                message = f"it drops {fields.listed(families)} packets of all lines but one for an address of all lines"
                yield finding("reverse-path-filter", f"{table}, chain {chain.name}", message)


def _needs_marks(desired: Desired, facts: Facts, family: int, late: bool) -> bool:
    """Tell whether packets come to an address that no rule by source leads back from; ``late``: after translation."""
    if desired.role == FIREWALL:
        mapped = {rule.to_address for rule in desired.nat_rules if rule.type == "dnat" and not late}
        sources = {entry.object.source for entry in desired.routing.rules or () if entry.object.source}
        servers = [server for server in desired.servers if fields.family_of(server) == family]
        return any(server not in mapped and fields.prefix(server) not in sources for server in servers)
    if late and translates(desired, [table for table in facts.filters if family in table.families]):
        return True
    addresses = [address.partition("/")[0] for line in desired.lines for address in set(line.addresses)]
    return any(addresses.count(one) > 1 for one in addresses if fields.family_of(one) == family)


def translates(desired: Desired, tables: Iterable[Table]) -> bool:
    """Tell whether another program translates destinations on this host, so that the source does not tell the line."""
    return any(chain.translates for table in tables for chain in foreign_chains(desired, table))


def foreign_chains(desired: Desired, table: Table) -> list[Chain]:
    """Return the chains of a table that do not belong to this collection."""
    if table.tool == "nft":
        return [] if (table.kind, table.name) == ("inet", desired.table) else list(table.chains.values())
    return [chain for chain in table.chains.values() if not chain.name.lower().startswith(desired.table.lower())]
