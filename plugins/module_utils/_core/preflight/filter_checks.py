# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of other people's packet filters and of what the kernel can do, one function each. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ..filters.rulesets import Chain, MarkWrite, Table
from .catalogue import Finding, finding
from .facts import Facts
from .model import Wanted


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
        for chain in foreign_chains(wanted, table):
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


def foreign_chains(wanted: Wanted, table: Table) -> list[Chain]:
    """Return the chains of a table that are not ours."""
    if table.tool == "nft":
        return [] if (table.kind, table.name) == ("inet", wanted.table) else list(table.chains.values())
    return [chain for chain in table.chains.values() if not chain.name.lower().startswith(wanted.table.lower())]
