# SPDX-FileCopyrightText: 2026 multihome.linux contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the two packet filters a host's translations, marks and forwarding are written to, and why."""

from __future__ import annotations

from ..errors import Unsupported
from ..host import requirements
from .iptables import Iptables
from .nftables import Nftables

BACKENDS = ("nftables", "iptables")


def pick(wanted: str) -> tuple[str, str]:
    """Return the backend for ``auto``, ``nftables`` or ``iptables``, and why it is this one.

    Raises Unsupported when it is missing or too old (for ``auto``: when both are).
    """
    name, reason = wanted, f"backend: {wanted} was asked for"
    if wanted == "auto":
        name, reason = "nftables", "auto prefers nftables"
        fault = missing("nftables")
        if fault is not None and missing("iptables") is None:
            name, reason = "iptables", f"auto prefers nftables, but {fault}"
    fault = missing(name)
    if fault is not None:
        raise fault
    return name, reason


def missing(name: str) -> Unsupported | None:
    """Return why a backend cannot be used here; None when it can."""
    try:
        if name == "nftables":
            requirements.nft()
        else:
            Iptables().variant(4)
    except Unsupported as error:
        return error
    return None


def iptables_has(table: str, nftables: Nftables, iptables: Iptables | None = None) -> bool:
    """Tell whether iptables may have something in a table, of either variant, without asking its programs.

    Where it has not, as on most hosts that use nftables, four programs less are started.
    """
    programs = iptables or Iptables()
    try:
        if any(table in programs.legacy_tables(family) for family in (4, 6)):
            return True
        return not {("ip", table), ("ip6", table)}.isdisjoint(nftables.tables())
    except Unsupported:
        return True
